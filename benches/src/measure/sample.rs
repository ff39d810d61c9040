//! One repetition of one thing: what is kept of a run, and all that a report is made of.

use serde::Serialize;

use super::clock::Spent;

/// What is compared with what: samples of one group, input and repetition ran side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// All lines, in the order of the corpus, in this process.
    Lines,
    /// The lines of one test and size, in this process.
    Cells,
    /// The fingerprints by themselves, in this process.
    Fingerprints,
    /// From many files to rows, in this process.
    Stages,
    /// Commands on many files.
    Commands,
    /// Commands on one large file.
    Big,
    /// Other programs on one large file of lines.
    Peers,
}

/// One repetition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// What it is compared within.
    pub group: Group,
    /// On what: a kind of files, bodies, lists.
    pub input: String,
    /// The test, of a cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The class of sizes, of a cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<&'static str>,
    /// What was done.
    pub what: String,
    /// Which repetition, from 0.
    pub repetition: u32,
    /// Time of one pass.
    #[serde(flatten)]
    pub spent: Spent,
    /// Bytes of the input, not compressed.
    pub bytes: u64,
    /// Measurements in the input.
    pub measurements: u64,
    /// Bytes of the input as it lies there, of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compressed: Option<u64>,
    /// The most memory in bytes, of commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<u64>,
    /// Lines that came out, of commands whose output was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines_out: Option<u64>,
    /// Processor time without that of getting ready, of programs that say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<f64>,
}

impl Sample {
    /// One of all measurements of an input, with nothing that only some have.
    #[must_use]
    pub fn new(
        group: Group,
        input: &str,
        what: &str,
        repetition: u32,
        spent: Spent,
        bytes: u64,
        measurements: u64,
    ) -> Self {
        Self {
            group,
            input: input.to_owned(),
            test: None,
            size: None,
            what: what.to_owned(),
            repetition,
            spent,
            bytes,
            measurements,
            compressed: None,
            peak: None,
            lines_out: None,
            query: None,
        }
    }
}
