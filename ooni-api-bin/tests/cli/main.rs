//! The program itself: arguments, settings, exit codes, signals.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy does not treat helpers of tests as tests

// Help, wrong arguments, output.
mod arguments;
// `ooni-api job`.
mod jobs;
// The commands that the README shows.
mod readme;
// `ooni-api config`, and where settings come from.
mod settings;
// `ooni-api serve`: its start, its end, and what it serves about itself.
mod serve;
// `ooni-api spool`.
mod spool;
mod support;
mod verify;
