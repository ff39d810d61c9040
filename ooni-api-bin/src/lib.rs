//! The OONI backend in one process: probe services, intake of measurements, live scoring, the archiver, and jobs.
//!
//! The path of a submission: [`http`] reads the request, [`router`] finds its [`handler`], and the handler passes the
//! measurement to [`intake`]. The probe is answered when it is durable. [`scoring`] and [`archiver`] follow the intake log and
//! write to [`stores`] and [`archive`]; [`tasks`] releases what both have processed. [`bodies`] finds a measurement again.
//!
//! [`run`](run::run) is the server. `main` and the tests pass it the settings, a listener, the clock and when to stop. [`app`]
//! has everything that a handler may use; there are no globals. The binary is [`cli`] and [`command`]: arguments in, exit
//! code out.
//!
//! Scoring rules are in `ooni-core`, the formats of the archive in `ooni-archive`, and all SQL is in `ooni-store`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// The server, and its parts in one structure.
pub mod app;
pub mod run;
pub mod tasks;

// Requests and responses.
pub mod csv;
pub mod handler;
pub mod http;
pub mod names;
pub mod openapi;
pub mod page;
pub mod params;
pub mod router;
pub mod search;

// From a submission to rows and the archive, and back.
pub mod archive;
pub mod archiver;
pub mod bodies;
pub mod drain;
pub mod explanation;
pub mod import;
pub mod intake;
pub mod payload;
pub mod scoring;
pub mod stores;

// What probes get.
pub mod geo;
pub mod probe;

// Jobs, and where their data come from.
pub mod fetch;
pub mod job;
pub mod schedule;

// What the server reports.
pub mod health;
pub mod log;
pub mod metrics;
pub mod version;

// What the server runs on: settings, time, keys, sockets, files, signals.
pub mod clock;
pub mod config;
pub mod listen;
pub mod notify;
pub mod reload;
pub mod secrets;
pub mod watched_file;

// The parts of the binary.
pub mod cli;
pub mod command;

// Retries, and failpoints for tests.
mod backoff;
pub mod failpoint;
