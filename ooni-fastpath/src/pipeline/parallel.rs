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
#[expect(clippy::large_enum_variant, reason = "a thread has one at a time, on its stack")]
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
                state.pause_at = usize::MAX;
                return Some(Task::Write(put));
            }
            let is_stopped = self.plan.stop.load(Ordering::Relaxed);
            // Results do not wait for it for long.
            if (is_stopped || state.scored.len() >= self.plan.jobs)
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
            state.pause_at = state.pause_at.min(state.scored.len() + self.plan.jobs);
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

#[cfg(test)]
mod tests {
    use super::super::{self as pipeline, Put};
    use super::*;
    use crate::sink::{Jsonl, Sink};
    use crate::worker::Scoring;
    use ooni_archive::fingerprints;
    use ooni_archive::source::local::FileList;
    use ooni_core::rules::{Rules, Ruleset};
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::time::Duration;
    use tempfile::TempDir;

    /// Bytes of a line.
    const LINE: usize = 8 << 10;

    /// A file of lines for each number, with so many lines, each with a uid of its own.
    fn files(lines: &[usize]) -> (TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let paths = lines.iter().enumerate().map(|(file, &lines)| {
            let line = |line| {
                let start = format!(r#"{{"measurement_uid":"{file}-{line}","report_id":"r","x":""#);
                start.clone() + &"x".repeat(LINE - start.len() - 3) + "\"}\n"
            };
            let path = folder.path().join(format!("{file:03}.jsonl"));
            fs::write(&path, (0..lines).map(line).collect::<String>()).unwrap();
            path
        });
        let paths = paths.collect();
        (folder, paths)
    }

    /// Calls `put` for all pieces, with the number of bytes read so far; `stop` ends the run.
    fn score(paths: &[PathBuf], jobs: usize, stop: &AtomicBool, read: &Arc<AtomicU64>, put: Put<'_>) -> io::Result<()> {
        score_files(found(paths), jobs, stop, read, put)
    }

    fn found(paths: &[PathBuf]) -> InputFiles<'static> {
        Box::new(FileList::find(paths, None).unwrap().files.into_iter())
    }

    fn score_files(
        files: InputFiles<'_>,
        jobs: usize,
        stop: &AtomicBool,
        read: &Arc<AtomicU64>,
        put: Put<'_>,
    ) -> io::Result<()> {
        let lists = fingerprints::built_in().unwrap();
        let scoring = Scoring::new(&lists, Rules::Fixed);
        let ruleset = Ruleset::new(Rules::Fixed, lists.list_sha256());
        let sink = || -> Box<dyn Sink> { Box::new(Jsonl::new(&ruleset)) };
        let plan = Plan { scoring: &scoring, jobs, sink: &sink, stop, read };
        pipeline::run(&plan, files, put)
    }

    /// The output, and the number of pieces.
    fn output(paths: &[PathBuf], jobs: usize) -> (Vec<u8>, usize) {
        let (mut out, mut pieces) = (Vec::new(), 0);
        let result = score(paths, jobs, &AtomicBool::default(), &Arc::default(), &mut |piece| {
            out.extend_from_slice(&piece.done.out);
            pieces += 1;
            Ok(())
        });
        result.unwrap();
        (out, pieces)
    }

    #[test]
    fn order_does_not_depend_on_jobs() {
        for lines in [&[400][..], &[1, 0, 200, 3, 3, 90], &[0]] {
            let (_folder, paths) = files(lines);
            let (out, pieces) = output(&paths, 1);
            assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), lines.iter().sum::<usize>());
            for jobs in [2, 3, 9] {
                assert_eq!(output(&paths, jobs), (out.clone(), pieces), "{lines:?} {jobs}");
            }
        }
    }

    #[test]
    fn reading_pauses_while_writing_is_behind() {
        let (_folder, paths) = files(&[1500]);
        let jobs = 2;
        let read = Arc::default();
        let (mut pieces, mut most) = (0, 0);
        let result = score(&paths, jobs, &AtomicBool::default(), &read, &mut |_| {
            pieces += 1;
            if pieces < 4 {
                let before = read.load(Ordering::Relaxed);
                thread::sleep(Duration::from_millis(300));
                most = most.max((read.load(Ordering::Relaxed) - before) as usize / TEXT);
            }
            Ok(())
        });
        result.unwrap();
        // Results that may wait for this one, pieces that are being scored, and one that was read ahead.
        assert!(pieces > 40 && most <= 2 * jobs + 2, "{pieces} {most}");
    }

    #[test]
    fn an_error_of_the_writer_ends_all_threads() {
        let (_folder, paths) = files(&[300, 300, 300]);
        for jobs in [2, 5] {
            let mut pieces = 0;
            let result = score(&paths, jobs, &AtomicBool::default(), &Arc::default(), &mut |_| {
                pieces += 1;
                if pieces == 3 { Err(io::Error::other("full")) } else { Ok(()) }
            });
            assert_eq!((result.unwrap_err().to_string(), pieces), ("full".to_owned(), 3));
        }
    }

    #[test]
    fn what_was_read_before_a_stop_is_written() {
        let (_folder, paths) = files(&[600, 600]);
        let first_file = output(&paths[..1], 1).0;
        for jobs in [2, 5] {
            let (mut out, stop) = (Vec::new(), AtomicBool::default());
            // The second file opens after the stop: otherwise it might be read before the first result is written.
            let files = found(&paths).enumerate().map(|(number, file)| {
                while number == 1 && !stop.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                file
            });
            let read = Arc::default();
            let result = score_files(Box::new(files), jobs, &stop, &read, &mut |piece| {
                stop.store(true, Ordering::Relaxed);
                out.extend_from_slice(&piece.done.out);
                Ok(())
            });
            result.unwrap();
            assert!(!out.is_empty() && first_file.starts_with(&out), "{jobs}");
            let lines = out.iter().filter(|&&byte| byte == b'\n').count();
            let read = read.load(Ordering::Relaxed) as usize;
            // The start of the second file is read when it is opened; a lost piece would be larger.
            assert!(read - lines * LINE < TEXT, "{jobs}: {read} bytes read, {lines} lines written");
        }
    }

    #[test]
    fn a_panic_of_the_writer_ends_all_threads() {
        let (_folder, paths) = files(&[300, 300]);
        let panics = || score(&paths, 3, &AtomicBool::default(), &Arc::default(), &mut |_| panic!("on purpose"));
        assert!(std::panic::catch_unwind(panics).is_err());
    }
}
