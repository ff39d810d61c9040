//! The commands `score`, `compare` and `fetch`, the commands of the README, and files for DuckDB.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy does not treat helpers of tests as tests

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
