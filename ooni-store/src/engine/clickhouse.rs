//! [`Clickhouse`]: the store beyond one machine, a database on a ClickHouse server or on a cluster whose servers have the same
//! tables.
//!
//! There are no transactions. Every statement that changes something is idempotent and is repeated when the connection is
//! lost; a change that was interrupted is completed by repeating it. Days that a change touches are recorded first, and their
//! rows are counted one by one until the rollups have been rebuilt: once a minute while rows are written, and by
//! [`Engine::refresh_rollups`]. Several processes can write: rows of one uid that two of them write at the same moment become
//! one, unless they differ in the start of the measurement. One process at a time, which holds a lease, rebuilds rollups.
//!
//! Batches are in `batch`, other changes in `change`, errors in `error`, the HTTP client in `http`, the lease in `lease`,
//! the reference's tables in `reference`, rollups in `rollups`, our tables in `schema`, limits of concurrent queries in
//! `slots`, values in `value`.

mod batch;
mod change;
mod error;
mod http;
mod lease;
pub(crate) mod reference;
mod rollups;
mod schema;
mod slots;
mod value;
mod writer;

use self::error::ClickhouseError;
use self::http::{Http, random};
use self::lease::Lease;
use self::slots::Slots;
use self::writer::Writer;
use super::{Engine, Workload};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::failpoint::{Failpoint, reach};
use crate::migration::Migration;
use crate::options::StoreOptions;
use crate::query::filter::Window;
use crate::rollup::Rollup;
use crate::sql::{self, Dialect, Statement};
use crate::url::without_password;
use crate::value::{Type, Value};
use crate::write::removal::RemoveOutcome;
use crate::write::row::{BatchResult, ListedUrl, OnExisting, RowBatch, StoredMeasurement, StoredRow};
use ooni_core::time::DateTime;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Mutex, MutexGuard};

/// A database of measurements on a ClickHouse server.
pub(crate) struct Clickhouse {
    url: String,
    /// The URL without its password.
    name: String,
    http: Http,
    lookups: Slots,
    aggregations: Slots,
    /// `None` if the store was opened for reading only.
    writes: Option<Mutex<Past>>,
}

/// Earlier changes of this process.
struct Past {
    /// The moment of its last change.
    moment: i64,
    /// When it last refreshed rollups, or left that to another process.
    refreshed: Instant,
}

/// How often rollups are refreshed while rows are written.
const REFRESH_AFTER: Duration = Duration::from_secs(60);

/// How long to wait for the lease where it is optional: rows are counted one by one until a later refresh.
const SHORT_WAIT: Duration = Duration::from_secs(10);

/// How long to wait for the lease where it is required.
const LONG_WAIT: Duration = Duration::from_secs(900);

/// How long a change may take. Its notes count for twice as long.
const CHANGE_LIMIT: Duration = Duration::from_secs(300);

impl std::fmt::Debug for Clickhouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clickhouse").field("url", &without_password(&self.url)).finish_non_exhaustive()
    }
}

impl Clickhouse {
    /// Opens a database for reading and writing; `fastpath migrate` has created its tables.
    ///
    /// # Errors
    /// It cannot be reached, has no tables, or those of another version.
    pub(crate) async fn open(url: &str, options: &StoreOptions) -> Result<Clickhouse, Error> {
        let mut store = Clickhouse::open_to_read(url, options).await?;
        store.writes = Some(Mutex::new(Past { moment: 0, refreshed: Instant::now() }));
        Ok(store)
    }

    /// Opens a database for reading.
    ///
    /// # Errors
    /// As [`Clickhouse::open`].
    pub(crate) async fn open_to_read(url: &str, options: &StoreOptions) -> Result<Clickhouse, Error> {
        let named = |error: ClickhouseError| error.of(url);
        let mut http = Http::new(url).map_err(named)?;
        http.user_agent.clone_from(&options.application_name);
        schema::check(&http).await.map_err(named)?;
        Ok(Clickhouse {
            url: url.to_owned(),
            name: without_password(url),
            http,
            lookups: Slots::new(options.lookup_readers, options.queue),
            aggregations: Slots::new(options.aggregation_readers, options.queue),
            writes: None,
        })
    }

    /// Creates the tables of a database, or brings them up to date. The database itself has to exist.
    ///
    /// # Errors
    /// It cannot be reached, belongs to another program or a newer version, or its tables cannot be created.
    pub(crate) async fn migrate(url: &str) -> Result<Migration, Error> {
        let migrate = async { schema::migrate(&Http::new(url)?).await };
        migrate.await.map_err(|error: ClickhouseError| error.of(url))
    }

