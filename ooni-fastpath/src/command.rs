//! The subcommands, one per file.

mod bulk;
mod compare;
pub mod fetch;
mod listing;
mod migrate;
pub mod rerun;
mod result;
mod rollup;
pub mod score;
mod store;

use self::result::print;
use crate::cli::{Cli, Command};
use std::process::ExitCode;

/// Runs a command.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Fetch(arguments) => fetch::run(&arguments),
        Command::Rerun(arguments) => rerun::run(&arguments),
        Command::Compare(arguments) => print(compare::run(&arguments)),
        Command::Migrate(arguments) => print(migrate::run(&arguments)),
        Command::Rollup(arguments) => print(rollup::run(&arguments)),
        Command::Store(arguments) => print(store::run(&arguments)),
        Command::Score(arguments) => score::run(&arguments),
    }
}
