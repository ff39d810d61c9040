//! What the benchmarks of the workspace share. [`corpus`] makes the measurements that they run on,
//! so that a benchmark needs the repository and nothing else, [`measure`] is what is timed on them, [`server`] starts the
//! databases that stores are kept in, and [`venv`] has what tests need of Python.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod measure;
pub mod server;
pub mod venv;
