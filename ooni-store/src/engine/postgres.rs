//! [`Postgres`]: the store of a backend, a database on a PostgreSQL server.
//!
//! One connection writes, a pool of them reads. Every change is one transaction, rollups included, and one process at a
//! time makes it: all take the lock of the database. A change whose connection is lost is made again, unless the server
//! says that it was committed. What a change does is in `batch` and `change`, connections in `connect`, partitions in
//! `partition`, values in `value`, the tables in `schema`.

mod batch;
mod change;
mod connect;
mod partition;
mod reference;
mod rollups;
mod schema;
mod value;

use self::batch::Batch;
use self::change::{Application, Change, DropMonth, Lists, Rebuild, Removal};
pub(crate) use self::reference::PostgresReference;

use self::connect::Connect;
use super::{Engine, Workload};
use crate::app::row::AppRow;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crate::failpoint::{Failpoint, reach};
use crate::options::StoreOptions;
use crate::retry::RetryPolicy;
use crate::rollup::Rollup;
use crate::sql::{Dialect, Statement};
use crate::tls::with_causes;
use crate::url::without_password;
use crate::value::Value;
use crate::write::row::{BatchResult, ListedUrl, OnExisting, RowBatch};
use crate::write::tally::Tally;
use deadpool_postgres::{Object, Pool, PoolError};
use ooni_core::time::DateTime;
use postgres_types::{ToSql, Type};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::sleep;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A database of measurements on a PostgreSQL server.
pub(crate) struct Postgres {
    url: String,
    /// The URL without its password.
    name: String,
    connect: Connect,
    reads: Pool,
    /// The connection that writes, once there is one; nothing at all if the store was opened to read from.
    writes: Option<Mutex<Option<Client>>>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What goes wrong.
#[derive(Debug)]
enum Trouble {
    /// The server or the way to it says so.
    Database(tokio_postgres::Error),
    /// All connections are in use, or none can be had.
    Pool(PoolError),
    /// What is in there is not for us.
    Schema(String),
    /// It took too long.
    Timeout,
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Trouble {
        Trouble::Database(error)
    }
}

impl Postgres {
    /// Opens a database to write to; `fastpath migrate` has made its tables.
    ///
    /// # Errors
    /// It cannot be reached, has no tables, or those of another version.
    pub(crate) async fn open(url: &str, options: &StoreOptions) -> Result<Postgres, Error> {
        let mut store = Postgres::open_to_read(url, options).await?;
        store.writes = Some(Mutex::new(None));
        Ok(store)
    }

    /// Opens a database to read from.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(crate) async fn open_to_read(url: &str, options: &StoreOptions) -> Result<Postgres, Error> {
        let named = |trouble: Trouble| trouble.of(url);
        let connect = Connect::new(url, &options.application_name).map_err(named)?;
        let reads = connect.pool(options.lookup_readers + options.aggregation_readers).map_err(named)?;
        let client = reads.get().await.map_err(|error| named(Trouble::Pool(error)))?;
        schema::check(&client).await.map_err(named)?;
        Ok(Postgres { url: url.to_owned(), name: without_password(url), connect, reads, writes: None })
    }

    /// Makes the tables of a database, or brings them up to date.
    ///
    /// # Errors
    /// It cannot be reached, is another program's or a newer one's, or its tables cannot be made.
    pub(crate) async fn migrate(url: &str, options: &StoreOptions) -> Result<(), Error> {
        let migrate = async {
            let mut client = Connect::new(url, &options.application_name)?.connect().await?;
            schema::migrate(&mut client).await
        };
        migrate.await.map_err(|trouble: Trouble| trouble.of(url))
    }

    /// Makes a change, whatever becomes of the connection.
    async fn change<C: Change>(&self, change: &C, deadline: Deadline) -> Result<C::Outcome, Error> {
        let Some(writes) = &self.writes else {
            return Err(Error::read_only().of(&self.name));
        };
        let mut writer = deadline.run(writes.lock()).await?;
        let mut attempts = RetryPolicy::PATIENT.start(deadline);
        loop {
            match self.attempt(&mut writer, change).await {
                Err(trouble) if trouble.is_lost() && attempts.again().await => *writer = None,
                result => return result.map_err(|trouble| trouble.of(&self.url)),
            }
        }
    }

    async fn attempt<C: Change>(&self, writer: &mut Option<Client>, change: &C) -> Result<C::Outcome, Trouble> {
        let client = match writer {
            Some(client) if !client.is_closed() => client,
            _ => writer.insert(self.connect.connect().await?),
        };
        let transaction = client.transaction().await?;
        transaction.execute(schema::LOCK, &[]).await?;
        let id: String = transaction.query_one("SELECT pg_current_xact_id()::text", &[]).await?.try_get(0)?;
        let mut tally = Tally::default();
        let outcome = change.make(&transaction, &mut tally).await?;
        reach(Failpoint::RowsWritten);
        rollups::follow(&transaction, tally).await?;
        reach(Failpoint::Committing);
        match transaction.commit().await.map_err(Trouble::from) {
            Ok(()) => {}
            Err(trouble) if trouble.is_lost() && self.is_committed(&id).await? => {}
            Err(trouble) => return Err(trouble),
        }
        reach(Failpoint::Committed);
        Ok(outcome)
    }

    /// What became of a transaction that was being committed when the connection was lost.
    async fn is_committed(&self, id: &str) -> Result<bool, Trouble> {
        let client = self.connect.connect().await?;
        loop {
            let status = client.query_one("SELECT pg_xact_status($1::text::xid8)", &[&id]).await?;
            match status.try_get(0)? {
                Some("committed") => return Ok(true),
                Some("in progress") => sleep(Duration::from_millis(20)).await,
                _ => return Ok(false),
            }
        }
    }

