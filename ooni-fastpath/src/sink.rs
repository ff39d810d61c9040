//! Outputs, one file per format.
//!
//! Each worker has its own sink and writes to its own buffer, so a sink keeps no state between entries. Stores are not
//! sinks.
//!
//! All outputs are valid UTF-8, so other programs can read them: lone surrogates are written as U+FFFD.

mod csv;
mod jsonl;
pub mod table;

pub use self::csv::Csv;
pub use self::jsonl::Jsonl;
pub use self::table::Table;
pub use crate::text::plain;

use crate::stats::Counts;
use crate::text;
use ooni_core::explain::Explanation;
use ooni_core::measurement::Measurement;
use ooni_core::process::Outcome;
use std::fmt;

/// An entry and its outcome.
#[derive(Clone, Copy, Debug)]
pub struct ScoredEntry<'r> {
    /// The uid, if it has one.
    pub uid: Option<&'r str>,
    /// Its outcome.
    pub outcome: &'r Outcome,
    /// The explanation, if one was requested.
    pub explanation: Option<&'r Explanation>,
    /// The measurement, for outcomes without a row, if there is one.
    pub measurement: Option<Measurement<'r>>,
    /// Where it is.
    pub place: &'r Place<'r>,
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'r> {
    /// The file, as given.
    pub file: &'r str,
    /// The line of the file or member, from 1.
    pub line: Option<u64>,
    /// The entry of the YAML report, from 1.
    pub entry: Option<u64>,
    /// The name of the member of an archive.
    pub member: Option<&'r [u8]>,
    /// Offset of the first byte of the line, entry, member or document in the decompressed file. For an error of the whole
    /// file, its offset in the file as stored, if known.
    pub byte: Option<u64>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::line(self.file))?;
        if let Some(member) = self.member {
            write!(f, ", member {}", text::line(&String::from_utf8_lossy(member)))?;
        }
        for (what, number) in [("line", self.line), ("entry", self.entry)] {
            if let Some(number) = number {
                write!(f, ", {what} {number}")?;
            }
        }
        match self.byte {
            Some(byte) => write!(f, ", byte {byte}"),
            None => Ok(()),
        }
    }
}

/// An output format.
pub trait Sink {
    /// Writes what comes before all entries.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// Appends an entry.
    fn write(&mut self, entry: &ScoredEntry<'_>, out: &mut Vec<u8>);

    /// Writes what comes after all entries.
    fn end(&mut self, _counts: &Counts, _out: &mut Vec<u8>) {}
}

/// Writes nothing, for runs whose rows go to a store or a Parquet file.
#[derive(Clone, Copy, Debug)]
pub struct NullSink;

impl Sink for NullSink {
    fn write(&mut self, _entry: &ScoredEntry<'_>, _out: &mut Vec<u8>) {}
}
