//! [`Store`]: a database of measurements on any of the engines. Its queries are in `store/`: rows in `rows`, counts in
//! `counts`, those of charts in `charts`, bulk loads in `bulk`, application tables in `app`, and the state of the store
//! in `state`.

mod app;
pub(crate) mod bulk;
mod charts;
mod counts;
mod rows;
pub(crate) mod state;

use crate::deadline::Deadline;
use crate::engine::any::AnyEngine;
use crate::engine::{Rows, Workload};
use crate::error::Error;
use crate::lock::{StoreLock, check_name};
use crate::migration::Migration;
use crate::options::StoreOptions;
use crate::query::filter::Window;
use crate::rollup::Rollup;
use crate::sql::{self, Dialect, Statement};
use crate::value::Value;
use crate::write;
use crate::write::removal::RemoveOutcome;
use crate::write::row::{BatchResult, BodyLocation, ListedUrl, LocationsSet, OnExisting, RowBatch};
use ooni_core::time::DateTime;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span};

/// A database of measurements. Cheap to clone; all clones share its connections.
///
/// Each call has one deadline: that of [`Store::with_deadline`], or else the limit of [`StoreOptions`]. A read whose future
/// is dropped is cancelled.
///
/// When the future of a write is ready, the change is durable. It is one transaction, and every later answer has it.
/// Rollups count new rows a little later; until then queries add those rows, and on ClickHouse they count all rows of
/// their days. A deadline ends a write only until COMMIT is sent. A write whose future is dropped may or may not be
/// committed. All writes are idempotent.
#[derive(Clone)]
pub struct Store {
    engine: Arc<AnyEngine>,
    options: Arc<StoreOptions>,
    deadline: Option<Deadline>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("name", &self.engine.name()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of a URL for reading and writing. A missing file is created; the tables on a server must have been
    /// created by [`Store::migrate`].
    ///
    /// # Errors
    /// The URL is not that of a store, or the store cannot be opened.
    pub async fn open(url: &str, options: StoreOptions) -> Result<Store, Error> {
        Ok(Store::new(AnyEngine::open(url, &options).await?, options))
    }

    /// Opens the store of a URL for reading; it must exist.
    ///
    /// # Errors
    /// The URL is not that of a store, or the store cannot be opened.
    pub async fn open_to_read(url: &str, options: StoreOptions) -> Result<Store, Error> {
        Ok(Store::new(AnyEngine::open_to_read(url, &options).await?, options))
    }

    /// Creates the tables of a store, or brings them up to date.
    ///
    /// # Errors
    /// The URL is not that of a store, or the database belongs to another program or a newer version.
    pub async fn migrate(url: &str, options: &StoreOptions) -> Result<Migration, Error> {
        AnyEngine::migrate(url, options).await
    }

    fn new(engine: AnyEngine, options: StoreOptions) -> Store {
        Store { engine: Arc::new(engine), options: Arc::new(options), deadline: None }
    }

    /// The same store, with one deadline for all calls and for all pages of a stream.
    #[must_use]
    pub fn with_deadline(&self, deadline: Deadline) -> Store {
        Store { deadline: Some(deadline), ..self.clone() }
    }

    /// Checks that the store can be reached and answers.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn ping(&self) -> Result<(), Error> {
        let call = self.read("ping", Workload::Lookup);
        call.query(sql::ping()).await.map(drop)
    }

    /// Writes a batch: an `Arc<Vec<T>>` of any [`Incoming`](crate::Incoming), or an `Arc<BatchInput<T>>`.
    ///
    /// A row's key is its `measurement_uid`: a row that occurs twice, in one batch or in two, is written once. Rows
    /// that a table does not accept are recorded in `refused` with the reason, and the others are written. `refused`
    /// also has one row per uid, and [`OnExisting`] says which one is kept. With [`OnExisting::Replace`], an accepted
    /// row deletes an earlier refusal. A measurement that was [removed](Store::remove) is refused. `update_time` is the
    /// time of the call.
    ///
    /// Rejections of the cans that [begin](crate::BatchInput::begin_can) in the batch are deleted, then those of uids
    /// that are stored. Then the rejections of the batch are written, except those whose key already has one.
    ///
    /// # Errors
    /// No row of the batch was written, unless [`Error::is_outcome_unknown`].
    pub async fn write(&self, rows: Arc<dyn RowBatch>, on_existing: OnExisting) -> Result<BatchResult, Error> {
        let span = self.span("write");
        self.write_within(span, |deadline| self.engine.write(rows, on_existing, deadline)).await
    }

