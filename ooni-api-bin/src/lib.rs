//! The OONI backend: probe services, intake of measurements, live scoring, the archiver, and the API.
//!
//! [`run`](run::run) serves. Everything that a handler may use is in [`app`]; [`router`] has a line for each route, and
//! [`handler`] a file for each.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod app;
pub mod archive;
pub mod archiver;
pub mod bodies;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod drain;
pub mod failpoint;
pub mod fetch;
pub mod geo;
pub mod handler;
pub mod health;
pub mod http;
pub mod import;
pub mod intake;
pub mod job;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod notify;
pub mod payload;
pub mod probe;
pub mod reload;
pub mod router;
pub mod run;
pub mod schedule;
pub mod scoring;
pub mod secrets;
pub mod stores;
pub mod tasks;
pub mod version;
pub mod watched_file;
