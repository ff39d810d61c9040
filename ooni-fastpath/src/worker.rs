//! [`Worker`]: scores the entries of a chunk and has a sink write each record.
//!
//! A worker has the buffers of its own and shares nothing but the fingerprints. Which uid an entry gets, and what of a
//! postcan's members is a measurement at all, is decided here; what a measurement is worth in `ooni-core`.

use crate::diagnostics::Diagnostics;
use crate::sink::{Place, Record, Sink};
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
use ooni_core::measurement::Measurement;
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
    /// Sizes beyond which input is refused.
    pub limits: Limits,
    /// Whether each outcome is explained.
    pub explain: bool,
    /// Whether a can is given up where the reference gives it up.
    pub strict: bool,
    /// Which measurements are wanted, where the name of a file does not tell.
    pub wanted: Option<&'f Selection>,
    /// Whether rows are for a typed store: those that it would refuse are counted as refused, the others kept.
    pub typed: bool,
    /// Whether a store gets the rows: their bodies are hashed, and rejections are collected.
    pub stored: bool,
    /// Measurements after which no more are scored.
    pub stop_after: Option<u64>,
    /// Gets each POST body before it is scored.
    pub spool: Option<&'f dyn Spool>,
}

impl<'f> Scoring<'f> {
    /// All measurements by these lists and rules, with the usual limits and nothing else.
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
            spool: None,
        }
    }
}

/// Keeps POST bodies.
pub trait Spool: std::fmt::Debug + Sync {
    /// Keeps one.
    fn keep(&self, uid: &str, body: &[u8]);
}

/// A row that is to be stored.
#[derive(Debug)]
pub struct Kept {
    /// The row of `fastpath`.
    pub row: Box<FastpathRow>,
    /// The row of `obs_openvpn`.
    pub openvpn: Option<Box<OpenvpnRow>>,
    /// The measurement in its file, from 0.
    pub place: u64,
    /// SHA-256 of its body as it was read, without the end of its line; zeros unless a store wants it.
    pub body_sha256: [u8; 32],
}

impl Kept {
    /// The memory that it takes in bytes, near enough: a probe can send columns of any size.
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
    /// The measurement in its file, from 0; `None` where it is the file, or a member of it, that cannot be read.
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
    /// Output, to be written as it is.
    pub out: Vec<u8>,
    /// Rows, if they are for a typed store. Those that are counted as refused are among them: a store sets them aside.
    pub rows: Vec<Kept>,
    /// What became of the measurements.
    pub counts: Counts,
    /// Rejections, if a store gets the rows.
    pub rejections: Vec<RejectedEntry>,
    /// Messages for standard error: one for each rejection and refused row.
    pub diagnostics: Diagnostics,
    /// Files and members that cannot be read, or not to their end. They are counted as rejected as well.
    pub unreadable: u64,
    /// Whether the file is given up after this.
    pub gave_up: bool,
}

/// Output buffers that have grown beyond this give their memory back.
const KEPT: usize = 4 << 20;

/// What a row that is kept takes without what the probe sent, near enough.
const ROW: usize = 2 << 10;

impl ScoredChunk {
    /// Makes it as new, but for its memory.
    pub fn clear(&mut self) {
        self.out.clear();
        self.out.shrink_to(KEPT);
        self.rows.clear();
        self.counts = Counts::default();
        self.rejections.clear();
        self.diagnostics = Diagnostics::default();
        self.unreadable = 0;
        self.gave_up = false;
    }

    /// The memory that it holds in bytes, near enough.
    pub fn weight(&self) -> usize {
        let rejections = self.rejections.iter().map(RejectedEntry::weight).sum::<usize>();
        self.out.len() + self.rows.iter().map(Kept::weight).sum::<usize>() + rejections + ROW
    }
}

/// Scores entries.
pub struct Worker<'f> {
    reader: Reader,
    /// Reads the lines of cases, whose measurements `reader` reads.
    lines: Reader,
    scorer: Scorer<'f>,
    scoring: Scoring<'f>,
    sink: Box<dyn Sink>,
    /// Measurements that are still to be scored.
    left: u64,
}

impl<'f> Worker<'f> {
    /// A worker that writes to this sink.
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
        let mut desk = Desk { scorer, scoring, sink: &mut **sink, source, done };
        for entry in chunk.entries() {
            if desk.done.counts.all().accepted - before >= *left {
                break;
            }
            let gives_up = desk.entry(reader, lines, chunk, entry);
            if gives_up && scoring.strict {
                desk.done.gave_up = true;
                break;
            }
        }
        *left -= done.counts.all().accepted - before;
    }

    /// Gives back the memory that only an uncommonly large measurement needed.
    pub fn shrink(&mut self) {
        self.reader.shrink();
        self.lines.shrink();
    }

    /// Whether as many were scored as were asked for.
    pub fn has_enough(&self) -> bool {
        self.left == 0
    }
}

/// What an entry needs besides readers, which its values borrow.
struct Desk<'w, 'f> {
    scorer: &'w Scorer<'f>,
    scoring: &'w Scoring<'f>,
    sink: &'w mut dyn Sink,
    source: &'w Source,
    done: &'w mut ScoredChunk,
}

/// An entry, and where it is.
#[derive(Clone, Copy)]
struct At<'b> {
    /// Its bytes as they were in the file, of a line without its end.
    body: &'b [u8],
    place: Place<'b>,
    /// The measurement in its file, from 0; `None` for the file or a member as a whole.
    number: Option<u64>,
}

