//! [`Sqlite`]: the store of one machine, a file.
//!
//! One transaction a batch, write-ahead log, every commit synced: what `write` has acknowledged survives a crash of the
//! process and of the machine. Statements that write are in `statements`, the tables in `schema`, values in `value`,
//! rollups in `rollups`, the threads that have the connections in `threads`.

mod rollups;
mod schema;
mod statements;
mod threads;
mod value;

use self::statements::Statements;
use self::threads::{Reads, Writes};
use crate::failpoint::{Failpoint, reach};
use crate::rollup::Rollup;
use crate::sql::{Dialect, Statement};
use crate::value::Value;
use crate::write::{batch, tally::Tally};
use crate::{BatchResult, Incoming, Kind, ListedUrl, MeasurementStore, OnExisting, Refusal, StoreError, month_after};
use ooni_core::row::Refused;
use ooni_core::time::DateTime;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// An SQLite database of measurements.
#[derive(Debug)]
pub struct Sqlite {
    // In this order: the last connection to be closed copies the log to the database.
    reads: Reads,
    /// None if it was opened to read from.
    writes: Option<Writes>,
    at: At,
}

/// Which database, for messages, and how it is used.
#[derive(Clone, Debug)]
struct At {
    path: PathBuf,
    options: Options,
}

/// How a database is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long to wait for another process that writes.
    pub patience: Duration,
    /// Bytes beyond which the file does not grow.
    pub most_bytes: Option<u64>,
    /// Bytes of a row beyond which it is refused. SQLite takes less than 10⁹.
    pub longest_row: usize,
    /// Bytes of the log beyond which it is emptied after a change. SQLite by itself does not as long as somebody always reads.
    pub longest_log: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { patience: Duration::from_secs(30), most_bytes: None, longest_row: 256 << 20, longest_log: 1 << 30 }
    }
}

/// Memory for pages of the database, KiB.
const CACHE_KIB: i64 = 384 << 10;

/// Statements that a connection keeps prepared: some for each rollup.
const STATEMENTS: usize = 64;

/// Pages in the log at which they are copied to the database: a batch of ten thousand rows has some twenty thousand.
const CHECKPOINT_PAGES: i64 = 64 << 10;

impl Sqlite {
    /// Opens a database to write to. It is made if it is not there, as is its folder, and its tables are brought up to
    /// date.
    ///
    /// # Errors
    /// It is not ours, from a newer version, or cannot be opened or written.
    pub fn open(path: &Path) -> Result<Sqlite, StoreError> {
        Sqlite::open_with(path, Options::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// See [`Sqlite::open`].
    pub fn open_with(path: &Path, options: Options) -> Result<Sqlite, StoreError> {
        let at = At { path: path.to_owned(), options };
        if let Some(folder) = path.parent() {
            let cannot = |error| StoreError::new(Kind::Other, format!("its folder cannot be made: {error}"));
            fs::create_dir_all(folder).map_err(|error| at.named(cannot(error)))?;
        }
        let mut connection = at.connect(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        schema::check(&connection).map_err(|trouble| at.trouble(trouble))?;
        at.prepare(&connection).map_err(|error| at.error(&error))?;
        schema::migrate(&mut connection).map_err(|trouble| at.trouble(trouble))?;
        let reads = Reads::start(|| at.connect(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        Ok(Sqlite { reads, writes: Some(Writes::start(connection)), at })
    }

    /// Opens a database to read from; nothing is made or changed.
    ///
    /// # Errors
    /// It is not there, not ours, from another version, or cannot be read.
    pub fn open_to_read(path: &Path) -> Result<Sqlite, StoreError> {
        let at = At { path: path.to_owned(), options: Options::default() };
        let reads = Reads::start(|| at.connect(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        let connection = at.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        schema::check_current(&connection).map_err(|trouble| at.trouble(trouble))?;
        Ok(Sqlite { reads, writes: None, at })
    }

    /// Writes something in one transaction, after which the rollups have followed.
    async fn transact<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>, &mut Tally) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let writes = self.writes.as_ref().ok_or_else(|| StoreError::new(Kind::Other, "it was opened to read from"));
        let at = self.at.clone();
        let job = move |connection: &mut Connection| {
            let transact = |connection: &mut Connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let mut tally = Tally::default();
                let result = write(&transaction, &mut tally)?;
                reach(Failpoint::RowsWritten);
                rollups::follow(&transaction, tally)?;
                reach(Failpoint::Committing);
                transaction.commit()?;
                reach(Failpoint::Committed);
                at.shorten_log(connection);
                Ok(result)
            };
            transact(connection).map_err(|error| at.error(&error))
        };
        match writes {
            Ok(writes) => writes.run(job).await,
            Err(error) => Err(error),
        }
        .map_err(|error| self.at.named(error))
    }
}

impl At {
    fn connect(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        if self.path.is_dir() {
            return Err(self.named(StoreError::new(Kind::Other, "is a folder")));
        }
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(self.options.patience)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            Ok(connection)
        };
        connect().map_err(|error| self.error(&error))
    }

    /// Sets what a connection that writes needs.
    fn prepare(&self, connection: &Connection) -> rusqlite::Result<()> {
        let set = |name: &str, value: &dyn rusqlite::ToSql| {
            connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Ok(()),
                error => Err(error),
            })
        };
        // For this SQLite does not wait for others by itself, not even for one that does the same.
        let begun = Instant::now();
        while let Err(error) = set("journal_mode", &"wal") {
            if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || begun.elapsed() > self.options.patience {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(5));
        }
        set("synchronous", &"full")?;
        set("cache_size", &-CACHE_KIB)?;
        set("wal_autocheckpoint", &CHECKPOINT_PAGES)?;
        if let Some(most) = self.options.most_bytes {
            let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            set("max_page_count", &(i64::try_from(most).unwrap_or(i64::MAX) / page.max(1)))?;
        }
        Ok(())
    }

    /// Empties the log if it is too long. What goes wrong here has lost nothing: it is tried again after the next change.
    fn shorten_log(&self, connection: &Connection) {
        /// How long to wait for those that still read from it.
        const PATIENCE: Duration = Duration::from_secs(1);
        if self.log_bytes() <= self.options.longest_log || connection.busy_timeout(PATIENCE).is_err() {
            return;
        }
        let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        let _ = connection.busy_timeout(self.options.patience);
    }

    fn log_bytes(&self) -> u64 {
        self.bytes_of("-wal")
    }

    /// The length of one of its files.
    fn bytes_of(&self, suffix: &str) -> u64 {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        fs::metadata(path).map_or(0, |file| file.len())
    }

    fn named(&self, error: StoreError) -> StoreError {
        error.of(&self.path.display().to_string())
    }

    fn error(&self, error: &rusqlite::Error) -> StoreError {
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Kind::Timeout,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Kind::Busy,
            _ => Kind::Other,
        };
        self.named(StoreError::new(kind, sentence(error, self.options)))
    }

