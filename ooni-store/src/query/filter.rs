//! [`Filter`]: which rows a query selects (API spec §4.1, §4.5).

use crate::query::grain::Grain;
use ooni_core::time::{DateTime, SECONDS_PER_DAY};

/// Conditions on rows, all of which must hold. An empty list or `None` is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The report.
    pub report_id: Option<String>,
    /// The exact input. `Some("")` matches measurements without one.
    pub input: Option<String>,
    /// Any of these domains.
    pub domains: Vec<String>,
    /// Any of these countries, upper case.
    pub probe_ccs: Vec<String>,
    /// Any of these networks.
    pub probe_asns: Vec<u32>,
    /// Any of these tests, with underscores.
    pub test_names: Vec<String>,
    /// Only inputs that a test list has in this category. In an aggregation, an input counts once for each such list.
    pub category: Option<Category>,
    /// Excludes inputs that are in no test list.
    pub only_listed: bool,
    /// Start of the measurement.
    pub window: Window,
    /// The stored flag `anomaly`.
    pub anomaly: Option<bool>,
    /// The stored flag `confirmed`.
    pub confirmed: Option<bool>,
    /// The stored flag `msm_failure`.
    pub failure: Option<bool>,
    /// Any of these versions.
    pub software_versions: Vec<String>,
    /// Any of these versions.
    pub test_versions: Vec<String>,
    /// Any of these versions.
    pub engine_versions: Vec<String>,
    /// Any of these links.
    pub ooni_run_link_ids: Vec<u64>,
    /// Excludes measurements of an unknown country (`ZZ`).
    pub only_known_cc: bool,
    /// Excludes measurements of an unknown network (0).
    pub only_known_asn: bool,
}

impl Filter {
    /// Whether it selects tests, but not `web_connectivity`, to which nearly all measurements belong.
    pub(crate) fn is_of_rare_tests(&self) -> bool {
        !self.test_names.is_empty() && self.test_names.iter().all(|name| name != "web_connectivity")
    }
}

/// A category of test lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// One of the codes of API spec §2.3.
    pub code: String,
    /// Lists to search, by `cc`; empty for all of them.
    pub lists: Vec<String>,
}

/// A half-open interval of time: `from` is inclusive, `to` exclusive.
///
/// Times of rows are whole seconds, so other bounds can be expressed as well: "after t" begins one second later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Inclusive.
    pub from: Option<DateTime>,
    /// Exclusive.
    pub to: Option<DateTime>,
}

impl Window {
    /// An interval that includes `from` and excludes `to`.
    pub fn new(from: DateTime, to: DateTime) -> Window {
        Window { from: Some(from), to: Some(to) }
    }

    /// Its length in days, if it has both bounds.
    pub(crate) fn days(&self) -> Option<f64> {
        let (from, to) = (self.from?.timestamp(), self.to?.timestamp());
        Some((to - from).max(0) as f64 / SECONDS_PER_DAY as f64)
    }

    /// The whole hours, days, … within it, and the remainders before and after them; `None` if it contains none.
    pub(crate) fn split(&self, grain: Grain) -> Option<Split> {
        let from = self.from.map(|from| match grain.start(from) {
            start if start == from => Some(from),
            start => grain.end(start),
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

/// A [`Window`], split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) before: Option<Window>,
    pub(crate) whole: Window,
    pub(crate) after: Option<Window>,
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
