//! [`StoreOptions`]: how a store is opened and what its calls may cost.

use std::time::Duration;

/// How a store is opened and what its calls may cost. `Default` is for a server, [`StoreOptions::for_commands`] for a
/// program that does one thing at a time.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Connections for look-ups and lists, which are short.
    pub lookup_readers: usize,
    /// Connections for aggregations and exports, which can take seconds. They never delay a look-up.
    pub aggregation_readers: usize,
    /// Calls that wait for one of either kind of connection; further ones fail with [`ErrorKind::Busy`](crate::ErrorKind).
    pub queue: usize,
    /// The name under which a database server lists the connections.
    pub application_name: String,
    /// How long a read may take where the caller sets no [`Deadline`](crate::Deadline) (API spec §1.8).
    pub read_limit: Option<Duration>,
    /// The same of a write. It applies until COMMIT is sent.
    pub write_limit: Option<Duration>,
    /// Groups of an aggregation beyond which it fails with [`ErrorKind::TooLarge`](crate::ErrorKind).
    pub max_groups: usize,
    /// What concerns SQLite alone.
    pub sqlite: SqliteOptions,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            lookup_readers: 4,
            aggregation_readers: 4,
            queue: 64,
            application_name: "ooni-api".to_owned(),
            read_limit: Some(Duration::from_secs(28)),
            write_limit: None,
            max_groups: 250_000,
            sqlite: SqliteOptions::default(),
        }
    }
}

impl StoreOptions {
    /// For commands: no limits of time, and an aggregation may have any number of groups.
    pub fn for_commands() -> StoreOptions {
        StoreOptions {
            application_name: "fastpath".to_owned(),
            read_limit: None,
            max_groups: usize::MAX,
            ..StoreOptions::default()
        }
    }
}

/// What concerns SQLite alone.
#[derive(Clone, Copy, Debug)]
pub struct SqliteOptions {
    /// How long to wait for another process that writes.
    pub lock_wait: Duration,
    /// Bytes beyond which the file does not grow.
    pub max_bytes: Option<u64>,
    /// Bytes of a row beyond which it is refused. SQLite takes less than 10⁹.
    pub max_row_bytes: usize,
    /// Bytes of the log beyond which it is emptied after a change. SQLite does not do so while there are always readers.
    pub max_log_bytes: u64,
}

impl Default for SqliteOptions {
    fn default() -> SqliteOptions {
        SqliteOptions {
            lock_wait: Duration::from_secs(30),
            max_bytes: None,
            max_row_bytes: 256 << 20,
            max_log_bytes: 1 << 30,
        }
    }
}
