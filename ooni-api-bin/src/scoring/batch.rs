//! [`Batch`]: records of the intake log, scored.

use super::Outcomes;
use super::mismatch;
use crate::intake::{Position, Record};
use ooni_core::error::{Code, Error};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::Reader;
use ooni_core::process::{Outcome, Scorer};
use ooni_core::rules::Rules;
use ooni_store::app::row::FaultyMeasurement;
use ooni_store::{BatchInput, Rejection, ScoredRow};
use sha2::{Digest, Sha256};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What is written in one transaction, and where the log continues after it.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Rows and rejections.
    pub(crate) input: Arc<BatchInput<ScoredRow>>,
    /// Measurements that contradict their report id or the address of their probe.
    pub(crate) faults: Vec<FaultyMeasurement>,
    /// Measurements that were discarded on purpose.
    pub(crate) discarded: u64,
    /// Measurements that cannot be parsed or scored.
    pub(crate) rejected: u64,
    /// Records that are damaged, and were skipped.
    pub(crate) damaged: u64,
    /// After the last record.
    pub(crate) end: Position,
}

/// Records that are scored together.
#[derive(Debug)]
pub(crate) struct Collected {
    /// Where the log was read from. Records in between that are not in `records` are damaged.
    pub(crate) start: Position,
    pub(crate) records: Vec<Record>,
    /// Where the log continues.
    pub(crate) end: Position,
}

/// Scores records, on as many threads as wanted. Blocks.
///
/// # Errors
/// A body cannot be read.
pub(crate) fn score(collected: &Collected, how: &How) -> io::Result<Batch> {
    let Collected { start, records, end } = collected;
    let each = records.len().div_ceil(how.threads.max(1)).max(1);
    let parts: Vec<&[Record]> = records.chunks(each).collect();
    let parts: Vec<Part> = match parts[..] {
        [] => Vec::new(),
        [one] => vec![score_part(one, how)?],
        _ => std::thread::scope(|scope| {
            let spawn = |part| std::thread::Builder::new().spawn_scoped(scope, move || score_part(part, how));
            let threads: Vec<_> = parts.iter().copied().map(spawn).collect();
            // A part whose thread cannot be started, as at a limit of the system, is scored here.
            let joined =
                threads.into_iter().zip(&parts).map(|(thread, part)| match thread.map(|thread| thread.join()) {
                    Ok(Ok(scored)) => scored,
                    _ => score_part(part, how),
                });
            joined.collect::<io::Result<_>>()
        })?,
    };
    let skipped = end.sequence.saturating_sub(start.sequence).saturating_sub(records.len() as u64);
    let mut batch =
        Batch { input: Arc::default(), faults: Vec::new(), discarded: 0, rejected: 0, damaged: skipped, end: *end };
    let mut input = BatchInput::default();
    for mut part in parts {
        input.append(&mut part.input);
        batch.faults.append(&mut part.faults);
        batch.discarded += part.discarded;
        batch.rejected += part.rejected;
    }
    batch.input = Arc::new(input);
    Ok(batch)
}

/// How records are scored.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) fingerprints: Arc<Fingerprints>,
    pub(crate) rules: Rules,
    pub(crate) threads: usize,
    /// Id of this collector.
    pub(crate) collector: Arc<str>,
}

#[derive(Default)]
struct Part {
    input: BatchInput<ScoredRow>,
    faults: Vec<FaultyMeasurement>,
    discarded: u64,
    rejected: u64,
}

fn score_part(records: &[Record], how: &How) -> io::Result<Part> {
    let new = || (Scorer::new(&how.fingerprints, how.rules), Reader::new());
    let (mut scorer, mut reader) = new();
    let mut part = Part::default();
    for record in records {
        let body = record.body.bytes()?;
        let scored = guarded(|| outcome(&body, record, &scorer, &mut reader)).unwrap_or_else(|error| {
            (scorer, reader) = new(); // their buffers may be in any state
            Outcome::Rejected { error }
        });
        match scored {
            Outcome::Stored { row, openvpn } => {
                part.faults.extend(mismatch::faults(record, &row));
                // The archiver sets the location of the body.
                part.input.push(ScoredRow { row, openvpn, body: None, body_sha256: Sha256::digest(&body).into() });
            }
            Outcome::Discarded { .. } => part.discarded += 1,
            Outcome::Rejected { error } => {
                part.rejected += 1;
                part.input.reject(rejection(record, &error, &how.collector));
            }
        }
    }
    Ok(part)
}

