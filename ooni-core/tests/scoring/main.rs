//! From the bytes of a measurement to its row: the reference's results, and the properties of every result.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

mod cases;
mod conformance;
mod explanations;
mod fuzz_replay;
mod properties;
mod side_record;
mod support;
