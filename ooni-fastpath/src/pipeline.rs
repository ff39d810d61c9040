//! From files to output: decompress, score and write, at the same time and in order.
//!
//! With one job all is done by the calling thread, batch by batch. With more, one thread reads, each job scores, and
//! the calling thread gets the results in the order of the input. There is a fixed number of batches, which go round,
//! so every queue is bounded; and those that are under way hold no more than `BUDGET` bytes of text unless one does
//! alone.

use crate::batch::{self, Batch};
use crate::sink::Sink;
use crate::source::Feeder;
use crate::worker::{Done, Scoring, Worker};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::io;
use std::thread;

/// Text under way in bytes, beyond which reading waits.
pub const BUDGET: usize = 512 << 20;

/// Text of a batch when one thread does everything: what was decompressed is still in its cache when it is read.
const ALONE: usize = batch::TARGET / 4;

/// How the work is done.
pub struct Plan<'p, 'f> {
    /// How measurements are scored.
    pub scoring: &'p Scoring<'f>,
    /// Threads that score.
    pub jobs: usize,
    /// Makes a sink for each of them.
    pub sink: &'p (dyn Fn() -> Box<dyn Sink> + Sync),
}

/// A batch on its way.
struct Work {
    batch: Batch,
    done: Done,
    /// Its place in the order, from 0.
    number: u64,
    /// What it counts towards the budget.
    weight: usize,
}

/// Scores all that the feeder has. `put` gets the results in the order of the input.
///
/// # Errors
/// That of `put`, which ends the work.
pub fn run(plan: &Plan<'_, '_>, feeder: Feeder, put: &mut dyn FnMut(&mut Done) -> io::Result<()>) -> io::Result<()> {
    if plan.jobs <= 1 { alone(plan, feeder, put) } else { together(plan, feeder, put) }
}

fn alone(plan: &Plan<'_, '_>, mut feeder: Feeder, put: &mut dyn FnMut(&mut Done) -> io::Result<()>) -> io::Result<()> {
    let mut worker = Worker::new(plan.scoring, (plan.sink)());
    let (mut batch, mut done) = (Batch::new(ALONE), Done::default());
    while feeder.fill(&mut batch) {
        worker.work(&batch, &mut done);
        put(&mut done)?;
        done.clear();
        batch.clear();
    }
    Ok(())
}

fn together(plan: &Plan<'_, '_>, feeder: Feeder, put: &mut dyn FnMut(&mut Done) -> io::Result<()>) -> io::Result<()> {
    let batches = 2 * plan.jobs + 2;
    let (to_reader, returned) = bounded(batches);
    let (to_workers, filled) = bounded::<Work>(plan.jobs);
    let (to_writer, scored) = bounded::<Work>(plan.jobs);
    for _ in 0..batches {
        let work = Work { batch: Batch::new(batch::TARGET), done: Done::default(), number: 0, weight: 0 };
        let _ = to_reader.send(work); // there is room for all of them
    }
    thread::scope(|scope| {
        scope.spawn(move || read(feeder, &returned, &to_workers));
        for _ in 0..plan.jobs {
            let (filled, to_writer) = (filled.clone(), to_writer.clone());
            scope.spawn(move || {
                let mut worker = Worker::new(plan.scoring, (plan.sink)());
                for mut work in filled {
                    worker.work(&work.batch, &mut work.done);
                    if to_writer.send(work).is_err() {
                        break;
                    }
                }
            });
        }
        drop((filled, to_writer));
        // When this returns, its ends of the queues are gone, and all threads end.
        write(scored, to_reader, put)
    })
}

/// Fills batches that have come back and sends them to the workers.
fn read(mut feeder: Feeder, returned: &Receiver<Work>, to_workers: &Sender<Work>) {
    let mut idle = Vec::new();
    let mut under_way = 0;
    let mut number = 0;
    // Both channels close when the writer has given up.
    while let Some(mut work) = idle.pop().or_else(|| take(returned, &mut under_way)) {
        if !feeder.fill(&mut work.batch) {
            return;
        }
        work.number = number;
        work.weight = work.batch.size();
        number += 1;
        while under_way > 0 && under_way + work.weight > BUDGET {
            match take(returned, &mut under_way) {
                Some(work) => idle.push(work),
                None => return,
            }
        }
        under_way += work.weight;
        if to_workers.send(work).is_err() {
            return;
        }
    }
}

/// A batch that has come back, made as new.
fn take(returned: &Receiver<Work>, under_way: &mut usize) -> Option<Work> {
    let mut work = returned.recv().ok()?;
    *under_way -= work.weight;
    work.batch.clear();
    work.done.clear();
    Some(work)
}

/// Puts results in order and hands them on.
fn write(
    scored: Receiver<Work>,
    to_reader: Sender<Work>,
    put: &mut dyn FnMut(&mut Done) -> io::Result<()>,
) -> io::Result<()> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for work in scored {
        early.insert(work.number, work);
        while let Some(mut work) = early.remove(&next) {
            put(&mut work.done)?;
            next += 1;
            let _ = to_reader.send(work); // the reader may be through
        }
    }
    Ok(())
}
