//! [`Worker`]: scores the entries of a chunk and writes each with a sink.
//!
//! Workers have their own buffers and share only the fingerprints. The uid of an entry and the envelope of a POST body are
//! handled here; scoring is in `ooni-core`.

use crate::diagnostics::Diagnostics;
use crate::sink::{Place, ScoredEntry, Sink};
use crate::stats::{Counts, UNKNOWN};
use ooni_archive::can::cases::{Case, case};
use ooni_archive::chunk::{Chunk, Entry, Kind};
use ooni_archive::limits::Limits;
use ooni_archive::selection::Selection;
use ooni_archive::source::Source;
use ooni_core::error::{Code, Error};
use ooni_core::explain::Explanation;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::{Json, Reader, Value};
use ooni_core::measurement::{Measurement, SideRecord};
use ooni_core::process::{Outcome, Scorer};
use ooni_core::row::{Column, FastpathRow, OpenvpnRow, Refused};
use ooni_core::rules::Rules;
use ooni_core::text::decoded;
use ooni_core::uid;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// How measurements are scored.
#[derive(Clone, Copy, Debug)]
pub struct Scoring<'f> {
    /// The lists.
    pub fingerprints: &'f Fingerprints,
    /// The rules.
    pub rules: Rules,
    /// Limits beyond which input is rejected.
    pub limits: Limits,
    /// Whether outcomes are explained.
    pub explain: bool,
    /// Whether the rest of a can is skipped where the reference stops reading it.
    pub strict: bool,
    /// The measurements to score, for files whose names do not show country and test.
    pub wanted: Option<&'f Selection>,
    /// Whether rows are collected for a typed store, and those that it would refuse are counted as refused.
    pub typed: bool,
    /// Whether rows are written to a store, so that bodies are hashed and rejections collected.
    pub stored: bool,
    /// Maximum number of measurements to score.
    pub stop_after: Option<u64>,
    /// Saves each POST body before it is scored.
    pub post_bodies: Option<&'f dyn PostBodyWriter>,
}

impl<'f> Scoring<'f> {
    /// Scores all measurements with these lists and rules, with default limits and no other options.
    pub fn new(fingerprints: &'f Fingerprints, rules: Rules) -> Scoring<'f> {
        Scoring {
            fingerprints,
            rules,
            limits: Limits::default(),
            explain: false,
            strict: false,
            wanted: None,
            typed: false,
            stored: false,
            stop_after: None,
            post_bodies: None,
        }
    }
}

/// Saves POST bodies.
pub trait PostBodyWriter: std::fmt::Debug + Sync {
    /// Saves the body of a measurement.
    fn save(&self, uid: &str, body: &[u8]);
}

/// A row to be stored.
#[derive(Debug)]
pub struct PendingRow {
    /// The row of `fastpath`.
    pub row: Box<FastpathRow>,
    /// The row of `obs_openvpn`.
    pub openvpn: Option<Box<OpenvpnRow>>,
    /// The number of the measurement in its file, from 0.
    pub place: u64,
    /// SHA-256 of the body as it was read, without its line feed; zeros if rows are not written to a store.
    pub body_sha256: [u8; 32],
}

impl PendingRow {
    /// Approximate memory use in bytes. A probe can send columns of any size.
    pub fn weight(&self) -> usize {
        let of = |column: Column<'_>| if let Column::Json(value) = column { weight(value) } else { 0 };
        let openvpn = self.openvpn.iter().flat_map(|row| row.columns()).map(|(_, column)| of(column));
        ROW + self.row.columns().into_iter().map(|(_, column)| of(column)).chain(openvpn).sum::<usize>()
    }
}

fn weight(value: &Json) -> usize {
    match value {
        Json::Text(text) => text.len(),
        Json::Array(items) => items.iter().map(|item| size_of::<Json>() + weight(item)).sum(),
        Json::Object(members) => {
            members.iter().map(|(key, value)| size_of::<(Vec<u8>, Json)>() + key.len() + weight(value)).sum()
        }
        _ => 0,
    }
}

/// A rejected measurement, for a store.
#[derive(Clone, Debug)]
pub struct RejectedEntry {
    /// Its uid, if one is known.
    pub uid: Option<String>,
    /// The number of the measurement in its file, from 0; `None` for a file or member that cannot be read.
    pub place: Option<u64>,
    /// Why.
    pub error: Error,
}

impl RejectedEntry {
    fn weight(&self) -> usize {
        let Error { path, message, .. } = &self.error;
        size_of::<RejectedEntry>() + self.uid.as_ref().map_or(0, String::len) + path.len() + message.len()
    }
}

/// The result of a chunk.
#[derive(Debug, Default)]
pub struct ScoredChunk {
    /// Output to be written.
    pub out: Vec<u8>,
    /// Rows, if they are collected for a typed store. They include those counted as refused, which a store keeps aside.
    pub rows: Vec<PendingRow>,
    /// Counts of the outcomes.
    pub counts: Counts,
    /// Rejections, if rows are written to a store.
    pub rejections: Vec<RejectedEntry>,
    /// Messages for standard error, one for each rejection and refused row.
    pub diagnostics: Diagnostics,
    /// Files and members that cannot be read to the end. They are counted as rejected as well.
    pub unreadable: u64,
    /// Whether the rest of the file is skipped.
    pub gave_up: bool,
}

/// Maximum capacity that an output buffer keeps when it is reused.
const MAX_KEPT: usize = 4 << 20;

/// Approximate size of a row without the values that the probe sent.
const ROW: usize = 2 << 10;

impl ScoredChunk {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.out.clear();
        self.out.shrink_to(MAX_KEPT);
        self.rows.clear();
        self.counts = Counts::default();
        self.rejections.clear();
        self.diagnostics = Diagnostics::default();
        self.unreadable = 0;
        self.gave_up = false;
    }

