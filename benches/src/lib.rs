//! What the benchmarks of the workspace share. [`corpus`] makes the measurements that they run on,
//! so that a benchmark needs the repository and nothing else, and [`measure`] is what is timed on them.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod measure;
