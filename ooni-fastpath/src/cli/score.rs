//! The arguments of `fastpath score`.

use super::scoring::ScoringArguments;
use clap::{Args, ValueEnum};
use ooni_archive::fingerprints::NOTICE;
use std::path::PathBuf;

/// Score measurements in files and folders
///
/// The format of a file is detected from its first bytes: one measurement or POST body, one per line, a tar archive of
/// POST bodies (postcan), or a file of OONI's archive of the years up to 2020; plain, or compressed with gzip or LZ4. The
/// name is only used if the bytes are ambiguous. Folders are walked in the order of names, and links are followed; files
/// with an unknown suffix are skipped there. Of a .tar.gz and a .jsonl.gz of the same stem only the .tar.gz is read, or
/// the other one if it is empty or not recognized.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXIT_CODES}\n\n{NOTICE}"))]
pub struct Score {
    /// Files and folders; - is standard input
    #[arg(required_unless_present = "cases", conflicts_with = "cases")]
    pub paths: Vec<PathBuf>,

    /// File of lines {"uid", "raw"} or {"uid", "raw_base64"}, to compare scorers; - is standard input
    ///
    /// With --format jsonl, lone surrogates are written as the reference does. All other output has U+FFFD instead.
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,

    /// Format of the output
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,

    /// Explain the scores: rules that fired, fingerprints that were found, differences between the sets of rules
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
    /// Human-readable: one line per measurement, and a summary
    Table,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

impl Score {
    /// What is wrong with a combination of arguments.
    pub(super) fn conflict(&self) -> Option<String> {
        let lost = self.explain && self.format == OutputFormat::Csv;
        lost.then(|| "--explain is not available in csv: use table or jsonl".to_owned())
    }
}