    /// Approximate memory use in bytes.
    pub fn weight(&self) -> usize {
        let rejections = self.rejections.iter().map(RejectedEntry::weight).sum::<usize>();
        self.out.len() + self.rows.iter().map(PendingRow::weight).sum::<usize>() + rejections + ROW
    }
}

/// Scores entries.
pub struct Worker<'f> {
    reader: Reader,
    /// Reads the lines of cases; the measurements in them are read by `reader`.
    lines: Reader,
    scorer: Scorer<'f>,
    scoring: Scoring<'f>,
    sink: Box<dyn Sink>,
    /// Measurements left to score.
    left: u64,
}

impl<'f> Worker<'f> {
    /// A worker that writes with this sink.
    pub fn new(scoring: &Scoring<'f>, sink: Box<dyn Sink>) -> Worker<'f> {
        let limits = scoring.limits.json();
        Worker {
            reader: Reader::with_limits(limits),
            lines: Reader::with_limits(limits),
            scorer: Scorer::new(scoring.fingerprints, scoring.rules),
            scoring: *scoring,
            sink,
            left: scoring.stop_after.unwrap_or(u64::MAX),
        }
    }

    /// Scores all entries of a chunk, in order.
    pub fn work(&mut self, chunk: &Chunk, source: &Source, done: &mut ScoredChunk) {
        let Worker { reader, lines, scorer, scoring, sink, left } = self;
        let before = done.counts.all().accepted;
        let mut entry_scorer = EntryScorer { scorer, scoring, sink: &mut **sink, source, done };
        for entry in chunk.entries() {
            if entry_scorer.done.counts.all().accepted - before >= *left {
                break;
            }
            let gives_up = entry_scorer.entry(reader, lines, chunk, entry);
            if gives_up && scoring.strict {
                entry_scorer.done.gave_up = true;
                break;
            }
        }
        *left -= done.counts.all().accepted - before;
    }

    /// Frees memory that only an unusually large measurement needed.
    pub fn shrink(&mut self) {
        self.reader.shrink();
        self.lines.shrink();
    }

    /// Whether the maximum number of measurements was scored.
    pub fn is_done(&self) -> bool {
        self.left == 0
    }
}

/// Scores single entries. Readers are passed separately, because values borrow from them.
struct EntryScorer<'w, 'f> {
    scorer: &'w Scorer<'f>,
    scoring: &'w Scoring<'f>,
    sink: &'w mut dyn Sink,
    source: &'w Source,
    done: &'w mut ScoredChunk,
}

/// An entry, and where it is.
#[derive(Clone, Copy)]
struct EntryRef<'b> {
    /// Its bytes as in the file, without the line feed of a line.
    body: &'b [u8],
    place: Place<'b>,
    /// The number of the measurement in its file, from 0; `None` for the file or a member as a whole.
    number: Option<u64>,
    /// What the collector added to it.
    side: &'b SideRecord<'static>,
}

