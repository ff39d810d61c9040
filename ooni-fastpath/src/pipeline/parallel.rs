//! All threads do the same, the calling one included: each takes the first task that there is.
//!
//! 1. Results are due and no thread is writing: write them, in the order of the files.
//! 2. An open file is not being read: read a piece of it, and score it while it is still in the cache.
//! 3. All open files are being read: score the piece that was read ahead, or open the next file.
//!
//! So many files are read at once, and one large file by all threads in turn. Once the last file is open, a piece is read
//! ahead whenever there is none, so that no thread waits for a piece that another is decompressing.
//!
//! Everything is bounded: at most one file is open for each thread, there is one chunk for each thread and one that was read
//! ahead, results that are too early are held up to [`MAX_HELD`] bytes, beyond which only the file that is due is read,
//! reading pauses while writing is behind, and only one chunk at a time may be larger than usual.

use super::{Piece, Plan, Put, TEXT, fill};
use crate::worker::{ScoredChunk, Worker};
use ooni_archive::chunk::{Chunk, ReadStatus};
use ooni_archive::source::{InputFiles, Opened, Source};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Maximum bytes of early results. Beyond that only the file that is due is read.
const MAX_HELD: usize = 64 << 20;

/// Scores all files.
///
/// # Errors
/// The error of `put`, which ends all threads.
pub(super) fn run(plan: &Plan<'_, '_>, supply: InputFiles<'_>, put: Put<'_>) -> io::Result<()> {
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
        pause_at: 0,
        used: Vec::new(),
        is_ended: false,
        result: Ok(()),
    };
    let pipeline = Pipeline { plan, state: Mutex::new(state), changed: Condvar::new(), large: Mutex::new(()) };
    thread::scope(|scope| {
        for _ in 1..plan.jobs {
            scope.spawn(|| pipeline.work());
        }
        pipeline.work();
    });
    pipeline.state.into_inner().unwrap_or_else(PoisonError::into_inner).result
}

/// What the threads share.
struct Pipeline<'p, 's> {
    plan: &'p Plan<'p, 'p>,
    state: Mutex<State<'p, 's>>,
    /// There may be another task.
    changed: Condvar,
    /// The thread that holds this may have a chunk larger than usual.
    large: Mutex<()>,
}

