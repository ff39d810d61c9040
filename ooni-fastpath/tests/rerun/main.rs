//! `fastpath rerun` from folders: rows in stores and files, and arguments.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy does not treat helpers of tests as tests

mod arguments;
mod bench;
mod bulk;
mod filters;
mod outputs;
mod reference;
mod rejections;
mod side_records;
mod strict;
#[path = "../support/mod.rs"]
mod support;
mod together;
