//! How measurements are scored, as arguments of the commands that score for their own sake.

use super::RulesName;
use super::limits::LimitArguments;
use crate::worker::Scoring;
use clap::Args;
use ooni_core::fingerprint::Fingerprints;
use std::path::PathBuf;

/// By how many threads, which rules and lists, and what is too much.
#[derive(Args, Debug)]
pub struct ScoringArguments {
    /// How many threads score; with 1, that one does everything [default: one a processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub jobs: Option<u16>,

    /// Rules to score by
    #[arg(long, value_enum, default_value = "fixed")]
    pub rules: RulesName,

    /// Folder with fingerprints_dns.csv and fingerprints_http.csv [default: the built-in lists]
    #[arg(long, value_name = "DIR")]
    pub fingerprints: Option<PathBuf>,

    /// Give up a can where the reference does, instead of only the measurement that is wrong
    #[arg(long)]
    pub strict_cans: bool,

    /// What is too much.
    #[command(flatten)]
    pub limits: LimitArguments,
}

impl ScoringArguments {
    /// What was asked for, with these lists.
    pub fn scoring<'f>(&self, lists: &'f Fingerprints) -> Scoring<'f> {
        Scoring { limits: self.limits.limits(), strict: self.strict_cans, ..Scoring::new(lists, self.rules.into()) }
    }
}