/// Turns a panic into an error. No input should cause one; if one does, the others are scored nevertheless.
fn guarded(score: impl FnOnce() -> Outcome) -> Result<Outcome, Error> {
    catch_unwind(AssertUnwindSafe(score)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let message = format!("scoring panicked, which is a bug: {}", said.unwrap_or("no message"));
        tracing::error!(message, "a measurement is rejected");
        Error::new(Code::Assert, "", message)
    })
}

fn outcome(body: &[u8], record: &Record, scorer: &Scorer<'_>, reader: &mut Reader) -> Outcome {
    match reader.read(body) {
        Ok(document) => scorer.process_with(document.root(), &record.uid, &record.side.record()),
        Err(error) => Outcome::Rejected { error: error.into() },
    }
}

/// Its key is the collector, the hour and the sequence number, since the name of its can is not known yet. Several collectors
/// can share a store.
fn rejection(record: &Record, error: &Error, collector: &str) -> Rejection {
    let can = format!("intake/{collector}/{}", record.received.hour());
    Rejection::new(&can, i64::try_from(record.sequence).unwrap_or(i64::MAX), Some(&record.uid), error)
}

impl Batch {
    /// What became of the measurements, once their rows are stored and `refused` of them refused.
    pub(crate) fn outcomes(&self, refused: u64) -> Outcomes {
        let rows = self.input.rows().len() as u64;
        let Batch { discarded, rejected, damaged, .. } = *self;
        Outcomes { stored: rows.saturating_sub(refused), discarded, rejected, refused, damaged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::intake::{Body, FileRange, Route, Side};

    fn how() -> How {
        let fingerprints = Arc::new(ooni_archive::fingerprints::built_in().unwrap());
        How { fingerprints, rules: Rules::Fixed, threads: 2, collector: "7".into() }
    }

    fn record(sequence: u64, body: Body) -> Record {
        Record {
            sequence,
            offset: 0,
            uid: format!("2026030112000{sequence}.000000_IT_ndt_0123456789abcdef"),
            received: Timestamp::from_micros(1_772_366_400_000_000),
            route: Route::Report,
            key_report_id: "r".to_owned(),
            probe_cc: "IT".to_owned(),
            test_name: "ndt".to_owned(),
            headers: Vec::new(),
            side: Side::default(),
            digest: [0; 64],
            body,
        }
    }

    fn collected(records: Vec<Record>, end: u64) -> Collected {
        let end = Position { sequence: end, ..Position::default() };
        Collected { start: Position::default(), records, end }
    }

    #[test]
    fn records_that_are_not_there_are_damaged() {
        let records = [2, 4, 5].map(|sequence| record(sequence, Body::Memory("[".into())));
        let batch = score(&collected(records.into(), 7), &how()).unwrap();
        assert_eq!(batch.outcomes(0), Outcomes { rejected: 3, damaged: 4, ..Outcomes::default() });
        let batch = score(&collected(Vec::new(), 2), &how()).unwrap();
        assert_eq!(batch.outcomes(0), Outcomes { damaged: 2, ..Outcomes::default() });
    }

    #[test]
    fn a_body_that_cannot_be_read_is_an_error_and_not_a_rejection() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let unreadable = std::fs::OpenOptions::new().write(true).open(file.path()).unwrap();
        let unreadable = Body::File(FileRange { file: Arc::new(unreadable), start: 0, length: 10 });
        let records = vec![record(1, Body::Memory("[".into())), record(2, unreadable)];
        score(&collected(records, 2), &how()).unwrap_err();
    }

    #[test]
    fn a_panic_is_a_rejection() {
        let error = guarded(|| panic!("number {}", 7)).unwrap_err();
        assert_eq!(error.code, Code::Assert);
        assert!(error.message.ends_with("number 7"), "{error}");
    }
}
