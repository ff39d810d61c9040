//! [`Counts`]: counts of the outcomes of all measurements, so that a lost one is noticed.
//!
//! `accepted = stored + discarded + rejected + refused`, overall and for each test.

use ooni_core::process::Outcome;
use ooni_core::row::FastpathRow;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Maximum number of tests that are counted separately. Names come from measurements, so their number is unbounded.
const MOST_TESTS: usize = 1000;

/// Maximum bytes of the name of a test; longer names are truncated.
const LONGEST_NAME: usize = 200;

/// Maximum number of tests in a summary.
pub const SHOWN_TESTS: usize = 50;

/// Name under which all other tests are counted.
const OTHERS: &str = "(other tests)";

/// Name for measurements whose test is unknown.
pub const UNKNOWN: &str = "(unknown)";

/// The number of occurrences of each name, in the order of names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Counts one occurrence.
    pub fn add(&mut self, name: &str) {
        match self.0.get_mut(name) {
            Some(number) => *number += 1,
            None => {
                self.0.insert(name.to_owned(), 1);
            }
        }
    }

    /// The total.
    pub fn sum(&self) -> u64 {
        self.0.values().sum()
    }

    /// The names and their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, &number)| (&**name, number))
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        for (name, number) in &other.0 {
            *self.0.entry(name.clone()).or_default() += number;
        }
    }
}

/// Counts of outcomes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Entries that were read, valid or not.
    pub accepted: u64,
    /// Entries with a row.
    pub stored: u64,
    /// Of these, anomalies.
    pub anomaly: u64,
    /// Of these, confirmed.
    pub confirmed: u64,
    /// Of these, measurements that failed.
    pub failure: u64,
    /// Entries that were discarded, by reason.
    pub discarded: Tally,
    /// Entries that were rejected, by error code.
    pub rejected: Tally,
    /// Entries whose row a typed store refuses, by column.
    pub refused: Tally,
}

impl Count {
    fn add(&mut self, outcome: &Outcome) {
        self.accepted += 1;
        match outcome {
            Outcome::Stored { row, .. } => {
                self.stored += 1;
                self.anomaly += u64::from(row.anomaly);
                self.confirmed += u64::from(row.confirmed);
                self.failure += u64::from(row.msm_failure);
            }
            Outcome::Discarded { reason } => self.discarded.add(reason.as_str()),
            Outcome::Rejected { error } => self.rejected.add(error.code.as_str()),
        }
    }

    fn refuse(&mut self, column: &str) {
        self.accepted += 1;
        self.refused.add(column);
    }

    fn refuse_stored(&mut self, row: &FastpathRow, column: &str) {
        self.stored -= 1;
        self.anomaly -= u64::from(row.anomaly);
        self.confirmed -= u64::from(row.confirmed);
        self.failure -= u64::from(row.msm_failure);
        self.refused.add(column);
    }

    /// Whether the counter equation holds.
    pub fn adds_up(&self) -> bool {
        self.accepted == self.stored + self.discarded.sum() + self.rejected.sum() + self.refused.sum()
    }
}

impl AddAssign<&Count> for Count {
    fn add_assign(&mut self, other: &Count) {
        self.accepted += other.accepted;
        self.stored += other.stored;
        self.anomaly += other.anomaly;
        self.confirmed += other.confirmed;
        self.failure += other.failure;
        self.discarded += &other.discarded;
        self.rejected += &other.rejected;
        self.refused += &other.refused;
    }
}

/// Counts of outcomes, overall and by test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    all: Count,
    /// In the order of first occurrence. There are few, and the most frequent ones come first.
    tests: Vec<(String, Count)>,
}

impl Counts {
    /// Counts a measurement of a test.
    pub fn add(&mut self, test: &str, outcome: &Outcome) {
        self.all.add(outcome);
        self.of(test).add(outcome);
    }

    /// Counts a measurement whose row is refused because of a column.
    pub fn refuse(&mut self, test: &str, column: &str) {
        self.all.refuse(column);
        self.of(test).refuse(column);
    }

    /// Counts a row as refused that was counted as stored.
    pub fn refuse_stored(&mut self, row: &FastpathRow, column: &str) {
        let name = row.test_name.as_str().filter(|name| !name.is_empty()).unwrap_or(UNKNOWN);
        self.all.refuse_stored(row, column);
        self.of(name).refuse_stored(row, column);
    }

    /// The counts of all tests together.
    pub fn all(&self) -> &Count {
        &self.all
    }

