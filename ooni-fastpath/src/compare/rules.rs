//! Compares how two sets of rules score the same measurements, by repair, fingerprint and column.
//!
//! The files are read twice, because the pipeline scores with one set of rules at a time. The results of the first pass
//! are kept in a temporary file; both passes produce them in the order of the input.

use super::comparison::{Comparison, shown};
use super::record::Record;
use crate::diagnostics::Diagnostics;
use crate::pipeline::{self, Plan};
use crate::sink::{self, Sink};
use crate::worker::{ScoredChunk, Scoring};
use ooni_archive::source::local::FileList;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::Json;
use ooni_core::process::Outcome;
use ooni_core::row::FastpathRow;
use ooni_core::rules::Rules;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Maximum number of distinct changes in each part of the result.
const MOST: usize = 10_000;

/// What changes from one set of rules to another.
#[derive(Debug, Serialize)]
pub struct Changes {
    /// Names of the two sets of rules.
    pub rules: [&'static str; 2],
    /// Measurements that were scored by both.
    pub measurements: u64,
    /// Measurements with a different outcome.
    pub changed: u64,
    /// By test and repair: the outcome without and with it.
    pub repairs: Vec<Change>,
    /// By test and fingerprint: those that only one of the two finds.
    pub fingerprints: Vec<Change>,
    /// By test: verdicts that change.
    pub verdicts: Vec<Change>,
    /// Differences between the rows.
    pub rows: Comparison,
    /// Files in folders that were skipped because of an unknown suffix.
    pub passed_over: u64,
    /// JSONL files that were skipped because the postcan of the same stem was read.
    pub twins: u64,
    /// Files that were read.
    pub files: u64,
    /// Files and members of archives that could not be read to the end.
    pub unreadable: u64,
}

/// A change that some measurements have in common.
#[derive(Debug, Serialize)]
pub struct Change {
    /// Name of the test.
    pub test: String,
    /// The repair, the fingerprint with "lost" or "found", or the verdicts before and after.
    pub what: String,
    /// How many measurements change.
    pub measurements: u64,
    /// The first ones.
    pub examples: Vec<ChangeExample>,
}

/// A measurement that changes.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeExample {
    /// Its id.
    pub measurement_uid: String,
    /// The outcome before the change.
    pub before: String,
    /// The outcome after the change.
    pub after: String,
}

/// What to compare, and how.
#[derive(Debug)]
pub struct Corpus<'c> {
    /// Files and folders.
    pub paths: &'c [PathBuf],
    /// Fingerprint lists for both sets of rules.
    pub fingerprints: &'c Fingerprints,
    /// Number of scoring threads.
    pub jobs: usize,
    /// Maximum number of examples of each change.
    pub examples: usize,
}

/// Scores a corpus with both sets of rules.
///
/// # Errors
/// The temporary file cannot be written or read, or the input files changed between the passes.
pub fn compare(corpus: &Corpus<'_>, rules: [Rules; 2], diagnostics: &mut Diagnostics) -> io::Result<Changes> {
    let temporary = |error: io::Error| {
        io::Error::new(error.kind(), format!("a temporary file in {}: {error}", std::env::temp_dir().display()))
    };
    let mut first = BufWriter::new(tempfile::tempfile().map_err(temporary)?);
    let mut unreadable = 0;
    corpus.score(rules[0], false, &mut |done| {
        diagnostics.show(&mut done.diagnostics);
        unreadable += done.unreadable;
        first.write_all(&done.out).map_err(temporary)
    })?;
    let mut first = first.into_inner().map_err(io::IntoInnerError::into_error).map_err(temporary)?;
    first.rewind().map_err(temporary)?;
    let mut first = BufReader::with_capacity(1 << 20, first);
    let mut counting = Counting::new(corpus.examples);
    let changed = || io::Error::other("the files changed while they were read");
    let found = corpus.score(rules[1], true, &mut |done| {
        let mut second = &*done.out;
        while let Some(after) = Record::read(&mut second)? {
            let before = Record::read(&mut first)?.ok_or_else(changed)?;
            if before.field(UID) != after.field(UID) {
                return Err(changed());
            }
            counting.add(&before, &after);
        }
        Ok(())
    })?;
    if Record::read(&mut first)?.is_some() {
        return Err(changed());
    }
    Ok(Changes { unreadable, ..counting.changes(rules, found) })
}

