//! [`DatabaseFile`]: opens a database file and maps its errors.

use super::schema::{self, SchemaError};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crate::lock::StoreLock;
use crate::migration::Migration;
use crate::options::SqliteOptions;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fmt::Write as _;
use std::fs::{self, Metadata, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Size of the page cache in KiB.
const CACHE_KIB: i64 = 384 << 10;

/// Prepared statements that a connection caches: a few per rollup.
const STATEMENTS: usize = 64;

/// Pages in the log at which a checkpoint runs: 768 MiB, less than what the log may have. A batch of ten thousand rows
/// writes about twenty thousand pages, mostly the same as the batch before, and a checkpoint writes each of them once.
const CHECKPOINT_PAGES: i64 = 192 << 10;

/// A database file.
#[derive(Debug)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    /// The path, for messages.
    pub(super) name: String,
    pub(super) options: SqliteOptions,
    /// The version of the file when it was opened as immutable, which is done if its folder is not writable.
    immutable: Option<Version>,
}

/// The version of a file, to detect changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    length: u64,
    modified: Option<SystemTime>,
}

impl Version {
    fn of(file: &Metadata) -> Version {
        Version { length: file.len(), modified: file.modified().ok() }
    }
}

impl DatabaseFile {
    fn new(path: &Path, options: SqliteOptions) -> DatabaseFile {
        DatabaseFile { path: path.to_owned(), name: path.display().to_string(), options, immutable: None }
    }

