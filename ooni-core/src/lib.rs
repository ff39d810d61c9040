//! Parse, score and explain OONI measurements.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod base64;
pub mod error;
pub mod explain;
pub mod fingerprint;
pub mod json;
pub mod measurement;
pub mod nettest;
pub mod number;
pub mod process;
pub mod python;
pub mod python_text;
pub mod rules;
pub mod row;
pub mod scores;
pub mod text;
pub mod time;
pub mod trace;
pub mod uid;
pub mod url;
pub mod version;
