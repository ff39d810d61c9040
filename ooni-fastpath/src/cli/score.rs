//! The arguments of `fastpath score`.

use super::scoring::ScoringArguments;
use crate::fingerprints::NOTICE;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Score measurements in files and archives
///
/// .json and .post are one measurement or POST body; .jsonl and .jsonl.gz are lines of them; .tar.gz is a postcan;
/// .json.lz4, .tar.lz4 and .yaml.lz4 are cans of the years up to 2020. Folders are read in the order of their names.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXIT_CODES}\n\n{NOTICE}"))]
pub struct Score {
    /// Files and folders; - is standard input, lines or gzip of lines
    #[arg(required_unless_present = "cases", conflicts_with = "cases")]
    pub paths: Vec<PathBuf>,

    /// Lines {"uid", "raw"} or {"uid", "raw_base64"} instead, to compare scorers with; - is standard input
    ///
    /// In jsonl, halves of surrogate pairs stay as the reference writes them. All other output has U+FFFD instead.
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,

    /// Format of the output
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,

    /// Explain: rules that fired, fingerprints that were found, where the two sets of rules differ
    #[arg(long)]
    pub explain: bool,

    /// How to score.
    #[command(flatten)]
    pub scoring: ScoringArguments,
}

const EXIT_CODES: &str = "Exit code: 0 when everything was read and nothing was rejected; 1 when something was rejected \
                          or no file was found; 2 for invalid arguments, paths that do not exist, or fingerprint lists \
                          that cannot be loaded.";

/// Formats of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A line for each measurement, and a summary, for people
    Table,
    /// A JSON object on each line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

impl Score {
    /// What is wrong with arguments that are valid one by one.
    pub(super) fn conflict(&self) -> Option<String> {
        let lost = self.explain && self.format == OutputFormat::Csv;
        lost.then(|| "--explain is not available in csv: use table or jsonl".to_owned())
    }
}
