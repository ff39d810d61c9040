//! Shared by the benchmark programs: [`measure`] has the measurements, [`rows`] generates rows for stores, [`bulk`] loads
//! them, and [`queries`] has the queries over them. [`collector`] and [`reads`] have loads for the [`server`], over [`http`].

#![forbid(unsafe_code)]

pub mod bodies;
pub mod bulk;
pub mod collector;
pub mod http;
pub mod measure;
pub mod pace;
pub mod queries;
pub mod reads;
pub mod rows;
pub mod server;
