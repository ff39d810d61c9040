//! How a command ends: its messages and its exit code.

use crate::config::{Config, Errors, Flag};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// The exit code when the arguments or settings are invalid, or something could not be checked.
const USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Invalid arguments or settings; a line for each error.
    Usage(Vec<String>),
    /// Standard output cannot be written.
    Output(io::Error),
    /// Something differs, as standard output says.
    Differs,
    /// Something could not be checked, as standard output says.
    NotAllChecked,
    /// Nothing could be checked.
    Unchecked(String),
    /// Anything else.
    Failed(String),
}

impl From<Errors> for Failure {
    fn from(errors: Errors) -> Failure {
        Failure::Usage(errors.0)
    }
}

impl From<anyhow::Error> for Failure {
    /// The error and its causes in one line.
    fn from(error: anyhow::Error) -> Failure {
        Failure::Failed(format!("{error:#}"))
    }
}

/// Reads the settings of the file, the environment and the flags.
pub(super) fn settings(file: Option<&Path>, flags: &[Flag]) -> Result<Config, Failure> {
    Ok(Config::load(file, std::env::vars_os(), flags)?)
}

/// Writes what is left of the output of a command, prints its errors, and returns its exit code.
pub(super) fn finish(done: Result<(), Failure>, mut out: impl Write) -> ExitCode {
    let flushed = out.flush().map_err(Failure::Output);
    match done.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader closed the pipe: it has read enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            eprint_line(&format!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        Err(Failure::Failed(line)) => {
            eprint_line(&line);
            ExitCode::FAILURE
        }
        Err(Failure::Differs) => ExitCode::FAILURE,
        Err(Failure::NotAllChecked) => ExitCode::from(USAGE),
        Err(Failure::Unchecked(line)) => {
            eprint_line(&line);
            ExitCode::from(USAGE)
        }
        Err(Failure::Usage(lines)) => {
            lines.iter().for_each(|line| eprint_line(line));
            ExitCode::from(USAGE)
        }
    }
}

/// Prints a line on standard error, without control characters. Errors are ignored: it may be closed.
pub(super) fn eprint_line(line: &str) {
    let line = line.replace(char::is_control, "\u{fffd}");
    let _ = writeln!(io::stderr(), "ooni-api: {line}");
}
