//! `fastpath rerun` from folders: rows in stores and files, and what the arguments do.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests count as no tests

mod arguments;
mod bench;
mod filters;
mod outputs;
mod reference;
mod rejections;
mod strict;
#[path = "../support/mod.rs"]
mod support;
mod together;
