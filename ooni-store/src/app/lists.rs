//! The difference between two sets of test lists, for the rollups that count by them.

use crate::write::row::ListedUrl;
use std::collections::BTreeMap;

/// An entry that counts more or less often than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangedEntry<'l> {
    pub(crate) url: &'l str,
    pub(crate) category_code: &'l str,
    pub(crate) cc: &'l str,
    /// How many times more often.
    pub(crate) weight: i64,
}

/// How one set of lists becomes another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference<'l> {
    /// They are equal.
    None,
    /// The entries that rollups have to count again; there are none when only domains differ.
    Entries(Vec<ChangedEntry<'l>>),
    /// So much differs that counting all rows once is faster.
    Most,
}

/// A part of the entries; if more of them differ, a rollup is rebuilt.
const PART: usize = 4;

/// The difference between the lists of a store and those that replace them.
pub(crate) fn difference<'l>(old: &'l [ListedUrl], new: &'l [ListedUrl]) -> Difference<'l> {
    let sorted = |lists: &'l [ListedUrl]| {
        let mut all: Vec<&ListedUrl> = lists.iter().collect();
        all.sort_unstable();
        all
    };
    if sorted(old) == sorted(new) {
        return Difference::None;
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
    match changed.len() > (old.len() + new.len()) / PART {
        true => Difference::Most,
        false => Difference::Entries(changed),
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
    fn differences() {
        let old: Vec<_> = ["a", "b", "c", "d", "e", "e"].iter().map(|url| entry(url, "x.org", "ZZ")).collect();
        let mut new = old.clone();
        new.reverse();
        assert_eq!(difference(&old, &new), Difference::None);
        new[2].domain = "y.org".to_owned();
        assert_eq!(difference(&old, &new), Difference::Entries(vec![]));
        new.remove(0);
        new.push(entry("a", "x.org", "it"));
        let changed = |url, cc, weight| ChangedEntry { url, category_code: "NEWS", cc, weight };
        assert_eq!(difference(&old, &new), Difference::Entries(vec![changed("a", "it", 1), changed("e", "ZZ", -1)]));
        assert_eq!(difference(&old, &new[3..]), Difference::Most);
        assert_eq!(difference(&[], &new), Difference::Most);
    }
}
