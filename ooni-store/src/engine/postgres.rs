//! [`Postgres`]: the store of a backend, in a database on a PostgreSQL server.
//!
//! One connection writes and two pools of connections read. Every change is one transaction that includes the rollups.
//! An advisory lock of the database lets one process write at a time. `writer` makes the changes of `batch`, `change`
//! and `locations`, and `reader` reads. `connect`, `settings`, `password_file` and `service_file` are about
//! connections; `partition` creates partitions, `value` converts values, `rollups` updates rollups, and `schema`
//! migrates tables. `log` has the rows that the rollups do not count yet, and `folder` the task that folds them.

mod batch;
mod bulk;
mod change;
mod connect;
mod copy;
mod error;
mod folder;
mod locations;
mod log;
mod partition;
mod password_file;
mod reader;
pub(crate) mod reference;
mod rollups;
mod schema;
mod service_file;
mod settings;
mod value;
mod writer;

use self::batch::Batch;
use self::bulk::Loads;
use self::change::{Application, Change, DropMonth, Fold, Lists, Names, Rebuild, Remove, Restore, Seed};
use self::connect::Connect;
use self::error::PgError;
use self::locations::SetLocations;
use self::reader::Readers;
use self::writer::Writer;
use super::{Engine, Rows, Workload};
use crate::app::row::{AppRow, AsnName};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::lock::StoreLock;
use crate::migration::Migration;
use crate::options::StoreOptions;
use crate::retry::RetryPolicy;
use crate::rollup::Rollup;
use crate::sql::{Dialect, Statement};
use crate::url::without_password;
use crate::value::Value;
use crate::write::bulk::{BulkResult, FinishedMonth};
use crate::write::removal::RemoveOutcome;
use crate::write::row::{BatchResult, BodyLocation, ListedUrl, LocationsSet, OnExisting, RowBatch};
use ooni_core::time::DateTime;
use std::future::Future;
use std::sync::Arc;
use tokio_postgres::Row;

/// A database of measurements on a PostgreSQL server.
pub(crate) struct Postgres {
    connect: Connect,
    readers: Readers,
    /// `None` if the store was opened for reading.
    writer: Option<Writer>,
    /// `None` if the store was opened for reading.
    loads: Option<Loads>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Opens a database for writing; its tables must have been created by `fastpath migrate`.
    ///
    /// # Errors
    /// It cannot be reached, has no tables, or has those of another version.
    pub(crate) async fn open(url: &str, options: &StoreOptions) -> Result<Postgres, Error> {
        let mut store = Postgres::open_to_read(url, options).await?;
        store.writer = Some(Writer::new(&store.connect, options.max_rollup_log));
        store.loads = Some(Loads::new(&store.connect, options.max_rollup_log));
        Ok(store)
    }

    /// Opens a database for reading.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(crate) async fn open_to_read(url: &str, options: &StoreOptions) -> Result<Postgres, Error> {
        let open = async {
            let connect = Connect::new(url, &options.application_name)?;
            schema::check(&connect.connect().await?).await?;
            Ok(Postgres { readers: Readers::new(&connect, options)?, connect, writer: None, loads: None })
        };
        open.await.map_err(|error: PgError| error.of(&without_password(url)))
    }

    /// Creates the tables of a database, or brings them up to date.
    ///
    /// # Errors
    /// It cannot be reached, belongs to another program or a newer version, or its tables cannot be created.
    pub(crate) async fn migrate(url: &str, options: &StoreOptions) -> Result<Migration, Error> {
        let migrate = async {
            let mut client = Connect::new(url, &options.application_name)?.connect().await?;
            schema::migrate(&mut client).await
        };
        migrate.await.map_err(|error: PgError| error.of(&without_password(url)))
    }

    async fn change<C: Change>(&self, change: &C, deadline: Deadline) -> Result<C::Outcome, Error> {
        let Some(writer) = &self.writer else {
            return Err(Error::read_only().of(self.name()));
        };
        writer.change(change, deadline).await.map_err(|error| error.of(self.name()))
    }

    /// Does a part of a bulk load.
    async fn load<'s, T, F: Future<Output = Result<T, PgError>>>(
        &'s self,
        what: impl FnOnce(&'s Loads) -> F,
    ) -> Result<T, Error> {
        let Some(loads) = &self.loads else {
            return Err(Error::read_only().of(self.name()));
        };
        what(loads).await.map_err(|error| error.of(self.name()))
    }

    /// Runs a read; again if the connection is lost.
    async fn read<T, F: Future<Output = Result<T, PgError>>>(
        &self,
        deadline: Deadline,
        attempt: impl Fn() -> F,
    ) -> Result<T, Error> {
        let read = async {
            let mut attempts = RetryPolicy::READ.start(deadline);
            loop {
                match attempt().await {
                    Err(error) if error.is_lost() && attempts.again().await => {}
                    result => return result,
                }
            }
        };
        let result = deadline.run(read).await.map_err(|error| error.of(self.name()))?;
        result.map_err(|error| error.of(self.name()))
    }

    /// The cells of the rows that a statement returned.
    fn cells(&self, statement: &Statement, rows: &[Row]) -> Result<Rows, Error> {
        let cells = |row: &Row| {
            let cells = statement.columns.iter().enumerate();
            cells.map(|(column, &kind)| value::read(row, column, kind)).collect::<Result<Vec<_>, _>>()
        };
        rows.iter().map(|row| cells(row).map_err(|_| PgError::foreign().of(self.name()))).collect()
    }
}

