//! [`Clickhouse`]: the store beyond one machine, a database on a ClickHouse server or on several that have the same tables.
//!
//! There are no transactions. Every statement that changes something can be sent again, and is, when the way to the server is
//! lost; a change that was cut off is made whole by making it again. What may be other than the rollups say is noted first,
//! day by day, and counted row by row until they have been made anew: once a minute while rows are written, and when
//! [`Engine::refresh_rollups`] asks for it. Processes may write at once: rows of one uid that two of them write at the same
//! moment are one afterwards, unless they differ in the start of the measurement; rollups are made by one at a time, which
//! holds a lease. What a batch does is in `batch`, what else can be done in `change`, the way to a server in `http`, the lease
//! in `lease`, tables of the reference in `reference`, rollups in `rollups`, the tables in `schema`, values in `value`.

mod batch;
mod change;
mod error;
mod http;
mod lease;
pub(crate) mod reference;
mod rollups;
mod schema;
mod value;
mod writer;

use self::error::ClickhouseError;
use self::http::{Http, random};
use self::lease::Lease;
use self::writer::Writer;
use super::{Engine, Workload};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::failpoint::{Failpoint, reach};
use crate::migration::Migration;
use crate::query::filter::Window;
use crate::rollup::Rollup;
use crate::sql::{self, Dialect, Statement};
use crate::url::without_password;
use crate::value::{Type, Value};
use crate::write::removal::RemoveOutcome;
use crate::write::row::{BatchResult, ListedUrl, OnExisting, RowBatch, StoredMeasurement, StoredRow};
use ooni_core::time::DateTime;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

/// A database of measurements on a ClickHouse server.
pub(crate) struct Clickhouse {
    url: String,
    /// The URL without its password.
    name: String,
    http: Http,
    /// Nothing if the store was opened to read from.
    writes: Option<Mutex<Past>>,
}

/// What this process did before.
struct Past {
    /// The moment of its last change.
    moment: i64,
    /// When it last made rollups, or did not come to it.
    settled: Instant,
}

/// How often rollups are made while rows are written.
const SETTLE_AFTER: Duration = Duration::from_secs(60);

/// How long to wait for others that make rollups: where the rows can do without, and where they cannot.
const SETTLE_PATIENCE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(900)];

/// How long a change may take: what it noted counts longer.
const CHANGE_LIMIT: Duration = Duration::from_secs(300);

impl std::fmt::Debug for Clickhouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clickhouse").field("url", &without_password(&self.url)).finish_non_exhaustive()
    }
}

impl Clickhouse {
    /// Opens a database to write to; `fastpath migrate` has made its tables.
    ///
    /// # Errors
    /// It cannot be reached, has no tables, or those of another version.
    pub(crate) async fn open(url: &str) -> Result<Clickhouse, Error> {
        let mut store = Clickhouse::open_to_read(url).await?;
        store.writes = Some(Mutex::new(Past { moment: 0, settled: Instant::now() }));
        Ok(store)
    }

    /// Opens a database to read from.
    ///
    /// # Errors
    /// As [`Clickhouse::open`].
    pub(crate) async fn open_to_read(url: &str) -> Result<Clickhouse, Error> {
        let named = |trouble: ClickhouseError| trouble.of(url);
        let http = Http::new(url).map_err(named)?;
        schema::check(&http).await.map_err(named)?;
        Ok(Clickhouse { url: url.to_owned(), name: without_password(url), http, writes: None })
    }

    /// Makes the tables of a database, or brings them up to date. The database itself has to be there.
    ///
    /// # Errors
    /// It cannot be reached, is another program's or a newer one's, or its tables cannot be made.
    pub(crate) async fn migrate(url: &str) -> Result<Migration, Error> {
        let migrate = async { schema::migrate(&Http::new(url)?).await };
        migrate.await.map_err(|trouble: ClickhouseError| trouble.of(url))
    }

