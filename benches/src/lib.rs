//! Shared by the benchmark programs: [`measure`] has the measurements, [`rows`] generates rows for stores.

#![forbid(unsafe_code)]

pub mod measure;
pub mod rows;
