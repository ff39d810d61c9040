//! [`AnyEngine`]: one of the engines, chosen by the URL.

use super::clickhouse::Clickhouse;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{Engine, Rows, Workload};
use crate::app::row::{AppRow, AsnName};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::lock::StoreLock;
use crate::migration::Migration;
use crate::options::StoreOptions;
use crate::query::filter::Window;
use crate::rollup::Rollup;
use crate::sql::{Dialect, Statement};
use crate::url::{is_clickhouse, is_postgres, sqlite_path};
use crate::write::bulk::{BulkResult, FinishedMonth};
use crate::write::removal::RemoveOutcome;
use crate::write::row::{
    BatchResult, BodyLocation, ListedUrl, LocationsSet, OnExisting, RowBatch, StoredMeasurement, StoredRow,
};
use ooni_core::time::DateTime;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// One of the engines.
pub(crate) enum AnyEngine {
    /// A file.
    Sqlite(Sqlite),
    /// A database on a PostgreSQL server; boxed for its size.
    Postgres(Box<Postgres>),
    /// A database on a ClickHouse server; boxed for its size.
    Clickhouse(Box<Clickhouse>),
}

/// What an engine returns. It is boxed so that the engines are compiled in this crate only: otherwise each crate that awaits
/// it, tests included, would generate the code of all engines again.
type Boxed<'f, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'f>>;

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
    pub(crate) fn open<'f>(url: &'f str, options: &'f StoreOptions) -> Boxed<'f, AnyEngine> {
        Box::pin(async move {
            Ok(match url {
                _ if is_postgres(url) => AnyEngine::Postgres(Box::new(Postgres::open(url, options).await?)),
                _ if is_clickhouse(url) => AnyEngine::Clickhouse(Box::new(Clickhouse::open(url, options).await?)),
                _ => AnyEngine::Sqlite(Sqlite::open(sqlite_path(url)?, options)?),
            })
        })
    }

    /// Opens the store of a URL for reading.
    pub(crate) fn open_to_read<'f>(url: &'f str, options: &'f StoreOptions) -> Boxed<'f, AnyEngine> {
        Box::pin(async move {
            Ok(match url {
                _ if is_postgres(url) => AnyEngine::Postgres(Box::new(Postgres::open_to_read(url, options).await?)),
                _ if is_clickhouse(url) => {
                    AnyEngine::Clickhouse(Box::new(Clickhouse::open_to_read(url, options).await?))
                }
                _ => AnyEngine::Sqlite(Sqlite::open_to_read(sqlite_path(url)?, options)?),
            })
        })
    }

    /// Creates the tables of a store, or brings them up to date.
    pub(crate) fn migrate<'f>(url: &'f str, options: &'f StoreOptions) -> Boxed<'f, Migration> {
        Box::pin(async move {
            match url {
                _ if is_postgres(url) => Postgres::migrate(url, options).await,
                _ if is_clickhouse(url) => Clickhouse::migrate(url).await,
                _ => Sqlite::migrate(sqlite_path(url)?, options),
            }
        })
    }
}

/// What each engine does; see [`Engine`].
impl AnyEngine {
    pub(crate) fn dialect(&self) -> Dialect {
        with_engine!(self, engine => engine.dialect())
    }

    pub(crate) fn name(&self) -> &str {
        with_engine!(self, engine => engine.name())
    }