/// What is shared under a lock.
struct State<'p, 's> {
    /// Open files that no thread is reading.
    free: BTreeMap<u64, OpenFile>,
    /// Number of files that are being read.
    reading: usize,
    /// The files to open; `None` while a thread opens the next one.
    supply: Option<InputFiles<'s>>,
    /// Whether all files have been opened.
    is_over: bool,
    /// The number of the next file.
    next: u64,
    /// The piece that was read ahead.
    ahead: Option<TextPiece>,
    /// The chunk of the last piece that was read ahead, to be reused.
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
    /// While a thread writes, the number of results at which the others stop reading.
    pause_at: usize,
    /// Results to be reused for their memory.
    used: Vec<ScoredChunk>,
    /// Whether all threads end at once, because of an error.
    is_ended: bool,
    result: io::Result<()>,
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

/// A piece of a file that has been read but not scored.
struct TextPiece {
    order: Order,
    chunk: Chunk,
    source: Arc<Source>,
    is_last: bool,
}

/// What a thread does next.
enum Task<'p, 's> {
    /// Writes the results that are due.
    Write(Put<'p>),
    /// Reads the next piece of a file.
    Read(OpenFile),
    /// Scores a piece that was read ahead.
    Score(TextPiece),
    /// Opens the next file.
    Open(InputFiles<'s>),
}

impl State<'_, '_> {
    fn open_files(&self) -> usize {
        self.free.len() + self.reading
    }

    /// Whether the results of a file may be added to those that have not been written.
    fn may_read(&self, file: u64) -> bool {
        let is_behind = self.put.is_none() && self.scored.len() >= self.pause_at;
        !is_behind && (self.held <= MAX_HELD || file == self.due.0)
    }

    /// Whether a thread that needs a piece would have to wait for one that is being read.
    fn lacks_pieces(&self) -> bool {
        self.ahead.is_none() && self.is_over && self.free.is_empty()
    }
}

impl<'p, 's> Pipeline<'p, 's> {
    fn state(&self) -> MutexGuard<'_, State<'p, 's>> {
        // A panic cannot leave it inconsistent: each update is a single step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one task after another until none is left.
    fn work(&self) {
        let _guard = EndOnPanic(self);
        let mut worker = Worker::new(self.plan.scoring, (self.plan.sink)());
        let mut chunk = Chunk::new(TEXT);
        while let Some(task) = self.next() {
            match task {
                Task::Write(put) => self.write(put),
                Task::Read(open) => chunk = self.read(open, chunk, &mut worker),
                Task::Score(piece) => {
                    let spare = self.score(piece, &mut worker);
                    self.state().spare = Some(spare);
                }
                Task::Open(supply) => self.open(supply),
            }
        }
        self.changed.notify_all();
    }

    /// The number of results that may wait for one result, whose piece was read ahead or which is being written.
    fn few(&self) -> usize {
        2 * self.plan.jobs
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
                state.pause_at = state.scored.len() + self.few();
                return Some(Task::Write(put));
            }
            let is_stopped = self.plan.stop.load(Ordering::Relaxed);
            if (is_stopped || state.scored.len() >= self.few())
                && let Some(piece) = state.ahead.take()
            {
                return Some(Task::Score(piece));
            }
            // What other threads are still scoring, they write themselves.
            if is_stopped || state.is_over && state.open_files() == 0 && state.ahead.is_none() {
                return None;
            }
            if let Some(first) = state.free.first_entry()
                && let file = *first.key()
                && state.may_read(file)
            {
                state.reading += 1;
                return state.free.remove(&file).map(Task::Read);
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

    /// Reads the next piece of a file into the chunk. Scores it, or leaves it to a thread that would have to wait for a
    /// piece. Returns an empty chunk.
    fn read(&self, mut open: OpenFile, mut chunk: Chunk, worker: &mut Worker<'_>) -> Chunk {
        let mut filled = fill(&mut open.opened, &mut chunk);
        let large = chunk.needs_growth().then(|| {
            let large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
            chunk.allow_growth();
            filled = fill(&mut open.opened, &mut chunk);
            large
        });
        let is_last = filled == ReadStatus::End;
        let source = Arc::clone(&open.opened.source);
        let piece = TextPiece { order: (open.number, open.pieces), chunk, source, is_last };
        let mut state = self.state();
        state.reading -= 1;
        if is_last {
            drop(state);
            self.changed.notify_all();
        } else {
            let is_ahead = large.is_none() && state.lacks_pieces();
            open.pieces += 1;
            state.free.insert(open.number, open);
            if is_ahead {
                state.ahead = Some(piece);
                let spare = state.spare.take();
                drop(state);
                self.changed.notify_one();
                return spare.unwrap_or_else(|| Chunk::new(TEXT));
            }
            drop(state);
            self.changed.notify_one();
        }
        let chunk = self.score(piece, worker);
        if large.is_some() {
            worker.shrink();
        }
        chunk
    }

    /// Scores a piece. Returns its chunk, which is empty.
    fn score(&self, piece: TextPiece, worker: &mut Worker<'_>) -> Chunk {
        let TextPiece { order, mut chunk, source, is_last } = piece;
        let mut done = self.state().used.pop().unwrap_or_default();
        worker.work(&chunk, &source, &mut done);
        if done.gave_up {
            source.cancel();
        }
        chunk.clear();
        let weight = done.weight();
        let mut state = self.state();
        state.held += weight;
        state.scored.insert(order, (weight, Piece { done, source, is_last }));
        chunk
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
            let could_read = state.may_read(state.next);
            state.held -= weight;
            state.due = if is_last { (due.0 + 1, 0) } else { (due.0, due.1 + 1) };
            state.used.push(done);
            if !could_read {
                self.changed.notify_all();
            }
        }
        let could_read = state.may_read(state.next);
        state.put = Some(put);
        let is_ended = state.is_ended;
        drop(state);
        if is_ended || !could_read {
            self.changed.notify_all();
        }
    }
}

/// Ends the other threads if this one panics: they would wait for it forever.
struct EndOnPanic<'a, 'p, 's>(&'a Pipeline<'p, 's>);

impl Drop for EndOnPanic<'_, '_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.state().is_ended = true;
            self.0.changed.notify_all();
        }
    }
}
