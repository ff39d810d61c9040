//! A bulk load: rows are written without indexes and rollups, which are built at the end. The store is checked afterwards.
//!
//! Two batches are in flight: while the store writes one, it prepares the other. Batches are generated
//! in groups while nothing is written, and only the time to write them is measured, including the wait for the last of a
//! group.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ooni_store::rollup::ROLLUPS;
use ooni_store::{Error, ScoredRow, Store};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::measure::clock::{Spent, process_cpu};
use crate::rows::Rows;

/// Rows in a batch.
pub const BATCH: u64 = 10_000;

/// Batches that are written at once.
const IN_FLIGHT: usize = 2;

/// Batches that are generated before they are written.
const GROUP: u64 = 20;

/// The result of a load.
#[derive(Serialize)]
pub struct Loaded {
    /// Rows that were loaded.
    pub rows: u64,
    /// Months that were finished; none if the engine has no bulk loads.
    pub months: usize,
    /// The batches; without the time to generate them.
    pub batches: Spent,
    /// The indexes and rollups of all months.
    pub finish: Spent,
    /// Size of the store.
    pub bytes: u64,
}

/// Loads rows into an empty store, and compares its totals; with `check`, all rollups with the rows.
///
/// # Errors
/// The store cannot be written, or its counts are wrong.
pub async fn load(store: &Store, made: &mut Rows, rows: u64, check: bool) -> Result<Loaded> {
    let load = store.begin_load("bench").await?;
    let (mut batches, mut written) = (Spent::default(), 0);
    while written < rows {
        let group = made.group(rows - written);
        let (cpu, begun) = (process_cpu()?, Instant::now());
        let results = at_once(group, |batch| {
            let load = load.clone();
            async move { load.write(batch).await }
        });
        let results = results.await?;
        batches += since(cpu, begun)?;
        for result in results {
            ensure!(result.steady.is_empty() || !store.has_bulk_loads(), "the store held rows: {:?}", result.steady);
            written += result.written.inserted;
        }
    }
    ensure!(written == rows, "{written} rows of {rows} were written");
    let (cpu, begun) = (process_cpu()?, Instant::now());
    load.end().await?;
    let mut finished = Vec::new();
    store.finish_months(|month| finished.push(month)).await?;
    store.refresh_rollups().await?;
    let finish = since(cpu, begun)?;
    let kept: u64 = finished.iter().map(|month| month.rows).sum();
    ensure!(kept == rows || !store.has_bulk_loads(), "{kept} rows of {rows} were kept");
    let stats = store.stats().await?;
    for state in &stats.rollups {
        let of_lists = state.rollup.name == "category";
        ensure!(of_lists || state.measurements == rows, "{} counts {}", state.rollup.name, state.measurements);
    }
    for rollup in ROLLUPS.iter().filter(|_| check) {
        let differences = store.check(rollup).await?;
        ensure!(differences.is_empty(), "{}: {:?}", rollup.name, differences.first());
    }
    Ok(Loaded { rows, months: finished.len(), batches, finish, bytes: stats.bytes })
}

/// Writes batches, some at once. Returns their results in any order.
///
/// # Errors
/// A batch cannot be written.
pub async fn at_once<T: Send + 'static, F: Future<Output = Result<T, Error>> + Send + 'static>(
    batches: Vec<Arc<Vec<ScoredRow>>>,
    write: impl Fn(Arc<Vec<ScoredRow>>) -> F,
) -> Result<Vec<T>> {
    let (mut running, mut results) = (JoinSet::new(), Vec::with_capacity(batches.len()));
    for batch in batches {
        if running.len() == IN_FLIGHT
            && let Some(result) = running.join_next().await
        {
            results.push(result??);
        }
        running.spawn(write(batch));
    }
    while let Some(result) = running.join_next().await {
        results.push(result??);
    }
    Ok(results)
}

fn since(cpu: Duration, begun: Instant) -> Result<Spent> {
    Ok(Spent { cpu: (process_cpu()? - cpu).as_secs_f64(), wall: begun.elapsed().as_secs_f64() })
}

impl Rows {
    /// Generates batches, with at most so many rows in all.
    pub fn group(&mut self, rows: u64) -> Vec<Arc<Vec<ScoredRow>>> {
        let starts = (0..rows).step_by(BATCH as usize).take(GROUP as usize);
        starts.map(|start| Arc::new(self.batch(BATCH.min(rows - start) as usize))).collect()
    }
}

impl Loaded {
    /// The printed report.
    #[must_use]
    pub fn report(&self) -> String {
        let Loaded { rows, months, batches, finish, .. } = self;
        let mut out = format!("  bulk load in {months} months\n");
        let mut all = *batches;
        all += *finish;
        for (name, Spent { cpu, wall }) in [("batches", batches), ("finish", finish), ("all", &all)] {
            let rate = *rows as f64 / wall;
            let _ = writeln!(out, "    {name:<8} {wall:>7.1} s, {rate:>8.0} rows/s; processor time {cpu:.1} s");
        }
        out
    }
}
