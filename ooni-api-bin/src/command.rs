//! The commands, one per file.

mod config;
mod job;
mod output;
mod serve;
mod spool;
mod verify;

use crate::cli::{Cli, Command};
use std::io;
use std::process::ExitCode;

/// Runs a command.
pub fn run(cli: Cli) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = match cli.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Config(arguments) => config::run(&arguments.what, &mut out),
        Command::Spool(arguments) => spool::run(&arguments.what, &mut out),
        Command::Job(arguments) => job::run(&arguments, &mut out),
        Command::Verify(arguments) => verify::run(&arguments, &mut out),
    };
    output::finish(done, out)
}
