//! [`Worker`]: scores the entries of a batch and has a sink write each record.
//!
//! A worker has the buffers of its own and shares nothing but the fingerprints. Which uid an entry gets, and what of a
//! postcan's members is a measurement at all, is decided here; what a measurement is worth in `ooni-core`.

use crate::batch::{Batch, Entry, Kind};
use crate::can::cases::{Case, case};
use crate::complaints::Complaints;
use crate::ids;
use crate::limits::Limits;
use crate::sink::{Place, Record, Sink};
use crate::stats::{Counts, UNKNOWN};
use ooni_core::error::{Code, Error};
use ooni_core::explain::Explanation;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::{Reader, Value};
use ooni_core::measurement::Measurement;
use ooni_core::process::{Outcome, Scorer};
use ooni_core::rules::Rules;
use std::borrow::Cow;

/// How measurements are scored.
#[derive(Clone, Copy, Debug)]
pub struct Scoring<'f> {
    /// The lists.
    pub fingerprints: &'f Fingerprints,
    /// The rules.
    pub rules: Rules,
    /// What is too much.
    pub limits: Limits,
    /// Whether each outcome is explained.
    pub explain: bool,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub struct Done {
    /// Output, to be written as it is.
    pub out: Vec<u8>,
    /// What became of the measurements.
    pub counts: Counts,
    /// What standard error is to be told.
    pub complaints: Complaints,
}

/// Output buffers that have grown beyond this give their memory back.
const KEPT: usize = 16 << 20;

impl Done {
    /// Makes it as new, but for its memory.
    pub fn clear(&mut self) {
        self.out.clear();
        self.out.shrink_to(KEPT);
        self.counts = Counts::default();
    }
}

/// Scores entries.
pub struct Worker<'f> {
    reader: Reader,
    /// Reads the lines of cases, whose measurements `reader` reads.
    lines: Reader,
    scorer: Scorer<'f>,
    explain: bool,
    sink: Box<dyn Sink>,
}

impl<'f> Worker<'f> {
    /// A worker that writes to this sink.
    pub fn new(scoring: &Scoring<'f>, sink: Box<dyn Sink>) -> Worker<'f> {
        let limits = scoring.limits.json();
        Worker {
            reader: Reader::with_limits(limits),
            lines: Reader::with_limits(limits),
            scorer: Scorer::new(scoring.fingerprints, scoring.rules),
            explain: scoring.explain,
            sink,
        }
    }

    /// Scores all entries of a batch, in order.
    pub fn work(&mut self, batch: &Batch, done: &mut Done) {
        let Worker { reader, lines, scorer, explain, sink } = self;
        let mut desk = Desk { scorer, explain: *explain, sink: &mut **sink, done };
        for entry in batch.entries() {
            desk.entry(reader, lines, batch, entry);
        }
    }
}

/// What an entry needs besides readers, which its values borrow.
struct Desk<'w, 'f> {
    scorer: &'w Scorer<'f>,
    explain: bool,
    sink: &'w mut dyn Sink,
    done: &'w mut Done,
}

impl Desk<'_, '_> {
    fn entry(&mut self, reader: &mut Reader, lines: &mut Reader, batch: &Batch, entry: &Entry) {
        let place = place(batch, entry);
        let source = batch.source(entry);
        if let Some(trouble) = &entry.trouble {
            return self.reject(&place, uid_of_name(batch, entry), None, (**trouble).clone());
        }
        let text = batch.text(entry);
        if matches!(entry.kind, Kind::Case(_)) {
            return self.case(reader, lines, text, &place);
        }
        let document = match reader.read(text) {
            Ok(document) => document,
            Err(error) => return self.reject(&place, uid_of_name(batch, entry), None, error.into()),
        };
        let root = document.root();
        match &entry.kind {
            Kind::Line(_) => {
                let given = root.field("measurement_uid").value().text();
                let uid = match &given {
                    Some(uid) => String::from_utf8_lossy(uid),
                    None => Cow::Owned(trivial(text, root)),
                };
                self.score(root, &uid, &place);
            }
            Kind::Document => match &source.uid {
                Some(uid) => self.score(root, uid, &place),
                None => self.score(root, &trivial(text, root), &place),
            },
            Kind::Member(_) => {
                let uid = uid_of_name(batch, entry).unwrap_or_default();
                match content(root) {
                    Ok(content) => self.score(content, uid, &place),
                    Err(error) => self.reject(&place, Some(uid), Some(root), error),
                }
            }
            Kind::File | Kind::Case(_) => {}
        }
    }

