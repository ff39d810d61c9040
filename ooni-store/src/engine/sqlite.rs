//! [`Sqlite`]: the store of a single machine, in a file.
//!
//! A batch is one transaction in a write-ahead log, and every commit is synced, so an acknowledged write survives a
//! crash of the process or the machine. `file` opens files, `statements` has the statements that write, `prepared` and
//! `encoded` prepare batches outside of the writing thread, `batch` writes them, `bulk` those of bulk loads,
//! `locations` sets the locations of bodies, `schema` migrates tables, `value` converts values, `rollups` updates
//! rollups, and `threads` runs the threads that own the connections. `log` has the rows that the rollups do not count
//! yet, and `folder` the thread that folds them.

mod batch;
mod bulk;
mod encoded;
mod file;
mod folder;
mod locations;
mod log;
mod prepared;
mod rollups;
mod schema;
mod statements;
mod threads;
mod value;

use self::bulk::{Counted, Step};
use self::file::DatabaseFile;
use self::folder::Folder;
use self::prepared::Prepared;
use self::threads::{Interrupt, ReaderPool, WriterThread};
use super::{Engine, Rows, Workload};
use crate::app::lists::{ListChanges, list_changes};
use crate::app::row::{AppRow, AsnName};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::failpoint::{Failpoint, reach};
use crate::lock::StoreLock;
use crate::migration::Migration;
use crate::options::StoreOptions;
use crate::rollup::{ROLLUPS, Rollup};
use crate::sql::{Dialect, Statement};
use crate::write::bulk::{BulkResult, FinishedMonth};
use crate::write::removal::RemoveOutcome;
use crate::write::row::{BatchResult, BodyLocation, ListedUrl, LocationsSet, OnExisting, RowBatch};
use crate::write::tally::Tally;
use futures_util::future::join;
use ooni_core::time::DateTime;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::BTreeMap;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A SQLite database of measurements.
#[derive(Debug)]
pub(crate) struct Sqlite {
    // Fields are dropped in this order: the last connection to be closed, that of the writer, checkpoints the log.
    lookups: ReaderPool,
    aggregations: ReaderPool,
    /// `None` if the store was opened for reading.
    folder: Option<Folder>,
    /// `None` if the store was opened for reading.
    writer: Option<WriterThread>,
    file: Arc<DatabaseFile>,
    /// See [`StoreOptions::max_rollup_log`].
    max_rollup_log: u64,
}

impl Sqlite {
    /// Opens a database for reading and writing. The database and its folder are created if they do not exist; its
    /// tables are brought up to date.
    ///
    /// # Errors
    /// It belongs to another program or a newer version, or cannot be opened or written.
    pub(crate) fn open(path: &Path, options: &StoreOptions) -> Result<Sqlite, Error> {
        let (file, connection, _) = DatabaseFile::open(path, options.sqlite)?;
        Sqlite::start(file, Some(WriterThread::start(connection)), options)
    }

