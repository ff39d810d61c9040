//! `ooni-api job`.

use super::output::{Failure, Output, settings};
use crate::cli::job::Job;

pub(super) fn run(arguments: &Job) -> Result<Output, Failure> {
    settings(arguments.settings.state.config.as_deref(), &arguments.settings.flags())?;
    Err(Failure::Failed(format!("job {}: not implemented yet", arguments.name.as_str())))
}
