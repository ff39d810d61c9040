//! [`Nettest`], the description of a rule, and [`Context`], its input.

use crate::error::Error;
use crate::fingerprint::{Fingerprints, Scratch};
use crate::json::{Field, Value};
use crate::measurement::Measurement;
use crate::rules::{Repair, Repairs};
use crate::scores::Scores;
use crate::trace::{Fired, HasPath, Reading, Trace};
use std::cell::RefCell;

/// A test of OONI Probe that has a rule.
#[derive(Clone, Copy, Debug)]
pub struct Nettest {
    /// `test_name` of its measurements.
    pub name: &'static str,
    /// The document in ooni/spec that describes the test.
    pub spec: &'static str,
    /// The meaning of a high score, in a sentence.
    pub about: &'static str,
    pub(super) score: fn(&Context<'_>) -> Result<Scores, Error>,
}

/// After this many records, a rule adds no more once it has [`MAX_RECORDS_PER_RULE`]. Each record computes the paths of its
/// values, which takes longer the later they are in the document.
const MAX_RECORDS: usize = 1000;
const MAX_RECORDS_PER_RULE: usize = 100;
/// Values of one record, for the same reason: a rule may read a value of every request of a measurement.
const MAX_READINGS: usize = 1000;

/// The input of a rule: the measurement, the fingerprints, the repairs, and the trace.
pub(crate) struct Context<'c> {
    measurement: Measurement<'c>,
    pub(super) fingerprints: &'c Fingerprints,
    repairs: Repairs,
    pub(super) scratch: RefCell<Scratch>,
    pub(super) trace: Option<&'c Trace>,
}

impl<'c> Context<'c> {
    pub(crate) fn new(
        measurement: Measurement<'c>,
        fingerprints: &'c Fingerprints,
        repairs: Repairs,
        scratch: Scratch,
        trace: Option<&'c Trace>,
    ) -> Context<'c> {
        Context { measurement, fingerprints, repairs, scratch: RefCell::new(scratch), trace }
    }

    /// The buffers, for the next measurement.
    pub(crate) fn into_scratch(self) -> Scratch {
        self.scratch.into_inner()
    }

    /// The measurement.
    pub(crate) fn measurement(&self) -> &Measurement<'c> {
        &self.measurement
    }

    /// A field of the measurement.
    #[inline]
    pub(crate) fn field(&self, key: &'static str) -> Field<'c> {
        self.measurement.field(key)
    }

    /// `test_keys`, of any kind; an empty object when missing or null.
    pub(crate) fn test_keys(&self) -> Value<'c> {
        self.measurement.test_keys()
    }

    /// Whether a repair of the reference is enabled.
    pub(crate) fn repairs(&self, repair: Repair) -> bool {
        self.repairs.has(repair)
    }

    /// Records, for an explanation, that `rule` set `sets` because of the values at `places`.
    ///
    /// Only decisive values are recorded: other values at these paths must change the scores.
    #[inline]
    pub(crate) fn fired(&self, rule: &'static str, sets: &'static str, places: &[&dyn HasPath]) {
        if let Some(trace) = self.trace {
            let mut fired = trace.fired.borrow_mut();
            if fired.len() >= MAX_RECORDS
                && fired.iter().filter(|record| record.rule == rule).count() >= MAX_RECORDS_PER_RULE
            {
                return;
            }
            let places = places.iter().take(MAX_READINGS);
            let mut reads: Vec<_> = places.map(|place| self.reading(*place)).collect();
            reads.dedup();
            fired.push(Fired { rule, sets, reads });
        }
    }

    /// The value read at a place. If there are no test keys, their fields have the path of the test keys.
    fn reading(&self, place: &dyn HasPath) -> Reading {
        let reading = place.reading();
        let test_keys = self.field("test_keys");
        let has_no_path = test_keys.is_null() && reading.path.starts_with("/test_keys/");
        if has_no_path { test_keys.reading() } else { reading }
    }

    /// Removes the records of fingerprints.
    pub(crate) fn clear_found(&self) {
        if let Some(trace) = self.trace {
            trace.found.borrow_mut().clear();
        }
    }

    /// Removes the records of rules, which are no longer decisive.
    pub(crate) fn clear_fired(&self) {
        if let Some(trace) = self.trace {
            trace.fired.borrow_mut().clear();
        }
    }
}
