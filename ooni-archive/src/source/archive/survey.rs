//! [`Survey`]: what listings have found, to say something useful when no can was selected.

use crate::selection::Selection;
use std::collections::BTreeSet;

/// What listings have found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Cans that were selected.
    pub selected: u64,
    /// Cans of other countries or tests.
    pub others: u64,
    /// Files whose keys do not belong to cans.
    pub unknown_keys: u64,
    /// The first of these.
    pub unknown_key: Option<String>,
    /// Countries of all cans and folders, in upper case, as far as they are remembered.
    pub ccs: BTreeSet<String>,
    /// Their tests, in lower case without underscores, likewise.
    pub testnames: BTreeSet<String>,
}

/// Names of countries, and of tests, that a survey remembers.
const MOST_NAMES: usize = 1000;

/// Names of countries or tests that are shown.
const SHOWN: usize = 10;

impl Survey {
    /// Remembers names of folders or cans.
    pub(super) fn add_names(&mut self, cc: Option<&str>, testname: Option<&str>) {
        for (names, name) in [(&mut self.ccs, cc), (&mut self.testnames, testname)] {
            if let Some(name) = name
                && names.len() < MOST_NAMES
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

    /// What is there instead of the cans of a selection, as parts of a sentence; none when nothing was found.
    pub(super) fn instead_of(&self, selection: &Selection) -> Vec<String> {
        let mut found = Vec::new();
        match self {
            Survey { unknown_keys: 1, unknown_key: Some(key), .. } => {
                found.push(format!("a file there is not a can by its name: {key:?}"));
            }
            Survey { unknown_keys: keys @ 2.., unknown_key: Some(key), .. } => {
                found.push(format!("{keys} files there are not cans by their names, such as {key:?}"));
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
