//! The commands `score`, `compare` and `fetch`, the commands of the README, and files for DuckDB.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests count as no tests

mod compare;
mod duckdb;
mod fetch;
mod formats;
mod fuzz_replay;
mod hostile;
mod readme;
mod score;
#[path = "../support/mod.rs"]
mod support;
