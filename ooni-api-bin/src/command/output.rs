//! What a command prints, and its exit code.

use crate::config::{Config, Errors, Flag};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// The exit code when the arguments or settings are invalid.
const USAGE: u8 = 2;

/// What a successful command prints on standard output.
pub(super) type Output = Vec<u8>;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Invalid arguments or settings; a line for each error.
    Usage(Vec<String>),
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

/// Prints the result of a command and returns the exit code.
pub(super) fn print(result: Result<Output, Failure>) -> ExitCode {
    match result {
        Ok(output) => write(&output),
        Err(Failure::Usage(lines)) => {
            lines.iter().for_each(|line| eprint_line(line));
            ExitCode::from(USAGE)
        }
        Err(Failure::Failed(line)) => {
            eprint_line(&line);
            ExitCode::FAILURE
        }
    }
}

fn write(output: &[u8]) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(output).and_then(|()| stdout.flush()) {
        // The reader closed the pipe: it has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprint_line(&format!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints a line on standard error, without control characters. Errors are ignored: it may be closed.
pub(super) fn eprint_line(line: &str) {
    let line = line.replace(char::is_control, "\u{fffd}");
    let _ = writeln!(io::stderr(), "ooni-api: {line}");
}
