//! [`Clickhouse`]: the store for more data than one machine can hold. It is a database on a ClickHouse server, or on a
//! cluster whose servers have the same tables.
//!
//! There are no transactions. Every statement that changes data is idempotent and is repeated when the connection is
//! lost; repeating an interrupted change completes it. A change first records the days that it touches. Rows of these
//! days are counted until the rollups have been rebuilt, which happens once a minute while rows are written and in
//! [`Engine::refresh_rollups`]. Several processes can write. Rows with the same uid that two of them write at the same
//! time become one, unless they differ in the start of the measurement. A lease lets one process at a time rebuild
//! rollups.
//!
//! `batch` writes batches, `locations` sets the locations of bodies, `change` makes other changes, and `context` is
//! what their statements share. `http` is the HTTP client, `error` has its errors, `slots` limits concurrent queries,
//! `rows` are rows to be inserted, and `value` converts other values. `rollups` and `lease` rebuild rollups, `schema`
//! migrates tables, and `reference` reads the tables of the reference.

mod batch;
mod change;
mod context;
mod error;
mod http;
mod lease;
mod locations;
pub(crate) mod reference;
mod rollups;
mod rows;
mod schema;
mod slots;
mod value;

use self::context::ChangeContext;
use self::error::ClickhouseError;
use self::http::{Http, random};
use self::lease::Lease;
use self::slots::Slots;
use super::{Engine, Rows, Workload};
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
use crate::write::row::{
    BatchResult, BodyLocation, ListedUrl, LocationsSet, OnExisting, RowBatch, StoredMeasurement, StoredRow,
};
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
    changes: Option<Mutex<PastChanges>>,
}

/// What is known of earlier changes of this process.
struct PastChanges {
    /// The time of the last change, in microseconds since 1970.
    moment: i64,
    /// When this process last refreshed rollups, or tried to.
    refreshed: Instant,
}

/// How often rollups are refreshed while rows are written.
const REFRESH_AFTER: Duration = Duration::from_secs(60);

/// How long to wait for the lease if it is optional: without it, rows are counted until a later refresh.
const SHORT_WAIT: Duration = Duration::from_secs(10);

/// How long to wait for the lease if it is required.
const LONG_WAIT: Duration = Duration::from_secs(900);

/// How long a change may take. The records of an interrupted change in `dirty` are kept for twice as long.
const CHANGE_LIMIT: Duration = Duration::from_secs(300);

impl std::fmt::Debug for Clickhouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clickhouse").field("url", &without_password(&self.url)).finish_non_exhaustive()
    }
}

