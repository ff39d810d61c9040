//! The command line: what can be said, and what it means. What is done is in [`command`](crate::command).

pub mod compare;

use crate::fingerprints::NOTICE;
use crate::limits::{Limits, parse_size};
use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};
use ooni_core::rules::Rules;
use std::path::PathBuf;

/// Scores OONI measurements.
#[derive(Debug, Parser)]
#[command(name = "fastpath", version, long_version = long_version(), about, after_help = NOTICE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Score measurements in files and archives
    Score(Score),
    /// Compare rows of two runs, or what two sets of rules make of the same measurements
    Compare(compare::Compare),
}

/// Score measurements in files and archives.
///
/// Files are what their names say: .json and .post are one measurement or POST body; .jsonl and .jsonl.gz are lines of
/// them; .tar.gz is a postcan. Folders are walked in name order. LZ4 cans are not yet read.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXIT_CODES}\n\n{NOTICE}"))]
pub struct Score {
    /// Files and folders; - is standard input, lines or gzip of lines
    #[arg(required_unless_present = "cases", conflicts_with = "cases")]
    pub paths: Vec<PathBuf>,

    /// Lines {"uid", "raw"} or {"uid", "raw_base64"} instead, to compare scorers with; - is standard input
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,

    /// How many threads score; with 1, that one does everything [default: one a processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub jobs: Option<u16>,

    /// Rules to score by
    #[arg(long, value_enum, default_value = "fixed")]
    pub rules: RulesName,

    /// Folder with fingerprints_dns.csv and fingerprints_http.csv [default: the built-in lists]
    #[arg(long, value_name = "DIR")]
    pub fingerprints: Option<PathBuf>,

    /// Form of the output
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,

    /// Say why: rules that fired, fingerprints that were found, where the two sets of rules differ
    #[arg(long)]
    pub explain: bool,

    /// Bytes of one measurement; more is rejected. KiB, MiB and GiB are understood
    #[arg(long, value_name = "SIZE", default_value = "200MiB", value_parser = parse_size)]
    pub max_measurement_size: usize,

    /// Levels of nesting in a measurement; more is rejected
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub max_depth: u16,

    /// JSON values in a measurement, each 16 bytes of memory; more is rejected
    #[arg(long, value_name = "N", default_value_t = Limits::default().values)]
    pub max_values: usize,

    /// Times its size that a file may become when decompressed, asked beyond 64 MiB; what is more is not read
    #[arg(long, value_name = "N", default_value_t = Limits::default().ratio, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_ratio: u64,
}

const EXIT_CODES: &str = "Exit code: 0 when all was read and nothing rejected, 1 when something was not, 2 for wrong \
                          arguments or fingerprint lists.";

/// Rules on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RulesName {
    /// The reference with its errors repaired
    Fixed,
    /// The reference bit for bit
    Compat,
}

impl From<RulesName> for Rules {
    fn from(name: RulesName) -> Rules {
        match name {
            RulesName::Fixed => Rules::Fixed,
            RulesName::Compat => Rules::Compat,
        }
    }
}

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line a measurement for people, and a summary
    Table,
    /// A JSON object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

impl Score {
    /// The limits that were asked for.
    pub fn limits(&self) -> Limits {
        Limits {
            measurement_size: self.max_measurement_size,
            depth: usize::from(self.max_depth),
            values: self.max_values,
            ratio: self.max_ratio,
        }
    }
}

/// What was asked for. Ends the process for help, version and wrong arguments.
pub fn parse() -> Cli {
    let cli = Cli::parse();
    if let Command::Score(score) = &cli.command
        && score.explain
        && score.format == Format::Csv
    {
        let message = "--explain has no place in csv: use table or jsonl";
        clap::Command::new("fastpath").error(ErrorKind::ArgumentConflict, message).exit();
    }
    cli
}

fn long_version() -> String {
    let [fixed, compat] = [Rules::Fixed, Rules::Compat].map(Rules::version);
    format!("{}\nrules {fixed}, {compat}\n{NOTICE}", env!("CARGO_PKG_VERSION"))
}
