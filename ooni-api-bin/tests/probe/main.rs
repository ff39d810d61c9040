//! Probe services: each route against a running server, recorded requests, whole conversations, and hostile bodies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy does not treat helpers of tests as tests

mod conversations;
mod files;
mod hostile;
mod routes;
mod submissions;
#[path = "../support/mod.rs"]
mod support;