    /// Sets the locations of bodies, in one transaction. Rows and rollups are not changed, and locations that are
    /// already set stay as they are. The location of a measurement without a row is kept as well, and becomes that of
    /// its row when one is written; uids of more than 600 bytes have no row and are not kept. If a uid occurs more than
    /// once, the last location is set.
    ///
    /// # Errors
    /// No location was set, unless [`Error::is_outcome_unknown`].
    pub async fn set_body_locations(&self, bodies: Vec<(String, BodyLocation)>) -> Result<LocationsSet, Error> {
        let span = self.span("set_body_locations");
        // Without duplicates, and in the order of indexes.
        let bodies: Vec<_> = bodies.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
        self.write_within(span, |deadline| self.engine.set_body_locations(bodies, deadline)).await
    }

    /// Removes a measurement from all tables permanently and records the reason; the reason of an earlier removal is
    /// kept. If the measurement is in no table, nothing changes, unless `ban` is set: then it is refused from now on.
    ///
    /// # Errors
    /// Nothing was removed, unless [`Error::is_outcome_unknown`].
    pub async fn remove(&self, uid: &str, reason: &str, ban: bool) -> Result<RemoveOutcome, Error> {
        let span = self.span("remove");
        self.write_within(span, |deadline| self.engine.remove(uid, reason, ban, deadline)).await
    }

    /// Allows a removed measurement to be stored again. Returns false if it was not removed.
    ///
    /// # Errors
    /// It is still banned, unless [`Error::is_outcome_unknown`].
    pub async fn restore(&self, uid: &str) -> Result<bool, Error> {
        let span = self.span("restore");
        self.write_within(span, |deadline| self.engine.restore(uid, deadline)).await
    }

    /// A text that identifies the database, independent of the URL by which it was opened.
    ///
    /// # Errors
    /// The database does not identify itself.
    pub async fn identity(&self) -> Result<String, Error> {
        let call = self.read("identity", Workload::Lookup);
        call.run(self.engine.identity(call.deadline)).await
    }

    /// Deletes all measurements that started in the month that begins at `month`; returns their number. They can be stored
    /// again.
    ///
    /// # Errors
    /// Nothing was deleted, unless [`Error::is_outcome_unknown`].
    pub async fn drop_month(&self, month: DateTime) -> Result<u64, Error> {
        let span = self.span("drop_month");
        self.write_within(span, |deadline| self.engine.drop_month(month, deadline)).await
    }

    /// Replaces all test lists, and brings the rollup of categories up to date.
    ///
    /// # Errors
    /// The lists are unchanged, unless [`Error::is_outcome_unknown`].
    pub async fn replace_test_lists(&self, lists: Vec<ListedUrl>) -> Result<(), Error> {
        let span = self.span("replace_test_lists");
        self.write_within(span, |deadline| self.engine.replace_test_lists(lists, deadline)).await
    }

    /// Takes the lock of a name, such as that of a job, unless another process or another caller holds it. On SQLite it is a
    /// file beside the database, `DATABASE.NAME.lock`, which stays when the lock is released; on PostgreSQL an advisory lock
    /// of the database, on a connection of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the name has other characters than lower-case letters, digits,
    /// hyphens and underscores, or on ClickHouse; or the lock cannot be requested.
    pub async fn try_lock(&self, name: &str) -> Result<Option<StoreLock>, Error> {
        let span = self.span("try_lock");
        let take = async |deadline| {
            check_name(name)?;
            self.engine.try_lock(name, deadline).await
        };
        self.write_within(span, take).await
    }