    /// Creates the tables of a database, or brings them up to date.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub(crate) fn migrate(path: &Path, options: &StoreOptions) -> Result<Migration, Error> {
        DatabaseFile::open(path, options.sqlite).map(|(_, _, migration)| migration)
    }

    /// Opens a database for reading; nothing is created or changed.
    ///
    /// # Errors
    /// It does not exist, belongs to another program or version, or cannot be read.
    pub(crate) fn open_to_read(path: &Path, options: &StoreOptions) -> Result<Sqlite, Error> {
        Sqlite::start(DatabaseFile::open_to_read(path, options.sqlite)?, None, options)
    }

    fn start(file: DatabaseFile, writer: Option<WriterThread>, options: &StoreOptions) -> Result<Sqlite, Error> {
        let pool = |threads| ReaderPool::start(threads, options.queue, || file.reader());
        let (lookups, aggregations) = (pool(options.lookup_readers)?, pool(options.aggregation_readers)?);
        let file = Arc::new(file);
        let jobs = writer.as_ref().and_then(WriterThread::jobs);
        let folder = jobs.map(|jobs| Folder::start(Arc::clone(&file), jobs));
        Ok(Sqlite { lookups, aggregations, folder, writer, file, max_rollup_log: options.max_rollup_log })
    }

    /// Runs a change of measurements in one transaction, unless a bulk load is not finished.
    async fn change<T: Send + 'static>(
        &self,
        deadline: Deadline,
        change: impl FnOnce(&Transaction<'_>, &mut Tally) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let change_unless_loading = move |transaction: &Transaction<'_>, tally: &mut Tally| {
            let loading = bulk::months(transaction)?;
            match loading.is_empty() {
                true => change(transaction, tally).map(Ok),
                false => Ok(Err(Error::loading(&loading))),
            }
        };
        self.transact(deadline, change_unless_loading).await?
    }

    /// Prepares a batch on another thread, so that the one that writes has less to do for it. The caller keeps the rows
    /// until they are written, since dropping them takes time as well.
    async fn prepare(&self, rows: &Arc<dyn RowBatch>, replace: bool, deadline: Deadline) -> Result<Prepared, Error> {
        let (rows, max_row_bytes) = (Arc::clone(rows), self.file.options.max_row_bytes);
        let prepare = tokio::task::spawn_blocking(move || Prepared::new(rows, replace, max_row_bytes));
        deadline.run(prepare).await?.map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Error::timeout(), // the runtime is being shut down
        })
    }

    /// Counts rows of a bulk load for the rollups: those after a rowid, or after those that the rollups have.
    async fn count(&self, after: Option<i64>, deadline: Deadline) -> Result<Option<Counted>, Error> {
        let file = Arc::clone(&self.file);
        let count =
            move |connection: &Connection| bulk::count(connection, after).map_err(|error| file.error(error, deadline));
        self.aggregations.run(deadline, count).await
    }

    /// Runs a write in one transaction, which also updates the rollups or their log.
    async fn transact<T: Send + 'static>(
        &self,
        deadline: Deadline,
        write: impl FnOnce(&Transaction<'_>, &mut Tally) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let writer = self.writer.as_ref().ok_or_else(Error::read_only)?;
        let (file, most) = (Arc::clone(&self.file), self.max_rollup_log);
        let bell = self.folder.as_ref().and_then(Folder::bell);
        let job = move |connection: &mut Connection| {
            let Written { outcome, log_rows } = self::write(connection, &file, deadline, |transaction| {
                let mut tally = Tally::default();
                let outcome = write(transaction, &mut tally)?;
                reach(Failpoint::RowsWritten);
                log::record(transaction, tally, most)?;
                Ok(outcome)
            })?;
            bell.iter().for_each(|bell| bell.ring(log_rows));
            Ok(outcome)
        };
        writer.run(deadline, job).await
    }
}

/// What a write returned, and the number of rows in the log of rollups when it was committed.
struct Written<T> {
    outcome: T,
    log_rows: u64,
}

