//! Parse, score and explain OONI measurements.
//!
//! The input is the bytes of a measurement or POST body. The result is an [`Outcome`](process::Outcome): a row, a reason to
//! discard the measurement, or an error with its position. The bytes are read once and borrowed. Nothing here opens files,
//! reads clocks, starts threads or keeps global state, and no input causes a panic.
//!
//! ```
//! use ooni_core::{fingerprint::Fingerprints, process::{Outcome, process}, rules::Rules};
//!
//! let bytes = br#"{"report_id": "20241124T120000Z_telegram_IT_30722_n1_abcdefgh", "probe_cc": "IT", "probe_asn": "AS30722",
//!     "test_name": "telegram", "test_start_time": "2024-11-24 12:00:00", "measurement_start_time": "2024-11-24 12:00:01",
//!     "test_keys": {"telegram_web_status": "blocked"}}"#;
//! let uid = "20241124120005.123456_IT_telegram_0123456789abcdef";
//! match process(bytes, uid, &Fingerprints::empty(), Rules::Fixed) {
//!     Outcome::Stored { row, .. } => assert!(row.anomaly && !row.confirmed),
//!     other => panic!("{other:?}"),
//! }
//! ```
//!
//! [`Scorer`](process::Scorer) does the same for many measurements and reuses its buffers. [`explain`](explain::explain)
//! shows why: the rules that fired, the fingerprints that were found, and what each [`Repair`](rules::Repair) changes.
//! [`Rules`](rules::Rules) selects the exact behaviour of the reference, or that behaviour with its errors repaired.
//!
//! Modules import only modules that come before them in this list: `error`, `text`, `number`, `json`, `python_text`,
//! `python`, `time`, `hex`, `uid`, `base64`, `url` and `version`; then `measurement`, `fingerprint`, `rules` and `scores`;
//! then `row`, `trace` and `nettest`; then `process` and `explain`. The feature `legacy-yaml` adds `normalize`, which reads
//! the YAML reports of 2012 to 2018 and imports only modules that come before `measurement`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod base64;
pub mod error;
pub mod explain;
pub mod fingerprint;
pub mod hex;
pub mod json;
pub mod measurement;
pub mod nettest;
#[cfg(feature = "legacy-yaml")]
pub mod normalize;
pub mod number;
pub mod process;
pub mod python;
pub mod python_text;
pub mod row;
pub mod rules;
pub mod scores;
#[cfg(feature = "legacy-yaml")]
mod shake128;
pub mod text;
pub mod time;
pub mod trace;
pub mod uid;
pub mod url;
pub mod version;

#[cfg(test)]
#[path = "../tests/support/files.rs"]
mod test_files;
