//! What the benchmarks of the workspace share: [`measure`] is what is timed, [`rows`] generates rows for stores.

#![forbid(unsafe_code)]

pub mod measure;
pub mod rows;