    fn case(&mut self, reader: &mut Reader, lines: &mut Reader, text: &[u8], place: &Place<'_>) {
        let line = match lines.read(text) {
            Ok(line) => line,
            Err(error) => return self.reject(place, None, None, error.into()),
        };
        match case(line.root()) {
            Ok(None) => {} // passed over
            Err(error) => self.reject(place, None, None, error),
            Ok(Some(Case { uid, raw })) => {
                let uid = String::from_utf8_lossy(&uid);
                match reader.read(&raw) {
                    Ok(document) => self.score(document.root(), &uid, place),
                    Err(error) => self.reject(place, Some(&uid), None, error.into()),
                }
            }
        }
    }

    fn score(&mut self, value: Value<'_>, uid: &str, place: &Place<'_>) {
        if self.explain {
            let explanation = self.scorer.explain(value, uid);
            self.record(Some(uid), &explanation.outcome, Some(&explanation), Some(value), place);
        } else {
            let outcome = self.scorer.process(value, uid);
            self.record(Some(uid), &outcome, None, Some(value), place);
        }
    }

    fn reject(&mut self, place: &Place<'_>, uid: Option<&str>, value: Option<Value<'_>>, error: Error) {
        self.done.complaints.add(|| format!("{place}: {error}"));
        if self.explain {
            let explanation = self.scorer.explain_unread(error, uid.unwrap_or_default());
            self.record(uid, &explanation.outcome, Some(&explanation), value, place);
        } else {
            self.record(uid, &Outcome::Rejected { error }, None, value, place);
        }
    }

    fn record(
        &mut self,
        uid: Option<&str>,
        outcome: &Outcome,
        explanation: Option<&Explanation>,
        value: Option<Value<'_>>,
        place: &Place<'_>,
    ) {
        let measurement = match outcome {
            Outcome::Stored { .. } => None,
            _ => value.and_then(|value| Measurement::new(value).ok()),
        };
        let name = match (outcome, &measurement) {
            (Outcome::Stored { row, .. }, _) => row.test_name.as_str().map(Cow::Borrowed),
            (_, Some(measurement)) => {
                let name = measurement.field("test_name").value().text();
                name.map(|name| Cow::Owned(String::from_utf8_lossy(&name).into_owned()))
            }
            _ => None,
        };
        let name = name.filter(|name| !name.is_empty()).unwrap_or(Cow::Borrowed(UNKNOWN));
        self.done.counts.add(&name, outcome);
        let record = Record { uid, outcome, explanation, measurement, place };
        self.sink.write(&record, &mut self.done.out);
    }
}

/// Where an entry is.
fn place<'b>(batch: &'b Batch, entry: &'b Entry) -> Place<'b> {
    let (line, member) = match &entry.kind {
        Kind::Line(line) | Kind::Case(line) => (Some(*line), None),
        Kind::Member(name) => (None, Some(batch.name(name))),
        Kind::File | Kind::Document => (None, None),
    };
    Place { file: &batch.source(entry).name, line, member, byte: entry.at }
}

/// The uid that the name of a file or member says, whatever is inside.
fn uid_of_name<'b>(batch: &'b Batch, entry: &'b Entry) -> Option<&'b str> {
    match &entry.kind {
        Kind::Document => batch.source(entry).uid.as_deref(),
        Kind::Member(name) => {
            let name = std::str::from_utf8(batch.name(name)).ok()?.strip_suffix(".post")?;
            Some(name.rsplit_once('/')?.1)
        }
        Kind::File | Kind::Line(_) | Kind::Case(_) => None,
    }
}

/// The trivial id of a line or file.
#[cold]
fn trivial(text: &[u8], root: Value<'_>) -> String {
    let measurement = Measurement::new(root).map_or(root, |measurement| measurement.content());
    ids::trivial(text, measurement.field("measurement_start_time").value().text().as_deref())
}

/// The measurement in a POST body out of a postcan (formats spec §7.1). Where the reference gives up the can, the one
/// member is rejected.
fn content(root: Value<'_>) -> Result<Value<'_>, Error> {
    let error = |path: &str, sentence: &str| Err(Error::new(Code::Can, path, sentence));
    if !root.is_object() {
        return error("", "a POST body that is no object");
    }
    let format = root.field("format").value();
    if !format.is_text("json") {
        return error("/format", "a POST body whose format is not json");
    }
    match root.field("content").found() {
        None => Ok(Value::EMPTY_OBJECT),
        Some(content) if content.is_object() => Ok(content),
        Some(_) => error("/content", "a POST body whose content is no object"),
    }
}