/// What was found at the paths.
struct Found {
    files: u64,
    skipped: u64,
    twins: u64,
}

impl Corpus<'_> {
    /// Scores all files; returns what was found.
    fn score(
        &self,
        rules: Rules,
        explain: bool,
        put: &mut (dyn FnMut(&mut ScoredChunk) -> io::Result<()> + Send),
    ) -> io::Result<Found> {
        let scoring = Scoring { explain, ..Scoring::new(self.fingerprints, rules) };
        let list = FileList::find(self.paths, None);
        let list = list.map_err(|missing| io::Error::new(io::ErrorKind::NotFound, missing))?;
        let FileList { files, skipped, twins, .. } = list;
        let found = Found { files: files.len() as u64, skipped, twins };
        let sink = || -> Box<dyn Sink> { Box::new(Scored::default()) };
        let (stop, read) = (AtomicBool::new(false), Arc::default());
        let plan = Plan { scoring: &scoring, jobs: self.jobs, sink: &sink, stop: &stop, read: &read };
        pipeline::run(&plan, Box::new(files.into_iter()), &mut |piece| put(&mut piece.done))?;
        Ok(found)
    }
}

// The fields of a record; the columns of the row follow.
const UID: usize = 0;
const TEST: usize = 1;
const VERDICT: usize = 2;
const FINGERPRINTS: usize = 3;
const DIFFERENCES: usize = 4;
const COLUMNS: usize = 5;

/// A sink that writes each measurement as a record.
#[derive(Default)]
struct Scored {
    record: Record,
}

impl Sink for Scored {
    fn write(&mut self, entry: &sink::ScoredEntry<'_>, out: &mut Vec<u8>) {
        let text = |text: &str| {
            let text = text.to_owned();
            move |out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes())
        };
        self.record.clear();
        self.record.push(text(entry.uid.unwrap_or_default()));
        self.record.push(text(&test(entry)));
        self.record.push(text(&verdict(entry.outcome)));
        let row = match entry.outcome {
            Outcome::Stored { row, .. } => Some(row),
            _ => None,
        };
        let mut names = Record::default();
        for name in row.into_iter().flat_map(|row| fingerprints(row)) {
            names.push(text(name));
        }
        self.record.push(|out| out.extend(names.fields().flat_map(|name| [name, b"\n"].concat())));
        let mut differences = Record::default();
        for difference in entry.explanation.into_iter().flat_map(|explanation| &explanation.differences) {
            differences.push(text(difference.repair.name()));
            differences.push(text(&difference.without));
            differences.push(text(&difference.with));
        }
        self.record.push(|out| {
            let _ = differences.write(out); // writing to memory does not fail
        });
        for (_, column) in row.into_iter().flat_map(|row| row.columns()) {
            self.record.push(|out| column.write_json(out));
        }
        let _ = self.record.write(out);
    }
}

fn test(entry: &sink::ScoredEntry<'_>) -> String {
    let name = match (entry.outcome, entry.measurement) {
        (Outcome::Stored { row, .. }, _) => row.test_name.as_str().map(str::to_owned),
        (_, Some(measurement)) => {
            let name = measurement.field("test_name").value().text();
            name.map(|name| String::from_utf8_lossy(&name).into_owned())
        }
        _ => None,
    };
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| crate::stats::UNKNOWN.to_owned())
}

fn verdict(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Stored { row, .. } => {
            let flags = [(row.anomaly, "anomaly"), (row.confirmed, "confirmed"), (row.msm_failure, "failure")];
            let set: Vec<_> = flags.into_iter().filter_map(|(is_set, name)| is_set.then_some(name)).collect();
            if set.is_empty() { "ok".to_owned() } else { set.join(", ") }
        }
        Outcome::Discarded { reason } => format!("discarded {reason}"),
        Outcome::Rejected { error } => format!("rejected {}", error.code),
    }
}

