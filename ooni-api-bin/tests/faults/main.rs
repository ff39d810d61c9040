//! What the program needs fails: the store is down, the S3 server fails and lies, the disk is full. Nothing that was
//! acknowledged is lost, and the program continues by itself when the fault is over.
//!
//! `OONI_KILLS=200` makes the runs longer, see [`process::kills`].

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // clippy does not treat helpers of tests as tests

mod disk;
#[path = "../process/mod.rs"]
mod process;
mod s3;
mod store;
