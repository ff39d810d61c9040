//! The pipeline from files to rows, and the binary `fastpath`.
//!
//! The path of a measurement: `ooni-archive` finds files and takes them apart into chunks of entries, a [`worker`] scores
//! them with `ooni-core` and has a [`sink`] write each record, the [`pipeline`] outputs the chunks in the order of the
//! input, and `ooni-store` keeps the rows. The binary is [`cli`] and [`command`]: arguments in, exit code out.
//!
//! What a measurement means is decided in `ooni-core` alone. SQL and HTTP routes are not here either.
#![forbid(unsafe_code)]

// From entries to output.
pub mod fingerprints;
pub mod pipeline;
pub mod sink;
pub mod stats;
pub mod worker;

// What the binary is made of.
pub mod cli;
pub mod command;
pub mod compare;
pub mod diagnostics;
pub mod journal;
pub mod lock;
pub mod progress;
pub mod same_file;
pub mod spool;
pub mod text;
