//! [`Ledger`]: what comes out of the pipeline, made durable step by step.
//!
//! Rows go to the store in batches, output to its file; at the end of a can, now and then, both are made durable and the
//! journal says so, in that order. A run that is killed between any two steps finds cans that are done but not in the
//! journal: it does them again, the store keeps what it has, and the output is cut back to what the journal says.

use super::output::Output;
use crate::journal::{Finished, Journal, Mark};
use crate::pipeline::Piece;
use crate::stats::Counts;
use crate::worker::{Kept, RejectedEntry};
use ooni_archive::day::Day;
use ooni_archive::source::InArchive;
use ooni_store::failpoint::{Failpoint, interval, reach};
use ooni_store::{BatchInput, BlockingStore, BodyLocation, OnExisting, Rejection, RowBatch as _, ScoredRow};
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rows of a batch, and their bytes, beyond which it is stored.
const ROWS: usize = 10_000;
const BYTES: usize = 64 << 20;

/// How often something is made durable, at the end of a can.
const INTERVAL: Duration = Duration::from_secs(2);

/// Where the results of a run go, and how far it has come.
pub(super) struct Ledger {
    /// The store, unless it is left alone.
    pub(super) store: Option<BlockingStore>,
    /// What to do with rows that it has.
    pub(super) on_existing: OnExisting,
    /// The file.
    pub(super) output: Output,
    /// Records progress; `None` if there is no file for it.
    pub(super) journal: Option<Journal>,
    /// Up to the end of the last can.
    pub(super) mark: Mark,
    /// Days of which a can or a listing is missing.
    pub(super) incomplete: Arc<Mutex<Vec<Day>>>,
    /// Counts of the can that has not ended, and what the store had of it already.
    current: (Counts, Existing),
    /// What is to be stored of cans that have ended.
    ended: BatchInput<ScoredRow>,
    /// What is to be stored of the can that has not ended.
    pending: BatchInput<ScoredRow>,
    /// Parts of that can that cannot be read as measurements; `None` before its first piece.
    unreadable: Option<i64>,
    /// Bytes of the rows and rejections that are to be stored.
    bytes: usize,
    finished: Vec<Finished>,
    durable: Instant,
    /// How often that is done.
    interval: Duration,
}

impl Ledger {
    /// A ledger that goes on from a mark.
    pub(super) fn new(
        store: Option<BlockingStore>,
        on_existing: OnExisting,
        output: Output,
        journal: Option<Journal>,
        mut mark: Mark,
    ) -> Ledger {
        mark.out = output.length();
        Ledger {
            store,
            on_existing,
            output,
            journal,
            mark,
            incomplete: Arc::default(),
            current: Default::default(),
            ended: BatchInput::default(),
            pending: BatchInput::default(),
            unreadable: None,
            bytes: 0,
            finished: Vec::new(),
            durable: Instant::now(),
            interval: interval(INTERVAL),
        }
    }

