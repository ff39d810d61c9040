//! The binary `fastpath`: arguments, one command, exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ooni_fastpath::command::run(ooni_fastpath::cli::parse())
}
