//! From bytes to an outcome: the pipeline of one measurement (scoring spec §3).
use crate::error::Error;
use crate::fingerprint::{Fingerprints, Scratch};
use crate::measurement::Measurement;
use crate::nettest::{self, Context};
use crate::rules::Rules;
use crate::scores::Scores;
use std::cell::RefCell;

/// Scores a measurement by the rule of its test (scoring spec §7): no dates, no discards, no row.
///
/// # Errors
/// What the rule cannot handle, with its place.
pub fn score_measurement(
    measurement: &Measurement<'_>,
    fingerprints: &Fingerprints,
    rules: Rules,
) -> Result<Scores, Error> {
    let scratch = RefCell::new(Scratch::default());
    nettest::score(&Context::new(*measurement, fingerprints, rules.repairs(), &scratch, None))
}
