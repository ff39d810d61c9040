//! [`Counts`]: what became of all measurements, so that none is lost unseen.
//!
//! `accepted = stored + discarded + rejected`, over all and for each test.

use ooni_core::process::Outcome;
use std::ops::AddAssign;

/// Tests that are counted apart. Names come from measurements, so there is no end to them.
const MOST_TESTS: usize = 1000;

/// Name of the tests beyond those.
const OTHERS: &str = "(other tests)";

/// Name for measurements whose test is not known.
pub const UNKNOWN: &str = "(unknown)";

/// What became of measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Entries that were read, good or broken.
    pub accepted: u64,
    /// Those that have a row.
    pub stored: u64,
    /// Of these, anomalies.
    pub anomaly: u64,
    /// Of these, confirmed.
    pub confirmed: u64,
    /// Of these, measurements that failed.
    pub failure: u64,
    /// Those left out on purpose.
    pub discarded: u64,
    /// Those with something wrong.
    pub rejected: u64,
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
            Outcome::Discarded { .. } => self.discarded += 1,
            Outcome::Rejected { .. } => self.rejected += 1,
        }
    }

    /// Whether it adds up.
    pub fn adds_up(&self) -> bool {
        self.accepted == self.stored + self.discarded + self.rejected
    }
}

impl AddAssign<&Count> for Count {
    fn add_assign(&mut self, other: &Count) {
        self.accepted += other.accepted;
        self.stored += other.stored;
        self.anomaly += other.anomaly;
        self.confirmed += other.confirmed;
        self.failure += other.failure;
        self.discarded += other.discarded;
        self.rejected += other.rejected;
    }
}

/// What became of measurements, in all and by test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    all: Count,
    /// In the order in which they came; they are few, and the most frequent come first.
    tests: Vec<(String, Count)>,
}

impl Counts {
    /// Counts one measurement of a test.
    pub fn add(&mut self, test: &str, outcome: &Outcome) {
        self.all.add(outcome);
        self.of(test).add(outcome);
    }

    /// Over all tests.
    pub fn all(&self) -> &Count {
        &self.all
    }

    /// By test, in the order of their names.
    pub fn tests(&self) -> impl Iterator<Item = (&str, &Count)> {
        let mut tests: Vec<_> = self.tests.iter().map(|(name, count)| (&**name, count)).collect();
        tests.sort_unstable_by_key(|(name, _)| *name);
        tests.into_iter()
    }

    /// Counts what another has counted.
    pub fn merge(&mut self, other: &Counts) {
        self.all += &other.all;
        for (test, count) in &other.tests {
            *self.of(test) += count;
        }
    }

    /// Whether the whole and each test add up, and the tests to the whole.
    pub fn adds_up(&self) -> bool {
        let mut sum = Count::default();
        for (_, count) in &self.tests {
            sum += count;
        }
        sum == self.all && self.all.adds_up() && self.tests.iter().all(|(_, count)| count.adds_up())
    }

    fn of(&mut self, test: &str) -> &mut Count {
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
        }
        let mut twice = counts.clone();
        twice.merge(&counts);
        for (counts, times) in [(counts, 3), (twice, 6)] {
            let number = times * MOST_TESTS as u64;
            let all = Count { accepted: 2 * number, discarded: number, rejected: number, ..Count::default() };
            assert_eq!(*counts.all(), all);
            assert!(counts.adds_up());
            assert!(counts.tests().count() <= MOST_TESTS + 2);
        }
    }
}
