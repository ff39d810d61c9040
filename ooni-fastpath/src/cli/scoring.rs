//! How measurements are scored: arguments of `score` and `rerun`.

use super::limits::LimitArguments;
use super::values::RulesName;
use crate::worker::Scoring;
use clap::{Args, ValueEnum};
use ooni_archive::can::Format;
use ooni_core::fingerprint::Fingerprints;
use std::path::PathBuf;

/// Threads, rules, lists and limits.
#[derive(Args, Debug)]
pub struct ScoringArguments {
    /// Number of scoring threads; with 1, the main thread does everything [default: number of processors]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub jobs: Option<u16>,

    /// Set of scoring rules
    #[arg(long, value_enum, default_value = "fixed")]
    pub rules: RulesName,

    /// Folder with fingerprints_dns.csv and fingerprints_http.csv [default: the built-in lists]
    #[arg(long, value_name = "DIR")]
    pub fingerprints: Option<PathBuf>,

    /// Skip the rest of a file where the reference does, instead of rejecting only the invalid measurement
    #[arg(long)]
    pub strict_cans: bool,

    /// Format of the input, overriding detection; compression is always detected
    #[arg(long, value_enum, default_value = "auto")]
    pub input_format: InputFormat,

    /// The limits.
    #[command(flatten)]
    pub limits: LimitArguments,
}

/// Values of `--input-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// Detect it from the first bytes, and from the name if they are ambiguous
    Auto,
    /// One measurement per line
    Jsonl,
    /// One measurement or POST body
    Json,
    /// A tar archive of POST bodies
    Postcan,
    /// A tar archive of JSON lines and YAML reports
    Reports,
    /// A YAML report
    Yaml,
}

impl InputFormat {
    /// Its value on the command line; empty for the default.
    pub fn named(self) -> String {
        let value = self.to_possible_value().filter(|_| self != InputFormat::Auto);
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The format; `None` to detect it.
    pub fn format(self) -> Option<Format> {
        match self {
            InputFormat::Auto => None,
            InputFormat::Jsonl => Some(Format::Lines),
            InputFormat::Json => Some(Format::Document),
            InputFormat::Postcan => Some(Format::Postcan),
            InputFormat::Reports => Some(Format::Reports),
            InputFormat::Yaml => Some(Format::Yaml),
        }
    }
}

impl ScoringArguments {
    /// How measurements are scored with these lists.
    pub fn scoring<'f>(&self, lists: &'f Fingerprints) -> Scoring<'f> {
        Scoring { limits: self.limits.limits(), strict: self.strict_cans, ..Scoring::new(lists, self.rules.into()) }
    }
}
