//! How measurements are scored, as arguments of `score` and `rerun`.

use super::RulesName;
use super::limits::LimitArguments;
use crate::worker::Scoring;
use clap::Args;
use ooni_core::fingerprint::Fingerprints;
use std::path::PathBuf;

/// Threads, rules, lists and limits.
#[derive(Args, Debug)]
pub struct ScoringArguments {
    /// Number of threads that score; with 1, that one does everything [default: one for each processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub jobs: Option<u16>,

    /// Rules to score by
    #[arg(long, value_enum, default_value = "fixed")]
    pub rules: RulesName,

    /// Folder with fingerprints_dns.csv and fingerprints_http.csv [default: the built-in lists]
    #[arg(long, value_name = "DIR")]
    pub fingerprints: Option<PathBuf>,

    /// Give up a whole can where the reference does, instead of rejecting only the invalid measurement
    #[arg(long)]
    pub strict_cans: bool,

    /// The limits.
    #[command(flatten)]
    pub limits: LimitArguments,
}

impl ScoringArguments {
    /// The same, with these lists.
    pub fn scoring<'f>(&self, lists: &'f Fingerprints) -> Scoring<'f> {
        Scoring { limits: self.limits.limits(), strict: self.strict_cans, ..Scoring::new(lists, self.rules.into()) }
    }
}
