//! Why a measurement came out as it did.
//!
//! An explanation scores the measurement again with notes taken, and once more for each repair, so scoring itself pays
//! nothing for it.

use crate::error::Error;
use crate::fingerprint::Fingerprints;
use crate::json::{Json, Reader, Value, write_json};
use crate::process::{Outcome, Scorer};
use crate::rules::{Repair, Repairs, Rules, Ruleset};
use crate::trace::{Fired, Found, Reading, Trace};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// What became of a measurement and why.
///
/// It tells the truth: another value at all the places that set one key, or other bytes at the offsets of a
/// fingerprint, and the outcome is another. `Display` is a few lines for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The measurement's id.
    pub measurement_uid: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The rules that fired, in order.
    pub fired: Vec<Fired>,
    /// The fingerprints that were found, in order.
    pub fingerprints: Vec<Found>,
    /// Where the reference's rules and the repaired ones differ on this measurement, by repair.
    pub differences: Vec<Difference>,
    /// What it was scored by.
    pub ruleset: Arc<Ruleset>,
}

/// What one repair changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The repair.
    pub repair: Repair,
    /// The outcome without it, in a few words.
    pub without: String,
    /// The outcome with it.
    pub with: String,
}

/// Explains one measurement or POST body; see [`process`](crate::process::process).
pub fn explain(bytes: &[u8], uid: &str, fingerprints: &Fingerprints, rules: Rules) -> Explanation {
    let scorer = Scorer::new(fingerprints, rules);
    match Reader::new().read(bytes) {
        Ok(document) => scorer.explain(document.root(), uid),
        Err(error) => scorer.explain_unread(error.into(), uid),
    }
}

impl Scorer<'_> {
    /// Explains a value that has been read: a measurement, or an envelope with one.
    pub fn explain(&self, value: Value<'_>, uid: &str) -> Explanation {
        let trace = Trace::default();
        let outcome = self.traced(value, uid, Some(&trace));
        let (mut fired, mut fingerprints) = (trace.fired.into_inner(), trace.found.into_inner());
        if matches!(outcome, Outcome::Rejected { .. }) {
            fired.clear();
            fingerprints.clear();
        }
        Explanation {
            measurement_uid: uid.to_owned(),
            outcome,
            fired,
            fingerprints,
            differences: self.differences(value, uid),
            ruleset: Arc::clone(self.ruleset()),
        }
    }

    /// The explanation of a text that could not be read, or that a container skips.
    pub fn explain_unread(&self, error: Error, uid: &str) -> Explanation {
        Explanation {
            measurement_uid: uid.to_owned(),
            outcome: Outcome::Rejected { error },
            fired: Vec::new(),
            fingerprints: Vec::new(),
            differences: Vec::new(),
            ruleset: Arc::clone(self.ruleset()),
        }
    }

    /// What each repair changes: taken away from all of them, or else alone.
    fn differences(&self, value: Value<'_>, uid: &str) -> Vec<Difference> {
        let outcome = |repairs: Repairs| self.with_repairs(repairs).process(value, uid);
        let (none, all) = (Repairs::NONE, Rules::Fixed.repairs());
        let (compat, fixed) = (outcome(none), outcome(all));
        if compat == fixed {
            return Vec::new();
        }
        let difference = |repair: Repair| {
            let lacking = outcome(all.without(repair));
            let (without, with) = if lacking == fixed { (&compat, &outcome(none.with(repair))) } else { (&lacking, &fixed) };
            (without != with).then(|| Difference { repair, without: in_words(without), with: in_words(with) })
        };
        Repair::ALL.into_iter().filter_map(difference).collect()
    }
}

/// The outcome in a few words: `stored: anomaly, confirmed`, with the scores that could tell it from another.
fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Rejected { error } => format!("rejected: {error}"),
        Outcome::Discarded { reason } => format!("discarded: {reason}"),
        Outcome::Stored { row, .. } => {
            let found = match row.scores.get("fingerprints") {
                Some(Json::Array(found)) => found.len(),
                _ => 0,
            };
            let verdict = verdict(row.anomaly, row.confirmed, row.msm_failure);
            match found {
                0 => format!("{verdict}, no fingerprint"),
                1 => format!("{verdict}, 1 fingerprint"),
                found => format!("{verdict}, {found} fingerprints"),
            }
        }
    }
}

/// The flags of a row as a person would say them.
fn verdict(anomaly: bool, confirmed: bool, failure: bool) -> String {
    let flags = [(anomaly, "anomaly"), (confirmed, "confirmed"), (failure, "failure")];
    let said: Vec<_> = flags.into_iter().filter_map(|(is, name)| is.then_some(name)).collect();
    if said.is_empty() { "ok".to_owned() } else { said.join(", ") }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} ({})", plain(&self.measurement_uid), in_words(&self.outcome), self.ruleset.rules)?;
        if let Outcome::Stored { row, .. } = &self.outcome {
            writeln!(f, "  scores {}", row.scores.to_json_text())?;
        }
        for fired in &self.fired {
            writeln!(f, "  {}: {}", fired.sets, fired.rule)?;
            for reading in fired.reads.iter().take(SHOWN) {
                writeln!(f, "    {}", Shown(reading))?;
            }
            if fired.reads.len() > SHOWN {
                writeln!(f, "    and {} places more", fired.reads.len() - SHOWN)?;
            }
        }
        for found in &self.fingerprints {
            let Found { name, scope, location_found, pattern_type, pattern, path, offset, confirmed, why, .. } = found;
            let confirms = if *confirmed { "confirms" } else { "does not confirm" };
            writeln!(f, "  fingerprint {}, {scope}, {location_found}: {confirms}, {}", plain(name), plain(why))?;
            writeln!(f, "    {} at byte {offset}: {pattern_type} {:?}", plain(path), Cut(pattern))?;
        }
        for Difference { repair, without, with } in &self.differences {
            writeln!(f, "  repair {repair}: without it {}; with it {}", plain(without), plain(with))?;
        }
        Ok(())
    }
}

/// Places of one rule that are shown to a person.
const SHOWN: usize = 5;

/// A reading as a person sees it.
struct Shown<'a>(&'a Reading);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reading { path, value, described } = self.0;
        let path = plain(path);
        match value {
            None => write!(f, "{path} is missing"),
            Some(value) if *described => write!(f, "{path} is {}", value.as_str().unwrap_or("something long")),
            Some(value) => {
                let mut text = Vec::new();
                write_json(value, &mut text);
                write!(f, "{path} is {}", String::from_utf8_lossy(&text))
            }
        }
    }
}

/// A pattern that is not too long for a line.
struct Cut<'a>(&'a str);

impl fmt::Debug for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(60) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Text from a measurement without what could play tricks with a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
