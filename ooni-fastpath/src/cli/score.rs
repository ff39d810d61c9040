//! The arguments of `fastpath score`.

use super::scoring::ScoringArguments;
use crate::fingerprints::NOTICE;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Score measurements in files and archives.
///
/// Files are what their names say: .json and .post are one measurement or POST body; .jsonl and .jsonl.gz are lines of
/// them; .tar.gz is a postcan; .json.lz4, .tar.lz4 and .yaml.lz4 are cans of the years up to 2020. Folders are walked in
/// name order.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXIT_CODES}\n\n{NOTICE}"))]
pub struct Score {
    /// Files and folders; - is standard input, lines or gzip of lines
    #[arg(required_unless_present = "cases", conflicts_with = "cases")]
    pub paths: Vec<PathBuf>,

    /// Lines {"uid", "raw"} or {"uid", "raw_base64"} instead, to compare scorers with; - is standard input
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,

    /// Form of the output
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,

    /// Say why: rules that fired, fingerprints that were found, where the two sets of rules differ
    #[arg(long)]
    pub explain: bool,

    /// How to score.
    #[command(flatten)]
    pub scoring: ScoringArguments,
}

const EXIT_CODES: &str = "Exit code: 0 when all was read and nothing rejected, 1 when something was not, 2 for wrong \
                          arguments or fingerprint lists.";

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A line a measurement for people, and a summary
    Table,
    /// A JSON object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

impl Score {
    /// What is wrong with arguments that are right one by one.
    pub(super) fn conflict(&self) -> Option<String> {
        let lost = self.explain && self.format == OutputFormat::Csv;
        lost.then(|| "--explain has no place in csv: use table or jsonl".to_owned())
    }
}
