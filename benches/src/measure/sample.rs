//! One repetition of one measurement: the data that a run keeps and a report is computed from.

use serde::Serialize;

use super::clock::Spent;

/// Samples of one group, input and repetition ran side by side and are compared.
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
    /// Its group.
    pub group: Group,
    /// The input: a kind of files, bodies, lists.
    pub input: String,
    /// The test, for a cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The size class, for a cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<&'static str>,
    /// What was done.
    pub what: String,
    /// Which repetition, from 0.
    pub repetition: u32,
    /// Time of one pass.
    #[serde(flatten)]
    pub spent: Spent,
    /// Uncompressed bytes of the input.
    pub bytes: u64,
    /// Measurements in the input.
    pub measurements: u64,
    /// Bytes of the input as stored, for files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compressed: Option<u64>,
    /// Peak memory in bytes, for commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<u64>,
    /// Lines of output, for commands whose output was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines_out: Option<u64>,
    /// Processor time without the start, for programs that report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<f64>,
}

impl Sample {
    /// A sample of all measurements of an input, without optional values.
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
