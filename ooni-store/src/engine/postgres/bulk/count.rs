//! Counts the rows of a month in the rollups.

use super::cells::{Counted, Counter, Entry, Part, Sorted};
use crate::engine::postgres::copy::Copy;
use crate::engine::postgres::error::PgError;
use crate::engine::postgres::log;
use crate::engine::postgres::value;
use crate::failpoint::{Failpoint, reach};
use crate::query::grain::Grain;
use crate::rollup::{COUNTS, ROLLUPS, Rollup};
use crate::sql::{self, Dialect};
use crate::write::tally::COLUMNS;
use futures_util::Stream as _;
use ooni_core::time::DateTime;
use postgres_types::Type;
use std::future::poll_fn;
use std::pin::pin;
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::{BinaryCopyOutRow, BinaryCopyOutStream};

/// Counts the rows of a table, which are all of one month; returns their number. The cells of the month are added: there are
/// none yet, except in rollups with weeks or without times.
pub(super) async fn count(transaction: &Transaction<'_>, table: &str, month: DateTime) -> Result<u64, PgError> {
    log::lock_shared(transaction).await?;
    let lists = lists(transaction).await?;
    let mut counter = Counter::new(&lists);
    let (mut rows, mut is_whole) = (0, true);
    let (mut day, end) = (month, month.start_of_next_month());
    while day < end {
        let next = day.plus_days(1).unwrap_or(end);
        read(transaction, table, [day, next], &mut counter).await?;
        counter.end_day();
        if counter.is_large() && next < end {
            is_whole = false;
            rows += counter.rows();
            let full = std::mem::replace(&mut counter, Counter::new(&lists));
            write(transaction, &full.sorted(), month, false).await?;
        }
        day = next;
    }
    rows += counter.rows();
    write(transaction, &counter.sorted(), month, is_whole).await?;
    Ok(rows)
}

/// Deletes the cells that cover times of a month alone.
pub(super) async fn delete(transaction: &Transaction<'_>, month: DateTime) -> Result<(), PgError> {
    log::lock_shared(transaction).await?;
    for rollup in &ROLLUPS {
        let (Some(time), Some(grain)) = (rollup.time(), rollup.grain()) else { continue };
        let (table, time) = (rollup.table(), time.column());
        let length = match grain {
            Grain::Week => "7 days",
            _ => "0 days",
        };
        let [from, to] = [month, month.start_of_next_month()];
        let delete = format!(
            "DELETE FROM {table} WHERE {time} >= '{from}' AND {time} < '{to}' AND {time} + interval '{length}' <= '{to}'"
        );
        transaction.batch_execute(&delete).await?;
    }
    Ok(())
}

/// The test lists.
async fn lists(transaction: &Transaction<'_>) -> Result<Vec<Entry>, PgError> {
    let rows = transaction.query("SELECT url, category_code, cc FROM citizenlab", &[]).await?;
    let entry = |row: &tokio_postgres::Row| {
        Ok(Entry { url: row.try_get(0)?, category_code: row.try_get(1)?, list_cc: row.try_get(2)? })
    };
    rows.iter().map(entry).collect()
}

/// Counts the rows that start in a window.
async fn read(
    transaction: &Transaction<'_>,
    table: &str,
    window: [DateTime; 2],
    counter: &mut Counter,
) -> Result<(), PgError> {
    const TYPES: [Type; COLUMNS.len()] = {
        use Type as T;
        [T::TIMESTAMP, T::INT8, T::TEXT, T::TEXT, T::TEXT, T::TEXT, T::TEXT, T::TEXT, T::TEXT, T::TEXT]
    };
    let columns = COLUMNS.map(|(name, _)| name).join(", ");
    let [from, to] = window;
    let query = format!(
        "COPY (SELECT {columns} FROM {table} WHERE measurement_start_time >= '{from}' AND measurement_start_time < '{to}')
         TO STDOUT BINARY"
    );
    let rows = BinaryCopyOutStream::new(transaction.copy_out(&query).await?, &TYPES);
    let mut rows = pin!(rows);
    while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await.transpose()? {
        counter.add(&counted(&row)?);
    }
    Ok(())
}

/// The columns of a row that are counted, which are [`COLUMNS`].
fn counted(row: &BinaryCopyOutRow) -> Result<Counted<'_>, PgError> {
    let text = |column| row.try_get::<&str>(column);
    let is_set = |column| text(column).map(|flag| flag == "t");
    Ok(Counted {
        time: row.try_get::<value::Time>(0)?.0,
        probe_asn: u32::try_from(row.try_get::<i64>(1)?).map_err(|_| PgError::foreign())?,
        test_name: text(2)?,
        probe_cc: text(3)?,
        domain: text(4)?,
        input: text(5)?,
        blocking_type: text(6)?,
        failure: is_set(7)?,
        confirmed: is_set(8)?,
        anomaly: is_set(9)?,
    })
}

/// Writes cells. `is_whole` says whether they are of the whole month.
async fn write(transaction: &Transaction<'_>, sorted: &Sorted, month: DateTime, is_whole: bool) -> Result<(), PgError> {
    let end = month.start_of_next_month();
    for rollup in sorted.rollups() {
        // Whether no cell with this key can exist.
        let is_new = |time: Option<DateTime>| match (rollup.grain(), time) {
            (Some(Grain::Hour | Grain::Day), _) => true,
            (Some(grain), Some(time)) => is_whole && time >= month && grain.end(time).is_some_and(|last| last <= end),
            _ => false,
        };
        let (table, columns) = (rollup.table(), format!("{}, {}", rollup.key_columns(), COUNTS.join(", ")));
        let mut copy = Copy::begin(transaction, &table, &columns).await?;
        send(&mut copy, sorted, rollup, is_new).await?;
        copy.finish().await?;
        if rollup.grain().is_some_and(|grain| matches!(grain, Grain::Hour | Grain::Day)) {
            reach(Failpoint::MonthCounted);
            continue;
        }
        let added = format!("added_{}", rollup.name);
        transaction.batch_execute(&format!("CREATE TEMP TABLE {added} (LIKE {table}) ON COMMIT DROP")).await?;
        let mut copy = Copy::begin(transaction, &added, &columns).await?;
        send(&mut copy, sorted, rollup, |time| !is_new(time)).await?;
        copy.finish().await?;
        let query = format!("SELECT {columns} FROM {added}");
        transaction.batch_execute(&sql::add_cells(Dialect::Postgres, rollup, &query)).await?;
        transaction.batch_execute(&format!("DROP TABLE {added}")).await?;
        reach(Failpoint::MonthCounted);
    }
    Ok(())
}

/// Sends the cells whose time is wanted.
async fn send(
    copy: &mut Copy,
    sorted: &Sorted,
    rollup: &'static Rollup,
    is_wanted: impl Fn(Option<DateTime>) -> bool,
) -> Result<(), PgError> {
    for cell in sorted.cells(rollup) {
        if !is_wanted(cell.time()) {
            continue;
        }
        copy.row(rollup.key.len() + COUNTS.len()).await?;
        for part in cell.key() {
            match part {
                Part::Text(encoded) => copy.text(encoded),
                Part::Number(number) => copy.int(i64::from(number)),
                Part::Time(time) => copy.int(value::microseconds(time)),
            }
        }
        cell.counts().into_iter().for_each(|count| copy.int(i64::from(count)));
    }
    Ok(())
}
