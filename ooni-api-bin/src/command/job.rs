//! `ooni-api job`.

use super::output::{Failure, settings};
use crate::cli::job::{Job, JobName};
use crate::clock::Clock;
use crate::drain::drain;
use std::io::Write;

pub(super) fn run(arguments: &Job, out: &mut dyn Write) -> Result<(), Failure> {
    let config = settings(arguments.settings.state.config.as_deref(), &arguments.settings.flags())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("the runtime cannot start: {error}")))?;
    match arguments.name {
        JobName::Archive => {
            let archived = runtime.block_on(drain(config, Clock::system(), arguments.current))?;
            writeln!(out, "{archived}").map_err(Failure::Output)?;
            Ok(())
        }
        name => Err(Failure::Failed(format!("job {}: not implemented yet", name.as_str()))),
    }
}
