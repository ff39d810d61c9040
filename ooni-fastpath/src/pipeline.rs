//! From files to output: decompress, score and write, at the same time and in order.
//!
//! With one job the calling thread does everything. With more, each thread takes the next piece of a file that no other is
//! reading, decompresses it, and scores it while it is still in its cache; so many files are read at once, and one large
//! file by all threads in turn. The calling thread gets the results in the order of the files.
//!
//! Everything is bounded: at most one file is open for each thread, each thread has one chunk, results that are too
//! early are held up to `HELD` bytes, beyond which only the file that is due is read, and only one chunk at a time may be
//! larger than usual.

use crate::sink::Sink;
use crate::worker::{ScoredChunk, Scoring, Worker};
use crossbeam_channel::{Receiver, bounded};
use ooni_archive::chunk::{self, Chunk, ReadStatus};
use ooni_archive::limits::Limits;
use ooni_archive::source::{InputFiles, Opened, Source};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes of results that wait for others, beyond which only the file that is due is read.
const HELD: usize = 64 << 20;

/// Text of a chunk: what was decompressed is still in the cache when it is read.
const TEXT: usize = chunk::TARGET / 4;

/// The number of threads that score: what was asked for, by default one for each processor.
pub fn jobs(asked: Option<u16>) -> usize {
    asked.map_or_else(|| thread::available_parallelism().map_or(1, |number| number.get()), usize::from)
}

/// How the work is done.
pub struct Plan<'p, 'f> {
    /// How measurements are scored.
    pub scoring: &'p Scoring<'f>,
    /// Threads that score.
    pub jobs: usize,
    /// Makes a sink for each of them.
    pub sink: &'p (dyn Fn() -> Box<dyn Sink> + Sync),
    /// Set when no more is to be read; what was read is finished.
    pub stop: &'p AtomicBool,
    /// Counts the bytes read from files.
    pub read: &'p Arc<AtomicU64>,
}

/// The result of a piece of a file.
pub struct Piece {
    /// Output and counts.
    pub done: ScoredChunk,
    /// The file.
    pub source: Arc<Source>,
    /// Whether it was the last of that file.
    pub is_last: bool,
}

/// Gets the pieces in the order of the files.
pub type Put<'p> = &'p mut dyn FnMut(&mut Piece) -> io::Result<()>;

/// Scores all files.
///
/// # Errors
/// That of `put`, which ends the work.
pub fn run(plan: &Plan<'_, '_>, supply: InputFiles<'_>, put: Put<'_>) -> io::Result<()> {
    // Where to stop is known only when everything before has been scored.
    if plan.jobs <= 1 || plan.scoring.stop_after.is_some() {
        alone(plan, supply, put)
    } else {
        together(plan, supply, put)
    }
}

fn alone(plan: &Plan<'_, '_>, supply: InputFiles<'_>, put: Put<'_>) -> io::Result<()> {
    let mut worker = Worker::new(plan.scoring, (plan.sink)());
    let mut chunk = Chunk::new(TEXT);
    let mut done = ScoredChunk::default();
    for found in supply {
        let Some(mut opened) = found.open(&plan.scoring.limits, plan.read) else { continue };
        loop {
            if plan.stop.load(Ordering::Relaxed) || worker.has_enough() {
                return Ok(());
            }
            let filled = fill(&mut opened, &mut chunk);
            if chunk.needs_growth() {
                chunk.allow_growth();
                continue;
            }
            worker.work(&chunk, &opened.source, &mut done);
            let is_last = filled == ReadStatus::End || done.gave_up;
            let mut piece = Piece { done, source: Arc::clone(&opened.source), is_last };
            put(&mut piece)?;
            done = piece.done;
            done.clear();
            chunk.clear();
            if is_last {
                break;
            }
        }
    }
    Ok(())
}

fn fill(opened: &mut Opened, chunk: &mut Chunk) -> ReadStatus {
    if opened.source.is_cancelled() { ReadStatus::End } else { opened.can.fill(chunk) }
}

/// The position of a piece in the order: the number of its file, and its own in that.
type Order = (u64, u64);

/// A file that is open, and how many pieces of it were taken.
struct Open {
    number: u64,
    pieces: u64,
    opened: Opened,
}

/// What the threads share.
struct Desk<'s> {
    /// Files that are open and that no thread is reading.
    free: BTreeMap<u64, Open>,
    /// Files that are being read.
    reading: usize,
    /// The files to come, unless a thread is waiting for the next.
    supply: Option<InputFiles<'s>>,
    /// No file is to come.
    is_over: bool,
    /// The number of the next file.
    next: u64,
    /// The number of the file whose results are due.
    due: u64,
    /// Bytes of results that wait.
    held: usize,
    /// Used results.
    used: Vec<ScoredChunk>,
}

struct Shared<'p, 's> {
    desk: Mutex<Desk<'s>>,
    changed: Condvar,
    /// The thread that holds this may have a chunk larger than usual.
    large: Mutex<()>,
    stop: &'p AtomicBool,
    read: &'p Arc<AtomicU64>,
    limits: Limits,
    most_open: usize,
}

