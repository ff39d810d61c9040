//! [`Filter`]: which rows a query selects (API spec §4.1, §4.5).

use crate::query::grain::{Grain, month_after};
use ooni_core::time::{DateTime, SECONDS_PER_DAY};

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
    /// Inputs that a test list has in this category. In an aggregation, an input counts once for each list that has it.
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
/// Times of rows are whole seconds, so every other kind of bound can be expressed: "after t" begins a second later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Inclusive.
    pub from: Option<DateTime>,
    /// Exclusive.
    pub to: Option<DateTime>,
}

impl Window {
    /// From the first moment until before the second.
    pub fn new(from: DateTime, to: DateTime) -> Window {
        Window { from: Some(from), to: Some(to) }
    }

    /// Its length in days, if it has both bounds.
    pub(crate) fn days(&self) -> Option<f64> {
        let (from, to) = (self.from?.timestamp(), self.to?.timestamp());
        Some((to - from).max(0) as f64 / SECONDS_PER_DAY as f64)
    }

    /// The whole hours, days, … within it, and what is left before and after them; `None` if it has not one of them whole.
    pub(crate) fn split(&self, grain: Grain) -> Option<Split> {
        let from = self.from.map(|from| match grain.start(from) {
            start if start == from => Some(from),
            start => next(grain, start),
        });
        let from = match from {
            Some(None) => return None,
            Some(from) => from,
            None => None,
        };
        let to = self.to.map(|to| grain.start(to));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return None;
        }
        let before = Window { from: self.from, to: from };
        let after = Window { from: to, to: self.to };
        let is_any = |window: &Window| window.from != window.to;
        Some(Split {
            before: Some(before).filter(is_any),
            whole: Window { from, to },
            after: Some(after).filter(is_any),
        })
    }
}

/// A [`Window`] in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) before: Option<Window>,
    pub(crate) whole: Window,
    pub(crate) after: Option<Window>,
}

/// The first moment of the hour, day, … after the one that begins at `start`.
fn next(grain: Grain, start: DateTime) -> Option<DateTime> {
    let later = |seconds: i64| DateTime::from_timestamp(start.timestamp().checked_add(seconds)?);
    match grain {
        Grain::Hour => later(3600),
        Grain::Day => later(SECONDS_PER_DAY),
        Grain::Week => later(7 * SECONDS_PER_DAY),
        Grain::Month => Some(month_after(start)),
        Grain::Year => later(366 * SECONDS_PER_DAY).map(|time| Grain::Year.start(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_split() {
        let at = |month, day, hour| DateTime::new(2024, month, day, hour, 0, 0).unwrap();
        let open = Window::default();
        assert_eq!(open.split(Grain::Day), Some(Split { before: None, whole: open, after: None }));
        let window = Window::new(at(1, 30, 5), at(3, 2, 0));
        let split = window.split(Grain::Month).unwrap();
        assert_eq!(split.before, Some(Window::new(at(1, 30, 5), at(2, 1, 0))));
        assert_eq!(split.whole, Window::new(at(2, 1, 0), at(3, 1, 0)));
        assert_eq!(split.after, Some(Window::new(at(3, 1, 0), at(3, 2, 0))));
        let split = window.split(Grain::Day).unwrap();
        assert_eq!((split.before, split.after), (Some(Window::new(at(1, 30, 5), at(1, 31, 0))), None));
        assert_eq!(Window::new(at(1, 30, 5), at(1, 31, 23)).split(Grain::Day), None);
        assert_eq!(Window::new(at(3, 2, 0), at(1, 30, 5)).split(Grain::Hour), None);
        let half = Window { from: Some(at(1, 30, 5)), to: None };
        assert_eq!(half.split(Grain::Week).unwrap().whole, Window { from: Some(at(2, 4, 0)), to: None });
    }
}
