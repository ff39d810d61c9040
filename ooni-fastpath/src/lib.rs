//! Everything around the core that brings measurements to it and rows away from it.
//!
//! The path of a measurement: [`source`] finds files, [`can`] takes them apart into a [`batch`] of entries, a [`worker`]
//! scores them with `ooni-core` and has a [`sink`] write each record, and the [`pipeline`] puts the batches out in the
//! order in which they came in. The binary `fastpath` is [`cli`] and [`command`]: arguments in, exit code out.
//!
//! What a measurement means is decided in `ooni-core` alone. HTTP routes and accounts are not here either.
#![forbid(unsafe_code)]

// From files to entries.
pub mod archive;
pub mod batch;
pub mod blobs;
pub mod can;
pub mod limits;
pub mod source;

// From entries to output.
pub mod fingerprints;
pub mod pipeline;
pub mod sink;
pub mod stats;
pub mod worker;

// From rows to databases and typed files.
pub mod cell;
pub mod compare;
pub mod store;
pub mod test_lists;

// What the binary is made of.
pub mod cli;
pub mod command;
pub mod complaints;
pub mod failpoint;
mod files;
mod hex;
pub mod journal;
pub mod progress;
pub mod spool;
