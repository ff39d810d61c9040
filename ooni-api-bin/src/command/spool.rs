//! `ooni-api spool`.

use super::output::{Failure, Output, settings};
use crate::cli::spool::SpoolCommand;

pub(super) fn run(command: &SpoolCommand) -> Result<Output, Failure> {
    let (SpoolCommand::Ls { state, .. }
    | SpoolCommand::Show { state, .. }
    | SpoolCommand::Export { state, .. }
    | SpoolCommand::Import { state, .. }) = command;
    settings(state.config.as_deref(), &state.flags())?;
    Err(Failure::Failed("spool: not implemented yet".to_owned()))
}
