//! [`Survey`]: what listings have found, to say something useful when no can was selected.

use super::{Archive, Place};
use crate::blobs::Blobs;
use crate::layout::Layout;
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
}

/// Names of countries or tests that are shown.
const SHOWN: usize = 10;

impl Archive {
    /// What listings have found so far.
    pub fn survey(&self) -> Survey {
        self.core.survey().clone()
    }

    /// When no can was selected: what is there instead, as parts of a sentence. None of them when the places are empty.
    pub fn found_instead(&self) -> Vec<String> {
        let (survey, selection) = (self.core.survey(), &self.core.wanted);
        let mut found: Vec<_> = self.core.places.iter().filter_map(Place::without_layout).collect();
        match &*survey {
            Survey { unknown_keys: 1, unknown_key: Some(key), .. } => {
                found.push(format!("a file there is not a can by its name: {key:?}"));
            }
            Survey { unknown_keys: keys @ 2.., unknown_key: Some(key), .. } => {
                found.push(format!("{keys} files there are not cans by their names, such as {key:?}"));
            }
            _ => {}
        }
        for (what, selected, there) in
            [("countries", &selection.ccs, &survey.ccs), ("tests", &selection.testnames, &survey.testnames)]
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

impl Place {
    /// What is wrong with a folder that has no part of the archive in it.
    fn without_layout(&self) -> Option<String> {
        let Blobs::Directory(directory) = &self.blobs else { return None };
        let has_none = Layout::ALL.into_iter().all(|layout| !directory.path(layout.top()).is_dir());
        has_none.then(|| format!("there is neither raw/ nor canned/ in {}", directory.path("").display()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Location, Options};
    use super::*;
    use crate::day::DayRange;
    use crate::selection::Selection;
    use std::fs;
    use tempfile::TempDir;

    fn folder(keys: &[&str]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for key in keys {
            let path = root.path().join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    /// An archive in a folder, listed.
    fn listed(root: &TempDir, ccs: &[&str], testnames: &[&str], days: [&str; 2]) -> Archive {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let days = DayRange { start: days[0].parse().unwrap(), end: days[1].parse().unwrap() };
        let selection = Selection { days, ccs: set(ccs), testnames: set(testnames) };
        let locations = vec![Location::Directory(root.path().to_owned())];
        let archive = Archive::open(locations, selection, Options::default()).unwrap();
        for day in days {
            for layout in Layout::ALL {
                assert_eq!(archive.core.folder(0, &layout.prefix(day)).errors, []);
            }
        }
        archive
    }

    const DAY: [&str; 2] = ["2021-06-14", "2021-06-15"];
    const SIGNAL: &str = "raw/20210614/00/JO/signal/2021061400_JO_signal.n1.0.tar.gz";

    #[test]
    fn what_is_there_instead_is_said() {
        let root = folder(&[SIGNAL, "raw/20210614/00/JO/signal/2021061400_JO_signal.tar"]);
        let found = |ccs: &[&str], names: &[&str], days| listed(&root, ccs, names, days).found_instead();
        assert_eq!(found(&["IT"], &["ndt", "tor"], ["2021-06-14", "2021-06-17"]), ["countries there: JO"]);
        assert_eq!(found(&["JO"], &["ndt"], DAY), ["tests there: signal"]);
        assert_eq!(found(&[], &[], ["2021-06-15", "2021-06-16"]), Vec::<String>::new());
        let survey = listed(&root, &[], &[], DAY).survey();
        assert_eq!((survey.selected, survey.others, survey.unknown_keys), (1, 0, 1));
        // Files of the day that are not laid out as in the archive, and no layout at all.
        let root = folder(&["raw/20210614/2021061400_JO_signal.n1.0.tar.gz"]);
        let key = r#""raw/20210614/2021061400_JO_signal.n1.0.tar.gz""#;
        let expected = format!("a file there is not a can by its name: {key}");
        assert_eq!(listed(&root, &[], &[], DAY).found_instead(), [expected]);
        let root = folder(&["20210614/00/x"]);
        let expected = format!("there is neither raw/ nor canned/ in {}/", root.path().display());
        assert_eq!(listed(&root, &[], &[], DAY).found_instead(), [expected]);
    }
}
