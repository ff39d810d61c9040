//! Properties that hold for every input: the functions that the fuzz targets call.
//!
//! They do not depend on libFuzzer, so that `ooni-core/tests/scoring/fuzz_replay.rs` can include this file and run the corpora
//! in `cargo test`. Each panics when a property is violated. The input format is documented at each function.

#![forbid(unsafe_code)]

pub mod fingerprints;
pub mod json;
pub mod measurement;
#[cfg(feature = "legacy-yaml")]
pub mod yaml;
