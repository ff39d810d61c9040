//! The command line: arguments and their validation. What the commands do is in [`command`](crate::command).
//!
//! The arguments of a command are in the file of that name; what several commands share is here.

pub mod archive;
pub mod compare;
pub mod fetch;
pub mod limits;
pub mod names;
pub mod rerun;
pub mod score;
pub mod scoring;
pub mod store;

pub use self::fetch::Fetch;
pub use self::rerun::Rerun;
pub use self::score::{OutputFormat, Score};

use crate::fingerprints::NOTICE;
use clap::{Parser, Subcommand, ValueEnum, error::ErrorKind};
use ooni_archive::day::Day;
use ooni_core::rules::Rules;
use ooni_core::time::DateTime;
use ooni_store::rollup::{ROLLUPS, Rollup};
use std::ffi::OsString;

/// Score OONI measurements and maintain stores of the resulting rows
#[derive(Debug, Parser)]
#[command(name = "fastpath", version, long_version = long_version(), about, after_help = NOTICE, max_term_width = 80)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
pub enum Command {
    Score(Score),
    Rerun(Box<Rerun>),
    Fetch(Fetch),
    Compare(compare::Compare),
    Migrate(store::Migrate),
    Rollup(store::Rollups),
    Store(store::Store),
}

/// Values of `--rules`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RulesName {
    /// The reference with its errors corrected
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

/// Formats of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// Human-readable tables
    Table,
    /// One JSON object
    Json,
}

/// Reads the arguments. Ends the process for help, version and invalid arguments.
pub fn parse() -> Cli {
    let cli = Cli::parse_from(with_command(std::env::args_os().collect()));
    let conflict = match &cli.command {
        Command::Score(score) => score.conflict(),
        Command::Rerun(rerun) => rerun.conflict(),
        Command::Fetch(fetch) => fetch.selection.conflict().map(str::to_owned),
        Command::Store(store) => store.conflict().map(str::to_owned),
        Command::Compare(_) | Command::Migrate(_) | Command::Rollup(_) => None,
    };
    if let Some(message) = conflict {
        clap::Command::new("fastpath").error(ErrorKind::ArgumentConflict, message).exit();
    }
    cli
}

/// The reference has no subcommands: flags without one belong to `rerun`.
fn with_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let own = ["-h", "--help", "-V", "--version"];
    let is_flag =
        |first: &OsString| first.to_str().is_some_and(|first| first.starts_with('-') && !own.contains(&first));
    if arguments.get(1).is_some_and(is_flag) {
        arguments.insert(1, "rerun".into());
    }
    arguments
}

/// Reads the name of a rollup.
fn parse_rollup(name: &str) -> Result<&'static Rollup, String> {
    let names = || ROLLUPS.map(|rollup| rollup.name).join(", ");
    Rollup::named(name).ok_or_else(|| format!("unknown rollup; expected one of {}", names()))
}

/// Reads `YYYY-MM`; returns the start of the month.
fn parse_month(text: &str) -> Result<DateTime, String> {
    let day: Result<Day, _> = format!("{text}-01").parse();
    day.map(Day::start).map_err(|_| "not a month; expected YYYY-MM, such as 2021-06".to_owned())
}

fn long_version() -> String {
    let [fixed, compat] = [Rules::Fixed, Rules::Compat].map(Rules::version);
    format!("{}\nrules {fixed}, {compat}\n{NOTICE}", env!("CARGO_PKG_VERSION"))
}