impl Clickhouse {
    /// Opens a database for reading and writing; its tables must have been created by `fastpath migrate`.
    ///
    /// # Errors
    /// It cannot be reached, has no tables, or has those of another version.
    pub(crate) async fn open(url: &str, options: &StoreOptions) -> Result<Clickhouse, Error> {
        let mut store = Clickhouse::open_to_read(url, options).await?;
        store.changes = Some(Mutex::new(PastChanges { moment: 0, refreshed: Instant::now() }));
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
            changes: None,
        })
    }

    /// Creates the tables of a database, or brings them up to date. The database itself must exist.
    ///
    /// # Errors
    /// It cannot be reached, belongs to another program or a newer version, or its tables cannot be created.
    pub(crate) async fn migrate(url: &str) -> Result<Migration, Error> {
        let migrate = async { schema::migrate(&Http::new(url)?).await };
        migrate.await.map_err(|error: ClickhouseError| error.of(url))
    }

    /// Waits until no other call of this process makes a change.
    async fn begin(&self) -> Result<MutexGuard<'_, PastChanges>, ClickhouseError> {
        match &self.changes {
            Some(changes) => Ok(changes.lock().await),
            None => Err(ClickhouseError::ReadOnly),
        }
    }

    /// Runs a call until the deadline of `http`. If it fails after it may have changed rows, the error says so.
    async fn call<T>(&self, http: &Http, work: impl Future<Output = Result<T, ClickhouseError>>) -> Result<T, Error> {
        http.limited(work).await.map_err(|error| {
            let error = error.of(&self.url);
            if http.is_changed() { error.outcome_unknown() } else { error }
        })
    }

    /// Makes a change. Rollups are updated later.
    async fn change<T>(
        &self,
        http: &Http,
        past: &mut PastChanges,
        change: impl AsyncFnOnce(&ChangeContext<'_>) -> Result<T, ClickhouseError> + Send,
    ) -> Result<T, ClickhouseError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        past.moment = i64::try_from(now.as_micros()).unwrap_or_default().max(past.moment + 1);
        let http = http.at_most(CHANGE_LIMIT);
        let context = ChangeContext { http: &http, moment: past.moment, change: random() };
        http.limited(async {
            let outcome = change(&context).await?;
            reach(Failpoint::RowsWritten);
            rollups::done(&context).await?;
            reach(Failpoint::Committed);
            Ok(outcome)
        })
        .await
    }

    /// Changes rows until the deadline, and refreshes rollups if the last refresh was long ago.
    async fn change_rows<T>(
        &self,
        deadline: Deadline,
        change: impl AsyncFnOnce(&ChangeContext<'_>) -> Result<T, ClickhouseError> + Send,
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
            // The rows are written, so the call succeeds even if the refresh fails. A later refresh reports the error.
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

    /// The first rows of `statement`, which selects the rows of a number of uids in `jsonl`. Some uids may have no row.
    async fn paged(
        &self,
        after: Option<&str>,
        limit: usize,
        statement: fn(Dialect, Option<&str>, usize) -> Statement,
        deadline: Deadline,
    ) -> Result<Vec<Vec<Value<'static>>>, Error> {
        let (mut rows, mut after, mut uids) = (Vec::new(), after.map(str::to_owned), limit);
        loop {
            let page = statement(Dialect::Clickhouse, after.as_deref(), uids).over(Window::default());
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
            // Interrupted batches can leave many uids without a row, so the next page is larger.
            uids = uids.max(1000);
        }
    }

    /// Rebuilds dirty days with the lease, for which it waits at most `wait`.
    async fn rebuild_dirty(&self, http: &Http, wait: Duration) -> Result<(), ClickhouseError> {
        let mut lease = Lease::take(http, wait).await?;
        let rebuilt = rollups::refresh_rollups(&http.untracked(), &mut lease).await;
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

    async fn query(&self, statement: Statement, workload: Workload, deadline: Deadline) -> Result<Rows, Error> {
        self.check_loaded(statement.window, deadline).await?;
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
        self.change_rows(deadline, async |context| batch::write(context, &*rows, replace).await).await
    }

    async fn set_body_locations(
        &self,
        bodies: Vec<(String, BodyLocation)>,
        deadline: Deadline,
    ) -> Result<LocationsSet, Error> {
        self.change_rows(deadline, async |context| locations::set(context, &bodies).await).await
    }

    async fn remove(&self, uid: &str, reason: &str, ban: bool, deadline: Deadline) -> Result<RemoveOutcome, Error> {
        self.change_rows(deadline, async |context| change::remove(context, uid, reason, ban).await).await
    }

    async fn restore(&self, uid: &str, deadline: Deadline) -> Result<bool, Error> {
        self.change_rows(deadline, async |context| change::restore(context, uid).await).await
    }

    /// The UUID of the server, and the database. Servers of a cluster have different UUIDs.
    async fn identity(&self, deadline: Deadline) -> Result<String, Error> {
        let sql = "SELECT concat('clickhouse ', toString(serverUUID()), ' ', currentDatabase())";
        let statement = Statement::new(sql, Vec::new(), vec![Type::Text]);
        match self.query(statement, Workload::Lookup, deadline).await?.into_iter().flatten().next() {
            Some(Value::Text(identity)) => Ok(identity.into_owned()),
            _ => Err(ClickhouseError::Foreign.of(&self.url)),
        }
    }

    async fn drop_month(&self, month: DateTime, deadline: Deadline) -> Result<u64, Error> {
        self.change_rows(deadline, async |context| change::drop_month(context, month).await).await
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>, deadline: Deadline) -> Result<(), Error> {
        let http = self.http.within(deadline);
        let replace = async {
            let mut past = self.begin().await?;
            let mut lease = Lease::take(&http, LONG_WAIT).await?;
            let replaced = async |context: &ChangeContext<'_>| change::replace_lists(context, &lists, &mut lease).await;
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
            // This changes no rows, and cells of dirty days are not used, so a failure does not make the outcome unknown.
            self.change(&http.untracked(), &mut past, async |context| change::mark_all(context, rollup).await).await?;
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
        let statement = Statement::new(sql, Vec::new(), vec![Type::OptionalUInt64]);
        match self.query(statement, Workload::Lookup, deadline).await?.into_iter().flatten().next() {
            Some(Value::Int(bytes)) => Ok(bytes),
            _ => Err(ClickhouseError::Foreign.of(&self.url)),
        }
    }
}
