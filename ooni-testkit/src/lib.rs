//! What tests and benches share: [`corpus`] generates measurements and archives, [`server`] starts database servers,
//! `s3_server` is an S3 server with faults, `http_server` has answers that a test writes, [`python`] installs Python
//! packages, [`process`] sends signals, [`files`] writes small files.
//!
//! Only a dev-dependency: no product crate is built with it, and it depends on none but `ooni-core`.
#![forbid(unsafe_code)]

pub mod corpus;
pub mod files;
#[cfg(feature = "s3-server")]
pub mod http_server;
pub mod process;
pub mod python;
#[cfg(feature = "s3-server")]
pub mod s3_server;
pub mod server;
