//! The arguments of `fastpath score`.

use super::scoring::ScoringArguments;
use crate::fingerprints::NOTICE;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Score measurements in files and archives
///
/// The first bytes of a file tell its format: one measurement or POST body, lines of them, a tar archive of POST bodies
/// (postcan), or a can of the years up to 2020; plain, with gzip or with LZ4. The name decides only what the bytes leave
/// open. Folders are walked in name order and links followed; files of names that no format has are skipped there. Of a
/// .tar.gz and the .jsonl.gz of the same stem, only the first is read; the other one only if that has nothing in it.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXIT_CODES}\n\n{NOTICE}"))]
pub struct Score {
    /// Files and folders; - is standard input, in any of the formats
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
