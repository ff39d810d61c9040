//! Bulk loads: rows are written without secondary indexes and rollups, which are built when the load is finished.
//!
//! A load covers the whole store, which has no rows when it begins. The keys of the tables stay, since uids begin with
//! a time and come nearly in order. Finishing is a sequence of steps, each a transaction, that anyone can continue.

use super::prepared::Prepared;
use super::{batch, rollups, value};
use crate::failpoint::{Failpoint, reach};
use crate::rollup::ROLLUPS;
use crate::value::{Type, Value};
use crate::write::bulk::{FinishedMonth, LEASE};
use crate::write::row::BatchResult;
use crate::write::tally::{COLUMNS, CellNumbers, Tallied, Tally};
use ooni_core::time::DateTime;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Result, Transaction};
use std::time::{SystemTime, UNIX_EPOCH};

/// Rows that one step counts, which limits its memory. Few in debug builds, whose tests have few rows.
const STEP: i64 = if cfg!(debug_assertions) { 100 } else { 100_000 };

/// Size of the page cache while an index is built, in KiB.
const SORT_KIB: i64 = 16 << 10;

/// Threads that sort the entries of an index beside the one that reads and writes.
const SORT_THREADS: i64 = 2;

const HAS_ROWS: &str = "SELECT EXISTS (SELECT 1 FROM fastpath)";

/// Whether there are rows that are not counted yet.
const HAS_MORE: &str = "SELECT EXISTS (SELECT 1 FROM fastpath WHERE rowid > ?)";

const COUNTED: &str = "SELECT counted FROM bulk_load";

const BEGIN: &str = "INSERT INTO bulk_load (counted) VALUES (0)";

/// The indexes that a load drops. Those of keys have no SQL. Rows come nearly in the order of time, so that entries are
/// appended to indexes that begin with one, which is cheaper than building them; and few rows have a link, or belong to the
/// tests of their index.
const DROPPED: &str = "
    INSERT INTO bulk_index (name, sql) SELECT name, sql FROM sqlite_schema
    WHERE type = 'index' AND sql IS NOT NULL AND (tbl_name = 'fastpath' OR tbl_name LIKE 'rollup\\_%' ESCAPE '\\')
    AND name NOT IN ('fastpath_by_time', 'fastpath_by_report', 'fastpath_by_test', 'fastpath_by_link')
    RETURNING name";

const ADD_TO_MONTH: &str = "
    INSERT INTO bulk_month (month, rows) VALUES (?, ?) ON CONFLICT (month) DO UPDATE SET rows = rows + excluded.rows";

const MONTHS: &str = "SELECT month FROM bulk_month ORDER BY month";

const FINISH: &str = "DELETE FROM bulk_month RETURNING month, rows";

const NEXT_INDEX: &str = "SELECT name, sql FROM bulk_index ORDER BY name LIMIT 1";

const RENEW: &str = "INSERT INTO bulk_loader (loader, expires) VALUES (?, ?) ON CONFLICT (loader) DO UPDATE SET expires = excluded.expires";

const LEAVE: &str = "DELETE FROM bulk_loader WHERE loader = ? OR expires <= ?";

const ALIVE: &str = "SELECT count(*) FROM bulk_loader";

/// Takes or renews the lease of a loader.
pub(super) fn renew(connection: &Connection, loader: &str) -> Result<()> {
    connection.prepare_cached(RENEW)?.execute((loader, now() + LEASE.as_secs() as i64)).map(drop)
}

/// Ends the lease of a loader, and those that have expired. Returns the number of the others.
pub(super) fn leave(connection: &Connection, loader: &str) -> Result<u64> {
    connection.prepare_cached(LEAVE)?.execute((loader, now()))?;
    connection.prepare_cached(ALIVE)?.query_row([], |row| row.get(0).map(unsigned))
}