    /// Rebuilds a rollup from the rows.
    ///
    /// # Errors
    /// It is unchanged, unless [`Error::is_outcome_unknown`].
    pub async fn rebuild(&self, rollup: &'static Rollup) -> Result<(), Error> {
        let span = self.span("rebuild");
        self.write_within(span, |deadline| self.engine.rebuild(rollup, deadline)).await
    }

    /// Brings rollups up to date with the rows, which otherwise happens in the background. On ClickHouse, it does nothing if
    /// another process is already doing so; on other engines, if the store was opened for reading.
    ///
    /// # Errors
    /// Rollups are not up to date yet; rows are counted until they are.
    pub async fn refresh_rollups(&self) -> Result<(), Error> {
        let span = self.span("refresh_rollups");
        self.write_within(span, |deadline| self.engine.refresh_rollups(deadline)).await
    }

    /// The deadline of a call that begins now.
    fn deadline(&self, limit: Option<std::time::Duration>) -> Deadline {
        self.deadline.unwrap_or_else(|| limit.map_or(Deadline::NEVER, Deadline::after))
    }

    fn dialect(&self) -> Dialect {
        self.engine.dialect()
    }

    fn span(&self, name: &'static str) -> Span {
        debug_span!("store", query = name, store = self.engine.name(), error = Empty)
    }

    /// Starts a read. The deadline of all its statements is fixed here.
    fn read(&self, name: &'static str, workload: Workload) -> Read<'_> {
        let deadline = self.deadline(self.options.read_limit);
        Read { store: self, workload, window: None, deadline, span: self.span(name) }
    }

    async fn write_within<T, F: Future<Output = Result<T, Error>> + Send>(
        &self,
        span: Span,
        write: impl FnOnce(Deadline) -> F,
    ) -> Result<T, Error> {
        let deadline = self.deadline(self.options.write_limit);
        self.traced(&span, write(deadline)).await
    }

    /// Awaits a part of a call and adds the store's name to an error.
    async fn traced<T>(&self, span: &Span, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        work.instrument(span.clone()).await.map_err(|error| {
            span.record("error", error.kind().name());
            error.of(self.engine.name())
        })
    }
}

/// A call that reads.
struct Read<'s> {
    store: &'s Store,
    workload: Workload,
    /// The starts of the measurements that its statements read; see [`Statement::window`].
    window: Option<Window>,
    deadline: Deadline,
    span: Span,
}

impl Read<'_> {
    /// The same call, which reads measurements that start in a window.
    fn over(self, window: Window) -> Self {
        Read { window: Some(window), ..self }
    }

    /// Executes one of the statements of the call.
    async fn query(&self, statement: Statement) -> Result<Rows, Error> {
        let statement = Statement { window: self.window.or(statement.window), ..statement };
        self.run(self.store.engine.query(statement, self.workload, self.deadline)).await
    }

    /// Executes statements that see the same moment, where the engine has snapshots.
    async fn snapshot(&self, mut statements: Vec<Statement>) -> Result<Vec<Rows>, Error> {
        statements.iter_mut().for_each(|statement| statement.window = self.window.or(statement.window));
        self.run(self.store.engine.snapshot(statements, self.deadline)).await
    }

    /// Executes a statement and reads its rows.
    async fn rows<T>(
        &self,
        statement: Statement,
        row: impl Fn(Vec<Value<'static>>) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        self.query(statement).await?.into_iter().map(|cells| row(cells).ok_or_else(|| self.foreign())).collect()
    }

    /// Fails if a month is in a bulk load: what a look-up did not find could be there. If not, the look-up is to be
    /// repeated, because the month may have been finished since.
    async fn check_loads(&self) -> Result<(), Error> {
        let unfinished = self.run(self.store.engine.unfinished_months(self.deadline)).await?;
        self.run(async { write::bulk::check(&unfinished, Window::default()) }).await
    }

    /// Awaits another part of the call.
    async fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.store.traced(&self.span, work).await
    }

    fn foreign(&self) -> Error {
        Error::foreign().of(self.store.engine.name())
    }
}