    /// The right to change something, which one future at a time has.
    async fn begin(&self) -> Result<MutexGuard<'_, Past>, ClickhouseError> {
        match &self.writes {
            Some(writes) => Ok(writes.lock().await),
            None => Err(ClickhouseError::ReadOnly),
        }
    }

    /// Makes a change, which the rollups follow some time.
    async fn change<T>(
        &self,
        past: &mut Past,
        change: impl AsyncFnOnce(&Writer<'_>) -> Result<T, ClickhouseError> + Send,
    ) -> Result<T, ClickhouseError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        past.moment = i64::try_from(now.as_micros()).unwrap_or_default().max(past.moment + 1);
        let writer = Writer { http: &self.http, moment: past.moment, change: random() };
        let made = async {
            let outcome = change(&writer).await?;
            reach(Failpoint::RowsWritten);
            rollups::done(&writer).await?;
            reach(Failpoint::Committed);
            Ok(outcome)
        };
        timeout(CHANGE_LIMIT, made).await.map_err(|_| ClickhouseError::Timeout)?
    }

    /// Makes a change of rows.
    async fn change_rows<T>(
        &self,
        change: impl AsyncFnOnce(&Writer<'_>) -> Result<T, ClickhouseError> + Send,
    ) -> Result<T, Error> {
        let made = async {
            let mut past = self.begin().await?;
            let outcome = self.change(&mut past, change).await?;
            if past.settled.elapsed() >= SETTLE_AFTER {
                // The rows are written. What goes wrong here is told when it is asked for.
                let _ = self.make_rollups(Duration::ZERO).await;
                past.settled = Instant::now();
            }
            Ok(outcome)
        };
        made.await.map_err(|trouble: ClickhouseError| trouble.of(&self.url))
    }

    /// The first rows of a statement that has those of so many uids that are noted, not each of which has a row.
    async fn paged(
        &self,
        after: Option<&str>,
        limit: usize,
        statement: fn(Dialect, Option<&str>, usize) -> Statement,
        deadline: Deadline,
    ) -> Result<Vec<Vec<Value<'static>>>, Error> {
        let (mut rows, mut after, mut uids) = (Vec::new(), after.map(str::to_owned), limit);
        loop {
            let page = statement(Dialect::Clickhouse, after.as_deref(), uids);
            rows.extend(self.query(page, Workload::Aggregation, deadline).await?);
            if rows.len() >= limit {
                rows.truncate(limit);
                return Ok(rows);
            }
            let noted = sql::noted(Dialect::Clickhouse, after.as_deref(), uids);
            let noted = self.query(noted, Workload::Aggregation, deadline).await?;
            match noted.into_iter().next().as_deref() {
                Some([Value::Int(number), Value::Text(last)]) if *number == uids as u64 => {
                    after = Some(last.to_string())
                }
                _ => return Ok(rows),
            }
            // Batches that were cut off left many of them: look further.
            uids = uids.max(1000);
        }
    }

    async fn make_rollups(&self, patience: Duration) -> Result<(), ClickhouseError> {
        let mut lease = Lease::take(&self.http, patience).await?;
        let made = rollups::refresh_rollups(&self.http, &mut lease).await;
        let ended = lease.end().await;
        made.and(ended)
    }
}

impl Engine for Clickhouse {
    fn dialect(&self) -> Dialect {
        Dialect::Clickhouse
    }

    fn name(&self) -> &str {
        &self.name
    }