/// The names of the fingerprints in the scores of a row.
fn fingerprints(row: &FastpathRow) -> impl Iterator<Item = &str> {
    let found = match row.scores.get("fingerprints") {
        Some(Json::Array(found)) => &**found,
        _ => &[],
    };
    found.iter().filter_map(|found| found.get("name")?.as_str())
}

/// Counts changes.
struct Counting {
    measurements: u64,
    changed: u64,
    repairs: Kinds,
    fingerprints: Kinds,
    verdicts: Kinds,
    rows: Comparison,
}

impl Counting {
    fn new(examples: usize) -> Counting {
        let kinds = || Kinds { kinds: BTreeMap::new(), examples };
        Counting {
            measurements: 0,
            changed: 0,
            repairs: kinds(),
            fingerprints: kinds(),
            verdicts: kinds(),
            rows: Comparison::new(examples),
        }
    }

    fn add(&mut self, before: &Record, after: &Record) {
        self.measurements += 1;
        let (uid, test) = (after.field(UID), after.field(TEST));
        let values = |record| Record::fields(record).skip(COLUMNS);
        match (values(before).next().is_some(), values(after).next().is_some()) {
            (true, true) => self.rows.both(uid, test, values(before), values(after)),
            (true, false) => self.rows.only(true, uid),
            (false, true) => self.rows.only(false, uid),
            (false, false) => {}
        }
        let (was, is) = (shown(before.field(VERDICT)), shown(after.field(VERDICT)));
        let same = was == is && values(before).eq(values(after));
        self.changed += u64::from(!same);
        let example = |before: &str, after: &str| ChangeExample {
            measurement_uid: shown(uid),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        if was != is {
            self.verdicts.add(test, &format!("{was} → {is}"), || example(&was, &is));
        }
        let (had, has) = (before.field(FINGERPRINTS), after.field(FINGERPRINTS));
        for (one, other, what) in [(had, has, "lost"), (has, had, "found")] {
            let others: Vec<_> = other.split(|&byte| byte == b'\n').collect();
            let mut names: Vec<_> = one.split(|&byte| byte == b'\n').filter(|name| !others.contains(name)).collect();
            names.dedup();
            for name in names {
                self.fingerprints.add(test, &format!("{} {what}", shown(name)), || example(&was, &is));
            }
        }
        let Ok(Some(differences)) = Record::read(&mut after.field(DIFFERENCES)) else { return };
        let mut fields = differences.fields().map(shown);
        while let (Some(repair), Some(without), Some(with)) = (fields.next(), fields.next(), fields.next()) {
            self.repairs.add(test, &repair, || example(&without, &with));
        }
    }

    fn changes(mut self, rules: [Rules; 2], found: Found) -> Changes {
        self.rows.sort();
        Changes {
            rules: rules.map(Rules::name),
            measurements: self.measurements,
            changed: self.changed,
            repairs: self.repairs.changes(),
            fingerprints: self.fingerprints.changes(),
            verdicts: self.verdicts.changes(),
            rows: self.rows,
            passed_over: found.skipped,
            twins: found.twins,
            files: found.files,
            unreadable: 0,
        }
    }
}

/// Changes of one kind, by test and name.
struct Kinds {
    kinds: BTreeMap<(String, String), (u64, Vec<ChangeExample>)>,
    examples: usize,
}

impl Kinds {
    fn add(&mut self, test: &[u8], what: &str, example: impl FnOnce() -> ChangeExample) {
        let mut key = (shown(test), what.to_owned());
        if self.kinds.len() >= MOST && !self.kinds.contains_key(&key) {
            key = ("(other tests)".to_owned(), "(others)".to_owned());
        }
        let (measurements, examples) = self.kinds.entry(key).or_default();
        *measurements += 1;
        if examples.len() < self.examples {
            examples.push(example());
        }
    }

    fn changes(self) -> Vec<Change> {
        let change = |((test, what), (measurements, examples))| Change { test, what, measurements, examples };
        self.kinds.into_iter().map(change).collect()
    }
}
