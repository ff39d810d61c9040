//! [`Sqlite`]: the store of one machine, a file.
//!
//! One transaction a batch, write-ahead log, every commit synced: what `write` has acknowledged survives a crash of the
//! process and of the machine. Statements are in `statements`, the tables in `schema`, values in `value`.

mod schema;
mod statements;
mod value;

use self::statements::Statements;
use super::{MeasurementStore, NewRow, OnExisting, Refusal, StoreError, StoredRow, Written};
use crate::cell::{self, Cell};
use ooni_core::row::Refused;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// An SQLite database of measurements.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
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
}

impl Default for Options {
    fn default() -> Options {
        Options { patience: Duration::from_secs(30), most_bytes: None, longest_row: 256 << 20 }
    }
}

/// Memory for pages of the database, KiB.
const CACHE_KIB: i64 = 64 << 10;

/// Pages in the log at which they are copied to the database: a large batch has some thousand.
const CHECKPOINT_PAGES: i64 = 16 << 10;

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
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| StoreError {
                store: path.display().to_string(),
                message: format!("its folder cannot be made: {error}"),
            })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut store = Sqlite::connect(path, flags, options)?;
        schema::check(&store.connection).map_err(|trouble| store.trouble(trouble))?;
        store.prepare().map_err(|error| store.error(&error))?;
        schema::migrate(&mut store.connection).map_err(|trouble| store.trouble(trouble))?;
        Ok(store)
    }

    /// Opens a database to read from; nothing is made or changed.
    ///
    /// # Errors
    /// It is not there, not ours, from another version, or cannot be read.
    pub fn open_to_read(path: &Path) -> Result<Sqlite, StoreError> {
        let store = Sqlite::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, Options::default())?;
        schema::check_current(&store.connection).map_err(|trouble| store.trouble(trouble))?;
        Ok(store)
    }

    fn connect(path: &Path, flags: OpenFlags, options: Options) -> Result<Sqlite, StoreError> {
        let fail = |error| StoreError { store: path.display().to_string(), message: sentence(&error, options) };
        if path.is_dir() {
            return Err(StoreError { store: path.display().to_string(), message: "is a folder".to_owned() });
        }
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
        connection.busy_timeout(options.patience).map_err(fail)?;
        Ok(Sqlite { connection, path: path.to_owned(), options })
    }

    /// Sets what a connection that writes needs.
    fn prepare(&self) -> rusqlite::Result<()> {
        let set = |name: &str, value: &dyn rusqlite::ToSql| {
            self.connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|error| match error {
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
            let page: i64 = self.connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            set("max_page_count", &(i64::try_from(most).unwrap_or(i64::MAX) / page.max(1)))?;
        }
        Ok(())
    }

    fn error(&self, error: &rusqlite::Error) -> StoreError {
        StoreError { store: self.path.display().to_string(), message: sentence(error, self.options) }
    }

    fn trouble(&self, trouble: schema::Trouble) -> StoreError {
        match trouble {
            schema::Trouble::Database(error) => self.error(&error),
            schema::Trouble::Schema(message) => StoreError { store: self.path.display().to_string(), message },
        }
    }
}

impl MeasurementStore for Sqlite {
    fn write(&mut self, rows: &[NewRow], on_existing: OnExisting) -> Result<Written, StoreError> {
        if rows.is_empty() {
            return Ok(Written::default());
        }
        let options = self.options;
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let written = batch(&transaction, rows, on_existing == OnExisting::Replace, options)?;
            transaction.commit()?;
            Ok(written)
        };
        write(&mut self.connection).map_err(|error| self.error(&error))
    }

    fn count(&self) -> Result<u64, StoreError> {
        statements::count(&self.connection).map_err(|error| self.error(&error))
    }

    fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredRow>, StoreError> {
        statements::page(&self.connection, after, limit).map_err(|error| self.error(&error))
    }
}

/// Writes the rows of a batch.
fn batch(transaction: &Transaction<'_>, rows: &[NewRow], replace: bool, options: Options) -> rusqlite::Result<Written> {
    let mut statements = Statements::new(transaction, value::timestamp(SystemTime::now()))?;
    let mut written = Written::default();
    for (index, new) in rows.iter().enumerate() {
        let openvpn = new.openvpn.as_deref().map(cell::openvpn).transpose();
        let (cells, openvpn) = match accepted(new, openvpn.as_ref().ok().and_then(Option::as_ref), options.longest_row)
        {
            Ok(cells) => (cells, openvpn),
            Err(Refused { column, message }) => {
                let refusal = Refusal { index, column, message };
                statements.set_aside(new, &refusal, replace)?;
                written.refused.push(refusal);
                continue;
            }
        };
        let here = if statements.insert(&cells)? {
            written.inserted += 1;
            true
        } else if replace {
            statements.delete(&new.row.measurement_uid)?;
            statements.insert(&cells)?;
            written.replaced += 1;
            true
        } else {
            written.already += 1;
            false
        };
        if here {
            statements.insert_body(&cells, &new.body)?;
        }
        match openvpn {
            Ok(openvpn) => {
                if let Some(cells) = openvpn.filter(|_| here) {
                    statements.insert_openvpn(&cells)?;
                }
                if replace {
                    statements.accept(&new.row.measurement_uid)?;
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

/// The cells of a row, unless the table refuses it or it is too long together with what is kept beside it.
fn accepted<'r>(
    new: &'r NewRow,
    openvpn: Option<&[Cell<'r>; 30]>,
    longest_row: usize,
) -> Result<[Cell<'r>; 26], Refused> {
    let cells = cell::fastpath(&new.row)?;
    match value::longest(cells.iter().chain(openvpn.into_iter().flatten()), longest_row) {
        None => Ok(cells),
        Some((column, length)) => Err(Refused {
            column: cell::FASTPATH.get(column).map_or("obs_openvpn", |(name, _)| name).to_owned(),
            message: format!("{length} bytes, in a row that is too long for this store"),
        }),
    }
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
