//! [`Clickhouse`]: the store beyond one machine, a database on a ClickHouse server or on several that have the same tables.
//!
//! There are no transactions. What may be other than the rollups say is noted first, day by day, and counted row by row
//! until they have been made anew; rows are written under keys that make the second time nothing; and what was cut off is
//! finished by the next change, so a change that failed can be made again. One process changes a database at a time. What a
//! batch does is in `batch`, what else can be done in `change`, the way to a server in `http`, rollups in `rollups`, the
//! tables in `schema`, values in `value`.

mod batch;
mod change;
mod http;
mod rollups;
mod schema;
mod value;

use self::http::Http;
use super::filter::Window;
use super::rollup::Rollup;
use super::sql::{Dialect, Statement};
use super::url::without_password;
use super::{Incoming, Kind, ListedUrl, MeasurementStore, OnExisting, StoreError, TIME_LIMIT, Written};
use crate::cell::{Cell, Type};
use crate::failpoint::{Failpoint, reach};
use ooni_core::time::DateTime;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, MutexGuard};

/// A database of measurements on a ClickHouse server.
pub struct Clickhouse {
    url: String,
    http: Http,
    /// The moment of the last change; nothing if the store was opened to read from.
    writes: Option<Mutex<i64>>,
}

impl std::fmt::Debug for Clickhouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clickhouse").field("url", &without_password(&self.url)).finish_non_exhaustive()
    }
}

/// Times that a query is tried when the way to the server is lost.
const READ_TRIES: u32 = 4;

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
    Busy,
}

/// A change that is being made.
struct Writer<'s> {
    http: &'s Http,
    /// Microseconds since 1970, later than those of all changes of this process before it. Of rows with one key the one with
    /// the latest moment counts.
    moment: i64,
    _last: MutexGuard<'s, i64>,
}

impl Clickhouse {
    /// Opens a database to write to; `fastpath migrate` has made its tables.
    ///
    /// # Errors
    /// It cannot be reached, has no tables, or those of another version.
    pub async fn open(url: &str) -> Result<Clickhouse, StoreError> {
        let mut store = Clickhouse::open_to_read(url).await?;
        store.writes = Some(Mutex::new(0));
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

    /// Makes a change, after which the rollups follow.
    async fn change<T>(
        &self,
        change: impl AsyncFnOnce(&Writer<'_>) -> Result<T, Trouble> + Send,
    ) -> Result<T, StoreError> {
        let made = async {
            let Some(writes) = &self.writes else {
                return Err(Trouble::Schema("it was opened to read from".to_owned()));
            };
            let mut last = writes.lock().await;
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            *last = i64::try_from(now.as_micros()).unwrap_or_default().max(*last + 1);
            let writer = Writer { http: &self.http, moment: *last, _last: last };
            let outcome = change(&writer).await?;
            reach(Failpoint::RowsWritten);
            rollups::settle(&writer).await?;
            reach(Failpoint::Committed);
            Ok(outcome)
        };
        made.await.map_err(|trouble| trouble.of(&self.url))
    }
}

impl Trouble {
    fn of(self, url: &str) -> StoreError {
        let (kind, message) = match self {
            Trouble::Database { code, message } => (Kind::Other, format!("{message} (ClickHouse error {code})")),
            Trouble::Lost(message) | Trouble::Schema(message) => (Kind::Other, message),
            Trouble::Foreign => (Kind::Other, super::foreign().message),
            Trouble::Timeout => (Kind::Timeout, "it took longer than it may".to_owned()),
            Trouble::Busy => (Kind::Busy, "the server has too many queries".to_owned()),
        };
        StoreError::new(kind, message).of(&without_password(url))
    }
}

impl MeasurementStore for Clickhouse {
    fn dialect(&self) -> Dialect {
        Dialect::Clickhouse
    }

    async fn query(&self, statement: Statement, limit: Duration) -> Result<Vec<Vec<Cell<'static>>>, StoreError> {
        let mut rows = self.http.query(&statement, limit).await;
        for _ in 1..READ_TRIES {
            if let Err(Trouble::Lost(_)) = rows {
                rows = self.http.query(&statement, limit).await;
            }
        }
        rows.map_err(|trouble| trouble.of(&self.url))
    }

    async fn write<R: Incoming + 'static>(
        &self,
        rows: Arc<Vec<R>>,
        on_existing: OnExisting,
    ) -> Result<Written, StoreError> {
        if rows.is_empty() {
            return Ok(Written::default());
        }
        let replace = on_existing == OnExisting::Replace;
        self.change(async |writer| batch::write(writer, &rows, replace).await).await
    }

    async fn remove(&self, uid: &str, reason: &str) -> Result<bool, StoreError> {
        self.change(async |writer| change::remove(writer, uid, reason).await).await
    }

    async fn drop_month(&self, month: DateTime) -> Result<u64, StoreError> {
        self.change(async |writer| change::drop_month(writer, month).await).await
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>) -> Result<(), StoreError> {
        self.change(async |writer| change::replace_lists(writer, &lists).await).await
    }

    async fn rebuild(&self, rollup: &'static Rollup) -> Result<(), StoreError> {
        self.change(async |writer| rollups::rebuild(writer, rollup).await).await
    }

    async fn is_settled(&self, rollup: &'static Rollup, window: Window) -> Result<bool, StoreError> {
        let settled = rollups::is_settled(&self.http, rollup, window).await;
        settled.map_err(|trouble| trouble.of(&self.url))
    }

    async fn bytes(&self) -> Result<u64, StoreError> {
        let sql =
            "SELECT coalesce(sum(bytes_on_disk), 0) FROM system.parts WHERE database = currentDatabase() AND active";
        let statement = Statement { sql: sql.to_owned(), parameters: Vec::new(), columns: vec![Type::OptionalUInt64] };
        match self.query(statement, TIME_LIMIT).await?.into_iter().flatten().next() {
            Some(Cell::Int(bytes)) => Ok(bytes),
            _ => Err(Trouble::Foreign.of(&self.url)),
        }
    }
}
