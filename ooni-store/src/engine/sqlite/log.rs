//! The log of rollups: appends the rows that a change adds, and folds them into the rollups.

use super::{rollups, value};
use crate::failpoint::{Failpoint, reach};
use crate::value::Value;
use crate::write::log::{PIECE_BYTES, PIECE_ROWS};
use crate::write::tally::{COLUMNS, Cells, Tally};
use rusqlite::{Connection, Result};

/// The ids of the last row that was folded and of the last row.
const STATE: &str = "SELECT g.id, coalesce((SELECT max(r.id) FROM rollup_log AS r), g.id) FROM rollup_log_folded AS g";

const DELETE: &str = "DELETE FROM rollup_log WHERE id <= ?";

const FOLDED: &str = "UPDATE rollup_log_folded SET id = ?";

/// The rows in the log.
struct Log {
    /// The id of the last row that was folded.
    folded: i64,
    /// The id of the last row.
    last: i64,
}

impl Log {
    fn of(connection: &Connection) -> Result<Log> {
        let state = |row: &rusqlite::Row<'_>| Ok(Log { folded: row.get(0)?, last: row.get(1)? });
        connection.prepare_cached(STATE)?.query_row([], state)
    }

    fn rows(&self) -> u64 {
        self.last.abs_diff(self.folded)
    }
}

/// The number of rows in the log.
pub(super) fn rows(connection: &Connection) -> Result<u64> {
    Log::of(connection).map(|log| log.rows())
}

/// Brings the rollups, or the log, up to date with a change of the rows. The log may have `most` rows afterwards.
///
/// The log has only rows that are added. If rows are deleted, it is folded first, since it may have them.
pub(super) fn record(connection: &Connection, tally: Tally, most: u64) -> Result<()> {
    let change = tally.net();
    if change.has_deleted() {
        fold_all(connection)?;
        return rollups::update(connection, change);
    }
    if change.is_empty() {
        return Ok(());
    }
    let log = Log::of(connection)?;
    let columns = COLUMNS.map(|(name, _)| name).join(", ");
    let placeholders = ["?"; COLUMNS.len()].join(", ");
    let insert = format!("INSERT INTO rollup_log (id, {columns}) VALUES (?, {placeholders})");
    let mut insert = connection.prepare_cached(&insert)?;
    let mut last = log.last;
    // Values that are those of the row before stay bound.
    let mut bound: Option<Cells<'_>> = None;
    for row in change.added() {
        last += 1;
        insert.raw_bind_parameter(1, last)?;
        for (column, cell) in row.iter().enumerate() {
            if bound.as_ref().is_none_or(|bound| bound[column] != *cell) {
                insert.raw_bind_parameter(column + 2, cell)?;
            }
        }
        insert.raw_execute()?;
        bound = Some(row);
    }
    match (Log { last, ..log }).rows() > most {
        true => fold_all(connection),
        false => Ok(()),
    }
}

/// The first rows of the log.
pub(super) struct Piece {
    /// The id of the row before them.
    after: i64,
    /// The id of the last of them.
    last: i64,
    tally: Tally,
}

/// Reads the first rows of the log, in a transaction. `None` if there are none.
pub(super) fn read(connection: &Connection) -> Result<Option<Piece>> {
    let after = Log::of(connection)?.folded;
    let columns = COLUMNS.map(|(name, _)| name).join(", ");
    let select = format!("SELECT {columns}, id FROM rollup_log WHERE id > ? ORDER BY id LIMIT {PIECE_ROWS}");
    let mut select = connection.prepare_cached(&select)?;
    let mut rows = select.query([after])?;
    let mut piece = Piece { after, last: after, tally: Tally::default() };
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let mut cells: Cells<'_> = [const { Value::Null }; COLUMNS.len()];
        for (column, (cell, (_, kind))) in cells.iter_mut().zip(COLUMNS).enumerate() {
            *cell = value::borrow(row.get_ref(column)?, kind)?;
            bytes += if let Value::Text(text) = cell { text.len() } else { 0 };
        }
        piece.tally.add_cells(&cells);
        piece.last = row.get(COLUMNS.len())?;
        if bytes > PIECE_BYTES {
            break;
        }
    }
    Ok((piece.last > after).then_some(piece))
}

/// Moves rows from the log into the rollups. Does nothing if others did so since the rows were read.
pub(super) fn fold(connection: &Connection, piece: Piece) -> Result<()> {
    let Piece { after, last, tally } = piece;
    if Log::of(connection)?.folded != after {
        return Ok(());
    }
    reach(Failpoint::LogRead);
    rollups::update(connection, tally)?;
    connection.prepare_cached(DELETE)?.execute([last])?;
    connection.prepare_cached(FOLDED)?.execute([last])?;
    reach(Failpoint::LogFolded);
    Ok(())
}

/// Moves all rows from the log into the rollups.
pub(super) fn fold_all(connection: &Connection) -> Result<()> {
    while let Some(piece) = read(connection)? {
        fold(connection, piece)?;
    }
    Ok(())
}
