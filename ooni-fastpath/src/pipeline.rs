//! From files to output: decompresses, scores and writes in parallel, with output in the order of the input.
//!
//! With one job the calling thread does everything. With more, it is one of several threads that all do the same; see
//! `parallel`.

mod parallel;

use crate::sink::Sink;
use crate::worker::{ScoredChunk, Scoring, Worker};
use ooni_archive::chunk::{self, Chunk, ReadStatus};
use ooni_archive::source::{InputFiles, Opened, Source};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

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
        parallel::run(plan, supply, put)
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
