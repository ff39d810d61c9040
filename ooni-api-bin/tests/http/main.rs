//! The HTTP layer over sockets: limits, timeouts, malformed requests, bodies, responses, TLS and the end of a server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy does not treat helpers of tests as tests

mod bodies;
mod bombs;
mod connections;
mod http2;
mod log;
mod malformed;
mod proxies;
mod responses;
mod routes;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
mod tls;
