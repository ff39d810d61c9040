//! The intake log: what was acknowledged is on the disk.
//!
//! A submission is a record in a segment, an append-only file with the records of one hour, or of a part of it. [`Intake::accept`] returns when
//! the record is durable: one thread writes, and all submissions that arrive while it waits for the disk share the next
//! write and sync (group commit). Scoring and archiver are [`Reader`]s with a [`Cursor`] each; a segment is deleted by
//! [`Intake::release`] when it lies before both, and its records cannot be repeated any more.
//!
//! - [`record`] and [`segment`] define the format, byte by byte.
//! - Sequence numbers count all records ever, so the last one is the number of accepted submissions.
//! - Receive times increase by at least a microsecond from record to record, whatever the clock does, and continue from the
//!   last record after a restart. So UIDs are distinct, and their order is that of the log.
//! - After a failed write the segment is truncated to its durable length; after a failed sync it is closed there. No
//!   submission of that write is acknowledged, and the next submission tries again.
//! - A torn end is cut when the log is opened. A damaged record with a whole one behind it is skipped and reported, and its
//!   file is never deleted: it gets a second name, which stays after the release. The checksums of a record are verified
//!   whenever it is read.
//! - What is waiting is bounded, by records and by bytes in memory; beyond that `accept` fails with [`Error::Busy`].
//!
//! | File | |
//! | --- | --- |
//! | `YYYYmmddHH-N.seg` | a segment, with the sequence number of its first record |
//! | `YYYYmmddHH-N.seg.damaged` | a segment of which a part could not be read |
//! | `YYYYmmddHH-N.seg.unreadableK` | a segment without a readable header |
//! | `cursor-NAME.json` | position and state of a reader |
//! | `lock` | held by the process that writes |

mod batch;
pub mod cursor;
mod disk;
mod error;
mod log;
mod picker;
mod reader;
pub mod record;
mod recovery;
mod repeat;
mod scan;
pub mod segment;
pub mod spool;
mod submission;
mod writer;

pub use cursor::Cursor;
pub(crate) use disk::Disk;
pub use disk::LowDisk;
pub use error::Error;
pub use log::Released;
pub use picker::Picker;
pub use reader::{Position, Reader};
pub use record::{Body, BodyReader, FileRange, Place, Record};
pub use recovery::{Cut, Damaged, Recovery};
pub use segment::SegmentInfo;
pub use submission::{Accepted, Geo, MAX_BODY, Route, Side, Submission};

pub use crate::payload::Payload;

use crate::clock::{Clock, Timestamp};
use log::Log;
use recovery::Survey;
use repeat::{Begin, First, Repeats};
pub(crate) use segment::create_directory;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use submission::Prepared;
use tokio::sync::{oneshot, watch};
use writer::{Active, Command, Counts, Job, Queue, Writer};

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the segments and cursors are. It is created if it does not exist.
    pub directory: PathBuf,
    /// With less free space than this, `has_room` fails. 0: no limit.
    pub min_free_bytes: u64,
    /// How long a repeated submission gets the first answer.
    pub repeat_window: Duration,
    /// How many submissions are remembered for that. Each takes about 200 bytes.
    pub max_repeats: usize,
    /// After so many bytes, what is waiting is written before more is taken.
    pub max_batch_bytes: u64,
    /// A segment with so many bytes gets no further records; the hour has another one then.
    pub max_segment_bytes: u64,
    /// The same for a segment with so many records. What is kept in memory for a segment, or while it is archived, is bounded
    /// by this number.
    pub max_segment_records: u64,
    /// How many submissions may wait.
    pub queue: usize,
    /// How many bytes of memory their bodies may take.
    pub queue_bytes: usize,
}

impl Options {
    /// The usual options.
    pub fn new(directory: impl Into<PathBuf>) -> Options {
        Options {
            directory: directory.into(),
            min_free_bytes: 1 << 30,
            repeat_window: Duration::from_secs(3600),
            max_repeats: 200_000,
            max_batch_bytes: 8 << 20,
            max_segment_bytes: 1 << 30,
            max_segment_records: 1_000_000,
            queue: 8192,
            queue_bytes: 64 << 20,
        }
    }
}

/// The intake log. Clones share it.
#[derive(Clone, Debug)]
pub struct Intake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    log: Arc<Log>,
    clock: Clock,
    disk: Disk,
    repeats: Arc<Repeats>,
    repeated: AtomicU64,
    queue: Arc<Queue>,
    counts: Arc<Counts>,
    tip: watch::Receiver<u64>,
    commands: mpsc::Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Numbers for `/metrics` and `/health`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Records ever.
    pub accepted: u64,
    /// Receive time of the last record.
    pub last_received: Timestamp,
    /// Repeated submissions since the start of the process; they are not in `accepted`.
    pub repeated: u64,
    /// Bytes of the bodies accepted since the start of the process.
    pub bytes: u64,
    /// Syncs since the start of the process.
    pub syncs: u64,
    /// Failed writes and syncs since the start of the process.
    pub failures: u64,
    /// Whether submissions cannot be stored: the last attempt failed, or the thread that writes has ended.
    pub failing: bool,
    /// Submissions that are waiting for the disk.
    pub waiting: usize,
    /// Segments that are not released.
    pub segments: usize,
    /// Their length in bytes.
    pub segment_bytes: u64,
    /// Records that cannot be read, as far as that is known.
    pub damaged: u64,
}