impl Engine for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn name(&self) -> &str {
        &self.connect.url
    }

    async fn query(&self, statement: Statement, workload: Workload, deadline: Deadline) -> Result<Rows, Error> {
        let rows = self.read(deadline, || self.readers.query(&statement, workload, deadline)).await?;
        self.cells(&statement, &rows)
    }

    async fn snapshot(&self, statements: Vec<Statement>, deadline: Deadline) -> Result<Vec<Rows>, Error> {
        let all = self.read(deadline, || self.readers.snapshot(&statements, deadline)).await?;
        statements.iter().zip(&all).map(|(statement, rows)| self.cells(statement, rows)).collect()
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
        self.change(&Batch { rows, replace: on_existing == OnExisting::Replace }, deadline).await
    }

    fn has_bulk_loads(&self) -> bool {
        true
    }

    async fn begin_load(&self, loader: &str, deadline: Deadline) -> Result<(), Error> {
        self.load(|loads| loads.renew(loader, deadline)).await
    }

    async fn write_bulk(&self, rows: Arc<dyn RowBatch>, loader: &str, deadline: Deadline) -> Result<BulkResult, Error> {
        self.load(|loads| loads.write(rows, loader, deadline)).await
    }

    async fn end_load(&self, loader: &str, deadline: Deadline) -> Result<u64, Error> {
        self.load(|loads| loads.end(loader, deadline)).await
    }

    async fn unfinished_months(&self, deadline: Deadline) -> Result<Vec<DateTime>, Error> {
        let statement = Statement::new(bulk::UNFINISHED, Vec::new(), vec![crate::value::Type::Time]);
        let months = self.query(statement, Workload::Lookup, deadline).await?;
        let month = |value| if let Value::Time(month) = value { Some(month) } else { None };
        Ok(months.into_iter().flatten().filter_map(month).collect())
    }

    async fn finish_month(&self, month: DateTime, deadline: Deadline) -> Result<Vec<FinishedMonth>, Error> {
        Ok(self.load(|loads| loads.finish(month, deadline)).await?.into_iter().collect())
    }

    async fn build_dropped_indexes(&self, deadline: Deadline) -> Result<u64, Error> {
        self.load(|loads| loads.build_indexes(deadline)).await
    }

    async fn set_body_locations(
        &self,
        bodies: Vec<(String, BodyLocation)>,
        deadline: Deadline,
    ) -> Result<LocationsSet, Error> {
        self.change(&SetLocations(&bodies), deadline).await
    }

    async fn remove(&self, uid: &str, reason: &str, ban: bool, deadline: Deadline) -> Result<RemoveOutcome, Error> {
        self.change(&Remove { uid, reason, ban }, deadline).await
    }

    async fn restore(&self, uid: &str, deadline: Deadline) -> Result<bool, Error> {
        self.change(&Restore(uid), deadline).await
    }

    /// The system identifier of the cluster, the database, and the schema of its tables.
    async fn identity(&self, deadline: Deadline) -> Result<String, Error> {
        let sql = "SELECT concat_ws(' ', 'postgres', (SELECT system_identifier FROM pg_control_system()), \
            (SELECT oid FROM pg_database WHERE datname = current_database()), current_schema())";
        let statement = Statement::new(sql, Vec::new(), vec![crate::value::Type::Text]);
        match self.query(statement, Workload::Lookup, deadline).await?.into_iter().flatten().next() {
            Some(Value::Text(identity)) => Ok(identity.into_owned()),
            _ => Err(PgError::foreign().of(self.name())),
        }
    }

    async fn drop_month(&self, month: DateTime, deadline: Deadline) -> Result<u64, Error> {
        self.change(&DropMonth { month, deadline }, deadline).await
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>, deadline: Deadline) -> Result<(), Error> {
        self.change(&Lists(&lists), deadline).await
    }

    async fn write_application(&self, rows: Vec<AppRow>, deadline: Deadline) -> Result<(), Error> {
        self.change(&Application(&rows), deadline).await
    }

    async fn replace_asn_names(&self, names: Vec<AsnName>, deadline: Deadline) -> Result<(), Error> {
        self.change(&Names(&names), deadline).await
    }

    async fn seed_url_priorities(&self, rules: Vec<AppRow>, deadline: Deadline) -> Result<bool, Error> {
        self.change(&Seed(&rules), deadline).await
    }

    async fn try_lock(&self, name: &str, deadline: Deadline) -> Result<Option<StoreLock>, Error> {
        let Some(writer) = &self.writer else { return Err(Error::read_only()) };
        let client = writer.try_lock(name, deadline).await.map_err(|error| error.of(self.name()))?;
        Ok(client.map(StoreLock::of_session))
    }

    async fn rebuild(&self, rollup: &'static Rollup, deadline: Deadline) -> Result<(), Error> {
        self.change(&Rebuild(rollup), deadline).await
    }

    async fn refresh_rollups(&self, deadline: Deadline) -> Result<(), Error> {
        match self.writer {
            Some(_) => self.change(&Fold, deadline).await,
            None => Ok(()),
        }
    }

    async fn bytes(&self, deadline: Deadline) -> Result<u64, Error> {
        let sql = "SELECT pg_database_size(current_database())".to_owned();
        let statement = Statement::new(sql, Vec::new(), vec![crate::value::Type::OptionalUInt64]);
        match self.query(statement, Workload::Lookup, deadline).await?.into_iter().flatten().next() {
            Some(Value::Int(bytes)) => Ok(bytes),
            _ => Err(PgError::foreign().of(self.name())),
        }
    }
}