    pub(crate) fn query(&self, statement: Statement, workload: Workload, deadline: Deadline) -> Boxed<'_, Rows> {
        with_engine!(self, engine => Box::pin(engine.query(statement, workload, deadline)))
    }

    pub(crate) fn write(
        &self,
        rows: Arc<dyn RowBatch>,
        on_existing: OnExisting,
        deadline: Deadline,
    ) -> Boxed<'_, BatchResult> {
        with_engine!(self, engine => Box::pin(engine.write(rows, on_existing, deadline)))
    }

    pub(crate) fn set_body_locations(
        &self,
        bodies: Vec<(String, BodyLocation)>,
        deadline: Deadline,
    ) -> Boxed<'_, LocationsSet> {
        with_engine!(self, engine => Box::pin(engine.set_body_locations(bodies, deadline)))
    }

    pub(crate) fn remove<'s>(
        &'s self,
        uid: &'s str,
        reason: &'s str,
        ban: bool,
        deadline: Deadline,
    ) -> Boxed<'s, RemoveOutcome> {
        with_engine!(self, engine => Box::pin(engine.remove(uid, reason, ban, deadline)))
    }

    pub(crate) fn restore<'s>(&'s self, uid: &'s str, deadline: Deadline) -> Boxed<'s, bool> {
        with_engine!(self, engine => Box::pin(engine.restore(uid, deadline)))
    }

    pub(crate) fn identity(&self, deadline: Deadline) -> Boxed<'_, String> {
        with_engine!(self, engine => Box::pin(engine.identity(deadline)))
    }

    pub(crate) fn drop_month(&self, month: DateTime, deadline: Deadline) -> Boxed<'_, u64> {
        with_engine!(self, engine => Box::pin(engine.drop_month(month, deadline)))
    }

    pub(crate) fn replace_test_lists(&self, lists: Vec<ListedUrl>, deadline: Deadline) -> Boxed<'_, ()> {
        with_engine!(self, engine => Box::pin(engine.replace_test_lists(lists, deadline)))
    }

    pub(crate) fn rebuild(&self, rollup: &'static Rollup, deadline: Deadline) -> Boxed<'_, ()> {
        with_engine!(self, engine => Box::pin(engine.rebuild(rollup, deadline)))
    }

    pub(crate) fn write_application(&self, rows: Vec<AppRow>, deadline: Deadline) -> Boxed<'_, ()> {
        with_engine!(self, engine => Box::pin(engine.write_application(rows, deadline)))
    }

    pub(crate) fn replace_asn_names(&self, names: Vec<AsnName>, deadline: Deadline) -> Boxed<'_, ()> {
        with_engine!(self, engine => Box::pin(engine.replace_asn_names(names, deadline)))
    }

    pub(crate) fn seed_url_priorities(&self, rules: Vec<AppRow>, deadline: Deadline) -> Boxed<'_, bool> {
        with_engine!(self, engine => Box::pin(engine.seed_url_priorities(rules, deadline)))
    }

    pub(crate) fn try_lock<'s>(&'s self, name: &'s str, deadline: Deadline) -> Boxed<'s, Option<StoreLock>> {
        with_engine!(self, engine => Box::pin(engine.try_lock(name, deadline)))
    }

    pub(crate) fn refresh_rollups(&self, deadline: Deadline) -> Boxed<'_, ()> {
        with_engine!(self, engine => Box::pin(engine.refresh_rollups(deadline)))
    }

    pub(crate) fn is_rollup_current(
        &self,
        rollup: &'static Rollup,
        window: Window,
        deadline: Deadline,
    ) -> Boxed<'_, bool> {
        with_engine!(self, engine => Box::pin(engine.is_rollup_current(rollup, window, deadline)))
    }

    pub(crate) fn begin_load<'s>(&'s self, loader: &'s str, deadline: Deadline) -> Boxed<'s, ()> {
        with_engine!(self, engine => Box::pin(engine.begin_load(loader, deadline)))
    }

    pub(crate) fn write_bulk<'s>(
        &'s self,
        rows: Arc<dyn RowBatch>,
        loader: &'s str,
        deadline: Deadline,
    ) -> Boxed<'s, BulkResult> {
        with_engine!(self, engine => Box::pin(engine.write_bulk(rows, loader, deadline)))
    }

    pub(crate) fn end_load<'s>(&'s self, loader: &'s str, deadline: Deadline) -> Boxed<'s, u64> {
        with_engine!(self, engine => Box::pin(engine.end_load(loader, deadline)))
    }

    pub(crate) fn has_bulk_loads(&self) -> bool {
        with_engine!(self, engine => engine.has_bulk_loads())
    }

    pub(crate) fn unfinished_months(&self, deadline: Deadline) -> Boxed<'_, Vec<DateTime>> {
        with_engine!(self, engine => Box::pin(engine.unfinished_months(deadline)))
    }

    pub(crate) fn finish_month(&self, month: DateTime, deadline: Deadline) -> Boxed<'_, Vec<FinishedMonth>> {
        with_engine!(self, engine => Box::pin(engine.finish_month(month, deadline)))
    }

    pub(crate) fn build_dropped_indexes(&self, deadline: Deadline) -> Boxed<'_, u64> {
        with_engine!(self, engine => Box::pin(engine.build_dropped_indexes(deadline)))
    }

    pub(crate) fn snapshot(&self, statements: Vec<Statement>, deadline: Deadline) -> Boxed<'_, Vec<Rows>> {
        with_engine!(self, engine => Box::pin(engine.snapshot(statements, deadline)))
    }

    pub(crate) fn bytes(&self, deadline: Deadline) -> Boxed<'_, u64> {
        with_engine!(self, engine => Box::pin(engine.bytes(deadline)))
    }

    pub(crate) fn page<'s>(
        &'s self,
        after: Option<&'s str>,
        limit: usize,
        deadline: Deadline,
    ) -> Boxed<'s, Vec<StoredRow>> {
        with_engine!(self, engine => Box::pin(engine.page(after, limit, deadline)))
    }

    pub(crate) fn measurements<'s>(
        &'s self,
        after: Option<&'s str>,
        limit: usize,
        deadline: Deadline,
    ) -> Boxed<'s, Vec<StoredMeasurement>> {
        with_engine!(self, engine => Box::pin(engine.measurements(after, limit, deadline)))
    }
}
