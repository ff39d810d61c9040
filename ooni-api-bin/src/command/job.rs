//! `ooni-api job`.

use super::output::{Failure, settings};
use crate::cli::job::Job;
use std::io::Write;

pub(super) fn run(arguments: &Job, _: &mut dyn Write) -> Result<(), Failure> {
    settings(arguments.settings.state.config.as_deref(), &arguments.settings.flags())?;
    Err(Failure::Failed(format!("job {}: not implemented yet", arguments.name.as_str())))
}