    async fn query(
        &self,
        statement: Statement,
        _workload: Workload,
        deadline: Deadline,
    ) -> Result<Vec<Vec<Value<'static>>>, Error> {
        self.http.query(&statement, deadline.remaining()).await.map_err(|trouble| trouble.of(&self.url))
    }

    async fn write(
        &self,
        rows: Arc<dyn RowBatch>,
        on_existing: OnExisting,
        deadline: Deadline,
    ) -> Result<BatchResult, Error> {
        if rows.is_empty() {
            return Ok(BatchResult::default());
        }
        let replace = on_existing == OnExisting::Replace;
        let write = self.change_rows(async |writer| batch::write(writer, &*rows, replace).await);
        deadline.run(write).await?
    }

    async fn remove(&self, uid: &str, reason: &str, ban: bool, deadline: Deadline) -> Result<RemoveOutcome, Error> {
        deadline.run(self.change_rows(async |writer| change::remove(writer, uid, reason, ban).await)).await?
    }

    async fn restore(&self, uid: &str, deadline: Deadline) -> Result<bool, Error> {
        deadline.run(self.change_rows(async |writer| change::restore(writer, uid).await)).await?
    }

    /// The number of the server, and the database. Servers of a cluster have different numbers.
    async fn identity(&self, deadline: Deadline) -> Result<String, Error> {
        let sql = "SELECT concat('clickhouse ', toString(serverUUID()), ' ', currentDatabase())";
        let statement = Statement { sql: sql.to_owned(), parameters: Vec::new(), columns: vec![Type::Text] };
        match self.query(statement, Workload::Lookup, deadline).await?.into_iter().flatten().next() {
            Some(Value::Text(identity)) => Ok(identity.into_owned()),
            _ => Err(ClickhouseError::Foreign.of(&self.url)),
        }
    }

    async fn drop_month(&self, month: DateTime, deadline: Deadline) -> Result<u64, Error> {
        deadline.run(self.change_rows(async |writer| change::drop_month(writer, month).await)).await?
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>, deadline: Deadline) -> Result<(), Error> {
        let made = async {
            let mut past = self.begin().await?;
            let mut lease = Lease::take(&self.http, SETTLE_PATIENCE[1]).await?;
            let replaced = async |writer: &Writer<'_>| change::replace_lists(writer, &lists, &mut lease).await;
            let made = self.change(&mut past, replaced).await;
            let ended = lease.end().await;
            made.and(ended)
        };
        deadline.run(made).await?.map_err(|trouble: ClickhouseError| trouble.of(&self.url))
    }

    async fn rebuild(&self, rollup: &'static Rollup, deadline: Deadline) -> Result<(), Error> {
        let made = async {
            let mut past = self.begin().await?;
            self.change(&mut past, async |writer| change::mark_all(writer, rollup).await).await?;
            self.make_rollups(SETTLE_PATIENCE[1]).await
        };
        deadline.run(made).await?.map_err(|trouble: ClickhouseError| trouble.of(&self.url))
    }

    async fn refresh_rollups(&self, deadline: Deadline) -> Result<(), Error> {
        let made = async {
            let mut past = self.begin().await?;
            past.settled = Instant::now();
            match self.make_rollups(SETTLE_PATIENCE[0]).await {
                Err(ClickhouseError::Busy(_)) => Ok(()),
                made => made,
            }
        };
        deadline.run(made).await?.map_err(|trouble: ClickhouseError| trouble.of(&self.url))
    }

    async fn page(&self, after: Option<&str>, limit: usize, deadline: Deadline) -> Result<Vec<StoredRow>, Error> {
        let rows = self.paged(after, limit, sql::page, deadline).await?;
        rows.into_iter().map(|row| row.try_into().map_err(|_| Error::foreign())).collect()
    }

    async fn measurements(
        &self,
        after: Option<&str>,
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<StoredMeasurement>, Error> {
        let rows = self.paged(after, limit, sql::measurements, deadline).await?;
        rows.into_iter().map(|row| sql::measurement(row).ok_or_else(Error::foreign)).collect()
    }

    async fn is_rollup_current(
        &self,
        rollup: &'static Rollup,
        window: Window,
        deadline: Deadline,
    ) -> Result<bool, Error> {
        let settled = rollups::is_rollup_current(&self.http, rollup, window, deadline.remaining()).await;
        settled.map_err(|trouble| trouble.of(&self.url))
    }

    async fn bytes(&self, deadline: Deadline) -> Result<u64, Error> {
        let sql =
            "SELECT coalesce(sum(bytes_on_disk), 0) FROM system.parts WHERE database = currentDatabase() AND active";
        let statement = Statement { sql: sql.to_owned(), parameters: Vec::new(), columns: vec![Type::OptionalUInt64] };
        match self.query(statement, Workload::Lookup, deadline).await?.into_iter().flatten().next() {
            Some(Value::Int(bytes)) => Ok(bytes),
            _ => Err(ClickhouseError::Foreign.of(&self.url)),
        }
    }
}
