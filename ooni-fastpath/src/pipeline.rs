//! From files to output: decompresses, scores and writes in parallel, with output in the order of the input.
//!
//! With one job the calling thread does everything. With more, each thread takes the next piece of a file that no other is
//! reading, decompresses it, and scores it while it is still in its cache; so many files are read at once, and one large
//! file by all threads in turn. The calling thread gets the results in the order of the files.
//!
//! Everything is bounded: at most one file is open for each thread, each thread has one chunk, results that are too
//! early are held up to `MAX_HELD` bytes, beyond which only the file that is due is read, and only one chunk at a time may be
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

/// Maximum bytes of early results. Beyond that only the file that is due is read.
const MAX_HELD: usize = 64 << 20;

/// Text of a chunk in bytes. It is small enough that decompressed text is still in the CPU cache when it is scored.
const TEXT: usize = chunk::TARGET / 4;

/// The number of scoring threads: as requested, by default the number of processors.
pub fn jobs(asked: Option<u16>) -> usize {
    asked.map_or_else(|| thread::available_parallelism().map_or(1, |number| number.get()), usize::from)
}

/// How files are scored.
pub struct Plan<'p, 'f> {
    /// How measurements are scored.
    pub scoring: &'p Scoring<'f>,
    /// Number of scoring threads.
    pub jobs: usize,
    /// Creates a sink for each of them.
    pub sink: &'p (dyn Fn() -> Box<dyn Sink> + Sync),
    /// Set to stop reading; what was read is still scored.
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

/// Receives the pieces in the order of the files.
pub type Put<'p> = &'p mut dyn FnMut(&mut Piece) -> io::Result<()>;

/// Scores all files.
///
/// # Errors
/// The error of `put`, which stops the pipeline.
pub fn run(plan: &Plan<'_, '_>, supply: InputFiles<'_>, put: Put<'_>) -> io::Result<()> {
    // Where to stop is only known after everything before has been scored.
    if plan.jobs <= 1 || plan.scoring.stop_after.is_some() {
        run_single(plan, supply, put)
    } else {
        run_parallel(plan, supply, put)
    }
}

fn run_single(plan: &Plan<'_, '_>, supply: InputFiles<'_>, put: Put<'_>) -> io::Result<()> {
    let mut worker = Worker::new(plan.scoring, (plan.sink)());
    let mut chunk = Chunk::new(TEXT);
    let mut done = ScoredChunk::default();
    for found in supply {
        let Some(mut opened) = found.open(&plan.scoring.limits, plan.read) else { continue };
        loop {
            if plan.stop.load(Ordering::Relaxed) || worker.is_done() {
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

/// The position of a piece: the number of its file, and its number in the file.
type Order = (u64, u64);

/// An open file.
struct OpenFile {
    number: u64,
    /// Pieces that were read.
    pieces: u64,
    opened: Opened,
}

/// The state that is shared under a lock.
struct State<'s> {
    /// Open files that no thread is reading.
    free: BTreeMap<u64, OpenFile>,
    /// Number of files that are being read.
    reading: usize,
    /// The files to open; `None` while a thread waits for the next one.
    supply: Option<InputFiles<'s>>,
    /// Whether all files have been opened.
    is_over: bool,
    /// The number of the next file.
    next: u64,
    /// The number of the file whose results are due.
    due: u64,
    /// Bytes of early results.
    held: usize,
    /// Results to be reused for their memory.
    used: Vec<ScoredChunk>,
}

/// What the threads share.
struct Shared<'p, 's> {
    state: Mutex<State<'s>>,
    changed: Condvar,
    /// The thread that holds this may have a chunk larger than usual.
    large: Mutex<()>,
    stop: &'p AtomicBool,
    read: &'p Arc<AtomicU64>,
    limits: Limits,
    most_open: usize,
}

fn run_parallel(plan: &Plan<'_, '_>, supply: InputFiles<'_>, put: Put<'_>) -> io::Result<()> {
    let state = State {
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
        state: Mutex::new(state),
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
        // After an error the other results are not needed.
        ended.store(true, Ordering::Relaxed);
        drop(scored);
        shared.changed.notify_all();
        result
    })
}

impl<'s> Shared<'_, 's> {
    fn state(&self) -> MutexGuard<'_, State<'s>> {
        // A panic cannot leave it inconsistent: each update is a single step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the first file that no thread is reading, or opens the next; `None` when nothing is left to do.
    fn take(&self) -> Option<OpenFile> {
        let mut state = self.state();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let over_limit = state.held > MAX_HELD;
            let due = state.due;
            if let Some(first) = state.free.first_entry()
                && (!over_limit || *first.key() == due)
            {
                state.reading += 1;
                return state.free.pop_first().map(|(_, open)| open);
            }
            let is_open = state.free.len() + state.reading;
            if state.is_over && is_open == 0 {
                return None;
            }
            if is_open < self.most_open
                && (!over_limit || is_open == 0)
                && let Some(mut supply) = state.supply.take()
            {
                // The next file may take a while; the lock is released so that other threads can continue.
                drop(state);
                let next = loop {
                    match supply.next() {
                        None => break None,
                        Some(found) => match found.open(&self.limits, self.read) {
                            None => {}
                            opened => break opened,
                        },
                    }
                };
                state = self.state();
                match next {
                    None => state.is_over = true,
                    Some(opened) => {
                        let number = state.next;
                        state.next += 1;
                        state.free.insert(number, OpenFile { number, pieces: 0, opened });
                        state.supply = Some(supply);
                    }
                }
                self.changed.notify_all();
                continue;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads and scores the next piece of a file.
    fn piece(&self, mut open: OpenFile, chunk: &mut Chunk, worker: &mut Worker<'_>) -> (Order, Piece) {
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
            let mut state = self.state();
            state.reading -= 1;
            if !is_last {
                open.pieces += 1;
                state.free.insert(open.number, open);
            }
            state.used.pop().unwrap_or_default()
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

    /// Passes results to `put` in order.
    fn write(&self, scored: &Receiver<(Order, Piece)>, put: Put<'_>) -> io::Result<()> {
        let mut early = BTreeMap::new();
        let mut due = (0, 0);
        // The file whose rest is skipped; later pieces of it do not count.
        let mut given_up = None;
        for (order, piece) in scored {
            self.state().held += piece.done.weight();
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
                let mut state = self.state();
                state.held -= weight;
                state.due = due.0;
                state.used.push(piece.done);
                drop(state);
                self.changed.notify_all();
            }
        }
        Ok(())
    }
}
