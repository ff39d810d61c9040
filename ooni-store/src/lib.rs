//! Stores: databases that keep rows, where their bodies are, and counts.
//!
//! [`Store`] is a store of whichever engine its URL names. SQL is in this crate alone: what engines share in `sql`, the rest
//! in `engine/`, their tables in `migrations/`. What a row holds is decided in `ooni-core`, how a column is kept in
//! [`value`].
//!
//! HTTP routes, containers and the command line are not here. Nor is a runtime, except in [`blocking`].
#![forbid(unsafe_code)]

// Stores, and what they are asked.
pub mod blocking;
mod deadline;
mod engine;
mod error;
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

// What is written.
pub mod app;
mod import;
pub mod test_lists;
pub mod value;
mod write;

// Files, and tests of killed processes.
pub mod failpoint;
pub mod files;
pub mod parquet;

pub use self::blocking::{BlockingReference, BlockingStore, Pages};
pub use self::deadline::Deadline;
pub use self::error::{Error, ErrorKind};
pub use self::import::columns::Place;
pub use self::import::dump::{Loaded, load as load_dump};
pub use self::import::{Reference, ReferenceRow};
pub use self::migration::Migration;
pub use self::options::{SqliteOptions, StoreOptions};
pub use self::query::grain::month_after;
pub use self::query::planner::{Part, Source, plan};
pub use self::store::Store;
pub use self::store::state::{Difference, RollupState, Stats};
pub use self::stream::RowStream;
pub use self::url::{is_url, local_path, sqlite_path, without_password};
pub use self::write::input::BatchInput;
pub use self::write::rejection::Rejection;
pub use self::write::removal::{Removal, RemoveOutcome, UidStatus};
pub use self::write::row::{
    BatchResult, BodyLocation, Incoming, ListedUrl, OnExisting, Provenance, Refusal, RowBatch, ScoredRow,
    StoredMeasurement, StoredRefusal, StoredRow,
};
