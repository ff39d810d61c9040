//! Sequential readers. Each has its own place in the log and waits for records to become durable.

use super::error::Error;
use super::log::Log;
use super::record::Record;
use super::scan::{Damage, Scanner, Step, WHOLE, Whole};
use super::segment::Segment;
use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A reader reads ahead until it has so many bytes, or `MOST_READY` records.
const READY_BYTES: u64 = 1 << 20;
const MOST_READY: usize = 1024;

/// A place in the log: the last record that was read. The default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Its sequence number; 0 at the beginning.
    pub sequence: u64,
    /// When it was received.
    pub received: Timestamp,
}

/// Reads records in order, from a position on. Damaged records are skipped, so sequence numbers may jump.
#[derive(Debug)]
pub struct Reader {
    log: Arc<Log>,
    /// The last durable sequence number. Its sender is dropped when the log is closed.
    tip: watch::Receiver<u64>,
    /// Everything up to this sequence number is read or in `ready`.
    sequence: u64,
    /// The last position that was returned.
    last: Position,
    until: u64,
    place: Option<Place>,
    ready: VecDeque<Record>,
    /// What is being read. It is kept when a future is dropped, so that reading goes on even if all futures are.
    reading: Option<JoinHandle<Result<Ahead, Error>>>,
}

/// Where a reader is. It moves to the thread that reads, and back.
#[derive(Debug)]
struct Place {
    segment: Arc<Segment>,
    scanner: Scanner,
}

impl Reader {
    pub(crate) fn new(log: Arc<Log>, tip: watch::Receiver<u64>, from: Position) -> Reader {
        let sequence = from.sequence;
        Reader { log, tip, sequence, last: from, until: u64::MAX, place: None, ready: VecDeque::new(), reading: None }
    }

    /// Ends after a sequence number instead of waiting for records behind it.
    #[must_use]
    pub fn until(mut self, sequence: u64) -> Reader {
        self.until = sequence;
        self
    }

    /// The next record and the position after it; waits until there is one. `None` at the end: when the log was shut down
    /// and everything has been read, or after the last record asked for.
    ///
    /// Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// A segment cannot be read. The reader stays where it is, so it can be asked again.
    pub async fn next(&mut self) -> Result<Option<(Record, Position)>, Error> {
        loop {
            match self.next_or_gap().await? {
                Some((Some(record), position)) => return Ok(Some((record, position))),
                Some((None, _)) => {}
                None => return Ok(None),
            }
        }
    }

    /// Like `next`, but returns without a record if the last records of the log are damaged: with the position after them.
    ///
    /// # Errors
    /// As for `next`.
    pub async fn next_or_gap(&mut self) -> Result<Option<(Option<Record>, Position)>, Error> {
        loop {
            // The last records may have become durable just before the log was closed, so they are read after this.
            let is_end = self.sequence >= self.until || self.tip.has_changed().is_err();
            if let Some((record, position)) = self.next_ready().await? {
                return Ok(Some((Some(record), position)));
            }
            if self.sequence > self.last.sequence {
                self.last.sequence = self.sequence;
                return Ok(Some((None, self.last)));
            }
            if is_end {
                return Ok(None);
            }
            let _ = self.tip.changed().await;
        }
    }

    /// Like `next`, but `None` if there is no further record now.
    ///
    /// # Errors
    /// As for `next`.
    pub async fn next_ready(&mut self) -> Result<Option<(Record, Position)>, Error> {
        while self.ready.is_empty() && self.sequence < self.tip.borrow_and_update().min(self.until) {
            let before = self.sequence;
            self.read_ahead().await?;
            if self.sequence == before {
                break;
            }
        }
        Ok(self.ready.pop_front().map(|record| {
            self.last = Position { sequence: record.sequence, received: record.received };
            (record, self.last)
        }))
    }

    async fn read_ahead(&mut self) -> Result<(), Error> {
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => {
                let (log, place) = (Arc::clone(&self.log), self.place.take());
                let (sequence, until) = (self.sequence, self.until);
                let mut ahead = Ahead { place, sequence, until, records: VecDeque::new(), bytes: 0 };
                self.reading.insert(tokio::task::spawn_blocking(move || match ahead.read(&log) {
                    // What was read before the error comes first; then it is met again.
                    Err(error) if ahead.records.is_empty() => Err(error),
                    _ => Ok(ahead),
                }))
            }
        };
        let read = reading.await.unwrap_or(Err(Error::Closed));
        self.reading = None;
        // After an error, the place is found again from the sequence number.
        let Ahead { place, sequence, records, .. } = read?;
        self.place = place;
        self.ready = records;
        self.sequence = sequence;
        Ok(())
    }
}

/// Records read ahead.
#[derive(Debug)]
struct Ahead {
    place: Option<Place>,
    sequence: u64,
    until: u64,
    records: VecDeque<Record>,
    bytes: u64,
}

impl Ahead {
    fn read(&mut self, log: &Log) -> Result<(), Error> {
        while self.bytes < READY_BYTES && self.records.len() < MOST_READY && self.sequence < self.until {
            let mut here = match self.place.take() {
                Some(here) => here,
                None => match self.find(log)? {
                    Some(here) => here,
                    None => break,
                },
            };
            let (length, last, closed) = {
                let contents = here.segment.contents();
                (contents.length, contents.last, contents.closed)
            };
            here.scanner.end = length;
            here.scanner.limit = last;
            let failed = |error| Error::io("read", &here.segment.path, error);
            match here.scanner.step(true).map_err(failed)? {
                Step::Record { header, whole: Some(Whole { metadata, body }), offset } => {
                    if header.sequence > self.until {
                        self.sequence = self.until;
                        break;
                    }
                    self.sequence = header.sequence;
                    self.bytes += header.payload().min(READY_BYTES);
                    match Record::new(&header, offset, &metadata, body) {
                        Some(record) => self.records.push_back(record),
                        None => {
                            let bytes = header.length();
                            log.note(&here.segment, Damage { offset, bytes, first: header.sequence, records: 1 });
                        }
                    }
                }
                Step::Record { .. } => {}
                Step::Damage(damage) => log.note(&here.segment, damage),
                Step::End { torn } => {
                    if self.sequence < last {
                        let (first, records) = (self.sequence + 1, last - self.sequence);
                        log.note(&here.segment, Damage { offset: length - torn, bytes: torn, first, records });
                        self.sequence = last;
                    }
                    if !closed {
                        self.place = Some(here);
                        break;
                    }
                    continue;
                }
            }
            self.place = Some(here);
        }
        Ok(())
    }

    /// The place of the next record.
    fn find(&self, log: &Log) -> Result<Option<Place>, Error> {
        let wanted = self.sequence + 1;
        let Some(segment) = log.segment_of(wanted) else { return Ok(None) };
        let (mark, length, last) = {
            let contents = segment.contents();
            (contents.mark_of_sequence(wanted), contents.length, contents.last)
        };
        let mut scanner = Scanner::new(&segment, Arc::new(segment.open()?), WHOLE, length);
        scanner.limit = last;
        if let Some(mark) = mark {
            scanner.seek(mark);
        }
        scanner.skip_to(wanted).map_err(|error| Error::io("read", &segment.path, error))?;
        Ok(Some(Place { segment, scanner }))
    }
}
