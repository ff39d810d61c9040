//! Stores: databases of measurement rows, the locations of their bodies, and counts.
//!
//! [`Store`] is a store on any of the engines; its URL says which. All SQL is in this crate: statements that the engines
//! share in `sql`, others in `engine/`, and the tables in `migrations/`. `ooni-core` defines the columns of a row, and
//! [`value`] how they are stored.
//!
//! HTTP routes, containers and the command line are in other crates. Only [`blocking`] starts a runtime.
#![forbid(unsafe_code)]

// Stores and their queries.
pub mod blocking;
mod deadline;
mod engine;
mod error;
mod lock;
mod migration;
mod options;
pub mod query;
mod retry;
pub mod rollup;
mod sql;
mod store;
mod stream;
mod tls;
mod url;

// Data that is written.
pub mod app;
mod import;
pub mod test_lists;
pub mod value;
mod write;

// Files, and failpoints for tests.
pub mod failpoint;
pub mod files;
pub mod parquet;

pub use self::blocking::{BlockingReference, BlockingStore, Pages};
pub use self::deadline::Deadline;
pub use self::error::{Error, ErrorKind};
pub use self::import::columns::ReferencePosition;
pub use self::import::dump::{Loaded, load as load_dump};
pub use self::import::{Reference, ReferenceRow};
pub use self::lock::StoreLock;
pub use self::migration::Migration;
pub use self::options::{SqliteOptions, StoreOptions};
pub use self::query::planner::{Part, Source, plan};
pub use self::store::Store;
pub use self::store::bulk::Load;
pub use self::store::state::{Difference, RollupState, Stats};
pub use self::stream::RowStream;
pub use self::url::{is_url, local_path, sqlite_path, without_password};
pub use self::write::bulk::{BulkResult, FinishedMonth};
pub use self::write::input::BatchInput;
pub use self::write::rejection::Rejection;
pub use self::write::removal::{Removal, RemoveOutcome, UidStatus};
pub use self::write::row::{
    BatchResult, BodyLocation, GzipMember, Incoming, ListedUrl, LocationsSet, OnExisting, Provenance, Refusal,
    RowBatch, ScoredRow, StoredMeasurement, StoredRefusal, StoredRow,
};
