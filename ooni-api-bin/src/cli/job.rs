//! Arguments of `ooni-api job`.

use super::EXIT_CODES;
use super::settings::Settings;
use crate::job::{self, JOBS};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// Run a job now
///
/// The server runs jobs by a schedule of its own. A job that runs already, in any process, is not started a second time.
/// What is refused or cannot be fetched leaves the old data.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Job {
    /// The job
    #[arg(value_name = "NAME", value_parser = names())]
    pub name: JobName,

    /// Only print what would be done
    #[arg(long)]
    pub dry_run: bool,

    /// With archive: also the current hour, as before a machine is shut down
    #[arg(long)]
    pub current: bool,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// A job by its name.
#[derive(Clone, Copy, Debug)]
pub enum JobName {
    /// What a task of the server does, which needs the intake log.
    Archive,
    /// One of the table.
    Other(&'static job::Job),
}

const ARCHIVE: &str = "archive";

/// The names of all jobs, with what they do.
fn names() -> impl TypedValueParser<Value = JobName> {
    let archive = PossibleValue::new(ARCHIVE).help("Score and archive what is in the intake log, while no server runs");
    let others = JOBS.iter().map(|job| PossibleValue::new(job.name).help(job.about));
    PossibleValuesParser::new(std::iter::once(archive).chain(others)).try_map(|name| match &*name {
        ARCHIVE => Ok(JobName::Archive),
        name => job::Job::named(name).map(JobName::Other).ok_or("unknown job"),
    })
}