impl EntryScorer<'_, '_> {
    /// Scores an entry. Returns true if the reference stops reading the can here.
    fn entry(&mut self, reader: &mut Reader, lines: &mut Reader, chunk: &Chunk, entry: &Entry) -> bool {
        let body = match entry.kind {
            Kind::Line | Kind::LegacyLine => line(chunk.body(entry)),
            _ => chunk.body(entry),
        };
        let is_whole = entry.kind == Kind::Whole;
        self.done.unreadable += u64::from(is_whole);
        let number = (!is_whole).then_some(entry.position.index);
        let at = EntryRef { body, place: place(chunk, entry, self.source), number, side: entry.side() };
        let named = uid_of_name(chunk, entry, self.source);
        if let Some(error) = &entry.error {
            let mut error = (**error).clone();
            if entry.aborts_can && self.scoring.strict {
                error.message += REST_SKIPPED;
            }
            self.reject(at, named, None, error);
            return entry.aborts_can;
        }
        let text = chunk.text(entry);
        if entry.kind == Kind::Case {
            self.case(reader, lines, text, at);
            return false;
        }
        if let (Some(post_bodies), Kind::Post, Some(uid)) = (self.scoring.post_bodies, entry.kind, named) {
            post_bodies.save(uid, text);
        }
        let read = if entry.kind == Kind::Yaml { reader.read_normalized(text) } else { reader.read(text) };
        let document = match read {
            Ok(document) => document,
            Err(error) => {
                self.reject(at, named, None, error.into());
                return false;
            }
        };
        let root = document.root();
        match entry.kind {
            Kind::Line | Kind::Yaml => {
                let given = root.field("measurement_uid").value().text();
                let uid = match &given {
                    Some(uid) => decoded(uid),
                    None => Cow::Owned(trivial(text, root)),
                };
                self.score(root, &uid, at);
            }
            Kind::LegacyLine if self.scoring.strict && !root.is_object() => {
                let error = format!("a line that is not an object{REST_SKIPPED}");
                self.reject(at, None, Some(root), Error::new(Code::Can, "", error));
                return true;
            }
            Kind::LegacyLine => self.score(root, &trivial(text, root), at),
            Kind::Document => match named {
                Some(uid) => self.score(root, uid, at),
                None => self.score(root, &trivial(text, root), at),
            },
            // As the server scored it when it was received. The reference's rerun takes only JSON envelopes, without what
            // is beside the content.
            Kind::Post if self.scoring.rules == Rules::Fixed && !self.scoring.strict => {
                self.score(root, named.unwrap_or_default(), at);
            }
            Kind::Post => {
                let uid = named.unwrap_or_default();
                match content(root) {
                    Ok(content) => self.score(content, uid, at),
                    Err(NoContent { mut error, gives_up }) => {
                        if gives_up && self.scoring.strict {
                            error.message += REST_SKIPPED;
                        }
                        self.reject(at, Some(uid), Some(root), error);
                        return gives_up;
                    }
                }
            }
            Kind::Whole | Kind::Case => {}
        }
        false
    }

