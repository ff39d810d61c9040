//! The command line: what can be said, and what it means. What is done is in [`command`](crate::command).
//!
//! The arguments of each command are in a file of its name; what is here holds for all.

pub mod archive;
pub mod fetch;
pub mod score;

pub use self::fetch::Fetch;
pub use self::score::{Format, Score};

use crate::fingerprints::NOTICE;
use clap::{Parser, Subcommand, ValueEnum, error::ErrorKind};
use ooni_core::rules::Rules;

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
#[expect(missing_docs, reason = "a sentence here would take the place of the long help of the arguments")]
pub enum Command {
    Score(Score),
    Fetch(Fetch),
}

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

/// What was asked for. Ends the process for help, version and wrong arguments.
pub fn parse() -> Cli {
    let cli = Cli::parse();
    let conflict = match &cli.command {
        Command::Score(score) => score.conflict(),
        Command::Fetch(fetch) => fetch.selection.conflict(),
    };
    if let Some(message) = conflict {
        clap::Command::new("fastpath").error(ErrorKind::ArgumentConflict, message).exit();
    }
    cli
}

fn long_version() -> String {
    let [fixed, compat] = [Rules::Fixed, Rules::Compat].map(Rules::version);
    format!("{}\nrules {fixed}, {compat}\n{NOTICE}", env!("CARGO_PKG_VERSION"))
}