    fn trouble(&self, trouble: schema::Trouble) -> StoreError {
        match trouble {
            schema::Trouble::Database(error) => self.error(&error),
            schema::Trouble::Schema(message) => self.named(StoreError::new(Kind::Other, message)),
        }
    }
}

impl MeasurementStore for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(&self, statement: Statement, limit: Duration) -> Result<Vec<Vec<Value<'static>>>, StoreError> {
        let at = self.at.clone();
        let read = move |connection: &Connection| query(connection, &statement).map_err(|error| at.error(&error));
        self.reads.run(limit, read).await.map_err(|error| self.at.named(error))
    }

    async fn write<R: Incoming + 'static>(
        &self,
        rows: Arc<Vec<R>>,
        on_existing: OnExisting,
    ) -> Result<BatchResult, StoreError> {
        if rows.is_empty() {
            return Ok(BatchResult::default());
        }
        let replace = on_existing == OnExisting::Replace;
        let longest_row = self.at.options.longest_row;
        self.transact(move |transaction, tally| write_all(transaction, &rows, replace, longest_row, tally)).await
    }

    async fn remove(&self, uid: &str, reason: &str) -> Result<bool, StoreError> {
        let (uid, reason) = (uid.to_owned(), reason.to_owned());
        let remove = move |transaction: &Transaction<'_>, tally: &mut Tally| {
            let was_there = statements::delete(transaction, &uid, tally)?;
            reach(Failpoint::RowDeleted);
            let was_refused = statements::accept(transaction, &uid)?;
            statements::note_removal(transaction, &uid, &reason, &value::timestamp(SystemTime::now()))?;
            Ok(was_there || was_refused)
        };
        self.transact(remove).await
    }

    async fn drop_month(&self, month: DateTime) -> Result<u64, StoreError> {
        let (from, to) = (month.timestamp(), month_after(month).timestamp());
        let drop = move |transaction: &Transaction<'_>, _: &mut Tally| {
            // A month can be too much to be tallied.
            rollups::subtract_window(transaction, from, to)?;
            let rows = statements::drop_window(transaction, from, to)?;
            Ok(rows as u64)
        };
        self.transact(drop).await
    }

    async fn replace_test_lists(&self, lists: Vec<ListedUrl>) -> Result<(), StoreError> {
        let replace = move |transaction: &Transaction<'_>, _: &mut Tally| {
            statements::replace_lists(transaction, &lists)?;
            reach(Failpoint::ListsReplaced);
            let of_lists = crate::rollup::ROLLUPS.iter().filter(|rollup| rollup.is_of_lists());
            of_lists.into_iter().try_for_each(|rollup| rollups::rebuild(transaction, rollup))
        };
        self.transact(replace).await
    }

    async fn rebuild(&self, rollup: &'static Rollup) -> Result<(), StoreError> {
        self.transact(move |transaction, _| rollups::rebuild(transaction, rollup)).await
    }

    async fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.at.bytes_of("") + self.at.log_bytes())
    }
}

