//! The binary `ooni-api`: parses the arguments, runs one command and returns its exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ooni_api::command::run(ooni_api::cli::parse())
}
