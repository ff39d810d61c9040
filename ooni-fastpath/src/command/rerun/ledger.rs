//! [`Ledger`]: makes the results of the pipeline durable.
//!
//! Rows are written to the store in batches, and output to its file. From time to time, at the end of a can, a checkpoint
//! makes the rows durable, then the output, then the journal line. A run that is killed between two of these steps repeats
//! the cans that the journal does not list: the store already has their rows, and the output is truncated to the length in
//! the journal.

use super::output::Output;
use crate::command::bulk::BulkLoad;
use crate::journal::{Finished, Journal, Mark};
use crate::pipeline::Piece;
use crate::stats::Counts;
use crate::worker::{PendingRow, RejectedEntry};
use ooni_archive::day::Day;
use ooni_archive::source::InArchive;
use ooni_store::failpoint::{Failpoint, interval, reach};
use ooni_store::{BatchInput, BlockingStore, BodyLocation, OnExisting, Rejection, RowBatch as _, ScoredRow};
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A batch is written when it has so many rows, or so many bytes.
const ROWS: usize = 10_000;
const BYTES: usize = 64 << 20;

/// Minimum time between checkpoints.
const INTERVAL: Duration = Duration::from_secs(2);

/// The outputs of a run, and its progress.
pub(super) struct Ledger {
    /// The store, if rows are written to one.
    pub(super) store: Option<BlockingStore>,
    /// What to do with rows that are already in the store.
    pub(super) on_existing: OnExisting,
    /// The bulk load in which rows are written, if there is one.
    pub(super) bulk: Option<BulkLoad>,
    /// The output file.
    pub(super) output: Output,
    /// The journal, if there is one.
    pub(super) journal: Option<Journal>,
    /// The progress at the end of the last can.
    pub(super) mark: Mark,
    /// Days with a can or listing that could not be read.
    pub(super) incomplete: Arc<Mutex<Vec<Day>>>,
    /// Counts of the current can, and how many of its rows were already in the store.
    current: (Counts, Existing),
    /// Rows and rejections of finished cans that are not stored yet.
    ended: BatchInput<ScoredRow>,
    /// Rows and rejections of the current can that are not stored yet.
    pending: BatchInput<ScoredRow>,
    /// The position of the last part of the current can that cannot be read as a measurement, negative or 0; `None` before
    /// its first piece.
    unreadable: Option<i64>,
    /// Bytes of the rows and rejections that are not stored yet.
    bytes: usize,
    finished: Vec<Finished>,
    last_checkpoint: Instant,
    /// Minimum time between checkpoints.
    interval: Duration,
}

impl Ledger {
    /// A ledger that continues from a mark.
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
            bulk: None,
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
            last_checkpoint: Instant::now(),
            interval: interval(INTERVAL),
        }
    }

    /// The counts up to the last piece.
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
            if self.last_checkpoint.elapsed() >= self.interval {
                self.checkpoint()?;
            }
        }
        Ok(())
    }

    /// Collects rows and rejections in the order of the can.
    fn collect(&mut self, piece: &mut Piece) {
        let Piece { source, done, .. } = piece;
        let Some(can) = &source.can else { return }; // only rows of the archive are stored
        if self.unreadable.is_none() {
            self.pending.begin_can(&can.key);
            self.unreadable = Some(0);
        }
        self.bytes += done.rows.iter().map(PendingRow::weight).sum::<usize>();
        let mut rejections = done.rejections.drain(..).peekable();
        for pending in done.rows.drain(..) {
            while let Some(entry) = rejections.next_if(|entry| entry.place.is_some_and(|place| place < pending.place)) {
                reject(&mut self.pending, &mut self.unreadable, &can.key, &entry);
            }
            self.pending.push(new_row(can, pending));
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
        let Some(store) = self.store.as_ref().filter(|_| !batch.is_empty()) else { return Ok(()) };
        reach(Failpoint::RowsComing);
        let batch = Arc::new(batch);
        let written = match &mut self.bulk {
            Some(bulk) => bulk.write(store, batch.clone()),
            None => store.wait(store.store.write(batch.clone(), self.on_existing)),
        };
        let written = written.map_err(io::Error::other)?;
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
            // Rows that every typed store refuses were counted as refused when they were scored.
            if let Some(ScoredRow { row, .. }) = batch.rows().get(refusal.index)
                && row.acceptance().is_ok()
            {
                counts.refuse_stored(row, &refusal.column);
            }
        }
        Ok(())
    }

    /// Makes the results of all finished cans durable. Results of the current can are stored as well.
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
        self.last_checkpoint = Instant::now();
        Ok(())
    }

    /// Updates the rollups.
    fn refresh_rollups(&self) -> io::Result<()> {
        self.store.as_ref().map_or(Ok(()), |store| store.wait(store.store.refresh_rollups()).map_err(io::Error::other))
    }

    /// Ends the bulk load, if there is one.
    ///
    /// # Errors
    /// Its months are not finished.
    pub(super) fn end_load(&self, show: impl FnMut(&str)) -> io::Result<()> {
        let (Some(bulk), Some(store)) = (&self.bulk, &self.store) else { return Ok(()) };
        bulk.end(store, show).map_err(io::Error::other)
    }

    /// Ends a run that was stopped and can be resumed. The current can will be read again.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        self.pending.clear();
        self.checkpoint()?;
        self.refresh_rollups()?;
        self.output.truncate(self.mark.out)
    }

    /// Ends a run that has read everything. It is complete up to the day `end` unless a part is missing.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn finish(&mut self, end: Day, is_complete: bool, show: impl FnMut(&str)) -> io::Result<()> {
        if self.current.0.all().accepted > 0 {
            self.end_can(); // a can cut short by --stop-after
        }
        self.checkpoint()?;
        let is_over = is_complete || self.journal.is_none();
        if is_over {
            self.end_load(show)?;
        }
        self.refresh_rollups()?;
        reach(Failpoint::Finishing);
        if is_over {
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

/// The row to store, with the location of its body.
fn new_row(can: &InArchive, pending: PendingRow) -> ScoredRow {
    let linenum = u32::try_from(pending.place).unwrap_or(u32::MAX);
    let body = BodyLocation {
        s3path: Arc::clone(&can.bodies),
        linenum,
        date: Arc::clone(&can.date),
        source: Arc::clone(&can.key),
        member: None,
    };
    ScoredRow { row: pending.row, openvpn: pending.openvpn, body: Some(body), body_sha256: pending.body_sha256 }
}

/// Adds a rejection of a can. Parts that cannot be read as measurements get the positions -1, -2, … from `unreadable`.
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

/// Rows that were already in the store.
#[derive(Default)]
struct Existing {
    already: u64,
    replaced: u64,
}
