//! Partitions of `fastpath`. Each month has one, `fastpath_YYYY_MM`, which is created before its first row is written. Two
//! more have the rows outside of [`YEARS`].

use super::error::PgError;
use super::schema::LOCK_LIMIT;
use crate::deadline::Deadline;
use crate::retry::RetryPolicy;
use ooni_core::time::DateTime;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Transaction};

/// Years whose months have partitions, as in the migrations.
const YEARS: Range<u32> = 2012..2040;

/// How long one attempt to drop a partition waits for readers. New readers wait behind it for as long.
const ATTEMPT: Duration = Duration::from_millis(150);

/// The name of a month's partition, if it has one.
pub(super) fn name(month: DateTime) -> Option<String> {
    let (year, month, _) = month.date();
    YEARS.contains(&year).then(|| format!("fastpath_{year:04}_{month:02}"))
}

/// Whether a table exists. `to_regclass` would answer from a cache, which the wait for an advisory lock does not update.
async fn exists(transaction: &Transaction<'_>, name: &str) -> Result<bool, Error> {
    let exists = "SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1 AND pg_table_is_visible(oid))";
    transaction.query_one(exists, &[&name]).await?.try_get(0)
}

/// The months of measurements of these times, and those that follow, without those that have a partition.
pub(super) async fn missing(transaction: &Transaction<'_>, times: &[DateTime]) -> Result<Vec<DateTime>, Error> {
    let mut months: BTreeSet<DateTime> = times.iter().map(|time| time.start_of_month()).collect();
    let next: Vec<DateTime> = months.iter().map(|month| month.start_of_next_month()).collect();
    months.extend(next);
    let mut missing = Vec::new();
    for month in months {
        if let Some(name) = name(month)
            && !exists(transaction, &name).await?
        {
            missing.push(month);
        }
    }
    Ok(missing)
}

/// Creates the partitions of these months, unless they exist.
pub(super) async fn create(transaction: &Transaction<'_>, months: &[DateTime]) -> Result<(), Error> {
    for &begin in months {
        let Some(name) = name(begin) else { continue };
        if exists(transaction, &name).await? {
            continue;
        }
        let [from, to] = bounds(begin);
        // Created separately and then attached, so that readers need not wait.
        let make = format!(
            "CREATE TABLE {name} (LIKE fastpath INCLUDING ALL);
             ALTER TABLE fastpath ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}')"
        );
        transaction.batch_execute(&make).await?;
    }
    Ok(())
}

/// Whether a month has a partition with rows.
pub(super) async fn has_rows(transaction: &Transaction<'_>, month: DateTime) -> Result<bool, Error> {
    match name(month) {
        Some(name) if exists(transaction, &name).await? => {
            transaction.query_one(&format!("SELECT EXISTS (SELECT FROM {name})"), &[]).await?.try_get(0)
        }
        _ => Ok(false),
    }
}

/// Creates the table of a month without indexes, and without making it a partition.
pub(super) async fn create_apart(transaction: &Transaction<'_>, month: DateTime) -> Result<(), Error> {
    let Some(name) = name(month) else { return Ok(()) };
    let [begin, end] = bounds(month);
    // With the constraint, the table can become a partition without being read. Nothing reads the table before it is analyzed,
    // so it need not be analyzed while it grows.
    let make = format!(
        "CREATE TABLE {name} (
             LIKE fastpath INCLUDING ALL EXCLUDING INDEXES,
             CONSTRAINT bounds CHECK (measurement_start_time >= '{begin}' AND measurement_start_time < '{end}')
         ) WITH (autovacuum_enabled = false)"
    );
    transaction.batch_execute(&make).await
}

/// Makes the table of a month, which has all indexes, a partition, unless it is one. It has a unique index of this name.
pub(super) async fn attach(transaction: &Transaction<'_>, month: DateTime, key: &str) -> Result<(), Error> {
    let Some(name) = name(month) else { return Ok(()) };
    let [begin, end] = bounds(month);
    let attach = format!(
        "ALTER TABLE {name} ADD CONSTRAINT {key} PRIMARY KEY USING INDEX {key};
         ALTER TABLE fastpath ATTACH PARTITION {name} FOR VALUES FROM ('{begin}') TO ('{end}');
         ALTER TABLE {name} DROP CONSTRAINT bounds;
         ALTER TABLE {name} RESET (autovacuum_enabled)"
    );
    transaction.batch_execute(&attach).await
}

/// The first days of a month and the next.
fn bounds(month: DateTime) -> [String; 2] {
    [month.start_of_month(), month.start_of_next_month()].map(DateTime::date_text)
}

/// A partition that no other session can write until the transaction ends.
pub(super) struct Partition(String);

impl Partition {
    /// Locks the partition of a month, if it exists. Waits for other sessions that write or vacuum it; readers are not
    /// affected.
    pub(super) async fn lock(transaction: &Transaction<'_>, month: DateTime) -> Result<Option<Partition>, Error> {
        let Some(name) = name(month) else { return Ok(None) };
        if !exists(transaction, &name).await? {
            return Ok(None);
        }
        transaction.batch_execute(&format!("LOCK TABLE ONLY {name} IN EXCLUSIVE MODE")).await?;
        Ok(Some(Partition(name)))
    }

    /// Drops the partition.
    ///
    /// That takes an exclusive lock on `fastpath`, and while it waits for one reader, all new readers wait behind it. So
    /// it waits for a moment at a time. Once it has the lock, it waits for nothing else, such as a reader of the
    /// partition alone.
    ///
    /// # Errors
    /// [`PgError::Locked`] if there are readers in every attempt until the deadline.
    pub(super) async fn drop(self, transaction: &Transaction<'_>, deadline: Deadline) -> Result<(), PgError> {
        let Partition(name) = self;
        // The last attempt ends before the deadline, so that the error says what it waited for, and before other writers
        // give up waiting for this one.
        let patience = deadline.remaining().saturating_sub(2 * ATTEMPT).min(LOCK_LIMIT / 2);
        let mut attempts = RetryPolicy::LOCK.start(Deadline::after(patience));
        transaction.batch_execute("SAVEPOINT attempt").await?;
        loop {
            let wait = ATTEMPT.min(deadline.remaining() / 2).as_millis().max(1);
            let attempt = format!(
                "SET LOCAL lock_timeout = {wait};
                 LOCK TABLE ONLY fastpath IN ACCESS EXCLUSIVE MODE;
                 SET LOCAL lock_timeout = 1;
                 DROP TABLE {name}"
            );
            match transaction.batch_execute(&attempt).await {
                Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {}
                done => return Ok(done?),
            }
            transaction.batch_execute("ROLLBACK TO SAVEPOINT attempt").await?;
            if !attempts.again().await {
                return Err(PgError::Locked(format!("{name} cannot be dropped while others use fastpath")));
            }
        }
    }
}
