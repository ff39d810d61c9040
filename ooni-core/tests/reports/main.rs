//! YAML reports: the loader, and the measurements that reports become.

#![cfg(feature = "legacy-yaml")]
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails if it cannot read its files

mod normalize;
mod yaml;
