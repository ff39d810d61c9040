//! The pipeline from files to rows, and the binary `fastpath`.
//!
//! The path of a measurement: `ooni-archive` finds files and splits them into chunks of entries, a [`worker`] scores the
//! entries with `ooni-core` and writes each with a [`sink`], the [`pipeline`] outputs the chunks in the order of the input,
//! and `ooni-store` stores the rows. The binary is [`cli`] and [`command`]: arguments in, exit code out.
//!
//! Scoring rules are in `ooni-core`. This crate has no SQL and no HTTP routes.
#![forbid(unsafe_code)]

// From entries to output.
pub mod pipeline;
pub mod sink;
pub mod stats;
pub mod worker;

// The parts of the binary.
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
