//! [`Loads`]: bulk loads.
//!
//! Rows of a month that held none go to a table that is no partition of `fastpath` yet and has no indexes. Their
//! locations and the rows of other tables are written as usual, so the key of `jsonl` finds duplicates at once. Bulk
//! writes hold the lock of changes in its shared mode: they do not wait for each other, and other changes do not run
//! beside them. `batch` writes, `finish` builds the indexes of a month and makes it a partition, and `count` and
//! `cells` count its rows in the rollups. Some indexes of other tables, if these are empty, are dropped as well until
//! all months are finished (`indexes`).

mod batch;
mod cells;
mod count;
mod finish;
mod indexes;

use self::batch::{BulkBatch, Written};
use super::change::Change;
use super::connect::Connect;
use super::error::PgError;
use super::partition::{self, Partition};
use super::schema;
use super::value;
use super::writer::Writer;
use crate::deadline::Deadline;
use crate::failpoint::{Failpoint, reach};
use crate::query::filter::Window;
use crate::retry::RetryPolicy;
use crate::sql::Parameter;
use crate::value::{Type, Value};
use crate::write::bulk::{self, BulkResult, FinishedMonth, LEASE};
use crate::write::row::RowBatch;
use crate::write::tally::Tally;
use ooni_core::time::DateTime;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio_postgres::{GenericClient, Row, Transaction};

/// Returns the months that are being loaded.
pub(super) const UNFINISHED: &str = "SELECT month FROM bulk_month ORDER BY month";

/// Returns those of some months that are being loaded, which are not finished until the transaction ends.
const HELD: &str = "SELECT month FROM bulk_month WHERE month = ANY ($1) ORDER BY month FOR KEY SHARE";

/// The months of these measurements that are being loaded.
const MONTHS_OF_UIDS: &str = "
    SELECT DISTINCT b.month FROM jsonl AS j, bulk_month AS b
    WHERE j.measurement_uid = ANY ($1) AND date_trunc('month', j.measurement_start_time) = b.month
    ORDER BY b.month";

