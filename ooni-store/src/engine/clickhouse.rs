//! [`Clickhouse`]: the store beyond one machine, a database on a ClickHouse server or on several that have the same tables.
//!
//! There are no transactions. Every statement that changes something can be sent again, and is, when the way to the server is
//! lost; a change that was cut off is made whole by making it again. What may be other than the rollups say is noted first,
//! day by day, and counted row by row until they have been made anew: once a minute while rows are written, and when
//! [`MeasurementStore::refresh_rollups`] asks for it. Processes may write at once: rows of one uid that two of them write at the same
//! moment are one afterwards, unless they differ in the start of the measurement; rollups are made by one at a time, which
//! holds a lease. What a batch does is in `batch`, what else can be done in `change`, the way to a server in `http`, the lease
//! in `lease`, tables of the reference in `reference`, rollups in `rollups`, the tables in `schema`, values in `value`.

mod batch;
mod change;
mod http;
mod lease;
mod reference;
mod rollups;
mod schema;
mod value;

pub(crate) use self::reference::ClickhouseReference;

use self::http::{Http, random};
use self::lease::Lease;
use crate::failpoint::{Failpoint, reach};
use crate::query::filter::Window;
use crate::rollup::Rollup;
use crate::sql::{self, Dialect, Statement};
use crate::url::without_password;
use crate::value::{Type, Value};
use crate::{
    BatchResult, Incoming, Kind, ListedUrl, MeasurementStore, OnExisting, StoreError, StoredMeasurement, StoredRow,
    TIME_LIMIT,
};
use ooni_core::time::DateTime;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

/// A database of measurements on a ClickHouse server.
pub struct Clickhouse {
    url: String,
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

/// What goes wrong.
#[derive(Debug)]
enum Trouble {
    /// The server says so.
    Database { code: u32, message: String },
    /// There is no way to it, or it is no ClickHouse.
    Lost(String),
    /// What is in there is not for us.
    Schema(String),
    /// A value is not what it has to be.
    Foreign,
    /// It took too long.
    Timeout,
    /// Others are served.
    Busy(&'static str),
}

/// A change that is being made.
struct Writer<'s> {
    http: &'s Http,
    /// Microseconds since 1970, later than those of all changes of this process before it. Of rows with one key the one with
    /// the latest moment counts.
    moment: i64,
    /// What its notes have in common.
    change: u64,
}

impl Clickhouse {
    /// Opens a database to write to; `fastpath migrate` has made its tables.
    ///
    /// # Errors
    /// It cannot be reached, has no tables, or those of another version.
    pub async fn open(url: &str) -> Result<Clickhouse, StoreError> {
        let mut store = Clickhouse::open_to_read(url).await?;
        store.writes = Some(Mutex::new(Past { moment: 0, settled: Instant::now() }));
        Ok(store)
    }

    /// Opens a database to read from.
    ///
    /// # Errors
    /// As [`Clickhouse::open`].
    pub async fn open_to_read(url: &str) -> Result<Clickhouse, StoreError> {
        let named = |trouble: Trouble| trouble.of(url);
        let http = Http::new(url).map_err(named)?;
        schema::check(&http).await.map_err(named)?;
        Ok(Clickhouse { url: url.to_owned(), http, writes: None })
    }

    /// Makes the tables of a database, or brings them up to date. The database itself has to be there.
    ///
    /// # Errors
    /// It cannot be reached, is another program's or a newer one's, or its tables cannot be made.
    pub async fn migrate(url: &str) -> Result<(), StoreError> {
        let migrate = async { schema::migrate(&Http::new(url)?).await };
        migrate.await.map_err(|trouble: Trouble| trouble.of(url))
    }

    /// The right to change something, which one future at a time has.
    async fn begin(&self) -> Result<MutexGuard<'_, Past>, Trouble> {
        match &self.writes {
            Some(writes) => Ok(writes.lock().await),
            None => Err(Trouble::Schema("it was opened to read from".to_owned())),
        }
    }

