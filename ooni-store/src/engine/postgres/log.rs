//! The log of rollups: appends the rows that a change adds, and folds them into the rollups.
//!
//! Whoever changes rollups holds an advisory lock, so that one process folds at a time, while another one writes.
//! Whoever also takes the lock of writers takes that one first.

use super::copy::Copy;
use super::error::PgError;
use super::{rollups, value};
use crate::failpoint::{Failpoint, reach};
use crate::value::{Type as Kind, Value};
use crate::write::log::{PIECE_BYTES, PIECE_ROWS};
use crate::write::tally::{COLUMNS, Cells, Tally};
use postgres_types::Type;
use tokio_postgres::{Client, Error, Row, Transaction};

/// Waits for whoever changes rollups. The key is the next one after that of writers.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1330597450)";

/// Waits for whoever changes rollups alone.
const LOCK_SHARED: &str = "SELECT pg_advisory_xact_lock_shared(1330597450)";

/// Takes the lock unless another session has it.
const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(1330597450)";

/// The number of rows in the log.
const ROWS: &str = "SELECT coalesce((SELECT r.id FROM rollup_log AS r ORDER BY r.id DESC LIMIT 1), 0) - g.id
    FROM rollup_log_folded AS g";

const FOLDED: &str = "SELECT id FROM rollup_log_folded";

const DELETE: &str = "DELETE FROM rollup_log WHERE id <= $1";

/// Makes room for new rows where rows were deleted, without a lock that queries wait for.
const VACUUM: &str = "VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON, TRUNCATE OFF) rollup_log";

const SET_FOLDED: &str = "UPDATE rollup_log_folded SET id = $1";

/// Rows that are read at once.
const PAGE: i32 = 5000;

/// Brings the rollups, or the log, up to date with a change of the rows. Returns whether rows were appended to the log,
/// which may have `most` rows afterwards.
///
/// The log has only rows that are added. If rows are deleted, it is folded first, since it may have them.
pub(super) async fn record(transaction: &Transaction<'_>, tally: Tally, most: u64) -> Result<bool, PgError> {
    let change = tally.net();
    if change.has_deleted() {
        fold_all(transaction).await?;
        rollups::update(transaction, change).await?;
        return Ok(false);
    }
    if change.is_empty() {
        return Ok(false);
    }
    let types = COLUMNS.map(|(_, kind)| value::column(kind));
    let mut copy = Copy::begin(transaction, "rollup_log", &names()).await?;
    for row in change.added() {
        copy.row(row.len()).await?;
        for (value, kind) in row.iter().zip(&types) {
            copy.value(value, kind)?;
        }
    }
    copy.finish().await?;
    if number(transaction.query_one(ROWS, &[]).await?)? > most {
        fold_all(transaction).await?;
    }
    Ok(true)
}

/// The names of the columns, separated by commas.
fn names() -> String {
    COLUMNS.map(|(name, _)| name).join(", ")
}

/// A number that is at least zero.
fn number(row: Row) -> Result<u64, Error> {
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default())
}

/// The number of rows in the log.
pub(super) async fn rows(client: &Client) -> Result<u64, Error> {
    number(client.query_one(ROWS, &[]).await?)
}

/// Waits until no other transaction changes rollups.
pub(super) async fn lock(transaction: &Transaction<'_>) -> Result<(), Error> {
    transaction.execute(LOCK, &[]).await.map(drop)
}

/// Waits until no transaction folds the log. Others that take the lock in this mode change the rollups beside this one,
/// and must do so in the order of [`ROLLUPS`](crate::rollup::ROLLUPS) and of keys.
pub(super) async fn lock_shared(transaction: &Transaction<'_>) -> Result<(), Error> {
    transaction.execute(LOCK_SHARED, &[]).await.map(drop)
}

/// Moves all rows from the log into the rollups. Until the transaction ends, no other one changes the rollups.
pub(super) async fn fold_all(transaction: &Transaction<'_>) -> Result<(), PgError> {
    lock(transaction).await?;
    while fold(transaction).await? > 0 {}
    Ok(())
}

/// Makes the space of deleted rows available to new ones. Autovacuum does so once a minute, but a query may read the
/// table as a whole.
pub(super) async fn vacuum(client: &Client) -> Result<(), Error> {
    client.batch_execute(VACUUM).await
}

/// Moves the first rows from the log into the rollups, and returns how many; `None` if another transaction changes the
/// rollups.
pub(super) async fn fold_first(client: &mut Client) -> Result<Option<u64>, PgError> {
    let transaction = client.transaction().await?;
    // If this commit is lost, the rows are still in the log.
    transaction.batch_execute("SET LOCAL synchronous_commit = off").await?;
    let is_locked = transaction.query_one(TRY_LOCK, &[]).await?.try_get(0)?;
    let folded = if is_locked { Some(fold(&transaction).await?) } else { None };
    transaction.commit().await?;
    Ok(folded)
}

/// Moves the first rows from the log into the rollups, and returns how many.
async fn fold(transaction: &Transaction<'_>) -> Result<u64, PgError> {
    let mut last: i64 = transaction.query_one(FOLDED, &[]).await?.try_get(0)?;
    let select = format!("SELECT {}, id FROM rollup_log WHERE id > $1 ORDER BY id LIMIT {PIECE_ROWS}", names());
    let select = transaction.prepare_typed(&select, &[Type::INT8]).await?;
    let portal = transaction.bind(&select, &[&last]).await?;
    let (mut tally, mut bytes, mut folded) = (Tally::default(), 0, 0);
    while bytes <= PIECE_BYTES {
        let rows = transaction.query_portal(&portal, PAGE).await?;
        for row in &rows {
            bytes += row.raw_size_bytes();
            tally.add_cells(&cells(row)?);
            last = row.try_get(COLUMNS.len())?;
        }
        folded += rows.len() as u64;
        if rows.len() < PAGE as usize {
            break;
        }
    }
    if folded == 0 {
        return Ok(0);
    }
    reach(Failpoint::LogRead);
    rollups::update(transaction, tally).await?;
    transaction.execute(DELETE, &[&last]).await?;
    transaction.execute(SET_FOLDED, &[&last]).await?;
    reach(Failpoint::LogFolded);
    Ok(folded)
}

/// The columns of a row, texts without a copy if they need no decoding.
fn cells(row: &Row) -> Result<Cells<'_>, PgError> {
    let mut cells = [const { Value::Null }; COLUMNS.len()];
    for (place, (cell, (_, kind))) in cells.iter_mut().zip(COLUMNS).enumerate() {
        *cell = match kind {
            Kind::Text => Value::Text(value::decoded_in_place(row.try_get(place)?)),
            _ => value::read(row, place, kind).map_err(|_| PgError::foreign())?,
        };
    }
    Ok(cells)
}
