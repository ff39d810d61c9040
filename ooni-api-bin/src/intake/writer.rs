//! The thread that writes: it takes what is waiting, gives out receive times, and writes and syncs all of it at once.

use super::batch::{Batch, Pending};
use super::error::Error;
use super::log::Log;
use super::reader::Position;
use super::repeat::{First, Ticket};
use super::segment::{DATA_START, Mark, Segment, SegmentHeader};
use super::submission::{Accepted, Prepared};
use crate::clock::{Clock, Hour, Timestamp};
use crate::failpoint::{Failpoint, fail, reach};
use crate::payload::Payload;
use std::fs::{File, OpenOptions};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use tokio::sync::{oneshot, watch};

/// Maximum number of records that share a sync.
const MOST_RECORDS: usize = 4096;

/// The action of an error after which the content of the disk is unknown.
const SYNC: &str = "sync";

/// A submission that waits for the disk.
pub(crate) struct Job {
    pub(crate) prepared: Prepared,
    pub(crate) ticket: Ticket,
    pub(crate) reply: oneshot::Sender<Result<Accepted, Error>>,
    pub(crate) space: Space,
}

/// What the thread is asked for.
pub(crate) enum Command {
    Append(Box<Job>),
    /// Close the current segment if its hour is over.
    Tick(oneshot::Sender<Result<(), Error>>),
    /// Close the current segment, whatever its hour.
    Rotate(oneshot::Sender<Result<(), Error>>),
    Stop,
}

/// Bounds what is waiting.
#[derive(Debug)]
pub(crate) struct Queue {
    records: AtomicUsize,
    bytes: AtomicUsize,
    most_records: usize,
    most_bytes: usize,
}

impl Queue {
    pub(crate) fn new(most_records: usize, most_bytes: usize) -> Queue {
        Queue { records: AtomicUsize::new(0), bytes: AtomicUsize::new(0), most_records, most_bytes }
    }

    /// The number of records that are waiting.
    pub(crate) fn waiting(&self) -> usize {
        self.records.load(Ordering::Relaxed)
    }

    /// Space for a record with so many bytes in memory. A single record always fits.
    pub(crate) fn reserve(self: &Arc<Queue>, bytes: usize) -> Result<Space, Error> {
        let records = self.records.fetch_add(1, Ordering::Relaxed);
        let used = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let space = Space { queue: Arc::clone(self), bytes };
        let fits = records == 0 || (records < self.most_records && used.saturating_add(bytes) <= self.most_bytes);
        if fits { Ok(space) } else { Err(Error::Busy) }
    }
}

/// A part of the queue.
#[derive(Debug)]
pub(crate) struct Space {
    queue: Arc<Queue>,
    bytes: usize,
}

impl Drop for Space {
    fn drop(&mut self) {
        self.queue.records.fetch_sub(1, Ordering::Relaxed);
        self.queue.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What the thread counts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Receive time of the last durable record, in microseconds.
    pub(crate) received: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) failures: AtomicU64,
    /// Whether the last attempt to store submissions failed.
    pub(crate) failing: AtomicBool,
}

/// The state of the thread.
pub(crate) struct Writer {
    pub(crate) log: Arc<Log>,
    pub(crate) clock: Clock,
    pub(crate) counts: Arc<Counts>,
    /// Sends the sequence number of the last durable record.
    pub(crate) tip: watch::Sender<u64>,
    pub(crate) max_batch_bytes: u64,
    pub(crate) max_segment_bytes: u64,
    pub(crate) max_segment_records: u64,
    /// The segment that is written to. `None` after an error, until the next submission.
    pub(crate) active: Option<Active>,
    /// The last durable record. Its receive time may be later, since times never go back.
    pub(crate) last: Position,
    /// Keeps other processes away.
    pub(crate) _lock: File,
}

/// The segment that is written to.
pub(crate) struct Active {
    pub(crate) file: File,
    pub(crate) segment: Arc<Segment>,
    /// The durable length.
    pub(crate) length: u64,
}

impl Active {
    /// The last segment, if the next record belongs right behind its last one. It does not if the end of the log is lost.
    pub(crate) fn open(log: &Log, last: Position) -> Result<Option<Active>, Error> {
        let segments = log.segments();
        let Some(segment) = segments.last() else { return Ok(None) };
        let (length, is_last) = {
            let contents = segment.contents();
            (contents.length, contents.last == last.sequence)
        };
        if !is_last {
            return Ok(None);
        }
        let file = OpenOptions::new().read(true).append(true).open(&segment.path);
        let file = file.map_err(|error| Error::io("open", &segment.path, error))?;
        Ok(Some(Active { file, segment: Arc::clone(segment), length }))
    }
}

