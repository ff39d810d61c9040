//! [`Engine`]: the interface of a database engine.
//!
//! It is private: callers use [`Store`](crate::Store). A new engine needs a folder here and an arm in `any`, and must pass
//! `tests/store`.

pub(crate) mod any;
pub(crate) mod clickhouse;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use crate::app::row::{AppRow, AsnName, NO_APPLICATION};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crate::lock::{NO_LOCKS, StoreLock};
use crate::query::filter::Window;
use crate::rollup::Rollup;
use crate::sql::{self, Dialect, Statement};
use crate::value::Value;
use crate::write::bulk::{self, BulkResult, FinishedMonth};
use crate::write::removal::RemoveOutcome;
use crate::write::row::{
    BatchResult, BodyLocation, ListedUrl, LocationsSet, OnExisting, RowBatch, StoredMeasurement, StoredRow,
};
use ooni_core::time::DateTime;
use std::future::Future;
use std::sync::Arc;

/// A kind of query. Each has its own connections, so that a look-up never queues behind an aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Look-ups and lists, which are short.
    Lookup,
    /// Aggregations and exports, which can take seconds.
    Aggregation,
}

/// What a statement returns: the cells of its rows.
pub(crate) type Rows = Vec<Vec<Value<'static>>>;

/// A database of measurements.
///
/// Every function has one [`Deadline`], which covers the wait for a connection, retries and all statements. A read whose
/// future is dropped is cancelled. A write is one transaction, which includes the log of rollups if it does not change the
/// rollups themselves; on ClickHouse, rollups are updated later, and rows are counted until then. The deadline of a write
/// applies until COMMIT is sent. After that the outcome is resolved within a limit of the engine, or the error is an
/// [`Error::outcome_unknown`].
pub(crate) trait Engine: Send + Sync {
    /// The engine's SQL.
    fn dialect(&self) -> Dialect;

    /// The name of the store in messages: a path, or a URL without its password.
    fn name(&self) -> &str;