impl Intake {
    /// Opens the log, repairs it after a crash, and starts the thread that writes.
    ///
    /// # Errors
    /// Another process uses the directory, it cannot be read or written, or it is that of a later version.
    pub async fn open(options: Options, clock: Clock) -> Result<(Intake, Recovery), Error> {
        tokio::task::spawn_blocking(|| open(options, clock)).await.unwrap_or(Err(Error::Closed))
    }

    /// Stores a submission. When this returns, it is durable. If the future is dropped, it may still be stored.
    ///
    /// # Errors
    /// The submission is invalid, too long, or brings the UID of another body; too much is waiting; the disk failed; the log
    /// was shut down. In each case nothing was acknowledged, and a retry is safe.
    pub async fn accept(&self, submission: Submission) -> Result<Accepted, Error> {
        let intake = &*self.0;
        let space = intake.queue.reserve(submission.body.memory())?;
        let prepared = Prepared::new(submission).await?;
        let Prepared { route, key_report_id, digest, .. } = &prepared;
        let key = repeat::key(*route, key_report_id, prepared.kept_uid(), digest);
        let ticket = loop {
            match intake.repeats.begin(key, self.now()) {
                Begin::New(ticket) => break ticket,
                Begin::Known(first) => return self.repeat(&prepared, first),
                Begin::Pending(mut twin) => {
                    let _ = twin.changed().await; // closed when the twin is done
                }
            }
        };
        if let Some(uid) = prepared.kept_uid()
            && let Some(record) = self.find(uid).await?
        {
            let first = First::new(record.received, &record.digest, record.side.report_id.as_deref());
            return self.repeat(&prepared, first);
        }
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Job { prepared, ticket, reply, space });
        intake.commands.send(Command::Append(job)).map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// The answer of the first submission.
    fn repeat(&self, prepared: &Prepared, first: First) -> Result<Accepted, Error> {
        let uid = prepared.name.uid(first.received, &prepared.digest);
        if !prepared.digest.starts_with(&first.digest) {
            return Err(Error::Conflict(uid));
        }
        self.0.repeated.fetch_add(1, Ordering::Relaxed);
        Ok(Accepted { uid, report_id: first.report_id.map(String::from), repeated: true })
    }

    /// Whether the disk has enough free space. To be asked before a body is read; the answer is at most a second old.
    ///
    /// # Errors
    /// It has not.
    pub fn has_room(&self) -> Result<(), LowDisk> {
        self.0.disk.has_room()
    }

    /// Free bytes of the disk, at most a second old; `u64::MAX` if the system does not say.
    pub fn free_bytes(&self) -> u64 {
        self.0.disk.free()
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        let intake = &*self.0;
        let segments = intake.log.infos();
        Counters {
            accepted: *intake.tip.borrow(),
            last_received: self.last_received(),
            repeated: intake.repeated.load(Ordering::Relaxed),
            bytes: intake.counts.bytes.load(Ordering::Relaxed),
            syncs: intake.counts.syncs.load(Ordering::Relaxed),
            failures: intake.counts.failures.load(Ordering::Relaxed),
            failing: intake.counts.failing.load(Ordering::Relaxed) || intake.tip.has_changed().is_err(),
            waiting: intake.queue.waiting(),
            segments: segments.len(),
            segment_bytes: segments.iter().map(|segment| segment.length).sum(),
            damaged: intake.log.damaged(),
        }
    }

    /// The time, which is not before that of the last record.
    fn now(&self) -> Timestamp {
        self.0.clock.now().max(self.last_received())
    }

    fn last_received(&self) -> Timestamp {
        Timestamp::from_micros(self.0.counts.received.load(Ordering::Relaxed))
    }

    /// The record with a UID, if its segment has not been released.
    ///
    /// # Errors
    /// The segment cannot be read.
    pub async fn find(&self, uid: &str) -> Result<Option<Record>, Error> {
        find(&self.0.log, uid).await
    }

    /// When the first record after a position was received. `None` if there is none, or its header cannot be read.
    ///
    /// # Errors
    /// The segment cannot be read.
    pub async fn received_after(&self, position: Position) -> Result<Option<Timestamp>, Error> {
        let log = Arc::clone(&self.0.log);
        tokio::task::spawn_blocking(move || log.received_after(position.sequence)).await.unwrap_or(Err(Error::Closed))
    }

    /// Reads records in order, from the one after a position on.
    pub fn reader(&self, from: Position) -> Reader {
        Reader::new(Arc::clone(&self.0.log), self.0.tip.clone(), from)
    }

