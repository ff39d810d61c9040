//! The subcommands, one per file.

mod compare;
pub mod fetch;
mod migrate;
pub mod rerun;
mod rollup;
pub mod score;
mod store;

use crate::cli::{Cli, Command};
use crate::text;
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;

/// The exit code when nothing was done: the arguments are invalid, or something that they name cannot be used.
const USAGE: u8 = 2;

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

/// The text to print and whether the exit code is 0, or the error message of the command.
type CommandResult = Result<(String, bool), String>;

/// Prints the result of a command and returns the exit code.
fn print(result: CommandResult) -> ExitCode {
    match result {
        Ok((text, is_good)) => match io::stdout().write_all(text.as_bytes()) {
            // The reader closed the pipe: it has read enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                eprint_line(&format!("cannot write to standard output: {error}"));
                ExitCode::from(USAGE)
            }
            _ if is_good => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        },
        Err(message) => {
            eprint_line(&text::line(&message));
            ExitCode::from(USAGE)
        }
    }
}

/// A line of JSON.
fn json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(|error| error.to_string())
}

/// Prints a line on standard error. Errors are ignored: the command continues if standard error is closed.
fn eprint_line(line: &str) {
    let _ = writeln!(io::stderr(), "fastpath: {line}");
}