/// Executes a query and reads what comes back.
fn query(connection: &Connection, statement: &Statement) -> rusqlite::Result<Vec<Vec<Value<'static>>>> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    let mut rows = prepared.query(rusqlite::params_from_iter(&statement.parameters))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = statement.columns.iter().enumerate();
        let cells = cells.map(|(column, &kind)| Ok(value::read(row.get_ref(column)?, kind)?));
        all.push(cells.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(all)
}

/// Writes the rows of a batch.
fn write_all<R: Incoming>(
    transaction: &Transaction<'_>,
    rows: &[R],
    replace: bool,
    longest_row: usize,
    tally: &mut Tally,
) -> rusqlite::Result<BatchResult> {
    let mut statements = Statements::new(transaction, value::timestamp(SystemTime::now()))?;
    let any_removed = statements::any_removed(transaction)?;
    let mut written = BatchResult::default();
    for (index, new) in rows.iter().enumerate() {
        if any_removed && let Some(reason) = statements::removed(transaction, new.uid())? {
            let message = format!("was removed: {reason}");
            written.refused.push(Refusal { index, column: "measurement_uid".to_owned(), message });
            continue;
        }
        let openvpn = new.openvpn();
        let fitting = new.cells().and_then(|cells| {
            batch::fits(&cells, openvpn.as_ref().ok().and_then(Option::as_ref), longest_row)?;
            Ok(cells)
        });
        let cells = match fitting {
            Ok(cells) => cells,
            Err(Refused { column, message }) => {
                let refusal = Refusal { index, column, message };
                statements.set_aside(new, &refusal, replace)?;
                written.refused.push(refusal);
                continue;
            }
        };
        let here = if statements.insert(&cells, new)? {
            written.inserted += 1;
            true
        } else if replace {
            statements.delete(new.uid(), tally)?;
            reach(Failpoint::RowDeleted);
            statements.insert(&cells, new)?;
            written.replaced += 1;
            true
        } else {
            written.already += 1;
            false
        };
        if here {
            tally.come(&cells);
        }
        if let Some(body) = new.body().filter(|_| here) {
            statements.insert_body(&cells, body)?;
        }
        match openvpn {
            Ok(openvpn) => {
                if let Some(cells) = openvpn.filter(|_| here) {
                    statements.insert_openvpn(&cells)?;
                }
                if replace {
                    statements.accept(new.uid())?;
                }
            }
            Err(Refused { column, message }) => {
                let refusal = Refusal { index, column: format!("obs_openvpn.{column}"), message };
                statements.set_aside(new, &refusal, replace)?;
                written.without_openvpn.push(refusal);
            }
        }
    }
    Ok(written)
}

/// What went wrong, without a word of SQL.
fn sentence(error: &rusqlite::Error, options: Options) -> String {
    let Some(code) = error.sqlite_error_code() else {
        return "holds what no measurement has: it was changed by another program".to_owned();
    };
    let sentence = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            return format!("another process is writing to it, and has been for {:?}", options.patience);
        }
        ErrorCode::OperationInterrupted => return "it took longer than it may".to_owned(),
        ErrorCode::DiskFull if options.most_bytes.is_some() => "the disk is full, or the most bytes are reached",
        ErrorCode::DiskFull => "the disk is full",
        ErrorCode::ReadOnly => "it or its folder is read-only",
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => "permission denied",
        ErrorCode::CannotOpen => "cannot be opened: the file or its folder is missing, or may not be used",
        ErrorCode::NotADatabase => "is no SQLite database",
        ErrorCode::DatabaseCorrupt => "is damaged",
        ErrorCode::OutOfMemory => "not enough memory",
        ErrorCode::SystemIoFailure => "cannot be read or written",
        _ => "SQLite cannot do what is asked",
    };
    match error.sqlite_error() {
        Some(error) => format!("{sentence} (SQLite error {})", error.extended_code),
        None => sentence.to_owned(),
    }
}
