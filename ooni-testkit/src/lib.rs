//! Support for tests and benchmarks: [`corpus`] generates measurements and archives, [`server`] starts database servers,
//! `s3_server` is an S3 server with faults, `http_server` an HTTP server whose responses a test defines, [`python`] installs
//! Python packages, [`browser`] finds a browser, [`certificate`] issues certificates, [`process`] sends signals, and [`files`] writes small files.
//!
//! Only a dev-dependency: no product crate depends on it, and `ooni-core` is the only product crate that it depends on.
#![forbid(unsafe_code)]

pub mod browser;
pub mod certificate;
pub mod corpus;
pub mod files;
#[cfg(feature = "http-server")]
pub mod http_server;
pub mod process;
pub mod python;
#[cfg(feature = "s3-server")]
pub mod s3_server;
pub mod server;
