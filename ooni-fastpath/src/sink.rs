//! Outputs: what is written of each measurement. One file for each format.
//!
//! Workers write records into buffers, each with a sink of its own, so a sink keeps nothing that depends on what came
//! before. Stores are not sinks.
//!
//! All outputs are UTF-8 that other programs read: where a probe sent half of a surrogate pair, they have U+FFFD.

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

/// What became of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Record<'r> {
    /// The uid, if it has one.
    pub uid: Option<&'r str>,
    /// What became of it.
    pub outcome: &'r Outcome,
    /// Why, if that was asked for.
    pub explanation: Option<&'r Explanation>,
    /// The measurement, for outcomes without a row, if there is one.
    pub measurement: Option<Measurement<'r>>,
    /// Where it was.
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
    /// Offset of the first byte of the line, entry, member or document in the file, decompressed; for an error of the whole
    /// file, its offset in the file as it is on disk, if it has one.
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

/// A format of output.
pub trait Sink {
    /// What comes before all records.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// Appends a record.
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>);

    /// What comes after all records.
    fn end(&mut self, _counts: &Counts, _out: &mut Vec<u8>) {}
}

/// Writes nothing: the rows go elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Sink for Silent {
    fn write(&mut self, _record: &Record<'_>, _out: &mut Vec<u8>) {}
}
