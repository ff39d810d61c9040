//! The binary `fastpath`: parses the arguments, runs one command and returns its exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ooni_fastpath::command::run(ooni_fastpath::cli::parse())
}