/// Writes in one transaction.
fn write<T>(
    connection: &mut Connection,
    file: &DatabaseFile,
    deadline: Deadline,
    write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> Result<Written<T>, Error> {
    // SQLite waits whole milliseconds. The wait must end after the deadline, or a timeout would be reported as a lock.
    let lock_wait = file.options.lock_wait.min(deadline.remaining().saturating_add(Duration::from_millis(2)));
    let transact = |connection: &mut Connection| {
        connection.busy_timeout(lock_wait)?;
        let interrupt = Interrupt::at(connection, deadline)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let outcome = write(&transaction)?;
        let log_rows = log::rows(&transaction)?;
        reach(Failpoint::Committing);
        // The deadline does not apply to COMMIT, so that its outcome is known.
        interrupt.end();
        transaction.commit()?;
        reach(Failpoint::Committed);
        Ok(Written { outcome, log_rows })
    };
    let written = transact(connection).map_err(|error| file.error(error, deadline))?;
    // A handler with an expired deadline would interrupt the checkpoint.
    if Interrupt::at(connection, Deadline::NEVER).is_ok() {
        file.shorten_log(connection);
    }
    Ok(written)
}

impl Engine for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn name(&self) -> &str {
        &self.file.name
    }

    async fn query(&self, statement: Statement, workload: Workload, deadline: Deadline) -> Result<Rows, Error> {
        let file = Arc::clone(&self.file);
        let read = move |connection: &Connection| {
            file.check_unchanged()?;
            let rows =
                snapshot(connection, slice::from_ref(&statement)).map_err(|error| file.error(error, deadline))??;
            let rows = rows.into_iter().next().flatten();
            rows.ok_or_else(|| Error::too_large(statement.max_bytes).of(&file.name))
        };
        match workload {
            Workload::Lookup => self.lookups.run(deadline, read).await,
            Workload::Aggregation => self.aggregations.run(deadline, read).await,
        }
    }

    async fn snapshot(&self, statements: Vec<Statement>, deadline: Deadline) -> Result<Vec<Rows>, Error> {
        let file = Arc::clone(&self.file);
        let read = move |connection: &Connection| {
            file.check_unchanged()?;
            let all = snapshot(connection, &statements).map_err(|error| file.error(error, deadline))??;
            // Their results have no limit of bytes.
            Ok(all.into_iter().flatten().collect())
        };
        self.aggregations.run(deadline, read).await
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
        let batch = self.prepare(&rows, on_existing == OnExisting::Replace, deadline).await?;
        let write = move |transaction: &Transaction<'_>, tally: &mut Tally| {
            let written = batch::write(transaction, batch)?;
            *tally = written.tally;
            Ok(written.result)
        };
        self.change(deadline, write).await
    }

    async fn set_body_locations(
        &self,
        bodies: Vec<(String, BodyLocation)>,
        deadline: Deadline,
    ) -> Result<LocationsSet, Error> {
        self.change(deadline, move |transaction, _| locations::set(transaction, &bodies)).await
    }

    async fn remove(&self, uid: &str, reason: &str, ban: bool, deadline: Deadline) -> Result<RemoveOutcome, Error> {
        let (uid, reason) = (uid.to_owned(), reason.to_owned());
        let remove = move |transaction: &Transaction<'_>, tally: &mut Tally| {
            let had_row = statements::delete(transaction, &uid, tally)?;
            reach(Failpoint::RowDeleted);
            let was_refused = statements::accept(transaction, &uid)?;
            let was_rejected = statements::delete_rejections(transaction, &uid)?;
            let was_archived = locations::forget(transaction, &uid)?;
            let was_removed = statements::removed(transaction, &uid)?.is_some();
            let exists = had_row || was_refused || was_rejected || was_archived;
            let outcome = RemoveOutcome::of(was_removed, exists, ban);
            if matches!(outcome, RemoveOutcome::Removed | RemoveOutcome::Banned) {
                statements::record_removal(transaction, &uid, &reason, &value::timestamp(SystemTime::now()))?;
            }
            Ok(outcome)
        };
        self.change(deadline, remove).await
    }

    async fn restore(&self, uid: &str, deadline: Deadline) -> Result<bool, Error> {
        let uid = uid.to_owned();
        self.transact(deadline, move |transaction, _| statements::restore(transaction, &uid)).await
    }

    async fn identity(&self, _: Deadline) -> Result<String, Error> {
        self.file.identity()
    }

    async fn drop_month(&self, month: DateTime, deadline: Deadline) -> Result<u64, Error> {
        let (from, to) = (month.timestamp(), month.start_of_next_month().timestamp());
        let drop = move |transaction: &Transaction<'_>, _: &mut Tally| {
            log::fold_all(transaction)?;
            // A month can be too large to tally.
            rollups::subtract_window(transaction, from, to)?;
            let rows = statements::drop_window(transaction, from, to)?;
            Ok(rows as u64)
        };
        self.change(deadline, drop).await
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>, deadline: Deadline) -> Result<(), Error> {
        let replace = move |transaction: &Transaction<'_>, _: &mut Tally| {
            let old = statements::lists(transaction)?;
            let changes = list_changes(&old, &lists);
            if changes == ListChanges::None {
                return Ok(());
            }
            log::fold_all(transaction)?;
            statements::replace_lists(transaction, &lists)?;
            reach(Failpoint::ListsReplaced);
            let of_lists = ROLLUPS.iter().filter(|rollup| rollup.is_of_lists());
            of_lists.into_iter().try_for_each(|rollup| match &changes {
                ListChanges::Entries(changed) => rollups::count_changed(transaction, rollup, changed),
                _ => rollups::rebuild(transaction, rollup),
            })
        };
        self.change(deadline, replace).await
    }

    async fn write_application(&self, rows: Vec<AppRow>, deadline: Deadline) -> Result<(), Error> {
        self.transact(deadline, move |transaction, _| statements::write_application(transaction, &rows)).await
    }

    async fn replace_asn_names(&self, names: Vec<AsnName>, deadline: Deadline) -> Result<(), Error> {
        self.transact(deadline, move |transaction, _| statements::replace_names(transaction, &names)).await
    }

    async fn seed_url_priorities(&self, rules: Vec<AppRow>, deadline: Deadline) -> Result<bool, Error> {
        let seed = move |transaction: &Transaction<'_>, _: &mut Tally| {
            let is_empty = !statements::any_url_priority(transaction)?;
            if is_empty {
                statements::write_application(transaction, &rules)?;
            }
            Ok(is_empty)
        };
        self.transact(deadline, seed).await
    }

    async fn try_lock(&self, name: &str, _: Deadline) -> Result<Option<StoreLock>, Error> {
        match self.writer {
            Some(_) => self.file.try_lock(name),
            None => Err(Error::read_only()),
        }
    }

    async fn rebuild(&self, rollup: &'static Rollup, deadline: Deadline) -> Result<(), Error> {
        let rebuild = move |transaction: &Transaction<'_>, _: &mut Tally| {
            log::fold_all(transaction)?;
            rollups::rebuild(transaction, rollup)
        };
        self.change(deadline, rebuild).await
    }

    async fn refresh_rollups(&self, deadline: Deadline) -> Result<(), Error> {
        match self.writer {
            Some(_) => self.transact(deadline, |transaction, _| log::fold_all(transaction)).await,
            None => Ok(()),
        }
    }

    fn has_bulk_loads(&self) -> bool {
        true
    }

    async fn begin_load(&self, loader: &str, deadline: Deadline) -> Result<(), Error> {
        let loader = loader.to_owned();
        self.transact(deadline, move |transaction, _| bulk::renew(transaction, &loader)).await
    }

    async fn write_bulk(&self, rows: Arc<dyn RowBatch>, loader: &str, deadline: Deadline) -> Result<BulkResult, Error> {
        let batch = self.prepare(&rows, false, deadline).await?;
        let loader = loader.to_owned();
        let write = move |transaction: &Transaction<'_>, tally: &mut Tally| {
            bulk::renew(transaction, &loader)?;
            bulk::write(transaction, batch, tally)
        };
        Ok(match self.transact(deadline, write).await? {
            (written, true) => BulkResult::of_steady(written, &*rows),
            (written, false) => BulkResult { written, steady: BTreeMap::new() },
        })
    }

    async fn end_load(&self, loader: &str, deadline: Deadline) -> Result<u64, Error> {
        let loader = loader.to_owned();
        self.transact(deadline, move |transaction, _| bulk::leave(transaction, &loader)).await
    }

    async fn unfinished_months(&self, deadline: Deadline) -> Result<Vec<DateTime>, Error> {
        let file = Arc::clone(&self.file);
        let read = move |connection: &Connection| {
            file.check_unchanged()?;
            bulk::months(connection).map_err(|error| file.error(error, deadline))
        };
        self.lookups.run(deadline, read).await
    }

    async fn finish_month(&self, _: DateTime, deadline: Deadline) -> Result<Vec<FinishedMonth>, Error> {
        // A load is finished as a whole. While the writer adds the counts of some rows to the rollups, a reader counts the
        // next rows.
        let mut counted = self.count(None, deadline).await?;
        loop {
            let last = counted.as_ref().map(|counted| counted.last);
            let next = self.count(last, deadline);
            let step = self.transact(deadline, move |transaction, _| bulk::step(transaction, counted));
            let (next, step) = join(next, step).await;
            counted = match step? {
                Step::Done => next?,
                Step::Stale => self.count(None, deadline).await?,
                Step::Finished(months) => return Ok(months),
            };
        }
    }

    async fn bytes(&self, _deadline: Deadline) -> Result<u64, Error> {
        Ok(self.file.bytes())
    }
}

