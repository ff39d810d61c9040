//! Updates rollups for rows that were added and deleted.

use crate::app::lists::ChangedEntry;
use crate::failpoint::{Failpoint, reach};
use crate::rollup::{ROLLUPS, Rollup};
use crate::sql::{self, Dialect};
use crate::write::row::ListedUrl;
use crate::write::tally::{CellNumbers, Tallied, Tally};
use rusqlite::{Connection, Result, params_from_iter};

const LISTED: &str = "SELECT category_code, cc FROM citizenlab WHERE url = ?";

/// Updates all rollups with the rows that were added and deleted.
pub(super) fn update(connection: &Connection, tally: Tally) -> Result<()> {
    if tally.is_empty() {
        return Ok(());
    }
    let lists = listed(connection, tally.inputs())?;
    let tallied = tally.count(&lists);
    for rollup in &ROLLUPS {
        change(connection, rollup, &tallied, tallied.cells(rollup))?;
        reach(Failpoint::RollupFollowed);
    }
    Ok(())
}

/// The test-list entries of some inputs.
pub(super) fn listed(connection: &Connection, inputs: Vec<String>) -> Result<Vec<ListedUrl>> {
    let mut statement = connection.prepare_cached(LISTED)?;
    let mut lists = Vec::new();
    for url in inputs {
        let mut rows = statement.query([&url])?;
        while let Some(row) = rows.next()? {
            let (category_code, cc) = (row.get(0)?, row.get(1)?);
            lists.push(ListedUrl { url: url.clone(), domain: String::new(), cc, category_code });
        }
    }
    Ok(lists)
}

/// Adds changes to the cells of a rollup.
pub(super) fn change(
    connection: &Connection,
    rollup: &Rollup,
    tallied: &Tallied,
    changes: Vec<CellNumbers>,
) -> Result<()> {
    let mut add = connection.prepare_cached(&sql::add_cell(rollup))?;
    let mut clean = connection.prepare_cached(&sql::delete_empty_cell(rollup))?;
    let width = rollup.key.len();
    // Neighbours have most parts of their keys and many counts in common, which stay bound.
    let mut bound: Option<CellNumbers> = None;
    for (key, counts) in changes {
        let (of_key, of_counts) = bound.unzip();
        for (part, &dimension) in rollup.key.iter().enumerate() {
            if of_key.is_none_or(|bound| bound[part] != key[part]) {
                add.raw_bind_parameter(part + 1, tallied.value(dimension, key[part]))?;
            }
        }
        for (number, count) in counts.into_iter().enumerate() {
            if of_counts.is_none_or(|bound| bound[number] != count) {
                add.raw_bind_parameter(width + number + 1, count)?;
            }
        }
        add.raw_execute()?;
        if counts[0] < 0 {
            let parts = rollup.key.iter().zip(key).map(|(&dimension, number)| tallied.value(dimension, number));
            clean.execute(params_from_iter(parts))?;
        }
        bound = Some((key, counts));
    }
    Ok(())
}

/// Subtracts from all rollups the counts of the rows in a window, before those rows are deleted. `from` is inclusive,
/// `to` exclusive.
pub(super) fn subtract_window(connection: &Connection, from: i64, to: i64) -> Result<()> {
    for rollup in &ROLLUPS {
        let [subtract, clean] = sql::subtract_window(Dialect::Sqlite, rollup);
        connection.prepare_cached(&subtract)?.execute([from, to])?;
        connection.prepare_cached(&clean)?.execute([])?;
        reach(Failpoint::RollupFollowed);
    }
    Ok(())
}

/// Rebuilds a rollup.
pub(super) fn rebuild(connection: &Connection, rollup: &Rollup) -> Result<()> {
    connection.execute(&format!("DELETE FROM {}", rollup.table()), [])?;
    reach(Failpoint::RollupEmptied);
    connection.execute(&sql::cells(Dialect::Sqlite, rollup), []).map(drop)
}

/// Updates a rollup for test-list entries that changed.
pub(super) fn count_changed(connection: &Connection, rollup: &Rollup, changed: &[ChangedEntry<'_>]) -> Result<()> {
    const CHANGED: &str = "(SELECT ? AS url, ? AS category_code, ? AS cc, ? AS weight) AS l";
    let [count, clean] = sql::count_changed(Dialect::Sqlite, rollup, CHANGED);
    let mut count = connection.prepare_cached(&count)?;
    for ChangedEntry { url, category_code, cc, weight } in changed {
        count.execute((url, category_code, cc, weight))?;
    }
    connection.execute(&clean, []).map(drop)
}