    /// Runs a query; returns its rows, with columns of the types that the statement declares. Fails with
    /// [`ErrorKind::Busy`] if a month of the statement's window is being loaded in bulk.
    fn query(
        &self,
        statement: Statement,
        workload: Workload,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Rows, Error>> + Send;

    /// Writes a batch; see [`Store::write`](crate::Store::write). As all changes, it fails with [`ErrorKind::Busy`] if it
    /// concerns a month that is being loaded in bulk.
    fn write(
        &self,
        rows: Arc<dyn RowBatch>,
        on_existing: OnExisting,
        deadline: Deadline,
    ) -> impl Future<Output = Result<BatchResult, Error>> + Send;

    /// See [`Store::set_body_locations`](crate::Store::set_body_locations). The uids are unique and in order.
    fn set_body_locations(
        &self,
        bodies: Vec<(String, BodyLocation)>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<LocationsSet, Error>> + Send;

    /// See [`Store::remove`](crate::Store::remove).
    fn remove(
        &self,
        uid: &str,
        reason: &str,
        ban: bool,
        deadline: Deadline,
    ) -> impl Future<Output = Result<RemoveOutcome, Error>> + Send;

    /// See [`Store::restore`](crate::Store::restore).
    fn restore(&self, uid: &str, deadline: Deadline) -> impl Future<Output = Result<bool, Error>> + Send;

    /// See [`Store::identity`](crate::Store::identity).
    fn identity(&self, deadline: Deadline) -> impl Future<Output = Result<String, Error>> + Send;

    /// See [`Store::drop_month`](crate::Store::drop_month).
    fn drop_month(&self, month: DateTime, deadline: Deadline) -> impl Future<Output = Result<u64, Error>> + Send;

    /// See [`Store::replace_test_lists`](crate::Store::replace_test_lists).
    fn replace_test_lists(
        &self,
        lists: Vec<ListedUrl>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// See [`Store::rebuild`](crate::Store::rebuild).
    fn rebuild(&self, rollup: &'static Rollup, deadline: Deadline) -> impl Future<Output = Result<(), Error>> + Send;

    /// See [`Store::refresh_rollups`](crate::Store::refresh_rollups).
    fn refresh_rollups(&self, _deadline: Deadline) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }

    /// Whether a rollup contains all rows of a window; if not, rows are counted.
    fn is_rollup_current(
        &self,
        _rollup: &'static Rollup,
        _window: Window,
        _deadline: Deadline,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        async { Ok(true) }
    }

    /// See [`Store::begin_load`](crate::Store::begin_load).
    fn begin_load(&self, _loader: &str, _deadline: Deadline) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }

    /// See [`Load::write`](crate::Load::write). Renews the loader's lease, or takes it again.
    fn write_bulk(
        &self,
        rows: Arc<dyn RowBatch>,
        _loader: &str,
        deadline: Deadline,
    ) -> impl Future<Output = Result<BulkResult, Error>> + Send {
        async move {
            let written = self.write(Arc::clone(&rows), OnExisting::Keep, deadline).await?;
            Ok(BulkResult::of_steady(written, &*rows))
        }
    }

    /// See [`Load::end`](crate::Load::end). Leases that have expired are deleted as well.
    fn end_load(&self, _loader: &str, _deadline: Deadline) -> impl Future<Output = Result<u64, Error>> + Send {
        async { Ok(0) }
    }

    /// See [`Store::has_bulk_loads`](crate::Store::has_bulk_loads).
    fn has_bulk_loads(&self) -> bool {
        false
    }

    /// See [`Store::unfinished_months`](crate::Store::unfinished_months).
    fn unfinished_months(&self, _deadline: Deadline) -> impl Future<Output = Result<Vec<DateTime>, Error>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Fails if a month of a window is being loaded in bulk. A query without a snapshot checks this first.
    fn check_loaded(
        &self,
        window: Option<Window>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        async move {
            match window {
                Some(window) => bulk::check(&self.unfinished_months(deadline).await?, window),
                None => Ok(()),
            }
        }
    }

    /// See [`Store::finish_month`](crate::Store::finish_month).
    fn finish_month(
        &self,
        _month: DateTime,
        _deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<FinishedMonth>, Error>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Builds the indexes that a bulk load dropped, if no month is unfinished. Returns how many.
    fn build_dropped_indexes(&self, _deadline: Deadline) -> impl Future<Output = Result<u64, Error>> + Send {
        async { Ok(0) }
    }

    /// What some statements of an aggregation return, all of it read in one snapshot; one after the other where there
    /// are no snapshots.
    fn snapshot(
        &self,
        statements: Vec<Statement>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Rows>, Error>> + Send {
        async move {
            let mut all = Vec::new();
            for statement in statements {
                all.push(self.query(statement, Workload::Aggregation, deadline).await?);
            }
            Ok(all)
        }
    }

    /// Writes rows of the application tables.
    fn write_application(
        &self,
        _rows: Vec<AppRow>,
        _deadline: Deadline,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        async { Err(Error::public(ErrorKind::Invalid, NO_APPLICATION)) }
    }

    /// See [`Store::replace_asn_names`](crate::Store::replace_asn_names). The keys are unique and in order.
    fn replace_asn_names(
        &self,
        _names: Vec<AsnName>,
        _deadline: Deadline,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        async { Err(Error::public(ErrorKind::Invalid, NO_APPLICATION)) }
    }

    /// Writes rules if there are none. Returns false if there were some.
    fn seed_url_priorities(
        &self,
        _rules: Vec<AppRow>,
        _deadline: Deadline,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        async { Err(Error::public(ErrorKind::Invalid, NO_APPLICATION)) }
    }

    /// See [`Store::try_lock`](crate::Store::try_lock).
    fn try_lock(
        &self,
        _name: &str,
        _deadline: Deadline,
    ) -> impl Future<Output = Result<Option<StoreLock>, Error>> + Send {
        async { Err(Error::public(ErrorKind::Invalid, NO_LOCKS)) }
    }

    /// The size of the store in bytes, including indexes.
    fn bytes(&self, deadline: Deadline) -> impl Future<Output = Result<u64, Error>> + Send;

    /// See [`Store::page`](crate::Store::page).
    fn page(
        &self,
        after: Option<&str>,
        limit: usize,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<StoredRow>, Error>> + Send {
        let statement = sql::page(self.dialect(), after, limit).over(Window::default());
        async move {
            let rows = self.query(statement, Workload::Aggregation, deadline).await?;
            rows.into_iter().map(|row| row.try_into().map_err(|_| Error::foreign())).collect()
        }
    }

    /// As [`Engine::page`], with the rows of these measurements in other tables.
    fn measurements(
        &self,
        after: Option<&str>,
        limit: usize,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<StoredMeasurement>, Error>> + Send {
        let statement = sql::measurements(self.dialect(), after, limit).over(Window::default());
        async move {
            let rows = self.query(statement, Workload::Aggregation, deadline).await?;
            rows.into_iter().map(|row| sql::measurement(row).ok_or_else(Error::foreign)).collect()
        }
    }
}
