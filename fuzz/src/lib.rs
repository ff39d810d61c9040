//! What holds for every input: the functions that the fuzz targets call.
//!
//! They know nothing of libFuzzer, so that `ooni-core/tests/fuzz_replay.rs` can include this file and run the corpora
//! in `cargo test`. Each panics when a law is broken. How an input is laid out stands above its function.

#![forbid(unsafe_code)]

pub mod fingerprints;
pub mod json;
pub mod measurement;
#[cfg(feature = "legacy-yaml")]
pub mod yaml;
