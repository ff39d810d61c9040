//! [`Survey`]: what listings found, for a helpful message if no can was selected.

use crate::day::Day;
use crate::selection::Selection;
use std::collections::BTreeSet;

/// What listings found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The days that were listed without an error.
    pub days: BTreeSet<Day>,
    /// Cans that were selected.
    pub selected: u64,
    /// Those among them whose keys do not show the country.
    pub without_cc: u64,
    /// Those among them whose keys do not show the test.
    pub without_testname: u64,
    /// Cans of other countries or tests.
    pub others: u64,
    /// Files whose keys do not belong to cans.
    pub unknown_keys: u64,
    /// The first of these keys.
    pub unknown_key: Option<String>,
    /// Countries of cans and folders, in upper case: those of the selection, and others up to a maximum number.
    pub ccs: BTreeSet<String>,
    /// Tests of cans and folders, in lower case without underscores: those of the selection, and others up to a maximum
    /// number.
    pub testnames: BTreeSet<String>,
}

/// Maximum number of countries, and of tests, that are recorded.
const MOST_NAMES: usize = 1000;

/// Maximum number of countries or tests that are shown.
const SHOWN: usize = 10;

impl Survey {
    /// Records the country and test of a folder or can.
    pub(super) fn add_names(&mut self, cc: Option<&str>, testname: Option<&str>, selection: &Selection) {
        let parts = [(&mut self.ccs, cc, &selection.ccs), (&mut self.testnames, testname, &selection.testnames)];
        for (names, name, selected) in parts {
            if let Some(name) = name
                && (names.len() < MOST_NAMES || selected.contains(name))
                && !names.contains(name)
            {
                names.insert(name.to_owned());
            }
        }
    }

    /// Counts a file that is not a can.
    pub(super) fn add_unknown(&mut self, key: &str) {
        if !key.ends_with("/index.json.gz") {
            self.unknown_keys += 1;
            self.unknown_key.get_or_insert_with(|| key.to_owned());
        }
    }

    /// What was found instead of the cans of a selection, as parts of a sentence; empty if nothing was found.
    pub(super) fn instead_of(&self, selection: &Selection) -> Vec<String> {
        let mut found = Vec::new();
        match self {
            Survey { unknown_keys: 1, unknown_key: Some(key), .. } => {
                found.push(format!("a file there is not named like a can: {key:?}"));
            }
            Survey { unknown_keys: keys @ 2.., unknown_key: Some(key), .. } => {
                found.push(format!("{keys} files there are not named like cans, such as {key:?}"));
            }
            _ => {}
        }
        for (what, selected, there) in
            [("countries", &selection.ccs, &self.ccs), ("tests", &selection.testnames, &self.testnames)]
        {
            if !selected.is_empty() && !there.is_empty() && selected.is_disjoint(there) {
                let more = if there.len() > SHOWN { " …" } else { "" };
                let names: Vec<_> = there.iter().take(SHOWN).map(String::as_str).collect();
                found.push(format!("{what} there: {}{more}", names.join(" ")));
            }
        }
        found
    }
}