    fn case(&mut self, reader: &mut Reader, lines: &mut Reader, text: &[u8], at: EntryRef<'_>) {
        let line = match lines.read(text) {
            Ok(line) => line,
            Err(error) => return self.reject(at, None, None, error.into()),
        };
        match case(line.root()) {
            Ok(None) => {} // a line without a measurement is skipped
            Err(error) => self.reject(at, None, None, error),
            Ok(Some(Case { uid, raw })) => {
                let uid = decoded(&uid);
                match reader.read(&raw) {
                    Ok(document) => self.score(document.root(), &uid, at),
                    Err(error) => self.reject(at, Some(&uid), None, error.into()),
                }
            }
        }
    }

    fn score(&mut self, value: Value<'_>, uid: &str, at: EntryRef<'_>) {
        if let Some(wanted) = self.scoring.wanted
            && !is_wanted(wanted, self.source, value)
        {
            return;
        }
        if self.scoring.explain {
            let explanation = self.scorer.explain_with(value, uid, at.side);
            self.record(at, Some(uid), &explanation.outcome, Some(&explanation), Some(value));
        } else {
            let outcome = self.scorer.process_with(value, uid, at.side);
            self.record(at, Some(uid), &outcome, None, Some(value));
            if self.scoring.typed
                && let Outcome::Stored { row, openvpn } = outcome
            {
                if let Some(refused) = openvpn.as_ref().and_then(|row| row.acceptance().err()) {
                    let place = &at.place;
                    let cause = format!("rows of obs_openvpn refused for {}", refused.column);
                    let line = || format!("{place}: the row of obs_openvpn is refused: {refused}");
                    self.done.diagnostics.add_cause(&cause, line);
                }
                let body_sha256 = if self.scoring.stored { Sha256::digest(at.body).into() } else { [0; 32] };
                self.done.rows.push(PendingRow { row, openvpn, place: at.number.unwrap_or_default(), body_sha256 });
            }
        }
    }

    fn reject(&mut self, at: EntryRef<'_>, uid: Option<&str>, value: Option<Value<'_>>, error: Error) {
        if self.scoring.explain {
            let explanation = self.scorer.explain_unread(error, uid.unwrap_or_default());
            self.record(at, uid, &explanation.outcome, Some(&explanation), value);
        } else {
            self.record(at, uid, &Outcome::Rejected { error }, None, value);
        }
    }

    /// Writes the outcome of an entry, counts it and reports errors.
    fn record(
        &mut self,
        at: EntryRef<'_>,
        uid: Option<&str>,
        outcome: &Outcome,
        explanation: Option<&Explanation>,
        value: Option<Value<'_>>,
    ) {
        let place = &at.place;
        let measurement = match outcome {
            Outcome::Stored { .. } => None,
            _ => value.and_then(|value| Measurement::new(value).ok()),
        };
        let name = match (outcome, &measurement) {
            (Outcome::Stored { row, .. }, _) => row.test_name.as_str().map(Cow::Borrowed),
            (_, Some(measurement)) => text_of(*measurement, "test_name").map(Cow::Owned),
            _ => None,
        };
        let name = name.filter(|name| !name.is_empty()).unwrap_or(Cow::Borrowed(UNKNOWN));
        if let Outcome::Rejected { error } = outcome {
            self.done.diagnostics.add_cause(error.code.as_str(), || format!("{place}: {error}"));
            if self.scoring.stored {
                let uid = uid.filter(|uid| !uid.is_empty()).map(str::to_owned);
                self.done.rejections.push(RejectedEntry { uid, place: at.number, error: error.clone() });
            }
        }
        let refused = if self.scoring.typed { refusal(outcome) } else { None };
        match &refused {
            None => self.done.counts.add(&name, outcome),
            Some(refused) => {
                self.done.counts.refuse(&name, &refused.column);
                let cause = format!("rows refused for {}", refused.column);
                self.done.diagnostics.add_cause(&cause, || format!("{place}: the row is refused: {refused}"));
            }
        }
        let entry = ScoredEntry { uid, outcome, explanation, measurement, place };
        self.sink.write(&entry, &mut self.done.out);
    }
}

