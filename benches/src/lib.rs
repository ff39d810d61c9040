//! Shared by the benchmark programs: [`measure`] has the measurements, [`rows`] generates rows for stores, and
//! [`queries`] has the queries over them; [`collector`] has a load for the server.

#![forbid(unsafe_code)]

pub mod collector;
pub mod measure;
pub mod queries;
pub mod reads;
pub mod rows;
