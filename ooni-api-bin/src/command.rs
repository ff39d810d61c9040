//! The commands, one per file.

mod config;
mod job;
mod output;
mod serve;
mod spool;

use self::output::Output;
use crate::cli::{Cli, Command};
use std::process::ExitCode;

/// Runs a command.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Serve(arguments) => serve::run(&arguments).map(|()| Output::default()),
        Command::Config(arguments) => config::run(&arguments.what),
        Command::Spool(arguments) => spool::run(&arguments.what),
        Command::Job(arguments) => job::run(&arguments),
    };
    output::print(done)
}