    /// The counts of each test, in the order of names.
    pub fn tests(&self) -> impl Iterator<Item = (&str, &Count)> {
        let mut tests: Vec<_> = self.tests.iter().map(|(name, count)| (&**name, count)).collect();
        tests.sort_unstable_by_key(|(name, _)| *name);
        tests.into_iter()
    }

    /// The `most` tests with the most measurements, in the order of names; then all others together.
    pub fn summary(&self, most: usize) -> Vec<(&str, Cow<'_, Count>)> {
        let mut tests: Vec<_> = self.tests.iter().map(|(name, count)| (&**name, count)).collect();
        tests.sort_unstable_by_key(|(name, count)| (*name == OTHERS, Reverse(count.accepted), *name));
        let others = tests.split_off(most.min(tests.len()));
        tests.sort_unstable_by_key(|(name, _)| (*name == OTHERS, *name));
        let mut rows: Vec<_> = tests.into_iter().map(|(name, count)| (name, Cow::Borrowed(count))).collect();
        if !others.is_empty() {
            let mut sum = Count::default();
            others.iter().for_each(|(_, count)| sum += count);
            rows.push((OTHERS, Cow::Owned(sum)));
        }
        rows
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: &Counts) {
        self.all += &other.all;
        for (test, count) in &other.tests {
            *self.of(test) += count;
        }
    }

    /// Whether the counter equation holds overall and for each test, and the tests sum up to the total.
    pub fn adds_up(&self) -> bool {
        let mut sum = Count::default();
        for (_, count) in &self.tests {
            sum += count;
        }
        sum == self.all && self.all.adds_up() && self.tests.iter().all(|(_, count)| count.adds_up())
    }

    fn of(&mut self, test: &str) -> &mut Count {
        let test = &test[..test.floor_char_boundary(LONGEST_NAME)];
        let find = |tests: &[(String, Count)], test| tests.iter().position(|(name, _)| name == test);
        let name = if self.tests.len() < MOST_TESTS || test == UNKNOWN { test } else { OTHERS };
        let at = find(&self.tests, test).or_else(|| find(&self.tests, name)).unwrap_or_else(|| {
            self.tests.push((name.to_owned(), Count::default()));
            self.tests.len() - 1
        });
        &mut self.tests[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ooni_core::error::{Code, Error};
    use ooni_core::process::Discard;

    #[test]
    fn counts_add_up() {
        let rejected = Outcome::Rejected { error: Error::new(Code::Can, "", "") };
        let discarded = Outcome::Discarded { reason: Discard::UnknownCountry };
        let mut counts = Counts::default();
        for test in 0..3 * MOST_TESTS {
            counts.add(&test.to_string(), &discarded);
            counts.add(UNKNOWN, &rejected);
            counts.refuse(UNKNOWN, "test_version");
        }
        let mut twice = counts.clone();
        twice.merge(&counts);
        for (counts, times) in [(counts, 3), (twice, 6)] {
            let number = times * MOST_TESTS as u64;
            assert_eq!(counts.all().accepted, 3 * number);
            assert_eq!(counts.all().discarded.iter().collect::<Vec<_>>(), [("unknown_country", number)]);
            assert_eq!(counts.all().rejected.iter().collect::<Vec<_>>(), [("E-CAN", number)]);
            assert_eq!(counts.all().refused.iter().collect::<Vec<_>>(), [("test_version", number)]);
            assert!(counts.adds_up());
            assert!(counts.tests().count() <= MOST_TESTS + 2);
        }
    }

    #[test]
    fn summaries_are_bounded() {
        let discarded = Outcome::Discarded { reason: Discard::UnknownCountry };
        let mut counts = Counts::default();
        counts.add("dash", &discarded);
        for test in 0..3 * MOST_TESTS {
            counts.add(&test.to_string(), &discarded);
        }
        for test in ["x", "y"] {
            counts.add(&test.repeat(10 << 20), &discarded);
            counts.add("dash", &discarded);
        }
        assert!(serde_json::to_string(&counts).unwrap().len() < 200_000, "names are short");
        let summary = counts.summary(3);
        let rows: Vec<_> = summary.iter().map(|(name, count)| (*name, count.accepted)).collect();
        assert_eq!(rows, [("0", 1), ("1", 1), ("dash", 3), (OTHERS, 3000)]);
        assert_eq!(counts.summary(5000).len(), counts.tests().count());
    }

    #[test]
    fn counts_are_read_back() {
        let mut counts = Counts::default();
        counts.add("dash", &Outcome::Discarded { reason: Discard::UnknownCountry });
        counts.refuse("ndt", "probe_asn");
        let text = serde_json::to_string(&counts).unwrap();
        assert_eq!(serde_json::from_str::<Counts>(&text).unwrap(), counts);
    }
}
