//! Updates rollups for rows that were added and deleted.

use super::{log, value};
use crate::app::lists::ChangedEntry;
use crate::failpoint::{Failpoint, reach};
use crate::rollup::{COUNTS, Dimension, ROLLUPS, Rollup};
use crate::sql::{self, Dialect};
use crate::value::Value;
use crate::write::row::ListedUrl;
use crate::write::tally::{CellChange, Tallied, Tally};
use postgres_types::{ToSql, Type};
use tokio_postgres::{Error, Transaction};

const LISTED: &str = "SELECT url, category_code, cc FROM citizenlab WHERE url = ANY ($1)";

/// Updates all rollups with the rows that were added and deleted.
pub(super) async fn update(transaction: &Transaction<'_>, tally: Tally) -> Result<(), Error> {
    if tally.is_empty() {
        return Ok(());
    }
    log::lock(transaction).await?;
    let lists = listed(transaction, &tally.inputs()).await?;
    let tallied = tally.count(&lists);
    for rollup in &ROLLUPS {
        change(transaction, rollup, &tallied).await?;
        reach(Failpoint::RollupFollowed);
    }
    Ok(())
}

/// The test-list entries of some inputs.
async fn listed(transaction: &Transaction<'_>, inputs: &[String]) -> Result<Vec<ListedUrl>, Error> {
    let inputs: Vec<_> = inputs.iter().map(|input| value::encoded(input)).collect();
    let rows = transaction.query_typed(LISTED, &[(&inputs, Type::TEXT_ARRAY)]).await?;
    let entry = |row: tokio_postgres::Row| {
        let [url, category_code, cc] = [0, 1, 2].map(|column| row.try_get(column).map(value::decoded));
        Ok(ListedUrl { url: url?, domain: String::new(), cc: cc?, category_code: category_code? })
    };
    rows.into_iter().map(entry).collect()
}

async fn change(transaction: &Transaction<'_>, rollup: &Rollup, tallied: &Tallied) -> Result<(), Error> {
    let changes: Vec<CellChange<'_>> = tallied.changes(rollup).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let keys = Columns::of_keys(rollup, &changes);
    let counts: [Vec<i64>; COUNTS.len()] =
        std::array::from_fn(|count| changes.iter().map(|(_, counts)| counts[count]).collect());
    let counts = counts.iter().map(|column| (column as &(dyn ToSql + Sync), Type::INT8_ARRAY));
    let parameters: Vec<_> = keys.parameters().chain(counts).collect();
    let query = format!("SELECT * FROM {}", unnest(parameters.len()));
    transaction.execute_typed(&sql::add_cells(Dialect::Postgres, rollup, &query), &parameters).await?;
    let decreased: Vec<CellChange<'_>> = changes.into_iter().filter(|(_, counts)| counts[0] < 0).collect();
    if decreased.is_empty() {
        return Ok(());
    }
    let keys = Columns::of_keys(rollup, &decreased);
    let parameters: Vec<_> = keys.parameters().collect();
    let query = format!("SELECT * FROM {}", unnest(parameters.len()));
    transaction.execute_typed(&sql::delete_empty_cells(rollup, &query), &parameters).await.map(drop)
}

/// Key values, by column.
struct Columns<'c>(Vec<(Vec<Value<'c>>, Type)>);

impl<'c> Columns<'c> {
    fn of_keys(rollup: &Rollup, changes: &'c [CellChange<'c>]) -> Columns<'c> {
        let column = |(place, &dimension): (usize, &Dimension)| {
            let kind = match dimension {
                time if time.is_time() => Type::TIMESTAMP_ARRAY,
                Dimension::ProbeAsn => Type::INT8_ARRAY,
                _ => Type::TEXT_ARRAY,
            };
            (changes.iter().map(|(key, _)| key[place].borrowed()).collect(), kind)
        };
        Columns(rollup.key.iter().enumerate().map(column).collect())
    }

    fn parameters(&self) -> impl Iterator<Item = (&(dyn ToSql + Sync), Type)> {
        self.0.iter().map(|(values, kind)| (values as &(dyn ToSql + Sync), kind.clone()))
    }
}

/// A FROM item with the rows of this many arrays.
fn unnest(arrays: usize) -> String {
    let placeholders: Vec<String> = (1..=arrays).map(|number| format!("${number}")).collect();
    format!("unnest({})", placeholders.join(", "))
}

/// Subtracts from all rollups the counts of the rows in a window, before those rows are deleted.
pub(super) async fn subtract_window(
    transaction: &Transaction<'_>,
    window: &[&(dyn ToSql + Sync)],
) -> Result<(), Error> {
    for rollup in &ROLLUPS {
        let [subtract, clean] = sql::subtract_window(Dialect::Postgres, rollup);
        transaction.execute(&subtract, window).await?;
        transaction.execute(&clean, &[]).await?;
        reach(Failpoint::RollupFollowed);
    }
    Ok(())
}

/// Rebuilds a rollup.
pub(super) async fn rebuild(transaction: &Transaction<'_>, rollup: &Rollup) -> Result<(), Error> {
    // Readers would have to wait for TRUNCATE.
    transaction.batch_execute(&format!("DELETE FROM {}", rollup.table())).await?;
    reach(Failpoint::RollupEmptied);
    transaction.batch_execute(&sql::cells(Dialect::Postgres, rollup)).await
}

/// Updates a rollup for test-list entries that changed.
pub(super) async fn count_changed(
    transaction: &Transaction<'_>,
    rollup: &Rollup,
    changed: &[ChangedEntry<'_>],
) -> Result<(), Error> {
    const CHANGED: &str = "unnest($1, $2, $3, $4) AS l (url, category_code, cc, weight)";
    let [count, clean] = sql::count_changed(Dialect::Postgres, rollup, CHANGED);
    let texts = |of: fn(&ChangedEntry<'_>) -> String| {
        changed.iter().map(|entry| value::encoded(&of(entry)).into_owned()).collect::<Vec<_>>()
    };
    let url = texts(|entry| entry.url.to_owned());
    let category_code = texts(|entry| entry.category_code.to_owned());
    let cc = texts(|entry| entry.cc.to_owned());
    let weight: Vec<i64> = changed.iter().map(|entry| entry.weight).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&url, Type::TEXT_ARRAY),
        (&category_code, Type::TEXT_ARRAY),
        (&cc, Type::TEXT_ARRAY),
        (&weight, Type::INT8_ARRAY),
    ];
    transaction.execute_typed(&count, &parameters).await?;
    transaction.execute(&clean, &[]).await.map(drop)
}