    /// Reads records whose places are known.
    pub fn picker(&self) -> Picker {
        Picker::new(Arc::clone(&self.0.log))
    }

    /// The segments that are not released, in order.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        self.0.log.infos()
    }

    /// Closes the current segment if its hour is over. Without traffic nothing else does. After a failed write, it checks
    /// whether the disk works again.
    ///
    /// # Errors
    /// The next segment cannot be created, or the log was shut down.
    pub async fn tick(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.0.commands.send(Command::Tick(reply)).map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Closes the current segment before its hour is over, so that it can be archived now.
    ///
    /// # Errors
    /// As for [`Intake::tick`].
    pub async fn rotate(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.0.commands.send(Command::Rotate(reply)).map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Deletes closed segments that have no record after a position: the smaller one of the positions of all cursors. Segments
    /// stay as long as their records can be repeated, because a restart rebuilds the table of repeats from them.
    ///
    /// # Errors
    /// A segment cannot be deleted.
    pub async fn release(&self, up_to: Position) -> Result<Released, Error> {
        let (log, repeats) = (Arc::clone(&self.0.log), Arc::clone(&self.0.repeats));
        let now = self.now();
        let released = tokio::task::spawn_blocking(move || log.release(up_to, |last| repeats.is_recent(last, now)));
        released.await.unwrap_or(Err(Error::Closed))
    }

    /// Writes what is waiting and stops. Readers come to an end when they have read everything.
    pub async fn shutdown(self) {
        let _ = self.0.commands.send(Command::Stop);
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

/// A directory as it is now, for commands that only look. It needs no lock; the server may be running.
#[derive(Debug)]
pub struct Snapshot {
    log: Arc<Log>,
    recovery: Recovery,
}

impl Snapshot {
    /// Looks at a directory. This blocks.
    ///
    /// # Errors
    /// It cannot be read, or it is that of a later version.
    pub fn open(directory: &Path) -> Result<Snapshot, Error> {
        let survey = Survey::new(directory, None)?;
        let log = Arc::new(Log::new(directory.to_owned(), survey.segments, false));
        Ok(Snapshot { log, recovery: survey.recovery })
    }

    /// What opening the log would find and cut. If the server is running, a record that it is writing looks unfinished.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The segments, in order.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        self.log.infos()
    }

    /// Reads records in order, from the one after a position on, up to the last one.
    pub fn reader(&self, from: Position) -> Reader {
        let (_, tip) = watch::channel(self.recovery.last.sequence);
        Reader::new(Arc::clone(&self.log), tip, from)
    }

    /// The record with a UID.
    ///
    /// # Errors
    /// The segment cannot be read.
    pub async fn find(&self, uid: &str) -> Result<Option<Record>, Error> {
        find(&self.log, uid).await
    }
}

async fn find(log: &Arc<Log>, uid: &str) -> Result<Option<Record>, Error> {
    let (log, uid) = (Arc::clone(log), uid.to_owned());
    tokio::task::spawn_blocking(move || log.find(&uid)).await.unwrap_or(Err(Error::Closed))
}

fn open(options: Options, clock: Clock) -> Result<(Intake, Recovery), Error> {
    let directory = options.directory;
    create_directory(&directory).map_err(|error| Error::io("create", &directory, error))?;
    let lock = lock(&directory)?;
    let repeats = Arc::new(Repeats::new(options.repeat_window, options.max_repeats));
    let survey = Survey::new(&directory, Some(&repeats))?;
    survey.repair(&directory)?;
    let Survey { segments, recovery, .. } = survey;
    let log = Arc::new(Log::new(directory.clone(), segments, true));
    let counts = Arc::new(Counts::default());
    counts.received.store(recovery.last.received.micros(), Ordering::Relaxed);
    let (tip, tip_receiver) = watch::channel(recovery.last.sequence);
    let mut writer = Writer {
        log: Arc::clone(&log),
        clock: clock.clone(),
        counts: Arc::clone(&counts),
        tip,
        max_batch_bytes: options.max_batch_bytes,
        max_segment_bytes: options.max_segment_bytes,
        max_segment_records: options.max_segment_records,
        active: Active::open(&log, recovery.last)?,
        last: recovery.last,
        _lock: lock,
    };
    writer.begin()?;
    let (commands, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new().name("intake".to_owned()).spawn(move || writer.run(&receiver));
    let thread = thread.map_err(|error| Error::io("start the thread that writes to", &directory, error))?;
    let inner = Inner {
        log,
        clock,
        disk: Disk::new(directory, options.min_free_bytes),
        repeats,
        repeated: AtomicU64::new(0),
        queue: Arc::new(Queue::new(options.queue, options.queue_bytes)),
        counts,
        tip: tip_receiver,
        commands,
        thread: Mutex::new(Some(thread)),
    };
    Ok((Intake(Arc::new(inner)), recovery))
}

/// Keeps other processes from the directory until the file is closed.
fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let failed = |error| Error::io("lock", &path, error);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