/// A number of rows, which is never negative.
fn unsigned(number: i64) -> u64 {
    number.unsigned_abs()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// The months of a load that is not finished.
pub(super) fn months(connection: &Connection) -> Result<Vec<DateTime>> {
    connection.prepare_cached(MONTHS)?.query_map([], |row| month(row.get_ref(0)?))?.collect()
}

fn month(seconds: ValueRef<'_>) -> Result<DateTime> {
    match value::read(seconds, Type::Time)? {
        Value::Time(month) => Ok(month),
        _ => Err(rusqlite::Error::InvalidQuery), // a month is never NULL
    }
}

/// The last row that is counted in the rollups, if a load is not finished.
fn counted(connection: &Connection) -> Result<Option<i64>> {
    connection.prepare_cached(COUNTED)?.query_row([], |row| row.get(0)).optional()
}

/// Writes a batch: as part of a load if there is one or the store has no rows, or else the usual way. Returns the
/// result, and whether it was written the usual way.
pub(super) fn write(transaction: &Transaction<'_>, batch: Prepared, tally: &mut Tally) -> Result<(BatchResult, bool)> {
    let is_loading = counted(transaction)?.is_some();
    let is_usual = !is_loading && transaction.prepare_cached(HAS_ROWS)?.query_row([], |row| row.get(0))?;
    let written = batch::write(transaction, batch)?;
    if is_usual {
        *tally = written.tally;
        return Ok((written.result, true));
    }
    if !is_loading && !written.months.is_empty() {
        begin(transaction)?;
        reach(Failpoint::MonthBegun);
    }
    for (month, rows) in written.months {
        transaction.prepare_cached(ADD_TO_MONTH)?.execute((month.timestamp(), rows))?;
    }
    Ok((written.result, false))
}

/// Begins a load: drops indexes.
fn begin(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute(BEGIN, [])?;
    let mut dropped = transaction.prepare(DROPPED)?;
    let names = dropped.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>>>()?;
    names.iter().try_for_each(|name| transaction.execute(&format!("DROP INDEX {name}"), []).map(drop))
}

/// Rows of a load, counted for the rollups.
pub(super) struct Counted {
    /// The last row that was counted before.
    after: i64,
    /// The last of these rows.
    pub(super) last: i64,
    tallied: Tallied,
    /// The changed cells of each rollup.
    cells: Vec<Vec<CellNumbers>>,
}

/// Counts rows of a load: those after a rowid, or after those that the rollups have. Returns `None` if there are none.
pub(super) fn count(connection: &Connection, after: Option<i64>) -> Result<Option<Counted>> {
    let transaction = connection.unchecked_transaction()?;
    let Some(counted) = counted(&transaction)? else { return Ok(None) };
    let after = after.unwrap_or(counted);
    let columns = COLUMNS.map(|(name, _)| name).join(", ");
    let read = format!("SELECT rowid, {columns} FROM fastpath WHERE rowid > ? ORDER BY rowid LIMIT ?");
    let mut read = transaction.prepare_cached(&read)?;
    let mut rows = read.query([after, STEP])?;
    let (mut tally, mut last) = (Tally::default(), after);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let mut cells = [const { Value::Null }; COLUMNS.len()];
        for (column, (cell, (_, kind))) in (1..).zip(cells.iter_mut().zip(COLUMNS)) {
            *cell = match row.get_ref(column)? {
                ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text)),
                other => value::read(other, kind)?,
            };
        }
        tally.add_cells(&cells);
    }
    if tally.is_empty() {
        return Ok(None);
    }
    let lists = rollups::listed(&transaction, tally.inputs())?;
    let tallied = tally.count(&lists);
    let cells = ROLLUPS.iter().map(|rollup| tallied.cells(rollup)).collect();
    Ok(Some(Counted { after, last, tallied, cells }))
}

/// The outcome of a step that finishes a load.
pub(super) enum Step {
    /// More steps are needed.
    Done,
    /// More steps are needed. Another process has counted these rows.
    Stale,
    /// The load is finished.
    Finished(Vec<FinishedMonth>),
}

/// Does the next step to finish a load: adds counts to the rollups if there are any, else builds an index, or else ends
/// the load.
pub(super) fn step(transaction: &Transaction<'_>, next: Option<Counted>) -> Result<Step> {
    let Some(counted) = counted(transaction)? else { return Ok(Step::Finished(Vec::new())) };
    match next {
        Some(next) if next.after == counted => {
            add(transaction, next)?;
            reach(Failpoint::MonthCounted);
            return Ok(Step::Done);
        }
        None if !transaction.prepare_cached(HAS_MORE)?.query_row([counted], |row| row.get(0))? => {}
        _ => return Ok(Step::Stale),
    }
    if build(transaction)? {
        reach(Failpoint::IndexBuilt);
        return Ok(Step::Done);
    }
    let mut finish = transaction.prepare_cached(FINISH)?;
    let finished = finish
        .query_map([], |row| Ok(FinishedMonth { month: month(row.get_ref(0)?)?, rows: unsigned(row.get(1)?) }))?;
    let mut finished = finished.collect::<Result<Vec<_>>>()?;
    finished.sort_by_key(|finished| finished.month);
    transaction.execute("DELETE FROM bulk_load", [])?;
    reach(Failpoint::MonthFinishing);
    Ok(Step::Finished(finished))
}

/// Adds the counts of rows to the rollups.
fn add(transaction: &Transaction<'_>, Counted { last, tallied, cells, .. }: Counted) -> Result<()> {
    for (rollup, cells) in ROLLUPS.iter().zip(cells) {
        rollups::change(transaction, rollup, &tallied, cells)?;
        reach(Failpoint::RollupFollowed);
    }
    transaction.prepare_cached("UPDATE bulk_load SET counted = ?")?.execute([last]).map(drop)
}

/// Builds one of the dropped indexes. Returns false if there are none.
fn build(transaction: &Transaction<'_>) -> Result<bool> {
    let next =
        transaction.prepare_cached(NEXT_INDEX)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some::<(String, String)>((name, sql)) = next else { return Ok(false) };
    // SQLite sorts in memory up to the size of the page cache, and other threads sort only what it has sorted and written
    // before: with a small cache, they do most of the work.
    let cache: i64 = transaction.pragma_query_value(None, "cache_size", |row| row.get(0))?;
    transaction.pragma_update(None, "cache_size", -SORT_KIB)?;
    transaction.pragma_update(None, "threads", SORT_THREADS)?;
    let built = transaction.execute(&sql, []);
    transaction.pragma_update(None, "cache_size", cache)?;
    built?;
    transaction.prepare_cached("DELETE FROM bulk_index WHERE name = ?")?.execute([name])?;
    Ok(true)
}
