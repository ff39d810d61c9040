//! Stores: databases that keep rows, where their bodies are, and counts.
//!
//! [`open`] chooses an engine by URL; [`Store`] is what it returns. [`MeasurementStore`] is what an engine has to do.
//! SQL is in this crate alone: what engines share in `sql`, what each does in its own way in `engine/`, their tables in
//! `migrations/`. What a row holds is decided in `ooni-core`, how a column is kept in [`value`].
//!
//! HTTP routes, containers and the command line are not here.
#![forbid(unsafe_code)]

// Stores, and what they are asked.
pub mod blocking;
pub mod engine;
mod error;
pub mod query;
pub mod rollup;
mod sql;
mod store;
mod tls;
mod url;

// What is written.
mod import;
pub mod test_lists;
pub mod value;
mod write;

// Files, and tests of killed processes.
pub mod failpoint;
pub mod files;
pub mod parquet;

pub use self::blocking::{BlockingReference, BlockingStore, Pages};
pub use self::engine::clickhouse::Clickhouse;
pub use self::engine::postgres::Postgres;
pub use self::engine::sqlite::Sqlite;
pub use self::engine::{Difference, MeasurementStore, RollupState, Stats, TIME_LIMIT};
pub(crate) use self::engine::{foreign, month_after};
pub use self::error::{Kind, StoreError};
pub use self::import::{Place, Reference, ReferenceRow};
pub use self::query::planner::{Source, source};
pub use self::sql::{Dialect, Statement};
pub use self::store::{Store, migrate, open, open_to_read};
pub use self::url::{is_url, local_path, sqlite_path, without_password};
pub use self::write::row::{
    BatchResult, BodyLocation, Incoming, ListedUrl, OnExisting, Provenance, Refusal, ScoredRow, StoredMeasurement,
    StoredRefusal, StoredRow,
};
