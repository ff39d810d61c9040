//! [`Options`]: which corpus to generate.

use std::path::{Path, PathBuf};

use super::calendar::FIRST_HOUR;

/// What to generate. [`Options::default`] is the traffic of the published benchmarks.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How many measurements.
    pub n: u64,
    /// Seed; another seed generates another corpus of the same kind.
    pub seed: u64,
    /// Share of web_connectivity, 0 to 1.
    pub wc_share: f64,
    /// Share that is intentionally broken: half truncated, half with a value of a wrong type.
    pub malformed: f64,
    /// Share with odd text: surrogates, NUL, bad escapes, NaN, huge numbers, deep nesting,
    /// repeated keys, bad UTF-8.
    pub odd: f64,
    /// Share of web_connectivity that contains a fingerprint of the lists.
    pub blocked: f64,
    /// Measurements received per hour.
    pub per_hour: u64,
    /// Microseconds from 1970 to the first hour, UTC; the default is 2024-03-01 00:00.
    pub first_hour: u64,
    /// Interval between two hours in which measurements are received, in hours.
    pub hours_apart: u64,
    /// Folder of the template measurements.
    pub templates: PathBuf,
    /// Folder of `fingerprints_dns.csv` and `fingerprints_http.csv`.
    pub fingerprints: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        Self {
            n: 1000,
            seed: 1,
            wc_share: 0.85,
            malformed: 0.005,
            odd: 0.002,
            blocked: 0.03,
            per_hour: 20_000,
            first_hour: FIRST_HOUR,
            hours_apart: 1,
            templates: root.join("ooni-core/tests/fixtures/measurements"),
            fingerprints: root.join("ooni-archive/data/fingerprints"),
        }
    }
}