const RENEW: &str = "
    INSERT INTO bulk_loader (name, renewed) VALUES ($1, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET renewed = excluded.renewed";

/// Deletes a loader, and those whose lease has expired. The limit is in seconds.
const END: &str = "
    DELETE FROM bulk_loader WHERE name = $1 OR renewed < clock_timestamp() - make_interval(secs => $2)";

/// The bulk loads of this process.
pub(super) struct Loads {
    connect: Connect,
    /// See [`StoreOptions::max_rollup_log`](crate::StoreOptions::max_rollup_log).
    max_rollup_log: u64,
    /// Connections that no batch uses now.
    idle: Mutex<Vec<Writer>>,
    /// When this process renewed the lease of each loader.
    renewed: Mutex<HashMap<String, Instant>>,
    /// Whether the last batch had rows that are written the usual way.
    was_steady: AtomicBool,
}

impl Loads {
    pub(super) fn new(connect: &Connect, max_rollup_log: u64) -> Loads {
        Loads {
            connect: connect.clone(),
            max_rollup_log,
            idle: Mutex::default(),
            renewed: Mutex::default(),
            was_steady: AtomicBool::default(),
        }
    }

    /// Renews the lease of a loader, unless that was done a moment ago.
    pub(super) async fn renew(&self, loader: &str, deadline: Deadline) -> Result<(), PgError> {
        let now = Instant::now();
        let renewed = lock(&self.renewed).get(loader).copied();
        if renewed.is_none_or(|renewed| now.duration_since(renewed) > LEASE / 6) {
            self.change(&Renew(loader), deadline).await?;
            lock(&self.renewed).insert(loader.to_owned(), now);
        }
        Ok(())
    }

    /// Ends a loader; returns the number of others.
    pub(super) async fn end(&self, loader: &str, deadline: Deadline) -> Result<u64, PgError> {
        lock(&self.renewed).remove(loader);
        self.change(&End(loader), deadline).await
    }

    /// Writes a batch.
    pub(super) async fn write(
        &self,
        rows: Arc<dyn RowBatch>,
        loader: &str,
        deadline: Deadline,
    ) -> Result<BulkResult, PgError> {
        self.renew(loader, deadline).await?;
        let mut batch = BulkBatch::new(rows, self.was_steady.load(Ordering::Relaxed), self, deadline);
        loop {
            match Box::pin(self.change(&batch, deadline)).await? {
                Written::All(result) => {
                    self.was_steady.store(!result.steady.is_empty(), Ordering::Relaxed);
                    return Ok(result);
                }
                Written::NoneOf(months) => self.change(&Begin { months: &months, deadline }, deadline).await?,
                Written::NotSteady => batch.is_alone = true,
            }
        }
    }

    /// Finishes a month. It is tried again if the connection is lost.
    pub(super) async fn finish(&self, month: DateTime, deadline: Deadline) -> Result<Option<FinishedMonth>, PgError> {
        let finishing = finish::Finishing::new(&self.connect, month);
        patiently(deadline, || finishing.finish()).await
    }

    /// Builds the indexes that were dropped, if no month is unfinished; returns how many. It is tried again if the connection
    /// is lost.
    pub(super) async fn build_indexes(&self, deadline: Deadline) -> Result<u64, PgError> {
        patiently(deadline, || indexes::build(&self.connect)).await
    }

    async fn change<C: Change>(&self, change: &C, deadline: Deadline) -> Result<C::Outcome, PgError> {
        let idle = lock(&self.idle).pop();
        let writer = idle.unwrap_or_else(|| Writer::new(&self.connect, self.max_rollup_log));
        let outcome = writer.change(change, deadline).await;
        lock(&self.idle).push(writer);
        outcome
    }
}

/// Repeats a step of finishing if the connection is lost.
async fn patiently<T, F>(deadline: Deadline, step: impl Fn() -> F) -> Result<T, PgError>
where
    F: Future<Output = Result<T, PgError>>,
{
    let mut attempts = RetryPolicy::PATIENT.start(deadline);
    loop {
        match deadline.run(Box::pin(step())).await.unwrap_or(Err(PgError::Timeout)) {
            Err(error) if error.is_transient() && attempts.again().await => {}
            done => return done,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn month(row: &Row) -> Result<DateTime, PgError> {
    match value::read(row, 0, Type::Time) {
        Ok(Value::Time(month)) => Ok(month),
        _ => Err(PgError::foreign()),
    }
}

/// The months that are being loaded, in order.
pub(super) async fn unfinished(client: &impl GenericClient) -> Result<Vec<DateTime>, PgError> {
    client.query_typed(UNFINISHED, &[]).await?.iter().map(month).collect()
}

/// Those of some months that are being loaded. They are not finished until the transaction ends.
async fn hold(transaction: &Transaction<'_>, months: &[DateTime]) -> Result<Vec<DateTime>, PgError> {
    let months: Vec<Value<'_>> = months.iter().map(|&month| Value::Time(month)).collect();
    let rows = transaction.query_typed(HELD, &[(&months, postgres_types::Type::TIMESTAMP_ARRAY)]).await?;
    rows.iter().map(month).collect()
}

/// Fails if one of these months is being loaded.
pub(super) async fn check_months(
    transaction: &Transaction<'_>,
    times: impl Iterator<Item = DateTime>,
) -> Result<(), PgError> {
    let unfinished = unfinished(transaction).await?;
    if unfinished.is_empty() {
        return Ok(());
    }
    let mut busy: Vec<DateTime> =
        times.map(DateTime::start_of_month).filter(|month| unfinished.contains(month)).collect();
    busy.sort_unstable();
    busy.dedup();
    busy_unless_empty(busy)
}

/// Fails if one of these measurements is in a month that is being loaded.
pub(super) async fn check_uids(transaction: &Transaction<'_>, uids: &[Cow<'_, str>]) -> Result<(), PgError> {
    if unfinished(transaction).await?.is_empty() {
        return Ok(());
    }
    let rows = transaction.query(MONTHS_OF_UIDS, &[&uids]).await?;
    busy_unless_empty(rows.iter().map(month).collect::<Result<_, _>>()?)
}

/// Fails if any month is being loaded.
pub(super) async fn check_all(transaction: &Transaction<'_>) -> Result<(), PgError> {
    busy_unless_empty(unfinished(transaction).await?)
}

/// Fails if one of the unfinished months overlaps a window.
pub(super) fn check_window(unfinished: &[DateTime], window: Window) -> Result<(), PgError> {
    let overlaps = |month: &&DateTime| bulk::check(&[**month], window).is_err();
    busy_unless_empty(unfinished.iter().filter(overlaps).copied().collect())
}

fn busy_unless_empty(months: Vec<DateTime>) -> Result<(), PgError> {
    if months.is_empty() { Ok(()) } else { Err(PgError::Loading(months)) }
}

/// Renews the lease of a loader.
struct Renew<'a>(&'a str);

impl Change for Renew<'_> {
    type Outcome = ();

    fn lock(&self) -> &'static str {
        schema::LOCK_SHARED
    }

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<(), PgError> {
        let name = Parameter::Text(self.0.to_owned());
        transaction.execute(RENEW, &[&name]).await?;
        Ok(())
    }
}

/// Ends a loader. The outcome is the number of others. One loader ends at a time, so that one is the last.
struct End<'a>(&'a str);

impl Change for End<'_> {
    type Outcome = u64;

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<u64, PgError> {
        let name = Parameter::Text(self.0.to_owned());
        transaction.execute(END, &[&name, &LEASE.as_secs_f64()]).await?;
        let others: i64 = transaction.query_one("SELECT count(*) FROM bulk_loader", &[]).await?.try_get(0)?;
        Ok(others.unsigned_abs())
    }
}

/// Begins to load months, unless they have rows.
struct Begin<'a> {
    months: &'a [DateTime],
    /// When the wait for readers ends.
    deadline: Deadline,
}

impl Change for Begin<'_> {
    type Outcome = ();

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<(), PgError> {
        let begun = unfinished(transaction).await?;
        let mut begins_any = false;
        for &month in self.months {
            if begun.contains(&month) || partition::has_rows(transaction, month).await? {
                continue;
            }
            if let Some(partition) = Partition::lock(transaction, month).await? {
                partition.drop(transaction, self.deadline).await?;
            }
            partition::create_apart(transaction, month).await?;
            transaction.execute("INSERT INTO bulk_month (month) VALUES ($1)", &[&Parameter::Time(month)]).await?;
            begins_any = true;
            reach(Failpoint::MonthBegun);
        }
        if begins_any {
            indexes::put_off(transaction).await?;
        }
        Ok(())
    }
}
