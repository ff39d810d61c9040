//! [`AnyEngine`]: one of the engines, chosen by the URL.

use super::clickhouse::Clickhouse;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{Engine, Workload};
use crate::app::row::AppRow;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::migration::Migration;
use crate::options::StoreOptions;
use crate::query::filter::Window;
use crate::rollup::Rollup;
use crate::sql::{Dialect, Statement};
use crate::url::{is_clickhouse, is_postgres, sqlite_path};
use crate::value::Value;
use crate::write::removal::RemoveOutcome;
use crate::write::row::{BatchResult, ListedUrl, OnExisting, RowBatch, StoredMeasurement, StoredRow};
use ooni_core::time::DateTime;
use std::sync::Arc;

/// One of the engines.
pub(crate) enum AnyEngine {
    /// A file.
    Sqlite(Sqlite),
    /// A database on a PostgreSQL server.
    Postgres(Postgres),
    /// A database on a ClickHouse server.
    Clickhouse(Clickhouse),
}

/// Evaluates an expression with the engine of an [`AnyEngine`].
macro_rules! with_engine {
    ($any:expr, $engine:ident => $expression:expr) => {
        match $any {
            AnyEngine::Sqlite($engine) => $expression,
            AnyEngine::Postgres($engine) => $expression,
            AnyEngine::Clickhouse($engine) => $expression,
        }
    };
}

impl AnyEngine {
    /// Opens the store of a URL for reading and writing.
    pub(crate) async fn open(url: &str, options: &StoreOptions) -> Result<AnyEngine, Error> {
        Ok(match url {
            _ if is_postgres(url) => AnyEngine::Postgres(Postgres::open(url, options).await?),
            _ if is_clickhouse(url) => AnyEngine::Clickhouse(Clickhouse::open(url, options).await?),
            _ => AnyEngine::Sqlite(Sqlite::open(sqlite_path(url)?, options)?),
        })
    }

    /// Opens the store of a URL for reading.
    pub(crate) async fn open_to_read(url: &str, options: &StoreOptions) -> Result<AnyEngine, Error> {
        Ok(match url {
            _ if is_postgres(url) => AnyEngine::Postgres(Postgres::open_to_read(url, options).await?),
            _ if is_clickhouse(url) => AnyEngine::Clickhouse(Clickhouse::open_to_read(url, options).await?),
            _ => AnyEngine::Sqlite(Sqlite::open_to_read(sqlite_path(url)?, options)?),
        })
    }

    /// Creates the tables of a store, or brings them up to date.
    pub(crate) async fn migrate(url: &str, options: &StoreOptions) -> Result<Migration, Error> {
        match url {
            _ if is_postgres(url) => Postgres::migrate(url, options).await,
            _ if is_clickhouse(url) => Clickhouse::migrate(url).await,
            _ => Sqlite::migrate(sqlite_path(url)?, options),
        }
    }
}

impl Engine for AnyEngine {
    fn dialect(&self) -> Dialect {
        with_engine!(self, engine => engine.dialect())
    }

    fn name(&self) -> &str {
        with_engine!(self, engine => engine.name())
    }

    async fn query(
        &self,
        statement: Statement,
        workload: Workload,
        deadline: Deadline,
    ) -> Result<Vec<Vec<Value<'static>>>, Error> {
        with_engine!(self, engine => engine.query(statement, workload, deadline).await)
    }

    async fn write(
        &self,
        rows: Arc<dyn RowBatch>,
        on_existing: OnExisting,
        deadline: Deadline,
    ) -> Result<BatchResult, Error> {
        with_engine!(self, engine => engine.write(rows, on_existing, deadline).await)
    }

    async fn remove(&self, uid: &str, reason: &str, ban: bool, deadline: Deadline) -> Result<RemoveOutcome, Error> {
        with_engine!(self, engine => engine.remove(uid, reason, ban, deadline).await)
    }

    async fn restore(&self, uid: &str, deadline: Deadline) -> Result<bool, Error> {
        with_engine!(self, engine => engine.restore(uid, deadline).await)
    }

    async fn identity(&self, deadline: Deadline) -> Result<String, Error> {
        with_engine!(self, engine => engine.identity(deadline).await)
    }

    async fn drop_month(&self, month: DateTime, deadline: Deadline) -> Result<u64, Error> {
        with_engine!(self, engine => engine.drop_month(month, deadline).await)
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>, deadline: Deadline) -> Result<(), Error> {
        with_engine!(self, engine => engine.replace_test_lists(lists, deadline).await)
    }

    async fn rebuild(&self, rollup: &'static Rollup, deadline: Deadline) -> Result<(), Error> {
        with_engine!(self, engine => engine.rebuild(rollup, deadline).await)
    }

    async fn write_application(&self, rows: Vec<AppRow>, deadline: Deadline) -> Result<(), Error> {
        with_engine!(self, engine => engine.write_application(rows, deadline).await)
    }

    async fn refresh_rollups(&self, deadline: Deadline) -> Result<(), Error> {
        with_engine!(self, engine => engine.refresh_rollups(deadline).await)
    }

    async fn is_rollup_current(
        &self,
        rollup: &'static Rollup,
        window: Window,
        deadline: Deadline,
    ) -> Result<bool, Error> {
        with_engine!(self, engine => engine.is_rollup_current(rollup, window, deadline).await)
    }

    async fn differences(
        &self,
        rollup: &'static Rollup,
        deadline: Deadline,
    ) -> Result<Vec<Vec<Value<'static>>>, Error> {
        with_engine!(self, engine => engine.differences(rollup, deadline).await)
    }

    async fn bytes(&self, deadline: Deadline) -> Result<u64, Error> {
        with_engine!(self, engine => engine.bytes(deadline).await)
    }

    async fn page(&self, after: Option<&str>, limit: usize, deadline: Deadline) -> Result<Vec<StoredRow>, Error> {
        with_engine!(self, engine => engine.page(after, limit, deadline).await)
    }

    async fn measurements(
        &self,
        after: Option<&str>,
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<StoredMeasurement>, Error> {
        with_engine!(self, engine => engine.measurements(after, limit, deadline).await)
    }
}
