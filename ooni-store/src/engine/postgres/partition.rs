//! Partitions of `fastpath`. Each month has one, `fastpath_YYYY_MM`, which is created before its first row is written. Two
//! more have the rows outside of [`YEARS`].

use ooni_core::time::DateTime;
use std::collections::BTreeSet;
use std::ops::Range;
use tokio_postgres::{Error, Transaction};

/// Years whose months have partitions, as in the migrations.
const YEARS: Range<u32> = 2012..2040;

/// Year and month.
type Month = (u32, u32);

/// The name of a month's partition, if it has one.
pub(super) fn name((year, month): Month) -> Option<String> {
    YEARS.contains(&year).then(|| format!("fastpath_{year:04}_{month:02}"))
}

/// Creates the missing partitions for measurements of these times, and those of the following months.
pub(super) async fn make(transaction: &Transaction<'_>, times: &[DateTime]) -> Result<(), Error> {
    let mut months: BTreeSet<DateTime> = times.iter().map(|time| time.start_of_month()).collect();
    let next: Vec<DateTime> = months.iter().map(|month| month.start_of_next_month()).collect();
    months.extend(next);
    for begin in months {
        let (year, month, _) = begin.date();
        let Some(name) = name((year, month)) else { continue };
        let exists = transaction.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await?;
        if exists.try_get(0)? {
            continue;
        }
        // Created separately and then attached, so that readers need not wait.
        let (end_year, end_month, _) = begin.start_of_next_month().date();
        let make = format!(
            "CREATE TABLE {name} (LIKE fastpath INCLUDING ALL);
             ALTER TABLE fastpath ATTACH PARTITION {name}
                 FOR VALUES FROM ('{year:04}-{month:02}-01') TO ('{end_year:04}-{end_month:02}-01')"
        );
        transaction.batch_execute(&make).await?;
    }
    Ok(())
}
