//! A bulk load: rows are written without indexes and rollups, which are built at the end. The store is checked afterwards.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ooni_store::Store;
use ooni_store::rollup::ROLLUPS;
use serde::Serialize;

use crate::measure::clock::{Spent, process_cpu};
use crate::rows::Rows;

/// Rows in a batch.
pub const BATCH: u64 = 10_000;

/// The result of a load.
#[derive(Serialize)]
pub struct Loaded {
    /// Rows that were loaded, in so many months.
    pub rows: u64,
    /// Months.
    pub months: usize,
    /// The batches; without the time to generate them.
    pub batches: Spent,
    /// Indexes, uniqueness and rollups, for all months.
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
        let batch = Arc::new(made.batch(BATCH.min(rows - written) as usize));
        let (cpu, begun) = (process_cpu()?, Instant::now());
        let result = load.write(batch).await?;
        batches += since(cpu, begun)?;
        ensure!(result.steady.is_empty(), "the store held rows: {:?}", result.steady);
        written += result.written.inserted;
    }
    let (cpu, begun) = (process_cpu()?, Instant::now());
    load.end().await?;
    let mut finished = Vec::new();
    store.finish_months(|month| finished.push(month)).await?;
    let finish = since(cpu, begun)?;
    let kept: u64 = finished.iter().map(|month| month.rows).sum();
    ensure!(kept == rows, "{kept} rows of {rows} were kept");
    store.refresh_rollups().await?;
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

fn since(cpu: Duration, begun: Instant) -> Result<Spent> {
    Ok(Spent { cpu: (process_cpu()? - cpu).as_secs_f64(), wall: begun.elapsed().as_secs_f64() })
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