    /// Makes a change, which the rollups follow some time.
    async fn change<T>(
        &self,
        past: &mut Past,
        change: impl AsyncFnOnce(&Writer<'_>) -> Result<T, Trouble> + Send,
    ) -> Result<T, Trouble> {
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
        timeout(CHANGE_LIMIT, made).await.map_err(|_| Trouble::Timeout)?
    }

    /// Makes a change of rows.
    async fn change_rows<T>(
        &self,
        change: impl AsyncFnOnce(&Writer<'_>) -> Result<T, Trouble> + Send,
    ) -> Result<T, StoreError> {
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
        made.await.map_err(|trouble: Trouble| trouble.of(&self.url))
    }

    /// The first rows of a statement that has those of so many uids that are noted, not each of which has a row.
    async fn paged(
        &self,
        after: Option<&str>,
        limit: usize,
        statement: fn(Dialect, Option<&str>, usize) -> Statement,
    ) -> Result<Vec<Vec<Value<'static>>>, StoreError> {
        let (mut rows, mut after, mut uids) = (Vec::new(), after.map(str::to_owned), limit);
        loop {
            rows.extend(self.query(statement(Dialect::Clickhouse, after.as_deref(), uids), TIME_LIMIT).await?);
            if rows.len() >= limit {
                rows.truncate(limit);
                return Ok(rows);
            }
            let noted = self.query(sql::noted(Dialect::Clickhouse, after.as_deref(), uids), TIME_LIMIT).await?;
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

    async fn make_rollups(&self, patience: Duration) -> Result<(), Trouble> {
        let mut lease = Lease::take(&self.http, patience).await?;
        let made = rollups::refresh_rollups(&self.http, &mut lease).await;
        let ended = lease.end().await;
        made.and(ended)
    }
}

impl Trouble {
    fn of(self, url: &str) -> StoreError {
        let (kind, message) = match self {
            Trouble::Database { code, message } => (Kind::Other, format!("{message} (ClickHouse error {code})")),
            Trouble::Lost(message) | Trouble::Schema(message) => (Kind::Other, message),
            Trouble::Foreign => (Kind::Other, crate::foreign().message),
            Trouble::Timeout => (Kind::Timeout, "it took longer than it may".to_owned()),
            Trouble::Busy(why) => (Kind::Busy, why.to_owned()),
        };
        StoreError::new(kind, message).of(&without_password(url))
    }
}

impl MeasurementStore for Clickhouse {
    fn dialect(&self) -> Dialect {
        Dialect::Clickhouse
    }

    async fn query(&self, statement: Statement, limit: Duration) -> Result<Vec<Vec<Value<'static>>>, StoreError> {
        self.http.query(&statement, limit).await.map_err(|trouble| trouble.of(&self.url))
    }

    async fn write<R: Incoming + 'static>(
        &self,
        rows: Arc<Vec<R>>,
        on_existing: OnExisting,
    ) -> Result<BatchResult, StoreError> {
        if rows.is_empty() {
            return Ok(BatchResult::default());
        }
        let replace = on_existing == OnExisting::Replace;
        self.change_rows(async |writer| batch::write(writer, &rows, replace).await).await
    }

    async fn remove(&self, uid: &str, reason: &str) -> Result<bool, StoreError> {
        self.change_rows(async |writer| change::remove(writer, uid, reason).await).await
    }

    async fn drop_month(&self, month: DateTime) -> Result<u64, StoreError> {
        self.change_rows(async |writer| change::drop_month(writer, month).await).await
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>) -> Result<(), StoreError> {
        let made = async {
            let mut past = self.begin().await?;
            let mut lease = Lease::take(&self.http, SETTLE_PATIENCE[1]).await?;
            let replaced = async |writer: &Writer<'_>| change::replace_lists(writer, &lists, &mut lease).await;
            let made = self.change(&mut past, replaced).await;
            let ended = lease.end().await;
            made.and(ended)
        };
        made.await.map_err(|trouble: Trouble| trouble.of(&self.url))
    }

    async fn rebuild(&self, rollup: &'static Rollup) -> Result<(), StoreError> {
        let made = async {
            let mut past = self.begin().await?;
            self.change(&mut past, async |writer| change::mark_all(writer, rollup).await).await?;
            self.make_rollups(SETTLE_PATIENCE[1]).await
        };
        made.await.map_err(|trouble: Trouble| trouble.of(&self.url))
    }

    async fn refresh_rollups(&self) -> Result<(), StoreError> {
        let made = async {
            let mut past = self.begin().await?;
            past.settled = Instant::now();
            match self.make_rollups(SETTLE_PATIENCE[0]).await {
                Err(Trouble::Busy(_)) => Ok(()),
                made => made,
            }
        };
        made.await.map_err(|trouble: Trouble| trouble.of(&self.url))
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredRow>, StoreError> {
        let rows = self.paged(after, limit, sql::page).await?;
        rows.into_iter().map(|row| row.try_into().map_err(|_| crate::foreign())).collect()
    }

    async fn measurements(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredMeasurement>, StoreError> {
        let rows = self.paged(after, limit, sql::measurements).await?;
        rows.into_iter().map(|row| sql::measurement(row).ok_or_else(crate::foreign)).collect()
    }

    async fn is_rollup_current(&self, rollup: &'static Rollup, window: Window) -> Result<bool, StoreError> {
        let settled = rollups::is_rollup_current(&self.http, rollup, window).await;
        settled.map_err(|trouble| trouble.of(&self.url))
    }

    async fn bytes(&self) -> Result<u64, StoreError> {
        let sql =
            "SELECT coalesce(sum(bytes_on_disk), 0) FROM system.parts WHERE database = currentDatabase() AND active";
        let statement = Statement { sql: sql.to_owned(), parameters: Vec::new(), columns: vec![Type::OptionalUInt64] };
        match self.query(statement, TIME_LIMIT).await?.into_iter().flatten().next() {
            Some(Value::Int(bytes)) => Ok(bytes),
            _ => Err(Trouble::Foreign.of(&self.url)),
        }
    }
}
