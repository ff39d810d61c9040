//! The API: recorded requests, each route against a running server, and what holds for all routes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy does not treat helpers of tests as tests

mod aggregation;
mod cache;
mod checklist;
mod counted;
mod documentation;
mod engines;
mod explanation;
mod golden;
mod limits;
mod lists;
mod pages;
mod private;
mod routes;
#[path = "../support/mod.rs"]
mod support;
mod walk;