    /// What was counted, up to the last piece.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.mark.counts.clone();
        counts.merge(&self.current.0);
        counts
    }

    /// Takes a piece of a can.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn put(&mut self, piece: &mut Piece) -> io::Result<()> {
        self.output.put(&piece.done)?;
        reach(Failpoint::PieceWritten);
        self.current.0.merge(&piece.done.counts);
        if self.store.is_some() {
            self.collect(piece);
            if self.ended.size() + self.pending.size() >= ROWS || self.bytes >= BYTES {
                self.store_all()?;
            }
        }
        if piece.is_last {
            reach(Failpoint::CanEnded);
            self.end_can();
            if let Some(can) = &piece.source.can {
                self.mark.bytes += can.size;
                let instead = piece.source.fallback.is_some().then(|| piece.source.name.clone());
                self.finished.push(Finished { day: can.day, key: can.key.to_string(), instead });
            }
            if self.durable.elapsed() >= self.interval {
                self.checkpoint()?;
            }
        }
        Ok(())
    }

    /// Takes rows and rejections in the order of the can.
    fn collect(&mut self, piece: &mut Piece) {
        let Piece { source, done, .. } = piece;
        let Some(can) = &source.can else { return }; // rows of no archive are not stored
        if self.unreadable.is_none() {
            self.pending.begin_can(&can.key);
            self.unreadable = Some(0);
        }
        self.bytes += done.rows.iter().map(Kept::weight).sum::<usize>();
        let mut rejections = done.rejections.drain(..).peekable();
        for kept in done.rows.drain(..) {
            while let Some(entry) = rejections.next_if(|entry| entry.place.is_some_and(|place| place < kept.place)) {
                reject(&mut self.pending, &mut self.unreadable, &can.key, &entry);
            }
            self.pending.push(new_row(can, kept));
        }
        for entry in rejections {
            reject(&mut self.pending, &mut self.unreadable, &can.key, &entry);
        }
    }

    fn end_can(&mut self) {
        let (counts, existing) = mem::take(&mut self.current);
        self.mark.counts.merge(&counts);
        self.mark.already_there += existing.already;
        self.mark.replaced += existing.replaced;
        self.mark.cans += 1;
        self.mark.out = self.output.length();
        self.ended.append(&mut self.pending);
        self.unreadable = None;
    }

    fn store_all(&mut self) -> io::Result<()> {
        // Separate, because the counts of an unfinished can may have to be discarded.
        let (ended, pending) = (mem::take(&mut self.ended), mem::take(&mut self.pending));
        self.store(ended, true)?;
        self.store(pending, false)?;
        self.bytes = 0;
        Ok(())
    }

    fn store(&mut self, batch: BatchInput<ScoredRow>, have_ended: bool) -> io::Result<()> {
        let Some(waiting) = self.store.as_ref().filter(|_| !batch.is_empty()) else { return Ok(()) };
        reach(Failpoint::RowsComing);
        let batch = Arc::new(batch);
        let write = waiting.store.write(batch.clone(), self.on_existing);
        let written = waiting.wait(write).map_err(io::Error::other)?;
        reach(Failpoint::RowsStored);
        let counts = match have_ended {
            true => {
                self.mark.already_there += written.already;
                self.mark.replaced += written.replaced;
                &mut self.mark.counts
            }
            false => {
                self.current.1.already += written.already;
                self.current.1.replaced += written.replaced;
                &mut self.current.0
            }
        };
        for refusal in &written.refused {
            // What no store would take was counted as refused when it was scored.
            if let Some(ScoredRow { row, .. }) = batch.rows().get(refusal.index)
                && row.acceptance().is_ok()
            {
                counts.refuse_stored(row, &refusal.column);
            }
        }
        Ok(())
    }

    /// Makes everything durable that came of cans that have ended, and more as it comes.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn checkpoint(&mut self) -> io::Result<()> {
        self.store_all()?;
        reach(Failpoint::OutputComing);
        self.output.sync()?;
        reach(Failpoint::OutputDurable);
        let incomplete = mem::take(&mut *self.incomplete.lock().unwrap_or_else(PoisonError::into_inner));
        let finished = mem::take(&mut self.finished);
        if let Some(journal) = &mut self.journal {
            journal.finished(finished, incomplete, &self.mark)?;
        }
        reach(Failpoint::CheckpointDone);
        self.durable = Instant::now();
        Ok(())
    }

    /// Has the rollups follow.
    fn refresh_rollups(&self) -> io::Result<()> {
        self.store
            .as_ref()
            .map_or(Ok(()), |waiting| waiting.wait(waiting.store.refresh_rollups()).map_err(io::Error::other))
    }

    /// Ends a run that was stopped; it can go on. A can that has not ended is read again then.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        self.pending.clear();
        self.checkpoint()?;
        self.refresh_rollups()?;
        self.output.cut(self.mark.out)
    }

    /// Ends a run that has read everything; it is complete up to the day `end` unless a part is missing.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn finish(&mut self, end: Day, is_complete: bool) -> io::Result<()> {
        if self.current.0.all().accepted > 0 {
            self.end_can(); // of which no more was asked for
        }
        self.checkpoint()?;
        self.refresh_rollups()?;
        reach(Failpoint::Finishing);
        if is_complete || self.journal.is_none() {
            mem::replace(&mut self.output, Output::Nothing).finish()?;
        } else {
            self.output.publish()?;
        }
        reach(Failpoint::Finished);
        if let Some(journal) = self.journal.as_mut().filter(|_| is_complete) {
            journal.complete(end)?;
        }
        reach(Failpoint::Complete);
        Ok(())
    }
}

/// A row with the location of its body.
fn new_row(can: &InArchive, kept: Kept) -> ScoredRow {
    let linenum = u32::try_from(kept.place).unwrap_or(u32::MAX);
    let body = BodyLocation {
        s3path: Arc::clone(&can.bodies),
        linenum,
        date: Arc::clone(&can.date),
        source: Arc::clone(&can.key),
    };
    ScoredRow { row: kept.row, openvpn: kept.openvpn, body, body_sha256: kept.body_sha256 }
}

/// Adds a rejection of a can. `unreadable` counts the parts of the can that cannot be read as measurements.
fn reject(batch: &mut BatchInput<ScoredRow>, unreadable: &mut Option<i64>, can: &str, entry: &RejectedEntry) {
    let position = match entry.place {
        Some(place) => i64::try_from(place).unwrap_or(i64::MAX),
        None => {
            let part = unreadable.get_or_insert_default();
            *part -= 1;
            *part
        }
    };
    batch.reject(Rejection::new(can, position, entry.uid.as_deref(), &entry.error));
}

/// Rows that the store had already.
#[derive(Default)]
struct Existing {
    already: u64,
    replaced: u64,
}
