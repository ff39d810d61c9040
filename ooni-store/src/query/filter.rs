//! [`Filter`]: which rows a query is about (API spec §4.1, §4.5).

use ooni_core::time::DateTime;

/// Conditions on rows, all of which have to hold. An empty list or `None` is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The report.
    pub report_id: Option<String>,
    /// The exact input. `Some("")` is for measurements that have none.
    pub input: Option<String>,
    /// Any of these domains.
    pub domains: Vec<String>,
    /// Any of these countries, upper case.
    pub probe_ccs: Vec<String>,
    /// Any of these networks.
    pub probe_asns: Vec<u32>,
    /// Any of these tests, with underscores.
    pub test_names: Vec<String>,
    /// Inputs that a test list has in this category. One in several lists counts several times.
    pub category: Option<Category>,
    /// Start of the measurement.
    pub window: Window,
    /// The flag as it is stored.
    pub anomaly: Option<bool>,
    /// Likewise.
    pub confirmed: Option<bool>,
    /// Likewise.
    pub failure: Option<bool>,
    /// Any of these versions.
    pub software_versions: Vec<String>,
    /// Any of these versions.
    pub test_versions: Vec<String>,
    /// Any of these versions.
    pub engine_versions: Vec<String>,
    /// Any of these links.
    pub ooni_run_link_ids: Vec<u64>,
    /// Leaves out measurements of no country (`ZZ`).
    pub only_known_cc: bool,
    /// Leaves out measurements of no network (0).
    pub only_known_asn: bool,
}

impl Filter {
    /// Whether it is about some tests, and not about that of which nearly all measurements are.
    pub(crate) fn is_of_rare_tests(&self) -> bool {
        !self.test_names.is_empty() && self.test_names.iter().all(|name| name != "web_connectivity")
    }
}

/// A category of test lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// One of the codes of API spec §2.3.
    pub code: String,
    /// Lists that count, by their `cc`; empty for all of them.
    pub lists: Vec<String>,
}

/// A time from `from` until before `to`.
///
/// Times of rows are whole seconds, so each other kind of bound can be said with these: "after t" begins a second later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Inclusive.
    pub from: Option<DateTime>,
    /// Exclusive.
    pub to: Option<DateTime>,
}

/// Seconds of a day.
const DAY: i64 = 86_400;

impl Window {
    /// Days from the first to before the second, each `YYYY-MM-DD` at midnight.
    pub fn new(from: DateTime, to: DateTime) -> Window {
        Window { from: Some(from), to: Some(to) }
    }

    /// Whether each bound is at the start of an hour, or missing.
    pub fn is_of_hours(&self) -> bool {
        self.bounds_are(|time| time.timestamp().rem_euclid(3600) == 0)
    }

    /// Whether each bound is at midnight, or missing.
    pub fn is_of_days(&self) -> bool {
        self.bounds_are(|time| time.timestamp().rem_euclid(DAY) == 0)
    }

    /// Whether each bound is at the start of a week, which is a Sunday, or missing.
    pub fn is_of_weeks(&self) -> bool {
        // 1970-01-01 was a Thursday.
        self.bounds_are(|time| (time.timestamp() + 4 * DAY).rem_euclid(7 * DAY) == 0)
    }

    /// Whether each bound is at the start of a month, or missing.
    pub fn is_of_months(&self) -> bool {
        self.is_of_days() && self.bounds_are(|time| time.date().2 == 1)
    }

    fn bounds_are(&self, right: impl Fn(DateTime) -> bool) -> bool {
        [self.from, self.to].into_iter().flatten().all(right)
    }

    /// Whether there is no bound.
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Its length in days, if it has both bounds.
    pub fn days(&self) -> Option<u64> {
        let (from, to) = (self.from?.timestamp(), self.to?.timestamp());
        Some(u64::try_from((to - from).max(0)).unwrap_or(0).div_ceil(DAY as u64))
    }
}
