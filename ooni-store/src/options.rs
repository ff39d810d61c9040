//! [`StoreOptions`]: how a store is opened, and the limits of its calls.

use std::time::Duration;

/// How a store is opened, and the limits of its calls. `Default` is for servers, [`StoreOptions::for_commands`] for
/// programs that make one call at a time.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Connections for look-ups and lists, which are short.
    pub lookup_readers: usize,
    /// Connections for aggregations and exports, which can take seconds. They never delay a look-up.
    pub aggregation_readers: usize,
    /// How many calls may wait for a connection of each kind. Further calls fail with
    /// [`ErrorKind::Busy`](crate::ErrorKind).
    pub queue: usize,
    /// The application name that connections report to a database server.
    pub application_name: String,
    /// The time limit of a read, if the caller sets no [`Deadline`](crate::Deadline) (API spec §1.8).
    pub read_limit: Option<Duration>,
    /// The time limit of a write, if the caller sets no deadline. It applies until COMMIT is sent.
    pub write_limit: Option<Duration>,
    /// Maximum groups of an aggregation; beyond that it fails with [`ErrorKind::TooLarge`](crate::ErrorKind).
    pub max_groups: usize,
    /// Maximum bytes of the texts of a list of more than one row; beyond that it fails with
    /// [`ErrorKind::TooLarge`](crate::ErrorKind). ClickHouse ignores it.
    pub max_list_bytes: usize,
    /// Maximum rows that the rollups of SQLite and PostgreSQL do not count yet. Queries add them, so their answers stay exact;
    /// a write beyond that brings the rollups up to date before it commits.
    pub max_rollup_log: u64,
    /// Options for SQLite only.
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
            max_list_bytes: 16 << 20,
            max_rollup_log: 100_000,
            sqlite: SqliteOptions::default(),
        }
    }
}

impl StoreOptions {
    /// For commands: no time limits, and any number of groups in an aggregation.
    pub fn for_commands() -> StoreOptions {
        StoreOptions {
            application_name: "fastpath".to_owned(),
            read_limit: None,
            max_groups: usize::MAX,
            max_list_bytes: usize::MAX,
            ..StoreOptions::default()
        }
    }
}

/// Options for SQLite only.
#[derive(Clone, Copy, Debug)]
pub struct SqliteOptions {
    /// How long to wait while another process is writing.
    pub lock_wait: Duration,
    /// Maximum size of the file.
    pub max_bytes: Option<u64>,
    /// Maximum size of a row; a larger one is refused. SQLite accepts less than 10⁹ bytes.
    pub max_row_bytes: usize,
    /// Size of the write-ahead log above which it is truncated after a change. SQLite itself never truncates it while some
    /// reader is always active.
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
