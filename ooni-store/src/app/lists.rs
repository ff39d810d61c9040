//! Compares two sets of test lists, for the rollups that count by list entry.

use crate::write::row::ListedUrl;
use std::collections::BTreeMap;

/// An entry that occurs more or less often than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangedEntry<'l> {
    pub(crate) url: &'l str,
    pub(crate) category_code: &'l str,
    pub(crate) cc: &'l str,
    /// How many times more often; negative if less often.
    pub(crate) weight: i64,
}

/// What changes when one set of lists replaces another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListChanges<'l> {
    /// Nothing.
    None,
    /// These entries, which rollups must count again. Empty if only domains differ.
    Entries(Vec<ChangedEntry<'l>>),
    /// So many entries that rebuilding the rollups is faster.
    Most,
}

/// Rollups are rebuilt if more than one in this many entries changed.
const MOST: usize = 4;

/// Compares the lists of a store with those that replace them.
pub(crate) fn list_changes<'l>(old: &'l [ListedUrl], new: &'l [ListedUrl]) -> ListChanges<'l> {
    let sorted = |lists: &'l [ListedUrl]| {
        let mut all: Vec<&ListedUrl> = lists.iter().collect();
        all.sort_unstable();
        all
    };
    if sorted(old) == sorted(new) {
        return ListChanges::None;
    }
    let mut weights: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    for (lists, weight) in [(old, -1), (new, 1)] {
        for ListedUrl { url, cc, category_code, .. } in lists {
            *weights.entry((url, category_code, cc)).or_default() += weight;
        }
    }
    let changed = weights.into_iter().filter(|(_, weight)| *weight != 0);
    let changed: Vec<_> =
        changed.map(|((url, category_code, cc), weight)| ChangedEntry { url, category_code, cc, weight }).collect();
    match changed.len() > (old.len() + new.len()) / MOST {
        true => ListChanges::Most,
        false => ListChanges::Entries(changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(url: &str, domain: &str, cc: &str) -> ListedUrl {
        let [url, domain, cc] = [url, domain, cc].map(str::to_owned);
        ListedUrl { url, domain, cc, category_code: "NEWS".to_owned() }
    }

    #[test]
    fn changes() {
        let old: Vec<_> = ["a", "b", "c", "d", "e", "e"].iter().map(|url| entry(url, "x.org", "ZZ")).collect();
        let mut new = old.clone();
        new.reverse();
        assert_eq!(list_changes(&old, &new), ListChanges::None);
        new[2].domain = "y.org".to_owned();
        assert_eq!(list_changes(&old, &new), ListChanges::Entries(vec![]));
        new.remove(0);
        new.push(entry("a", "x.org", "it"));
        let changed = |url, cc, weight| ChangedEntry { url, category_code: "NEWS", cc, weight };
        assert_eq!(list_changes(&old, &new), ListChanges::Entries(vec![changed("a", "it", 1), changed("e", "ZZ", -1)]));
        assert_eq!(list_changes(&old, &new[3..]), ListChanges::Most);
        assert_eq!(list_changes(&[], &new), ListChanges::Most);
    }
}