/// Executes queries that see the same moment; `None` for those whose rows have too many bytes. Those that read measurements
/// fail during a bulk load, whatever their window: indexes are missing.
fn snapshot(connection: &Connection, statements: &[Statement]) -> rusqlite::Result<Result<Vec<Option<Rows>>, Error>> {
    let transaction = connection.unchecked_transaction()?;
    if statements.iter().any(|statement| statement.window.is_some()) {
        let loading = bulk::months(&transaction)?;
        if !loading.is_empty() {
            return Ok(Err(Error::loading(&loading)));
        }
    }
    let has_log = statements.iter().any(|statement| statement.with_log.is_some()) && log::rows(&transaction)? > 0;
    let all = statements.iter().map(|statement| query(&transaction, statement.by_log(has_log)));
    let all = all.collect::<rusqlite::Result<_>>()?;
    transaction.commit()?;
    Ok(Ok(all))
}

/// Executes a query and reads its rows; `None` if they have too many bytes.
fn query(connection: &Connection, statement: &Statement) -> rusqlite::Result<Option<Rows>> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    let mut rows = prepared.query(rusqlite::params_from_iter(&statement.parameters))?;
    let (mut all, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        for column in 0..statement.columns.len() {
            bytes = bytes.saturating_add(row.get_ref(column)?.as_bytes_or_null().ok().flatten().map_or(0, <[u8]>::len));
        }
        if bytes > statement.max_bytes && !all.is_empty() {
            return Ok(None);
        }
        let cells = statement.columns.iter().enumerate();
        let cells = cells.map(|(column, &kind)| Ok(value::read(row.get_ref(column)?, kind)?));
        all.push(cells.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(Some(all))
}