impl Desk<'_, '_> {
    /// Scores an entry. Returns true if the reference stops reading the can here.
    fn entry(&mut self, reader: &mut Reader, lines: &mut Reader, chunk: &Chunk, entry: &Entry) -> bool {
        let body = match entry.kind {
            Kind::Line | Kind::LegacyLine => line(chunk.body(entry)),
            _ => chunk.body(entry),
        };
        let is_whole = entry.kind == Kind::Whole;
        self.done.unreadable += u64::from(is_whole);
        let number = (!is_whole).then_some(entry.position.index);
        let at = At { body, place: place(chunk, entry, self.source), number };
        let named = uid_of_name(chunk, entry, self.source);
        if let Some(error) = &entry.error {
            let mut error = (**error).clone();
            if entry.aborts_can && self.scoring.strict {
                error.message += GIVEN_UP;
            }
            self.reject(at, named, None, error);
            return entry.aborts_can;
        }
        let text = chunk.text(entry);
        if entry.kind == Kind::Case {
            self.case(reader, lines, text, at);
            return false;
        }
        if let (Some(spool), Kind::Post, Some(uid)) = (self.scoring.spool, entry.kind, named) {
            spool.keep(uid, text);
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
                let error = format!("a line that is no object{GIVEN_UP}");
                self.reject(at, None, Some(root), Error::new(Code::Can, "", error));
                return true;
            }
            Kind::LegacyLine => self.score(root, &trivial(text, root), at),
            Kind::Document => match named {
                Some(uid) => self.score(root, uid, at),
                None => self.score(root, &trivial(text, root), at),
            },
            Kind::Post => {
                let uid = named.unwrap_or_default();
                match content(root) {
                    Ok(content) => self.score(content, uid, at),
                    Err(NoContent { mut error, gives_up }) => {
                        if gives_up && self.scoring.strict {
                            error.message += GIVEN_UP;
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

    fn case(&mut self, reader: &mut Reader, lines: &mut Reader, text: &[u8], at: At<'_>) {
        let line = match lines.read(text) {
            Ok(line) => line,
            Err(error) => return self.reject(at, None, None, error.into()),
        };
        match case(line.root()) {
            Ok(None) => {} // passed over
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

    fn score(&mut self, value: Value<'_>, uid: &str, at: At<'_>) {
        if let Some(wanted) = self.scoring.wanted
            && !is_wanted(wanted, self.source, value)
        {
            return;
        }
        if self.scoring.explain {
            let explanation = self.scorer.explain(value, uid);
            self.record(at, Some(uid), &explanation.outcome, Some(&explanation), Some(value));
        } else {
            let outcome = self.scorer.process(value, uid);
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
                self.done.rows.push(Kept { row, openvpn, place: at.number.unwrap_or_default(), body_sha256 });
            }
        }
    }

    fn reject(&mut self, at: At<'_>, uid: Option<&str>, value: Option<Value<'_>>, error: Error) {
        if self.scoring.explain {
            let explanation = self.scorer.explain_unread(error, uid.unwrap_or_default());
            self.record(at, uid, &explanation.outcome, Some(&explanation), value);
        } else {
            self.record(at, uid, &Outcome::Rejected { error }, None, value);
        }
    }

    /// Writes the outcome of an entry, counts it and reports what is wrong with it.
    fn record(
        &mut self,
        at: At<'_>,
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
        let record = Record { uid, outcome, explanation, measurement, place };
        self.sink.write(&record, &mut self.done.out);
    }
}

/// A body without the end of its line.
fn line(body: &[u8]) -> &[u8] {
    body.strip_suffix(b"\n").unwrap_or(body)
}

/// What is added to an error where the reference loses the rest of a can.
const GIVEN_UP: &str = "; the rest of the can is given up";

/// Why a typed store would not take what came out.
fn refusal(outcome: &Outcome) -> Option<Refused> {
    match outcome {
        Outcome::Stored { row, .. } => row.acceptance().err(),
        _ => None,
    }
}

/// Whether a measurement is wanted, where the key of its can does not tell. One that cannot be told apart is: it is to be
/// seen why.
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

/// The uid that the name of a file or member says, whatever is inside.
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

/// The trivial id of a line or file.
#[cold]
fn trivial(text: &[u8], root: Value<'_>) -> String {
    let measurement = Measurement::new(root).map_or(root, |measurement| measurement.content());
    uid::trivial(text, measurement.field("measurement_start_time").value().text().as_deref())
}

/// Why a POST body contains no measurement.
struct NoContent {
    error: Error,
    /// Whether the reference stops reading the can here; otherwise it skips the member.
    gives_up: bool,
}

/// The measurement in a POST body out of a postcan (formats spec §7.1).
fn content(root: Value<'_>) -> Result<Value<'_>, NoContent> {
    let none = |path: &str, sentence: &str, gives_up| {
        Err(NoContent { error: Error::new(Code::Can, path, sentence), gives_up })
    };
    if !root.is_object() {
        return none("", "a POST body that is no object", true);
    }
    let format = root.field("format").value();
    if !format.is_text("json") {
        return none("/format", "a POST body whose format is not json", false);
    }
    match root.field("content").found() {
        None => Ok(Value::EMPTY_OBJECT),
        Some(content) if content.is_object() => Ok(content),
        Some(_) => none("/content", "a POST body whose content is no object", true),
    }
}
