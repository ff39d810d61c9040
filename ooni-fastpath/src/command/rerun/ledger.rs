//! [`Ledger`]: what comes out of the pipeline, made durable step by step.
//!
//! Rows go to the store in batches, output to its file; at the end of a can, now and then, both are made durable and the
//! journal says so, in that order. A run that is killed between any two steps finds cans that are done but not in the
//! journal: it does them again, the store keeps what it has, and the output is cut back to what the journal says.

use super::output::Output;
use crate::journal::{Finished, Journal, Mark};
use crate::pipeline::Piece;
use crate::stats::Counts;
use crate::worker::Kept;
use ooni_archive::day::Day;
use ooni_archive::source::Source;
use ooni_store::failpoint::{Failpoint, interval, reach};
use ooni_store::{BlockingStore, BodyLocation, OnExisting, ScoredRow};
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rows of a batch, and their bytes, beyond which it is stored.
const ROWS: usize = 10_000;
const BYTES: usize = 64 << 20;

/// How often something is made durable, at the end of a can.
const INTERVAL: Duration = Duration::from_secs(2);

/// Position results go, and how far they have come.
pub(super) struct Ledger {
    /// The store, unless it is left alone.
    pub(super) store: Option<BlockingStore>,
    /// What to do with rows that it has.
    pub(super) on_existing: OnExisting,
    /// The file.
    pub(super) output: Output,
    /// What is told of progress, if there is a place for it.
    pub(super) journal: Option<Journal>,
    /// Up to the end of the last can.
    pub(super) mark: Mark,
    /// Days of which a can or a listing could not be had.
    pub(super) wanting: Arc<Mutex<Vec<Day>>>,
    /// Counts of the can that has not ended, and rows of it that the store had already.
    current: (Counts, u64),
    pending: Vec<ScoredRow>,
    /// Bytes of the pending rows.
    bytes: usize,
    /// Of the pending rows, those of cans that have ended.
    ended: usize,
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
            wanting: Arc::default(),
            current: Default::default(),
            pending: Vec::new(),
            bytes: 0,
            ended: 0,
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
            let Piece { source, done, .. } = piece;
            self.bytes += done.rows.iter().map(Kept::weight).sum::<usize>();
            self.pending.extend(done.rows.drain(..).filter_map(|kept| new_row(source, kept)));
            if self.pending.len() >= ROWS || self.bytes >= BYTES {
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

    fn end_can(&mut self) {
        let (counts, already_there) = mem::take(&mut self.current);
        self.mark.counts.merge(&counts);
        self.mark.already_there += already_there;
        self.mark.cans += 1;
        self.mark.out = self.output.length();
        self.ended = self.pending.len();
    }

    fn store_all(&mut self) -> io::Result<()> {
        // Apart, since what is counted of a can that has not ended may have to be forgotten.
        let ended = mem::take(&mut self.ended);
        self.store(ended, true)?;
        self.store(self.pending.len(), false)?;
        self.bytes = 0;
        Ok(())
    }

    /// Stores the first rows of those that are pending.
    fn store(&mut self, rows: usize, have_ended: bool) -> io::Result<()> {
        let Some(waiting) = self.store.as_ref().filter(|_| rows > 0) else { return Ok(()) };
        reach(Failpoint::RowsComing);
        let batch: Arc<Vec<ScoredRow>> = Arc::new(self.pending.drain(..rows).collect());
        let write = waiting.store.write(batch.clone(), self.on_existing);
        let written = waiting.wait(write).map_err(io::Error::other)?;
        reach(Failpoint::RowsStored);
        let (counts, already_there) = match have_ended {
            true => (&mut self.mark.counts, &mut self.mark.already_there),
            false => (&mut self.current.0, &mut self.current.1),
        };
        *already_there += written.already;
        for refusal in &written.refused {
            // What no store would take was counted as refused when it was scored.
            if let Some(ScoredRow { row, .. }) = batch.get(refusal.index)
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
        let wanting = mem::take(&mut *self.wanting.lock().unwrap_or_else(PoisonError::into_inner));
        let finished = mem::take(&mut self.finished);
        if let Some(journal) = &mut self.journal {
            journal.finished(finished, wanting, &self.mark)?;
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
        self.pending.truncate(self.ended);
        self.checkpoint()?;
        self.refresh_rollups()?;
        self.output.cut(self.mark.out)
    }

    /// Ends a run that is through, which is complete up to the day `end` unless something is wanting.
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

/// A row with the place of its body; rows of no archive have none and are not stored.
fn new_row(source: &Source, kept: Kept) -> Option<ScoredRow> {
    let can = source.can.as_ref()?;
    let linenum = u32::try_from(kept.place).unwrap_or(u32::MAX);
    let body = BodyLocation {
        s3path: Arc::clone(&can.bodies),
        linenum,
        date: Arc::clone(&can.date),
        source: Arc::clone(&can.key),
    };
    Some(ScoredRow { row: kept.row, openvpn: kept.openvpn, body, body_sha256: kept.body_sha256 })
}