/// A body without its line feed.
fn line(body: &[u8]) -> &[u8] {
    body.strip_suffix(b"\n").unwrap_or(body)
}

/// Appended to an error where the reference stops reading the can.
const REST_SKIPPED: &str = "; the rest of the can is skipped";

/// Why a typed store would refuse the row of an outcome.
fn refusal(outcome: &Outcome) -> Option<Refused> {
    match outcome {
        Outcome::Stored { row, .. } => row.acceptance().err(),
        _ => None,
    }
}

/// Whether a measurement is selected, if the key of its can does not show that. One without an object is selected, so that
/// its error is reported.
fn is_wanted(wanted: &Selection, source: &Source, value: Value<'_>) -> bool {
    let [cc, testname] = [source.cc.as_deref(), source.testname.as_deref()];
    wanted.takes(cc, testname).unwrap_or_else(|| {
        let Ok(measurement) = Measurement::new(value) else { return true };
        let of_content = |key| text_of(measurement, key).unwrap_or_default();
        let cc = cc.map_or_else(|| of_content("probe_cc"), str::to_owned);
        let testname = testname.map_or_else(|| of_content("test_name"), str::to_owned);
        wanted.takes_measurement(&cc, &testname)
    })
}

fn text_of(measurement: Measurement<'_>, key: &'static str) -> Option<String> {
    let text = measurement.field(key).value().text()?;
    Some(decoded(&text).into_owned())
}

/// Where an entry is.
fn place<'b>(chunk: &'b Chunk, entry: &Entry, source: &'b Source) -> Place<'b> {
    let number =
        |kinds: &[Kind]| (entry.position.number > 0 && kinds.contains(&entry.kind)).then_some(entry.position.number);
    Place {
        file: &source.name,
        line: number(&[Kind::Line, Kind::LegacyLine, Kind::Case]),
        entry: number(&[Kind::Yaml]),
        member: chunk.member(entry),
        byte: entry.position.offset,
    }
}

/// The uid in the name of a file or member, which takes precedence over the content.
fn uid_of_name<'b>(chunk: &'b Chunk, entry: &Entry, source: &'b Source) -> Option<&'b str> {
    match entry.kind {
        Kind::Document => source.uid.as_deref(),
        Kind::Post => {
            let name = std::str::from_utf8(chunk.member(entry)?).ok()?.strip_suffix(".post")?;
            Some(name.rsplit_once('/')?.1)
        }
        Kind::Whole | Kind::Line | Kind::LegacyLine | Kind::Case | Kind::Yaml => None,
    }
}

/// The trivial uid of a line or file.
#[cold]
fn trivial(text: &[u8], root: Value<'_>) -> String {
    let measurement = Measurement::new(root).map_or(root, |measurement| measurement.content());
    uid::trivial(text, measurement.field("measurement_start_time").value().text().as_deref())
}

/// Why a POST body has no measurement.
struct NoContent {
    error: Error,
    /// Whether the reference stops reading the can here; otherwise it skips the member.
    gives_up: bool,
}

/// The measurement in a POST body of a postcan (formats spec §7.1).
fn content(root: Value<'_>) -> Result<Value<'_>, NoContent> {
    let none = |path: &str, sentence: &str, gives_up| {
        Err(NoContent { error: Error::new(Code::Can, path, sentence), gives_up })
    };
    if !root.is_object() {
        return none("", "a POST body that is not an object", true);
    }
    let format = root.field("format").value();
    if !format.is_text("json") {
        return none("/format", "a POST body whose format is not json", false);
    }
    match root.field("content").found() {
        None => Ok(Value::EMPTY_OBJECT),
        Some(content) if content.is_object() => Ok(content),
        Some(_) => none("/content", "a POST body whose content is not an object", true),
    }
}
