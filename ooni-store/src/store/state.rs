//! The state of a store: its size, the rows of its tables, and whether its rollups agree with the rows.

use super::Store;
use super::counts::group;
use crate::engine::Workload;
use crate::error::Error;
use crate::query::aggregate::{Counts, Group};
use crate::query::filter::Window;
use crate::rollup::{ROLLUPS, Rollup};
use crate::sql;
use crate::value::{Value, serialize_span};
use ooni_core::time::DateTime;
use serde::Serialize;

impl Store {
    /// Compares a rollup with the rows, where it is current. Returns the cells that differ.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn check(&self, rollup: &'static Rollup) -> Result<Vec<Difference>, Error> {
        let call = self.read("check", Workload::Aggregation).over(Window::default());
        let rows = call.snapshot(vec![sql::differences(self.dialect(), rollup)]).await?;
        rows.into_iter().flatten().map(|row| difference(row, rollup).ok_or_else(|| call.foreign())).collect()
    }

    /// Whether a rollup contains all rows of a window; if not, rows are counted.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn is_rollup_current(&self, rollup: &'static Rollup, window: Window) -> Result<bool, Error> {
        let call = self.read("is_rollup_current", Workload::Lookup);
        call.run(self.engine.is_rollup_current(rollup, window, call.deadline)).await
    }

    /// What is in the store, counted at one moment where the engine has snapshots.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn stats(&self) -> Result<Stats, Error> {
        let call = self.read("stats", Workload::Aggregation).over(Window::default());
        let bytes = call.run(self.engine.bytes(call.deadline)).await?;
        let mut stats = Stats { bytes, ..Stats::default() };
        let mut statements = vec![sql::span(self.dialect())];
        statements.extend(sql::TABLES.map(|table| sql::count(self.dialect(), table)));
        statements.extend(ROLLUPS.iter().map(|rollup| sql::state(self.dialect(), rollup)));
        let mut results = call.snapshot(statements).await?.into_iter().map(|rows| rows.concat());
        let mut next = || results.next().unwrap_or_default();
        if let [Value::Time(oldest), Value::Time(newest)] = next()[..] {
            stats.span = Some((oldest, newest));
        }
        for table in sql::TABLES {
            match next()[..] {
                [Value::Int(rows)] => stats.tables.push((table, rows)),
                _ => return Err(call.foreign()),
            }
        }
        for rollup in &ROLLUPS {
            match next()[..] {
                [Value::Int(cells), Value::Int(measurements)] => {
                    stats.rollups.push(RollupState { rollup, cells, measurements });
                }
                _ => return Err(call.foreign()),
            }
        }
        Ok(stats)
    }
}

/// The state of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Bytes on disk.
    pub bytes: u64,
    /// The starts of its first and its last measurement.
    #[serde(serialize_with = "serialize_span")]
    pub span: Option<(DateTime, DateTime)>,
    /// Rows by table, those of `fastpath` first.
    pub tables: Vec<(&'static str, u64)>,
    /// The state of each rollup.
    pub rollups: Vec<RollupState>,
}

/// The state of a rollup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RollupState {
    /// The rollup; serialized as its name.
    #[serde(serialize_with = "rollup_name")]
    pub rollup: &'static Rollup,
    /// The number of its cells.
    pub cells: u64,
    /// The number of measurements that they count: all measurements, except for a rollup by category.
    pub measurements: u64,
}

fn rollup_name<S: serde::Serializer>(rollup: &&'static Rollup, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rollup.name)
}

/// A cell of a rollup that differs from the rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Whether the counts are those of the rollup, or those of the rows.
    pub is_of_rollup: bool,
    /// Values of the rollup's key.
    pub key: Vec<Value<'static>>,
    /// Its counts.
    pub counts: Counts,
}

fn difference(mut row: Vec<Value<'static>>, rollup: &Rollup) -> Option<Difference> {
    if row.is_empty() {
        return None;
    }
    let is_of_rollup = row.remove(0) == Value::Int(1);
    let Group { keys, counts } = group(row, rollup.key.len())?;
    Some(Difference { is_of_rollup, key: keys, counts })
}
