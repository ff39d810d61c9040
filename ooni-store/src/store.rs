//! [`Store`]: a store of whatever engine its URL names.

use crate::query::filter::Window;
use crate::rollup::Rollup;
use crate::url::{is_clickhouse, is_postgres};
use crate::value::Value;
use crate::{
    BatchResult, Clickhouse, Dialect, Incoming, ListedUrl, MeasurementStore, OnExisting, Postgres, Sqlite, Statement,
    StoreError, StoredMeasurement, StoredRow, sqlite_path,
};
use ooni_core::time::DateTime;
use std::sync::Arc;
use std::time::Duration;

/// A store by its engine.
#[derive(Debug)]
pub enum Store {
    /// A file.
    Sqlite(Sqlite),
    /// A database on a PostgreSQL server.
    Postgres(Box<Postgres>),
    /// A database on a ClickHouse server.
    Clickhouse(Box<Clickhouse>),
}

/// Does the same with whatever engine it is.
macro_rules! of_engine {
    ($store:expr, $engine:ident => $does:expr) => {
        match $store {
            Store::Sqlite($engine) => $does,
            Store::Postgres($engine) => $does,
            Store::Clickhouse($engine) => $does,
        }
    };
}

impl MeasurementStore for Store {
    fn dialect(&self) -> Dialect {
        of_engine!(self, engine => engine.dialect())
    }

    async fn query(&self, statement: Statement, limit: Duration) -> Result<Vec<Vec<Value<'static>>>, StoreError> {
        of_engine!(self, engine => engine.query(statement, limit).await)
    }

    async fn write<R: Incoming + 'static>(
        &self,
        rows: Arc<Vec<R>>,
        on_existing: OnExisting,
    ) -> Result<BatchResult, StoreError> {
        of_engine!(self, engine => engine.write(rows, on_existing).await)
    }

    async fn remove(&self, uid: &str, reason: &str) -> Result<bool, StoreError> {
        of_engine!(self, engine => engine.remove(uid, reason).await)
    }

    async fn drop_month(&self, month: DateTime) -> Result<u64, StoreError> {
        of_engine!(self, engine => engine.drop_month(month).await)
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>) -> Result<(), StoreError> {
        of_engine!(self, engine => engine.replace_test_lists(lists).await)
    }

    async fn rebuild(&self, rollup: &'static Rollup) -> Result<(), StoreError> {
        of_engine!(self, engine => engine.rebuild(rollup).await)
    }

    async fn refresh_rollups(&self) -> Result<(), StoreError> {
        of_engine!(self, engine => engine.refresh_rollups().await)
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredRow>, StoreError> {
        of_engine!(self, engine => engine.page(after, limit).await)
    }

    async fn measurements(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredMeasurement>, StoreError> {
        of_engine!(self, engine => engine.measurements(after, limit).await)
    }

    async fn is_rollup_current(&self, rollup: &'static Rollup, window: Window) -> Result<bool, StoreError> {
        of_engine!(self, engine => engine.is_rollup_current(rollup, window).await)
    }

    async fn bytes(&self) -> Result<u64, StoreError> {
        of_engine!(self, engine => engine.bytes().await)
    }
}

/// Opens the store of a URL to write to. A file is made if it is not there; a database of a server has been
/// [migrated](migrate).
///
/// # Errors
/// The URL is none of a store, or the store cannot be opened.
pub async fn open(url: &str) -> Result<Store, StoreError> {
    match url {
        _ if is_postgres(url) => Ok(Store::Postgres(Box::new(Postgres::open(url).await?))),
        _ if is_clickhouse(url) => Ok(Store::Clickhouse(Box::new(Clickhouse::open(url).await?))),
        _ => Ok(Store::Sqlite(Sqlite::open(sqlite_path(url)?)?)),
    }
}

/// Opens the store of a URL to read from; it has to be there.
///
/// # Errors
/// The URL is none of a store, or the store cannot be opened.
pub async fn open_to_read(url: &str) -> Result<Store, StoreError> {
    match url {
        _ if is_postgres(url) => Ok(Store::Postgres(Box::new(Postgres::open_to_read(url).await?))),
        _ if is_clickhouse(url) => Ok(Store::Clickhouse(Box::new(Clickhouse::open_to_read(url).await?))),
        _ => Ok(Store::Sqlite(Sqlite::open_to_read(sqlite_path(url)?)?)),
    }
}

/// Makes the tables of a store, or brings them up to date.
///
/// # Errors
/// The URL is none of a store, or the store is not ours, or a newer program's.
pub async fn migrate(url: &str) -> Result<(), StoreError> {
    match url {
        _ if is_postgres(url) => Postgres::migrate(url).await,
        _ if is_clickhouse(url) => Clickhouse::migrate(url).await,
        _ => Sqlite::open(sqlite_path(url)?).map(drop),
    }
}
