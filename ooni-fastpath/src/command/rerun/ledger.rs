//! [`Ledger`]: what comes out of the pipeline, made durable step by step.
//!
//! Rows go to the store in batches, output to its file; at the end of a can, now and then, both are made durable and the
//! journal says so, in that order. A run that is killed between any two steps finds cans that are done but not in the
//! journal: it does them again, the store keeps what it has, and the output is cut back to what the journal says.

use super::output::Output;
use crate::archive::Day;
use crate::failpoint::{Failpoint, reach};
use crate::journal::{Finished, Journal, Mark};
use crate::pipeline::Piece;
use crate::source::Source;
use crate::stats::Counts;
use crate::store::{BodyPlace, MeasurementStore, NewRow, OnExisting};
use crate::worker::Kept;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rows of a batch; fewer only where something is to be made durable.
const ROWS: usize = 10_000;

/// How often something is made durable, at the end of a can.
const INTERVAL: Duration = Duration::from_secs(2);

/// Where results go, and how far they have come.
pub(super) struct Ledger {
    /// The store, unless it is left alone.
    pub(super) store: Option<Box<dyn MeasurementStore + Send>>,
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
    /// Counts of the can that has not ended.
    current: Counts,
    pending: Vec<NewRow>,
    /// Of the pending rows, those of cans that have ended.
    ended: usize,
    finished: Vec<Finished>,
    durable: Instant,
}

impl Ledger {
    /// A ledger that goes on from a mark.
    pub(super) fn new(
        store: Option<Box<dyn MeasurementStore + Send>>,
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
            current: Counts::default(),
            pending: Vec::new(),
            ended: 0,
            finished: Vec::new(),
            durable: Instant::now(),
        }
    }

    /// What was counted, up to the last piece.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.mark.counts.clone();
        counts.merge(&self.current);
        counts
    }

    /// Takes a piece of a can.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn put(&mut self, piece: &mut Piece) -> io::Result<()> {
        self.output.put(&piece.done)?;
        reach(Failpoint::PieceWritten);
        self.current.merge(&piece.done.counts);
        if self.store.is_some() {
            let source = &piece.source;
            self.pending.extend(piece.done.rows.drain(..).filter_map(|kept| new_row(source, kept)));
            while self.pending.len() >= ROWS {
                self.store(ROWS)?;
            }
        }
        if piece.is_last {
            reach(Failpoint::CanEnded);
            self.end_can(&piece.source);
            if self.durable.elapsed() >= INTERVAL {
                self.checkpoint()?;
            }
        }
        Ok(())
    }

    fn end_can(&mut self, source: &Source) {
        self.mark.counts.merge(&mem::take(&mut self.current));
        self.mark.cans += 1;
        self.mark.out = self.output.length();
        self.ended = self.pending.len();
        if let Some(can) = &source.can {
            self.mark.bytes += can.size;
            self.finished.push(Finished { day: can.day, key: source.name.clone() });
        }
    }

    /// Stores the first rows of those that are pending.
    fn store(&mut self, rows: usize) -> io::Result<()> {
        let Some(store) = self.store.as_mut().filter(|_| rows > 0) else { return Ok(()) };
        reach(Failpoint::RowsComing);
        let written = store.write(&self.pending[..rows], self.on_existing).map_err(io::Error::other)?;
        reach(Failpoint::RowsStored);
        self.mark.already_there += written.already;
        for refusal in &written.refused {
            let counts = if refusal.index < self.ended { &mut self.mark.counts } else { &mut self.current };
            if let Some(new) = self.pending.get(refusal.index) {
                counts.refuse_stored(&new.row, &refusal.column);
            }
        }
        self.pending.drain(..rows);
        self.ended = self.ended.saturating_sub(rows);
        Ok(())
    }

    /// Makes everything durable that came of cans that have ended, and more as it comes.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn checkpoint(&mut self) -> io::Result<()> {
        self.store(self.pending.len())?;
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

    /// Ends a run that was stopped; it can go on.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        self.checkpoint()?;
        self.output.cut(self.mark.out)
    }

    /// Ends a run that is through. It is complete unless something is wanting.
    ///
    /// # Errors
    /// Something cannot be written.
    pub(super) fn finish(&mut self, is_complete: bool) -> io::Result<()> {
        self.checkpoint()?;
        reach(Failpoint::Finishing);
        if is_complete {
            mem::replace(&mut self.output, Output::Nothing).finish()?;
        }
        reach(Failpoint::Finished);
        if let Some(journal) = self.journal.as_mut().filter(|_| is_complete) {
            journal.complete()?;
        }
        reach(Failpoint::Complete);
        Ok(())
    }
}

/// A row with the place of its body; rows of no archive have none and are not stored.
fn new_row(source: &Source, kept: Kept) -> Option<NewRow> {
    let can = source.can.as_ref()?;
    let linenum = u32::try_from(kept.place).unwrap_or(u32::MAX);
    let body = BodyPlace {
        s3path: Arc::clone(&can.bodies),
        linenum,
        date: Arc::clone(&can.date),
        source: Arc::clone(&can.key),
    };
    Some(NewRow { row: kept.row, openvpn: kept.openvpn, body })
}
