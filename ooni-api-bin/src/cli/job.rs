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
    pub job: &'static job::Job,

    /// Only print what would be done
    #[arg(long)]
    pub dry_run: bool,

    /// With archive: also the current hour, as before a machine is shut down
    #[arg(long)]
    pub current: bool,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// The names of all jobs, with what they do.
fn names() -> impl TypedValueParser<Value = &'static job::Job> {
    let names = JOBS.iter().map(|job| PossibleValue::new(job.name).help(job.about));
    PossibleValuesParser::new(names).try_map(|name| job::Job::named(&name).ok_or("unknown job"))
}
