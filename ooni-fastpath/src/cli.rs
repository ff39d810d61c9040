//! The command line: arguments and their validation. What the commands do is in [`command`](crate::command).
//!
//! The arguments of a command are in the file of that name; `values` has types of values that several commands share.

pub mod archive;
pub mod compare;
pub mod fetch;
pub mod limits;
pub mod names;
pub mod rerun;
pub mod score;
pub mod scoring;
pub mod store;
mod values;

pub use self::fetch::Fetch;
pub use self::rerun::Rerun;
pub use self::score::{OutputFormat, Score};
pub use self::values::{RulesName, SummaryFormat};

use clap::{Parser, Subcommand, error::ErrorKind};
use ooni_archive::fingerprints::NOTICE;
use ooni_core::rules::Rules;
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

fn long_version() -> String {
    let [fixed, compat] = [Rules::Fixed, Rules::Compat].map(Rules::version);
    format!("{}\nrules {fixed}, {compat}\n{NOTICE}", env!("CARGO_PKG_VERSION"))
}
