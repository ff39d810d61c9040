//! [`Store`]: a database of measurements, whichever engine its URL names. What it can be asked is in `store/`: rows in
//! `rows`, counts in `counts`, its state in `state`.

mod app;
mod counts;
mod rows;
pub(crate) mod state;

use crate::deadline::Deadline;
use crate::engine::any::AnyEngine;
use crate::engine::{Engine, Workload};
use crate::error::Error;
use crate::migration::Migration;
use crate::options::StoreOptions;
use crate::rollup::Rollup;
use crate::sql::{self, Dialect, Statement};
use crate::value::Value;
use crate::write::removal::RemoveOutcome;
use crate::write::row::{BatchResult, ListedUrl, OnExisting, RowBatch};
use ooni_core::time::DateTime;
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
/// Writing: when a future is ready, what it wrote is durable, in one transaction together with the rollups; on ClickHouse
/// rollups follow later, and rows are counted meanwhile. A deadline ends a write until COMMIT is sent. A write whose future
/// is dropped may or may not be committed. All writes are idempotent.
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
    /// Opens the store of a URL for reading and writing. A missing file is created; the tables on a server have been
    /// created by [`Store::migrate`].
    ///
    /// # Errors
    /// The URL is not one of a store, or the store cannot be opened.
    pub async fn open(url: &str, options: StoreOptions) -> Result<Store, Error> {
        Ok(Store::new(AnyEngine::open(url, &options).await?, options))
    }

    /// Opens the store of a URL for reading; it has to exist.
    ///
    /// # Errors
    /// The URL is not one of a store, or the store cannot be opened.
    pub async fn open_to_read(url: &str, options: StoreOptions) -> Result<Store, Error> {
        Ok(Store::new(AnyEngine::open_to_read(url, &options).await?, options))
    }

    /// Creates the tables of a store, or brings them up to date.
    ///
    /// # Errors
    /// The URL is not one of a store, or the database belongs to another program or a newer version.
    pub async fn migrate(url: &str, options: &StoreOptions) -> Result<Migration, Error> {
        AnyEngine::migrate(url, options).await
    }

    fn new(engine: AnyEngine, options: StoreOptions) -> Store {
        Store { engine: Arc::new(engine), options: Arc::new(options), deadline: None }
    }

    /// The same store, all of whose calls have this deadline. It may cover several calls, and all pages of a stream.
    #[must_use]
    pub fn with_deadline(&self, deadline: Deadline) -> Store {
        Store { deadline: Some(deadline), ..self.clone() }
    }

    /// Whether the store can be reached and answers.
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn ping(&self) -> Result<(), Error> {
        let call = self.read("ping", Workload::Lookup);
        call.query(sql::ping()).await.map(drop)
    }

    /// Writes a batch: an `Arc<Vec<T>>` of any [`Incoming`](crate::Incoming), or an `Arc<BatchInput<T>>`.
    ///
    /// A row's key is its `measurement_uid`. The same row twice, in two batches or in one, is written once. What a table
    /// does not accept is set aside in `refused` with its reason, and the rest is written; of such rows too there is one per
    /// uid, and [`OnExisting`] decides which. With [`OnExisting::Replace`] a row that is accepted ends an earlier refusal. A
    /// measurement that was [removed](Store::remove) is refused. `update_time` is the time of the call.
    ///
    /// Rejections of the cans that [begin](crate::BatchInput::begin_can) in the batch are deleted, then those of uids that
    /// are stored; then the rejections of the batch are written, but none of a key that has one.
    ///
    /// # Errors
    /// No row of the batch was written, unless [`Error::is_outcome_unknown`].
    pub async fn write(&self, rows: Arc<dyn RowBatch>, on_existing: OnExisting) -> Result<BatchResult, Error> {
        let span = self.span("write");
        self.write_within(span, |deadline| self.engine.write(rows, on_existing, deadline)).await
    }

    /// Removes a measurement from all tables for good, and keeps a record of the reason; that of an earlier removal stays. A
    /// measurement that is in no table is left alone, unless `ban` asks that it is not stored from now on.
    ///
    /// # Errors
    /// Nothing was removed, unless [`Error::is_outcome_unknown`].
    pub async fn remove(&self, uid: &str, reason: &str, ban: bool) -> Result<RemoveOutcome, Error> {
        let span = self.span("remove");
        self.write_within(span, |deadline| self.engine.remove(uid, reason, ban, deadline)).await
    }

    /// Allows a measurement that was removed to be stored again. False when it was not removed.
    ///
    /// # Errors
    /// It is still banned, unless [`Error::is_outcome_unknown`].
    pub async fn restore(&self, uid: &str) -> Result<bool, Error> {
        let span = self.span("restore");
        self.write_within(span, |deadline| self.engine.restore(uid, deadline)).await
    }

    /// A text that distinguishes the database from every other, whichever URL it was opened by.
    ///
    /// # Errors
    /// The database does not identify itself.
    pub async fn identity(&self) -> Result<String, Error> {
        let call = self.read("identity", Workload::Lookup);
        call.run(self.engine.identity(call.deadline)).await
    }

    /// Deletes all measurements that started in the month that begins at `month`; how many there were. They can be stored
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
    /// The lists are as they were, unless [`Error::is_outcome_unknown`].
    pub async fn replace_test_lists(&self, lists: Vec<ListedUrl>) -> Result<(), Error> {
        let span = self.span("replace_test_lists");
        self.write_within(span, |deadline| self.engine.replace_test_lists(lists, deadline)).await
    }

    /// Rebuilds a rollup from the rows.
    ///
    /// # Errors
    /// It is as it was, unless [`Error::is_outcome_unknown`].
    pub async fn rebuild(&self, rollup: &'static Rollup) -> Result<(), Error> {
        let span = self.span("rebuild");
        self.write_within(span, |deadline| self.engine.rebuild(rollup, deadline)).await
    }

    /// Brings rollups up to date with what was written, where that does not happen in the same transaction. Where another
    /// process is doing that, it is left to it.
    ///
    /// # Errors
    /// They are not up to date yet; meanwhile rows are counted.
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

    /// Begins to read: the deadline of all its statements is fixed here.
    fn read(&self, name: &'static str, workload: Workload) -> Read<'_> {
        Read { store: self, workload, deadline: self.deadline(self.options.read_limit), span: self.span(name) }
    }

    async fn write_within<T, F: Future<Output = Result<T, Error>> + Send>(
        &self,
        span: Span,
        write: impl FnOnce(Deadline) -> F,
    ) -> Result<T, Error> {
        let deadline = self.deadline(self.options.write_limit);
        self.traced(&span, write(deadline)).await
    }

    /// Awaits a part of a call, and names the store in its error.
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
    deadline: Deadline,
    span: Span,
}

impl Read<'_> {
    /// Executes one of the statements of the call.
    async fn query(&self, statement: Statement) -> Result<Vec<Vec<Value<'static>>>, Error> {
        self.run(self.store.engine.query(statement, self.workload, self.deadline)).await
    }

    /// Executes a statement and reads its rows.
    async fn rows<T>(
        &self,
        statement: Statement,
        row: impl Fn(Vec<Value<'static>>) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        self.query(statement).await?.into_iter().map(|cells| row(cells).ok_or_else(|| self.foreign())).collect()
    }

    /// Awaits another part of the call.
    async fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.store.traced(&self.span, work).await
    }

    fn foreign(&self) -> Error {
        Error::foreign().of(self.store.engine.name())
    }
}
