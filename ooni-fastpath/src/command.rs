//! The subcommands, one a file.

pub mod compare;
pub mod fetch;
pub mod rerun;
pub mod score;

use crate::cli::{Cli, Command};
use std::io::{self, Write};
use std::process::ExitCode;

/// Nothing could be begun: wrong arguments, or a list that cannot be read.
const USAGE: u8 = 2;

/// Does what was asked for.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Fetch(arguments) => fetch::run(&arguments),
        Command::Rerun(arguments) => rerun::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Score(arguments) => score::run(&arguments),
    }
}

/// A line on standard error. That it may be closed is no reason to stop.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "fastpath: {line}");
}
