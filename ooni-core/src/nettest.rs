//! The tests that are scored: one file each, named after its `test_name`, and one line each in the registry below.
//!
//! A rule reads a measurement through `Context` and returns [`Scores`]. It knows nothing of rows and files.

mod matches;
mod shared;

use crate::error::Error;
use crate::fingerprint::{Fingerprints, Scratch};
use crate::json::{Field, Value};
use crate::measurement::Measurement;
use crate::rules::{Repair, Repairs};
use crate::scores::Scores;
use crate::trace::{Fired, Place, Reading, Trace};
use std::cell::RefCell;

pub use self::matches::{Match, match_fingerprints};

/// A test of OONI Probe that has a rule.
#[derive(Clone, Copy, Debug)]
pub struct Nettest {
    /// `test_name` of its measurements.
    pub name: &'static str,
    /// The document in ooni/spec that says what the test does.
    pub spec: &'static str,
    /// What a high score means, in a sentence.
    pub about: &'static str,
    score: fn(&Context<'_>) -> Result<Scores, Error>,
}

/// Declares the files of the tests and the registry of them.
macro_rules! nettests {
    ($($name:ident,)*) => {
        $(mod $name;)*

        /// Every test that has a rule, by name.
        pub static NETTESTS: &[Nettest] = &[$($name::NETTEST,)*];
    };
}

nettests! {
    browser_web,
    dash,
    dns_consistency,
    facebook_messenger,
    http_header_field_manipulation,
    http_invalid_request_line,
    http_requests,
    meek_fronted_requests_test,
    ndt,
    openvpn,
    psiphon,
    riseupvpn,
    signal,
    stunreachability,
    tcp_connect,
    telegram,
    tor,
    torsf,
    vanilla_tor,
    web_connectivity,
    whatsapp,
}

/// The test of that exact name.
pub fn find(test_name: &str) -> Option<&'static Nettest> {
    NETTESTS.iter().find(|nettest| nettest.name == test_name)
}

/// Scores a measurement by the rule of its test; one without a rule is failed (scoring spec §7).
pub(crate) fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let test_name = context.field("test_name");
    let value = test_name.required()?;
    match NETTESTS.iter().find(|nettest| value.is_text(nettest.name)) {
        Some(nettest) => (nettest.score)(context),
        None => {
            context.fired("no rule for a test of this name", "accuracy", &[&test_name]);
            Ok(Scores::failed())
        }
    }
}

/// From this many notes on a rule leaves no more than [`MOST_OF_A_RULE`]: each has to find the path of its places, which
/// takes longer the later in the document they are.
const MOST_NOTES: usize = 1000;
const MOST_OF_A_RULE: usize = 100;

/// What a rule has at hand: the measurement, the fingerprints and a place for notes.
pub(crate) struct Context<'c> {
    measurement: Measurement<'c>,
    fingerprints: &'c Fingerprints,
    repairs: Repairs,
    scratch: RefCell<Scratch>,
    trace: Option<&'c Trace>,
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
    pub(crate) fn field(&self, key: &'static str) -> Field<'c> {
        self.measurement.field(key)
    }

    /// `test_keys`, an empty object when missing or null, else of any kind.
    pub(crate) fn test_keys(&self) -> Value<'c> {
        self.measurement.test_keys()
    }

    /// Whether a repair of the reference is to be made.
    pub(crate) fn repairs(&self, repair: Repair) -> bool {
        self.repairs.has(repair)
    }

    /// Leaves a note, when there is somebody to read it: `rule` set `sets` because of what it read at `places`.
    ///
    /// Only what decided is to be noted: another value at these places has to make a difference.
    #[inline]
    pub(crate) fn fired(&self, rule: &'static str, sets: &'static str, places: &[&dyn Place]) {
        if let Some(trace) = self.trace {
            let mut fired = trace.fired.borrow_mut();
            if fired.len() >= MOST_NOTES && fired.iter().filter(|note| note.rule == rule).count() >= MOST_OF_A_RULE {
                return;
            }
            let mut reads: Vec<_> = places.iter().map(|place| self.reading(*place)).collect();
            reads.dedup();
            fired.push(Fired { rule, sets, reads });
        }
    }

    /// What was read at a place. Without test keys all of their fields are at one place: where the test keys should be.
    fn reading(&self, place: &dyn Place) -> Reading {
        let reading = place.reading();
        let test_keys = self.field("test_keys");
        let stands_in = test_keys.is_null() && reading.path.starts_with("/test_keys/");
        if stands_in { test_keys.reading() } else { reading }
    }

    /// Takes back which fingerprints were found.
    pub(crate) fn forget_found(&self) {
        if let Some(trace) = self.trace {
            trace.found.borrow_mut().clear();
        }
    }

    /// Takes the notes back: what was found so far makes no difference any more.
    pub(crate) fn forget(&self) {
        if let Some(trace) = self.trace {
            trace.fired.borrow_mut().clear();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