impl Writer {
    /// Begins a segment if there is none to continue with.
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        let next = next_time(&self.clock, self.last.received);
        if self.active.is_none() { self.begin_segment(next.hour()) } else { Ok(()) }
    }

    /// Writes until a command stops it, or the last handle for submissions is dropped.
    pub(crate) fn run(mut self, commands: &mpsc::Receiver<Command>) {
        while let Ok(mut command) = commands.recv() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            let other = loop {
                match command {
                    Command::Append(job) => {
                        bytes += job.prepared.body.len();
                        batch.push(*job);
                    }
                    other => break Some(other),
                }
                if bytes >= self.max_batch_bytes || batch.len() >= MOST_RECORDS {
                    break None;
                }
                match commands.try_recv() {
                    Ok(next) => command = next,
                    Err(_) => break None,
                }
            };
            self.append(batch);
            match other {
                Some(Command::Stop) => return,
                Some(Command::Tick(reply)) => {
                    let _ = reply.send(self.tick());
                }
                Some(Command::Rotate(reply)) => {
                    let _ = reply.send(self.rotate());
                }
                _ => {}
            }
        }
    }

    /// Closes the current segment if its hour is over, by beginning the next one. An empty segment need not be closed.
    fn tick(&mut self) -> Result<(), Error> {
        if self.counts.failing.load(Ordering::Relaxed) {
            return self.recover();
        }
        let hour = self.clock.now().hour();
        let is_over = |active: &Active| active.segment.header.hour < hour && active.segment.contents().records > 0;
        if !self.active.as_ref().is_some_and(is_over) {
            return Ok(());
        }
        // Whatever the clock says later, no record of the closed hour follows.
        let before = Timestamp::from_micros(hour.start().micros().saturating_sub(1));
        self.last.received = self.last.received.max(before);
        self.begin_segment(hour).inspect_err(|error| self.report(error, 0))
    }

    /// After an error: begins a segment, which shows whether the disk works again. The next submission would show it, too, but
    /// there may be none as long as the server reports that it cannot store them.
    fn recover(&mut self) -> Result<(), Error> {
        let hour = self.clock.now().max(self.last.received).hour();
        self.begin_segment(hour)?;
        self.counts.failing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Closes the current segment. The next one can be of the same hour. An empty segment need not be closed.
    fn rotate(&mut self) -> Result<(), Error> {
        let is_empty = |active: &Active| active.segment.contents().records == 0;
        if self.active.as_ref().is_none_or(is_empty) {
            return Ok(());
        }
        let hour = self.clock.now().max(self.last.received).hour();
        self.begin_segment(hour).inspect_err(|error| self.report(error, 0))
    }

    /// Writes submissions and answers them. Those of one hour share a sync.
    fn append(&mut self, jobs: Vec<Job>) {
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            let mut batch = Batch::default();
            if let Err(error) = self.write(&mut jobs, &mut batch) {
                self.roll_back(&error);
                self.counts.failing.store(true, Ordering::Relaxed);
                self.report(&error, batch.records.len() + jobs.len());
                let written = batch.records.into_iter().map(|record| record.job);
                written.chain(jobs).for_each(|job| refuse(job, error.clone()));
                return;
            }
            self.publish(batch.records);
        }
    }

    /// Writes and syncs submissions until the hour changes.
    fn write(
        &mut self,
        jobs: &mut std::iter::Peekable<std::vec::IntoIter<Job>>,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let mut received = next_time(&self.clock, self.last.received);
        let hour = received.hour();
        let is_another = |active: &Active| active.segment.header.hour != hour || self.is_full(active);
        if self.active.as_ref().is_none_or(is_another) {
            self.begin_segment(hour)?;
        }
        let Some(active) = &self.active else { return Err(Error::Closed) };
        let failed = |action| move |error| Error::io(action, &active.segment.path, error);
        let mut offset = active.length;
        while let Some(job) = jobs.next_if(|_| received.hour() == hour) {
            let sequence = self.last.sequence + 1 + batch.records.len() as u64;
            let mark = Mark { sequence, received, offset };
            let record = Pending::new(job, mark, active.segment.header.marker);
            if matches!(record.job.prepared.body, Payload::File { .. }) {
                batch.flush(&active.file).map_err(failed("write"))?;
                match record.copy(&active.file) {
                    Ok(Ok(())) => batch.written += 1,
                    Ok(Err(error)) => {
                        // That is the error of this submission only.
                        let error = Error::io("read the temporary file of a body for", &active.segment.path, error);
                        self.report(&error, 1);
                        refuse(record.job, error);
                        active.file.set_len(offset).map_err(failed("truncate"))?;
                        continue;
                    }
                    Err(error) => {
                        batch.records.push(record);
                        return Err(failed("write")(error));
                    }
                }
            }
            offset += record.length;
            batch.records.push(record);
            self.last.received = received;
            received = next_time(&self.clock, received);
        }
        batch.flush(&active.file).map_err(failed("write"))?;
        reach(Failpoint::IntakeAfterWrite);
        let synced = fail(Failpoint::IntakeSyncError).and_then(|()| active.file.sync_data());
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        synced.map_err(failed(SYNC))?;
        reach(Failpoint::IntakeAfterSync);
        Ok(())
    }

    fn is_full(&self, active: &Active) -> bool {
        active.length >= self.max_segment_bytes || active.segment.contents().records >= self.max_segment_records
    }

    /// Makes durable records visible to readers, and answers those who submitted them.
    fn publish(&mut self, records: Vec<Pending>) {
        let (Some(active), Some(last)) = (&mut self.active, records.last()) else { return };
        self.last.sequence = last.mark.sequence;
        active.length = last.mark.offset + last.length;
        {
            let mut contents = active.segment.contents();
            for record in &records {
                contents.add(record.mark, record.length, record.job.prepared.kept_uid());
            }
        }
        let bytes = records.iter().map(|record| record.job.prepared.body.len()).sum();
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counts.received.store(self.last.received.micros(), Ordering::Relaxed);
        self.counts.failing.store(false, Ordering::Relaxed);
        self.tip.send_replace(self.last.sequence);
        for Pending { job, mark: Mark { received, .. }, .. } in records {
            let Job { prepared: Prepared { name, report_id, digest, .. }, ticket, reply, space } = job;
            let uid = name.uid(received, &digest);
            ticket.accepted(First::new(received, &digest, report_id.as_deref()));
            drop(space); // before the answer, after which there may be another submission
            let _ = reply.send(Ok(Accepted { uid, report_id, repeated: false }));
        }
    }

    /// After an error: removes what is not durable. After a failed sync the content of the disk is unknown, so the segment
    /// ends with what was durable before, and another one is begun.
    fn roll_back(&mut self, error: &Error) {
        let Some(active) = &self.active else { return };
        let truncated = active.file.set_len(active.length);
        if truncated.is_err() || matches!(error, Error::Io { action: SYNC, .. }) {
            active.segment.contents().close();
            self.active = None;
        }
    }

    /// Begins the segment of an hour, after the current one.
    fn begin_segment(&mut self, hour: Hour) -> Result<(), Error> {
        let (first, floor) = (self.last.sequence + 1, self.last.received);
        let random =
            getrandom::u64().map_err(|error| Error::io("create", &self.log.directory, io::Error::other(error)));
        let header = SegmentHeader { hour, first, floor, marker: random? };
        let (file, path) = header.create(&self.log.directory)?;
        let segment = Arc::new(Segment::new(header, path));
        if let Some(empty) = self.log.begin(Arc::clone(&segment)).filter(|empty| empty.path != segment.path) {
            // If this fails, the next start does it.
            let _ = std::fs::remove_file(&empty.path);
        }
        self.active = Some(Active { file, segment, length: DATA_START });
        Ok(())
    }

    fn report(&self, error: &Error, records: usize) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, records, "submissions could not be stored");
    }
}

/// The time, but later than the last receive time.
fn next_time(clock: &Clock, last: Timestamp) -> Timestamp {
    clock.now().max(Timestamp::from_micros(last.micros() + 1))
}

/// Answers with an error. A twin that waits may try.
fn refuse(job: Job, error: Error) {
    let Job { ticket, reply, space, .. } = job;
    drop((ticket, space)); // before the answer, after which there may be another try
    let _ = reply.send(Err(error));
}
