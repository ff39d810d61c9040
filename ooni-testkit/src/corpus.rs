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

// What is requested, what is generated, and why it can fail.
mod error;
mod made;
mod options;
// Sources of measurements: templates, and values for their placeholders.
mod bodies;
mod templates;
mod urls;
// Generating measurements, and breaking some of them.
mod envelope;
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

pub use error::Error;
pub use generate::Corpus;
pub use made::{Kind, Made};
pub use options::Options;

/// Reads templates and fingerprint lists, and returns the measurements as an iterator.
///
/// # Errors
/// The templates or lists cannot be read. Generating the measurements cannot fail.
pub fn generate(options: &Options) -> Result<Corpus, Error> {
    Corpus::new(options)
}
