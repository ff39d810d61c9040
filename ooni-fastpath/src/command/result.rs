//! [`CommandResult`]: what a command prints, and its exit code.

use crate::text;
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;

/// The exit code when the arguments are invalid, or something that they name cannot be used.
pub(super) const USAGE: u8 = 2;

/// The text to print and whether the exit code is 0, or the error message of the command.
pub(super) type CommandResult = Result<(String, bool), String>;

/// Prints the result of a command and returns the exit code.
pub(super) fn print(result: CommandResult) -> ExitCode {
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

/// The end of a sentence about the files that were read: those that were not, with an unknown suffix or with the measurements
/// of a postcan that was read.
pub(super) fn skipped_files(unknown: u64, twins: u64) -> String {
    let mut text = match unknown {
        0 => String::new(),
        1 => "; 1 file with an unknown suffix skipped".to_owned(),
        files => format!("; {files} files with unknown suffixes skipped"),
    };
    text += &match twins {
        0 => String::new(),
        1 => "; 1 JSONL file skipped because its postcan was read".to_owned(),
        files => format!("; {files} JSONL files skipped because their postcans were read"),
    };
    text
}

/// A line of JSON.
pub(super) fn json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(|error| error.to_string())
}

/// Prints a line on standard error. Errors are ignored: the command continues if standard error is closed.
pub(super) fn eprint_line(line: &str) {
    let _ = writeln!(io::stderr(), "fastpath: {line}");
}
