//! From files to output: decompresses, scores and writes in parallel, with output in the order of the input.
//!
//! All threads do the same, the calling one included: a free thread takes the next [`Task`], whatever it is. It decompresses
//! a piece of a file that no other is reading, and scores it while it is still in its cache; so many files are read at once,
//! and one large file by all threads in turn. If results are due it writes them, in the order of the files. With one job
//! the calling thread does everything.
//!
//! Everything is bounded: at most one file is open for each thread, each thread has one chunk, results that are too
//! early are held up to `MAX_HELD` bytes, beyond which only the file that is due is read, reading pauses while writing is
//! behind, and only one chunk at a time may be larger than usual.

use crate::sink::Sink;
use crate::worker::{ScoredChunk, Scoring, Worker};
use ooni_archive::chunk::{self, Chunk, ReadStatus};
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

/// Receives the pieces in the order of the files, on any thread.
pub type Put<'p> = &'p mut (dyn FnMut(&mut Piece) -> io::Result<()> + Send);

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

/// A piece of a file that was read and not scored.
struct TextPiece {
    order: Order,
    source: Arc<Source>,
    is_last: bool,
    chunk: Chunk,
}

/// What a thread does next.
enum Task<'p, 's> {
    /// Writes the results that are due.
    Write(Put<'p>),
    /// Reads the next piece of a file, and scores it unless another thread can.
    Read(OpenFile),
    /// Scores a piece that was read ahead.
    Score(TextPiece),
    /// Opens the next file.
    Open(InputFiles<'s>),
}

/// The state that is shared under a lock.
struct State<'p, 's> {
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
    /// A piece that was read ahead, for a thread that would have to wait for a file otherwise.
    ahead: Option<TextPiece>,
    /// An empty chunk, if none was read ahead.
    spare: Option<Chunk>,
    /// Results that have not been written, each with its size in memory.
    scored: BTreeMap<Order, (usize, Piece)>,
    /// Bytes of these results.
    held: usize,
    /// The result that is written next.
    due: Order,
    /// The file whose rest is skipped; later pieces of it do not count.
    given_up: Option<u64>,
    /// What receives the results; `None` while a thread writes.
    put: Option<Put<'p>>,
    /// While a thread writes, the number of results at which the others pause.
    most_scored: usize,
    /// Results to be reused for their memory.
    used: Vec<ScoredChunk>,
    /// Whether all threads end at once, because of an error.
    is_ended: bool,
    result: io::Result<()>,
}

impl State<'_, '_> {
    /// Whether there is space for the results of a file.
    fn may_read(&self, file: u64) -> bool {
        let is_behind = self.put.is_none() && self.scored.len() >= self.most_scored;
        !is_behind && (self.held <= MAX_HELD || file == self.due.0)
    }

    fn open_files(&self) -> usize {
        self.free.len() + self.reading
    }

    /// Whether a thread that needs a piece would have to wait for one that is being read.
    fn needs_piece(&self) -> bool {
        self.ahead.is_none() && self.is_over && self.free.is_empty()
    }
}

/// What the threads share.
struct Shared<'p, 's> {
    plan: &'p Plan<'p, 'p>,
    state: Mutex<State<'p, 's>>,
    /// There may be another task.
    changed: Condvar,
    /// The thread that holds this may have a chunk larger than usual.
    large: Mutex<()>,
}

fn run_parallel(plan: &Plan<'_, '_>, supply: InputFiles<'_>, put: Put<'_>) -> io::Result<()> {
    let state = State {
        free: BTreeMap::new(),
        reading: 0,
        supply: Some(supply),
        is_over: false,
        next: 0,
        ahead: None,
        spare: None,
        scored: BTreeMap::new(),
        held: 0,
        due: (0, 0),
        given_up: None,
        put: Some(put),
        most_scored: 0,
        used: Vec::new(),
        is_ended: false,
        result: Ok(()),
    };
    let shared = Shared { plan, state: Mutex::new(state), changed: Condvar::new(), large: Mutex::new(()) };
    thread::scope(|scope| {
        for _ in 1..plan.jobs {
            scope.spawn(|| shared.work());
        }
        shared.work();
    });
    shared.state.into_inner().unwrap_or_else(PoisonError::into_inner).result
}

impl<'p, 's> Shared<'p, 's> {
    fn state(&self) -> MutexGuard<'_, State<'p, 's>> {
        // A panic cannot leave it inconsistent: each update is a single step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Results that may wait while a thread writes, or for a piece that was read ahead.
    fn most_scored(&self) -> usize {
        2 * self.plan.jobs
    }

    /// Takes one task after another until none is left.
    fn work(&self) {
        let _ends = EndOnPanic(self);
        let mut worker = Worker::new(self.plan.scoring, (self.plan.sink)());
        let mut chunk = Chunk::new(TEXT);
        while let Some(task) = self.next() {
            match task {
                Task::Write(put) => self.write(put),
                Task::Read(open) => self.read(open, &mut chunk, &mut worker),
                Task::Score(mut piece) => {
                    let done = self.state().used.pop().unwrap_or_default();
                    self.score(&piece.source, &mut piece.chunk, &mut worker, done, (piece.order, piece.is_last));
                    self.state().spare = Some(piece.chunk);
                }
                Task::Open(supply) => self.open(supply),
            }
        }
        self.changed.notify_all();
    }

    /// Waits for a task; `None` when nothing is left to do.
    fn next(&self) -> Option<Task<'p, 's>> {
        let mut state = self.state();
        loop {
            if state.is_ended {
                return None;
            }
            if state.scored.contains_key(&state.due)
                && let Some(put) = state.put.take()
            {
                state.most_scored = state.scored.len() + self.most_scored();
                return Some(Task::Write(put));
            }
            let has_stopped = self.plan.stop.load(Ordering::Relaxed);
            // Results wait for it if there are many.
            if (has_stopped || state.scored.len() >= self.most_scored())
                && let Some(piece) = state.ahead.take()
            {
                return Some(Task::Score(piece));
            }
            // What is still being scored is written by the thread that scores it.
            if has_stopped || state.is_over && state.open_files() == 0 && state.ahead.is_none() {
                return None;
            }
            if let Some(first) = state.free.first_entry().map(|first| *first.key())
                && state.may_read(first)
            {
                state.reading += 1;
                return state.free.remove(&first).map(Task::Read);
            }
            if let Some(piece) = state.ahead.take() {
                return Some(Task::Score(piece));
            }
            let open_files = state.open_files();
            if open_files < self.plan.jobs
                && (open_files == 0 || state.may_read(state.next))
                && let Some(supply) = state.supply.take()
            {
                return Some(Task::Open(supply));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Opens the next file. This may take a while.
    fn open(&self, mut supply: InputFiles<'s>) {
        let opened = supply.find_map(|found| found.open(&self.plan.scoring.limits, self.plan.read));
        let mut state = self.state();
        match opened {
            None => state.is_over = true,
            Some(opened) => {
                let number = state.next;
                state.next += 1;
                state.free.insert(number, OpenFile { number, pieces: 0, opened });
                state.supply = Some(supply);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Reads the next piece of a file. Scores it, unless another thread would have to wait for a piece.
    fn read(&self, mut open: OpenFile, chunk: &mut Chunk, worker: &mut Worker<'_>) {
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
        let mut state = self.state();
        state.reading -= 1;
        let is_ahead = large.is_none() && !is_last && state.needs_piece();
        if !is_last {
            open.pieces += 1;
            state.free.insert(open.number, open);
        }
        if is_ahead {
            let spare = state.spare.take().unwrap_or_else(|| Chunk::new(TEXT));
            let chunk = std::mem::replace(chunk, spare);
            state.ahead = Some(TextPiece { order, source, is_last, chunk });
            drop(state);
            return self.changed.notify_one();
        }
        let done = state.used.pop().unwrap_or_default();
        drop(state);
        if is_last { self.changed.notify_all() } else { self.changed.notify_one() }
        self.score(&source, chunk, worker, done, (order, is_last));
        if let Some(large) = large {
            worker.shrink();
            drop(large);
        }
    }

    /// Scores a piece of a file.
    fn score(
        &self,
        source: &Arc<Source>,
        chunk: &mut Chunk,
        worker: &mut Worker<'_>,
        mut done: ScoredChunk,
        (order, is_last): (Order, bool),
    ) {
        worker.work(chunk, source, &mut done);
        if done.gave_up {
            source.cancel();
        }
        chunk.clear();
        let weight = done.weight();
        let piece = Piece { done, source: Arc::clone(source), is_last };
        let mut state = self.state();
        state.held += weight;
        state.scored.insert(order, (weight, piece));
    }

    /// Writes results as long as some are due.
    fn write(&self, put: Put<'p>) {
        let mut state = self.state();
        while !state.is_ended
            && let due = state.due
            && let Some((weight, mut piece)) = state.scored.remove(&due)
        {
            if state.given_up == Some(due.0) {
                piece.done.clear();
            }
            if piece.done.gave_up {
                state.given_up = Some(due.0);
            }
            drop(state);
            let result = put(&mut piece);
            let Piece { mut done, is_last, .. } = piece;
            done.clear();
            state = self.state();
            if result.is_err() {
                (state.is_ended, state.result) = (true, result);
            }
            let next = state.next;
            let could_read = state.may_read(next);
            state.held -= weight;
            state.due = if is_last { (due.0 + 1, 0) } else { (due.0, due.1 + 1) };
            state.used.push(done);
            if !could_read {
                self.changed.notify_all();
            }
        }
        state.put = Some(put);
        drop(state);
        self.changed.notify_all();
    }
}

/// Ends all threads if this one panics; the others would wait for it forever.
struct EndOnPanic<'a, 'p, 's>(&'a Shared<'p, 's>);

impl Drop for EndOnPanic<'_, '_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.state().is_ended = true;
            self.0.changed.notify_all();
        }
    }
}
