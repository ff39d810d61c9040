//! The subcommands, one a file.

mod compare;
pub mod fetch;
mod migrate;
pub mod rerun;
mod rollup;
pub mod score;
mod store;

use crate::cli::{Cli, Command};
use crate::sink::plain;
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;

/// Nothing could be begun: wrong arguments, or a list that cannot be read.
const USAGE: u8 = 2;

/// Does what was asked for.
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

/// What is to be printed, and whether all is as it should be; or why it could not be done.
type Said = Result<(String, bool), String>;

/// Prints it, and chooses the exit code.
fn print(said: Said) -> ExitCode {
    match said {
        Ok((text, is_good)) => match io::stdout().write_all(text.as_bytes()) {
            // Whoever reads has read enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                tell(&format!("cannot write the output: {error}"));
                ExitCode::from(USAGE)
            }
            _ if is_good => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        },
        Err(message) => {
            tell(&plain(&message));
            ExitCode::from(USAGE)
        }
    }
}

/// A line of JSON.
fn json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(|error| error.to_string())
}

/// A line on standard error. That it may be closed is no reason to stop.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "fastpath: {line}");
}
