//! Scores one measurement, the one below or the one in a file, and prints its row.
//!
//! `cargo run --bin score_one -- [FILE]`

#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::process::{Outcome, process};
use ooni_core::rules::Rules;
use std::io::Write;

/// A measurement as a probe uploads it, reduced to the keys that the rule of `telegram` reads: no access point was
/// reachable.
const MEASUREMENT: &str = r#"{
    "report_id": "20241124T120000Z_telegram_IT_30722_n1_abcdefgh",
    "probe_cc": "IT",
    "probe_asn": "AS30722",
    "test_name": "telegram",
    "test_start_time": "2024-11-24 12:00:00",
    "measurement_start_time": "2024-11-24 12:00:01",
    "test_keys": {"telegram_tcp_blocking": true, "telegram_http_blocking": true, "telegram_web_status": "ok"}
}"#;

/// The collector assigns a UID to each measurement. If it begins with a time, that is the receive time.
const UID: &str = "20241124120005.123456_IT_telegram_0123456789abcdef";

fn main() -> Result<()> {
    let bytes = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read(&path).with_context(|| path.display().to_string())?,
        None => MEASUREMENT.into(),
    };
    let mut row = Vec::new();
    // Without lists nothing is confirmed; everything else is scored as usual. See `match_body` for how to load them.
    match process(&bytes, UID, &Fingerprints::empty(), Rules::Fixed) {
        Outcome::Stored { row: fastpath, .. } => fastpath.write_json(&mut row),
        Outcome::Discarded { reason } => write!(row, "discarded: {reason}")?,
        Outcome::Rejected { error } => write!(row, "rejected: {error}")?,
    }
    row.push(b'\n');
    std::io::stdout().lock().write_all(&row)?;
    Ok(())
}
