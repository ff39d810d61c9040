//! [`Batch`]: records of the intake log, scored.

use super::Outcomes;
use super::mismatch;
use crate::intake::{Position, Record};
use ooni_core::error::{Code, Error};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::Reader;
use ooni_core::measurement::{IsVerified, SideRecord};
use ooni_core::process::{Outcome, Scorer};
use ooni_core::rules::Rules;
use ooni_store::app::row::FaultyMeasurement;
use ooni_store::{BatchInput, Rejection, ScoredRow};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
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
    /// After the last record.
    pub(crate) end: Position,
    /// When the last record was received.
    pub(crate) received: crate::clock::Timestamp,
}

/// Scores records, on as many threads as wanted. Blocks.
pub(crate) fn score(records: &[Record], end: Position, how: &How) -> Batch {
    let received = records.last().map_or_else(Default::default, |record| record.received);
    let each = records.len().div_ceil(how.threads.max(1)).max(1);
    let parts: Vec<&[Record]> = records.chunks(each).collect();
    let parts: Vec<Part> = match parts[..] {
        [] => Vec::new(),
        [one] => vec![score_part(one, how)],
        _ => std::thread::scope(|scope| {
            let threads: Vec<_> = parts.iter().map(|part| scope.spawn(|| score_part(part, how))).collect();
            // Scoring does not panic; if it did, the records of the part would be scored here.
            let joined = threads.into_iter().zip(&parts);
            joined.map(|(thread, part)| thread.join().unwrap_or_else(|_| score_part(part, how))).collect()
        }),
    };
    let mut batch = Batch { input: Arc::default(), faults: Vec::new(), discarded: 0, rejected: 0, end, received };
    let mut input = BatchInput::default();
    for mut part in parts {
        input.append(&mut part.input);
        batch.faults.append(&mut part.faults);
        batch.discarded += part.discarded;
        batch.rejected += part.rejected;
    }
    batch.input = Arc::new(input);
    batch
}

/// How records are scored.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) fingerprints: Arc<Fingerprints>,
    pub(crate) rules: Rules,
    pub(crate) threads: usize,
}

#[derive(Default)]
struct Part {
    input: BatchInput<ScoredRow>,
    faults: Vec<FaultyMeasurement>,
    discarded: u64,
    rejected: u64,
}

fn score_part(records: &[Record], how: &How) -> Part {
    let scorer = Scorer::new(&how.fingerprints, how.rules);
    let mut reader = Reader::new();
    let mut part = Part::default();
    for record in records {
        let scored = match record.body.bytes() {
            Ok(body) => {
                let outcome = outcome(&body, record, &scorer, &mut reader);
                (outcome, Sha256::digest(&body).into())
            }
            Err(error) => {
                let message = format!("the body cannot be read from the intake log: {error}");
                (Outcome::Rejected { error: Error::new(Code::Can, "", message) }, [0; 32])
            }
        };
        match scored {
            (Outcome::Stored { row, openvpn }, body_sha256) => {
                part.faults.extend(mismatch::faults(record, &row));
                // The archiver sets the location of the body.
                part.input.push(ScoredRow { row, openvpn, body: None, body_sha256 });
            }
            (Outcome::Discarded { .. }, _) => part.discarded += 1,
            (Outcome::Rejected { error }, _) => {
                part.rejected += 1;
                part.input.reject(rejection(record, &error));
            }
        }
    }
    part
}

fn outcome(body: &[u8], record: &Record, scorer: &Scorer<'_>, reader: &mut Reader) -> Outcome {
    let side = &record.side;
    let is_verified = side.is_verified.and_then(|letter| IsVerified::of_letter(letter.encode_utf8(&mut [0; 4])));
    let side = SideRecord { report_id: side.report_id.as_deref().map(Cow::Borrowed), is_verified };
    match reader.read(body) {
        Ok(document) => scorer.process_with(document.root(), &record.uid, &side),
        Err(error) => Outcome::Rejected { error: error.into() },
    }
}

/// Its key is the hour and the sequence number, since the name of its can is not known yet.
fn rejection(record: &Record, error: &Error) -> Rejection {
    let can = format!("intake/{}", record.received.hour());
    Rejection::new(&can, i64::try_from(record.sequence).unwrap_or(i64::MAX), Some(&record.uid), error)
}

impl Batch {
    /// What became of the measurements, once their rows are stored and `refused` of them refused.
    pub(crate) fn outcomes(&self, refused: u64) -> Outcomes {
        let rows = self.input.rows().len() as u64;
        Outcomes { stored: rows.saturating_sub(refused), discarded: self.discarded, rejected: self.rejected, refused }
    }
}