    /// The right to change something, which one call at a time has.
    async fn begin(&self) -> Result<MutexGuard<'_, Past>, ClickhouseError> {
        match &self.writes {
            Some(writes) => Ok(writes.lock().await),
            None => Err(ClickhouseError::ReadOnly),
        }
    }

    /// Executes a call by the deadline of `http`. If it fails after rows may have been changed, the error says so.
    async fn call<T>(&self, http: &Http, work: impl Future<Output = Result<T, ClickhouseError>>) -> Result<T, Error> {
        http.limited(work).await.map_err(|error| {
            let error = error.of(&self.url);
            if http.is_changed() { error.outcome_unknown() } else { error }
        })
    }

    /// Executes a change, which the rollups follow later.
    async fn change<T>(
        &self,
        http: &Http,
        past: &mut Past,
        change: impl AsyncFnOnce(&Writer<'_>) -> Result<T, ClickhouseError> + Send,
    ) -> Result<T, ClickhouseError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        past.moment = i64::try_from(now.as_micros()).unwrap_or_default().max(past.moment + 1);
        let http = http.at_most(CHANGE_LIMIT);
        let writer = Writer { http: &http, moment: past.moment, change: random() };
        http.limited(async {
            let outcome = change(&writer).await?;
            reach(Failpoint::RowsWritten);
            rollups::done(&writer).await?;
            reach(Failpoint::Committed);
            Ok(outcome)
        })
        .await
    }

    /// Executes a change of rows by its deadline.
    async fn change_rows<T>(
        &self,
        deadline: Deadline,
        change: impl AsyncFnOnce(&Writer<'_>) -> Result<T, ClickhouseError> + Send,
    ) -> Result<T, Error> {
        let http = self.http.within(deadline);
        let (mut past, outcome) = self
            .call(&http, async {
                let mut past = self.begin().await?;
                let outcome = self.change(&http, &mut past, change).await?;
                Ok((past, outcome))
            })
            .await?;
        if past.refreshed.elapsed() >= REFRESH_AFTER {
            // The rows are written: no error and no deadline here undoes that. A later refresh reports an error.
            let _ = http.limited(self.rebuild_dirty(&http, Duration::ZERO)).await;
            past.refreshed = Instant::now();
        }
        Ok(outcome)
    }

    fn slots(&self, workload: Workload) -> &Slots {
        match workload {
            Workload::Lookup => &self.lookups,
            Workload::Aggregation => &self.aggregations,
        }
    }

    /// The first rows of a statement that selects those of so many uids in `jsonl`, not each of which has a row.
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
            let keys = sql::jsonl_page(Dialect::Clickhouse, after.as_deref(), uids);
            let keys = self.query(keys, Workload::Aggregation, deadline).await?;
            match keys.into_iter().next().as_deref() {
                Some([Value::Int(number), Value::Text(last)]) if *number == uids as u64 => {
                    after = Some(last.to_string())
                }
                _ => return Ok(rows),
            }
            // Batches that were cut off left many of them: look further.
            uids = uids.max(1000);
        }
    }

    async fn rebuild_dirty(&self, http: &Http, patience: Duration) -> Result<(), ClickhouseError> {
        let mut lease = Lease::take(http, patience).await?;
        let rebuilt = rollups::refresh_rollups(&http.apart(), &mut lease).await;
        let ended = lease.end().await;
        rebuilt.and(ended)
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
        workload: Workload,
        deadline: Deadline,
    ) -> Result<Vec<Vec<Value<'static>>>, Error> {
        let http = self.http.within(deadline);
        let query = async {
            let _slot = self.slots(workload).take().await?;
            http.query(&statement).await
        };
        self.call(&http, query).await
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
        self.change_rows(deadline, async |writer| batch::write(writer, &*rows, replace).await).await
    }

    async fn remove(&self, uid: &str, reason: &str, ban: bool, deadline: Deadline) -> Result<RemoveOutcome, Error> {
        self.change_rows(deadline, async |writer| change::remove(writer, uid, reason, ban).await).await
    }

    async fn restore(&self, uid: &str, deadline: Deadline) -> Result<bool, Error> {
        self.change_rows(deadline, async |writer| change::restore(writer, uid).await).await
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
        self.change_rows(deadline, async |writer| change::drop_month(writer, month).await).await
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>, deadline: Deadline) -> Result<(), Error> {
        let http = self.http.within(deadline);
        let replace = async {
            let mut past = self.begin().await?;
            let mut lease = Lease::take(&http, LONG_WAIT).await?;
            let replaced = async |writer: &Writer<'_>| change::replace_lists(writer, &lists, &mut lease).await;
            let replaced = self.change(&http, &mut past, replaced).await;
            let ended = lease.end().await;
            replaced.and(ended)
        };
        self.call(&http, replace).await
    }

    async fn rebuild(&self, rollup: &'static Rollup, deadline: Deadline) -> Result<(), Error> {
        let http = self.http.within(deadline);
        let rebuild = async {
            let mut past = self.begin().await?;
            // It changes no rows, and cells of dirty days are not used: the outcome of a failure is known.
            self.change(&http.apart(), &mut past, async |writer| change::mark_all(writer, rollup).await).await?;
            self.rebuild_dirty(&http, LONG_WAIT).await
        };
        self.call(&http, rebuild).await
    }

    async fn refresh_rollups(&self, deadline: Deadline) -> Result<(), Error> {
        let http = self.http.within(deadline);
        let refresh = async {
            let mut past = self.begin().await?;
            past.refreshed = Instant::now();
            match self.rebuild_dirty(&http, SHORT_WAIT).await {
                Err(ClickhouseError::Busy(_)) => Ok(()),
                result => result,
            }
        };
        self.call(&http, refresh).await
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
        let http = self.http.within(deadline);
        let is_current = async {
            let _slot = self.lookups.take().await?;
            rollups::is_rollup_current(&http, rollup, window).await
        };
        self.call(&http, is_current).await
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