    async fn read(&self, statement: &Statement) -> Result<Vec<Row>, Trouble> {
        let object = self.reads.get().await.map_err(Trouble::Pool)?;
        let mut running = Running { object: Some(object), tls: self.connect.tls.clone() };
        let Some(client) = &running.object else { return Err(Trouble::Timeout) };
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = statement
            .parameters
            .iter()
            .map(|parameter| (parameter as &(dyn ToSql + Sync), value::kind(parameter)))
            .collect();
        let answer = client.query_typed(&statement.sql, &parameters).await;
        running.object = None;
        Ok(answer?)
    }
}

/// A query on a connection of the pool. When it is dropped before it has its answer, it is cancelled, and its connection
/// does not go back to the pool: the next one would wait there, or be cancelled in its place.
struct Running {
    object: Option<Object>,
    tls: MakeRustlsConnect,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let client = Object::take(object);
        let (token, tls) = (client.cancel_token(), self.tls.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // If the server cannot be asked, it notices that the connection is closed.
            runtime.spawn(async move { drop(token.cancel_query(tls).await) });
        }
    }
}

impl Trouble {
    fn foreign() -> Trouble {
        Trouble::Schema(Error::foreign().message().to_owned())
    }

    /// Whether the connection is gone, or the server told to try again.
    fn is_lost(&self) -> bool {
        let (Trouble::Database(error) | Trouble::Pool(PoolError::Backend(error))) = self else { return false };
        let again = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
        ];
        let is_io = || {
            use std::error::Error;
            error.source().is_some_and(|source| source.is::<io::Error>())
        };
        error.is_closed() || error.code().map_or_else(is_io, |code| again.contains(code))
    }

    fn of(self, url: &str) -> Error {
        let (kind, message) = match &self {
            Trouble::Schema(message) => (ErrorKind::Other, message.clone()),
            Trouble::Timeout => (ErrorKind::Timeout, "the query timed out or was cancelled".to_owned()),
            Trouble::Pool(PoolError::Timeout(_)) => (ErrorKind::Busy, "too many queries are waiting".to_owned()),
            Trouble::Pool(PoolError::Backend(error)) => (ErrorKind::Other, sentence(error)),
            Trouble::Pool(error) => (ErrorKind::Other, with_causes(error)),
            Trouble::Database(error) => match error.code() {
                Some(&SqlState::QUERY_CANCELED) => {
                    (ErrorKind::Timeout, "the query timed out or was cancelled".to_owned())
                }
                Some(&SqlState::TOO_MANY_CONNECTIONS) => {
                    (ErrorKind::Busy, "the server has too many connections".to_owned())
                }
                _ => (ErrorKind::Other, sentence(error)),
            },
        };
        let error = Error::new(kind, message).of(&without_password(url));
        match self {
            Trouble::Database(source) => error.with_source(source),
            Trouble::Pool(source) => error.with_source(source),
            Trouble::Schema(_) | Trouble::Timeout => error,
        }
    }
}

/// What went wrong, in the words of the server or of the system.
fn sentence(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} (PostgreSQL error {})", said.message(), said.code().code()),
        None => {
            let said = with_causes(error);
            let believed = "; sslrootcert=FILE says whose certificates are believed";
            let is_of_certificate = said.contains("invalid peer certificate: UnknownIssuer");
            if is_of_certificate { said + believed } else { said }
        }
    }
}

impl Engine for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
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
        let read = async {
            let mut attempts = RetryPolicy::READ.start(deadline);
            loop {
                match self.read(&statement).await {
                    Err(trouble) if trouble.is_lost() && attempts.again().await => {}
                    rows => return rows,
                }
            }
        };
        let rows = deadline.run(read).await?;
        let rows = rows.map_err(|trouble| trouble.of(&self.url))?;
        let cells = |row: &Row| {
            let cells = statement.columns.iter().enumerate();
            cells.map(|(column, &kind)| value::read(row, column, kind)).collect::<Result<Vec<_>, _>>()
        };
        rows.iter().map(|row| cells(row).map_err(|_| Trouble::foreign().of(&self.url))).collect()
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

    async fn remove(&self, uid: &str, reason: &str, deadline: Deadline) -> Result<bool, Error> {
        self.change(&Removal { uid, reason }, deadline).await
    }

    async fn drop_month(&self, month: DateTime, deadline: Deadline) -> Result<u64, Error> {
        self.change(&DropMonth(month), deadline).await
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>, deadline: Deadline) -> Result<(), Error> {
        self.change(&Lists(&lists), deadline).await
    }

    async fn write_application(&self, rows: Vec<AppRow>, deadline: Deadline) -> Result<(), Error> {
        self.change(&Application(&rows), deadline).await
    }

    async fn rebuild(&self, rollup: &'static Rollup, deadline: Deadline) -> Result<(), Error> {
        self.change(&Rebuild(rollup), deadline).await
    }

    async fn bytes(&self, deadline: Deadline) -> Result<u64, Error> {
        let sql = "SELECT pg_database_size(current_database())".to_owned();
        let statement = Statement { sql, parameters: Vec::new(), columns: vec![crate::value::Type::OptionalUInt64] };
        match self.query(statement, Workload::Lookup, deadline).await?.into_iter().flatten().next() {
            Some(Value::Int(bytes)) => Ok(bytes),
            _ => Err(Trouble::foreign().of(&self.url)),
        }
    }
}
