//! `fastpath rerun` from folders: what comes of the archive, in stores and files, and what the arguments do.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests count as no tests

mod arguments;
mod bench;
mod filters;
mod outputs;
mod reference;
mod strict;
#[path = "../support/mod.rs"]
mod support;
