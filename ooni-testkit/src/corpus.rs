//! A deterministic corpus of measurements that resembles the traffic of OONI's collectors.
//!
//! The conformance fixtures serve as templates. Country, network, report id, uid, times, input, host, first address and
//! HTTP bodies vary; everything else, including the order of keys, is as in the template. By default 85 % are
//! web_connectivity, 3 % of those contain a real blocking fingerprint, and a few in a thousand are intentionally broken
//! or odd ([`Kind`]). The text is spelled as by the collector: compact, ASCII only, `\uXXXX`, `\/`.
//!
//! The same [`Options`] and fixtures produce the same measurements on any machine: the generator has its own random
//! numbers and does not use the system's mathematics library. Packed files also depend on the version of the
//! compression library.
//!
//! ```
//! use ooni_testkit::corpus::{Options, generate};
//!
//! let made: Vec<_> = generate(&Options { n: 3, seed: 7, ..Options::default() })?.collect();
//! assert_eq!(made.len(), 3);
//! assert!(made[0].uid.starts_with("20240301"));
//! # Ok::<(), ooni_testkit::corpus::Error>(())
//! ```

// Sources of measurements: templates, and values for their placeholders.
mod bodies;
mod templates;
mod urls;
// Generating measurements, and breaking some of them.
mod fingerprints;
mod generate;
mod hostile;
mod yaml;
// Helpers, implemented here so that they behave the same on every machine.
mod calendar;
mod hashes;
mod json;
pub mod rng;
// Files.
pub mod archive;
pub mod containers;
mod legacy;
mod packed;
mod truth;

use std::io;
use std::path::{Path, PathBuf};

pub use generate::Corpus;

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
            first_hour: calendar::FIRST_HOUR,
            hours_apart: 1,
            templates: root.join("ooni-core/tests/fixtures/measurements"),
            fingerprints: root.join("ooni-fastpath/data/fingerprints"),
        }
    }
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// `YYYYmmddHHMMSS.ffffff_CC_testname_hash`, increasing; the hash is the beginning of the SHA-512 of `post`.
    pub uid: String,
    /// The measurement as a probe may have sent it, including odd and broken text. One line.
    pub content: Vec<u8>,
    /// The POST body as the collector stores it: the envelope around `content`, with odd text normalized and
    /// `is_verified` added; or as it was sent, if it cannot be parsed.
    pub post: Vec<u8>,
    /// Hour in which it was received, `YYYYmmddHH`.
    pub hour: String,
    /// Country of the probe, as in `uid`.
    pub cc: &'static str,
    /// Name of the test as in `test_name`, with underscores.
    pub test_name: String,
    /// How it was modified.
    pub kind: Kind,
    /// Whether `post` can be parsed.
    pub readable: bool,
    /// Whether it contains an HTTP body.
    pub has_body: bool,
}

impl Made {
    /// The test name as it is in uids and paths, without underscores.
    #[must_use]
    pub fn path_name(&self) -> String {
        self.test_name.replace('_', "")
    }

    /// The measurement as the collector stores it; `None` if it cannot be parsed.
    #[must_use]
    pub fn stored(&self) -> Option<&[u8]> {
        self.readable.then(|| generate::inside(&self.post))
    }
}

/// How a measurement was modified, besides filling the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nothing.
    Plain,
    /// A fingerprint of the lists was inserted.
    Fingerprint,
    /// Odd text was inserted at its start; it may or may not be JSON.
    Odd,
    /// Truncated; not JSON.
    Truncated,
    /// JSON, but a value has the wrong type or is missing. It may not be an object.
    WrongType,
}

impl Kind {
    /// Its name in summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Fingerprint => "fingerprint",
            Self::Odd => "odd",
            Self::Truncated => "truncated",
            Self::WrongType => "wrong type",
        }
    }
}

/// Why a corpus cannot be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot read or write {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A fingerprint list is not valid CSV.
    #[error("cannot read the fingerprints of {}", path.display())]
    Csv {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: csv::Error,
    },
    /// The folder has too few templates: web_connectivity with and without bodies and another test are required.
    #[error("too few template measurements in {}", path.display())]
    Templates {
        /// The folder.
        path: PathBuf,
    },
}

impl Error {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// Reads templates and fingerprint lists, and returns the measurements as an iterator.
///
/// # Errors
/// The templates or lists cannot be read. Generating the measurements cannot fail.
pub fn generate(options: &Options) -> Result<Corpus, Error> {
    Corpus::new(options)
}