    /// Opens a file for writing; returns the writing connection and the result of the migration. The file and its
    /// folder are created if they do not exist, and the tables are brought up to date.
    pub(super) fn open(path: &Path, options: SqliteOptions) -> Result<(DatabaseFile, Connection, Migration), Error> {
        let file = DatabaseFile::new(path, options);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| {
                let message = format!("its folder cannot be created: {error}");
                Error::new(ErrorKind::Other, message).with_source(error).of(&file.name)
            })?;
        }
        let mut connection = file.connect(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        schema::check(&connection).map_err(|error| file.schema_error(error))?;
        file.prepare(&connection).map_err(|error| file.error(error, Deadline::NEVER))?;
        let migration = schema::migrate(&mut connection).map_err(|error| file.schema_error(error))?;
        Ok((file, connection, migration))
    }

    /// Opens a file for reading.
    pub(super) fn open_to_read(path: &Path, options: SqliteOptions) -> Result<DatabaseFile, Error> {
        let mut file = DatabaseFile::new(path, options);
        let error = match file.check_current() {
            Ok(()) => return Ok(file),
            Err(error) => error,
        };
        // SQLite creates log files even for reading. If it cannot, and there is no log, no process is writing.
        let version = match fs::metadata(path) {
            Ok(found) => Version::of(&found),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                return Err(Error::new(ErrorKind::Other, "does not exist").with_source(missing).of(&file.name));
            }
            Err(_) => return Err(file.schema_error(error)),
        };
        if !is_unwritable(&error) || fs::File::open(path).is_err() {
            return Err(file.schema_error(error));
        }
        if file.log_bytes() > 0 {
            let message = "cannot be opened: its folder is read-only and its log (-wal) has changes that are not in the \
                database yet; open it once where it can be written, or copy it together with its -wal file";
            return Err(Error::new(ErrorKind::Other, message).of(&file.name));
        }
        file.immutable = Some(version);
        file.check_current().map_err(|error| file.schema_error(error))?;
        Ok(file)
    }

    fn check_current(&self) -> Result<(), SchemaError> {
        let connection = self.reader().map_err(SchemaError::Open)?;
        schema::check_current(&connection)
    }

    /// Opens a connection for reading.
    pub(super) fn reader(&self) -> Result<Connection, Error> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn connect(&self, flags: OpenFlags) -> Result<Connection, Error> {
        if self.path.is_dir() {
            return Err(Error::new(ErrorKind::Invalid, "is a folder").of(&self.name));
        }
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let connection = match self.immutable {
                None => Connection::open_with_flags(&self.path, flags)?,
                Some(_) => Connection::open_with_flags(immutable_uri(&self.path), flags | OpenFlags::SQLITE_OPEN_URI)?,
            };
            connection.busy_timeout(self.options.lock_wait)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            Ok(connection)
        };
        connect().map_err(|error| self.error(error, Deadline::NEVER))
    }

    /// Sets the pragmas of the writing connection.
    fn prepare(&self, connection: &Connection) -> rusqlite::Result<()> {
        let set = |name: &str, value: &dyn rusqlite::ToSql| {
            connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Ok(()),
                error => Err(error),
            })
        };
        // SQLite does not wait for a lock when it sets the journal mode, not even if another process is also setting it.
        let begun = Instant::now();
        while let Err(error) = set("journal_mode", &"wal") {
            if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || begun.elapsed() > self.options.lock_wait {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(5));
        }
        set("synchronous", &"full")?;
        set("cache_size", &-CACHE_KIB)?;
        set("wal_autocheckpoint", &CHECKPOINT_PAGES)?;
        if let Some(most) = self.options.max_bytes {
            let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            set("max_page_count", &(i64::try_from(most).unwrap_or(i64::MAX) / page.max(1)))?;
        }
        Ok(())
    }

    /// Truncates the log if it is too long. Errors are ignored: the next change tries again.
    pub(super) fn shorten_log(&self, connection: &Connection) {
        /// How long to wait for readers of the log.
        const READER_WAIT: Duration = Duration::from_secs(1);
        if self.log_bytes() <= self.options.max_log_bytes || connection.busy_timeout(READER_WAIT).is_err() {
            return;
        }
        let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Fails if a file that was opened as immutable has changed.
    pub(super) fn check_unchanged(&self) -> Result<(), Error> {
        let Some(version) = self.immutable else { return Ok(()) };
        let now = fs::metadata(&self.path).map(|file| Version::of(&file));
        match now.is_ok_and(|now| now == version) && self.log_bytes() == 0 {
            true => Ok(()),
            false => {
                let message = "another process has changed it, which is not supported while its folder is read-only; \
                    open it again";
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }

    /// Locks a file beside the database, unless another process or caller has locked it.
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<StoreLock>, Error> {
        let lock = || {
            let mut path = fs::canonicalize(&self.path)?.into_os_string();
            path.push(format!(".{name}.lock"));
            // The file is not deleted later, or another process could lock one that no longer has a name.
            let file = fs::File::options().create(true).truncate(false).write(true).open(path)?;
            match file.try_lock() {
                Ok(()) => Ok(Some(StoreLock::of_file(file))),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        };
        lock().map_err(|error| {
            let message = format!("the file of the lock {name} cannot be locked: {error}");
            Error::new(ErrorKind::Other, message).with_source(error)
        })
    }

    /// A text that identifies the file, independent of its path.
    pub(super) fn identity(&self) -> Result<String, Error> {
        let identity = || {
            let path = fs::canonicalize(&self.path)?;
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt;
                // Hard links of a file have different paths and the same inode.
                let file = fs::metadata(&path)?;
                Ok(format!("sqlite {} {}", file.dev(), file.ino()))
            }
            #[cfg(not(unix))]
            Ok(format!("sqlite {}", path.display()))
        };
        identity().map_err(|error: std::io::Error| Error::new(ErrorKind::Other, error.to_string()).with_source(error))
    }

    /// The size of the database and its log.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes_of("") + self.log_bytes()
    }

    fn log_bytes(&self) -> u64 {
        self.bytes_of("-wal")
    }

    /// The size of the database file, or of a file with a suffix beside it.
    fn bytes_of(&self, suffix: &str) -> u64 {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        fs::metadata(path).map_or(0, |file| file.len())
    }

    /// Maps an error of SQLite.
    pub(super) fn error(&self, error: rusqlite::Error, deadline: Deadline) -> Error {
        let mapped = match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Error::timeout(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) if deadline.is_over() => Error::timeout(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                let waited = self.options.lock_wait;
                Error::new(ErrorKind::Busy, format!("another process has been writing to it for {waited:?}"))
            }
            Some(code) => Error::new(ErrorKind::Other, self.sentence(code, &error)),
            None => Error::foreign(),
        };
        // The driver's own error is not the source, because some of its variants contain the statement.
        match error.sqlite_error() {
            Some(&source) => mapped.with_source(source),
            None => mapped,
        }
        .of(&self.name)
    }

    /// The message for an error code, without SQL.
    fn sentence(&self, code: ErrorCode, error: &rusqlite::Error) -> String {
        let sentence = match code {
            ErrorCode::DiskFull if self.options.max_bytes.is_some() => "the disk is full, or the size limit is reached",
            ErrorCode::DiskFull => "the disk is full",
            ErrorCode::ReadOnly => "it or its folder is read-only",
            ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => "permission denied",
            ErrorCode::CannotOpen => "cannot be opened: the file or its folder is missing, or permission is denied",
            ErrorCode::NotADatabase => "not a SQLite database",
            ErrorCode::DatabaseCorrupt => "is damaged",
            ErrorCode::OutOfMemory => "not enough memory",
            ErrorCode::SystemIoFailure => "cannot be read or written",
            _ => "SQLite refused the statement",
        };
        match error.sqlite_error() {
            Some(error) => format!("{sentence} (SQLite error {})", error.extended_code),
            None => sentence.to_owned(),
        }
    }

    fn schema_error(&self, error: SchemaError) -> Error {
        match error {
            SchemaError::Open(error) => error,
            SchemaError::Database(error) => self.error(error, Deadline::NEVER),
            SchemaError::Foreign(message) => Error::new(ErrorKind::Other, message).of(&self.name),
        }
    }
}

/// Whether SQLite could not create the log files.
fn is_unwritable(error: &SchemaError) -> bool {
    let SchemaError::Database(error) = error else { return false };
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// A path as the URI of an immutable database.
fn immutable_uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => uri.push(char::from(byte)),
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        assert_eq!(immutable_uri(Path::new("/a b/ü?#%.db")), "file:/a%20b/%C3%BC%3F%23%25.db?immutable=1");
    }
}