fn together(plan: &Plan<'_, '_>, supply: InputFiles<'_>, put: Put<'_>) -> io::Result<()> {
    let desk = Desk {
        free: BTreeMap::new(),
        reading: 0,
        supply: Some(supply),
        is_over: false,
        next: 0,
        due: 0,
        held: 0,
        used: Vec::new(),
    };
    let shared = Shared {
        desk: Mutex::new(desk),
        changed: Condvar::new(),
        large: Mutex::new(()),
        stop: plan.stop,
        read: plan.read,
        limits: plan.scoring.limits,
        most_open: plan.jobs,
    };
    let (to_writer, scored) = bounded::<(Order, Piece)>(plan.jobs);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..plan.jobs {
            let to_writer = to_writer.clone();
            let (shared, ended) = (&shared, &ended);
            scope.spawn(move || {
                let mut worker = Worker::new(plan.scoring, (plan.sink)());
                let mut chunk = Chunk::new(TEXT);
                while !ended.load(Ordering::Relaxed)
                    && let Some(open) = shared.take()
                {
                    let piece = shared.piece(open, &mut chunk, &mut worker);
                    if to_writer.send(piece).is_err() {
                        break;
                    }
                }
            });
        }
        drop(to_writer);
        let result = shared.write(&scored, put);
        // After an error the rest is not needed.
        ended.store(true, Ordering::Relaxed);
        drop(scored);
        shared.changed.notify_all();
        result
    })
}

impl<'s> Shared<'_, 's> {
    fn desk(&self) -> MutexGuard<'_, Desk<'s>> {
        // A panic of a thread cannot leave it inconsistent: every change of the desk is a single step.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the first file that no thread is reading, or opens the next; `None` when nothing is left to do.
    fn take(&self) -> Option<Open> {
        let mut desk = self.desk();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let crowded = desk.held > HELD;
            let due = desk.due;
            if let Some(first) = desk.free.first_entry()
                && (!crowded || *first.key() == due)
            {
                desk.reading += 1;
                return desk.free.pop_first().map(|(_, open)| open);
            }
            let is_open = desk.free.len() + desk.reading;
            if desk.is_over && is_open == 0 {
                return None;
            }
            if is_open < self.most_open
                && (!crowded || is_open == 0)
                && let Some(mut supply) = desk.supply.take()
            {
                // The next file may take a while; other threads go on meanwhile.
                drop(desk);
                let next = loop {
                    match supply.next() {
                        None => break None,
                        Some(found) => match found.open(&self.limits, self.read) {
                            None => {}
                            opened => break opened,
                        },
                    }
                };
                desk = self.desk();
                match next {
                    None => desk.is_over = true,
                    Some(opened) => {
                        let number = desk.next;
                        desk.next += 1;
                        desk.free.insert(number, Open { number, pieces: 0, opened });
                        desk.supply = Some(supply);
                    }
                }
                self.changed.notify_all();
                continue;
            }
            desk = self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads and scores the next piece of a file.
    fn piece(&self, mut open: Open, chunk: &mut Chunk, worker: &mut Worker<'_>) -> (Order, Piece) {
        let mut filled = fill(&mut open.opened, chunk);
        let large = chunk.needs_growth().then(|| {
            let large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
            chunk.allow_growth();
            filled = fill(&mut open.opened, chunk);
            large
        });
        let order = (open.number, open.pieces);
        let source = Arc::clone(&open.opened.source);
        let is_last = filled == ReadStatus::End;
        let mut done = {
            let mut desk = self.desk();
            desk.reading -= 1;
            if !is_last {
                open.pieces += 1;
                desk.free.insert(open.number, open);
            }
            desk.used.pop().unwrap_or_default()
        };
        self.changed.notify_all();
        worker.work(chunk, &source, &mut done);
        if done.gave_up {
            source.cancel();
        }
        chunk.clear();
        if let Some(large) = large {
            worker.shrink();
            drop(large);
        }
        (order, Piece { done, source, is_last })
    }

    /// Passes results on in their order.
    fn write(&self, scored: &Receiver<(Order, Piece)>, put: Put<'_>) -> io::Result<()> {
        let mut early = BTreeMap::new();
        let mut due = (0, 0);
        // A file that was given up: whatever else was read of it does not count.
        let mut given_up = None;
        for (order, piece) in scored {
            self.desk().held += piece.done.weight();
            early.insert(order, piece);
            while let Some(mut piece) = early.remove(&due) {
                let weight = piece.done.weight();
                let Piece { is_last, .. } = piece;
                if given_up == Some(due.0) {
                    piece.done.clear();
                }
                if piece.done.gave_up {
                    given_up = Some(due.0);
                }
                put(&mut piece)?;
                due = if is_last { (due.0 + 1, 0) } else { (due.0, due.1 + 1) };
                piece.done.clear();
                let mut desk = self.desk();
                desk.held -= weight;
                desk.due = due.0;
                desk.used.push(piece.done);
                drop(desk);
                self.changed.notify_all();
            }
        }
        Ok(())
    }
}
