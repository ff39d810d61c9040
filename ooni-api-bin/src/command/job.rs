//! `ooni-api job`.

use super::output::{Failure, settings};
use crate::cli::job::Job;
use crate::clock::Clock;
use crate::config::Config;
use crate::drain::{drain, pending};
use crate::job::{self, Jobs, Outcome, Parts};
use crate::log;
use crate::metrics::Metrics;
use crate::stores::Stores;
use ooni_archive::blobs::RetryPolicy;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::watch;

/// The job that the server's own task does, which needs the intake log.
const ARCHIVE: &str = "archive";

pub(super) fn run(arguments: &Job, out: &mut dyn Write) -> Result<(), Failure> {
    let Job { job, dry_run, current, .. } = *arguments;
    if current && job.name != ARCHIVE {
        return Err(Failure::Usage(vec![format!("--current is for the job {ARCHIVE}")]));
    }
    let config = settings(arguments.settings.state.config.as_deref(), &arguments.settings.flags())?;
    log::start(&config.log).map_err(Failure::Failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("the runtime cannot start: {error}")))?;
    let clock = Clock::system();
    let sentence = match (job.name == ARCHIVE, dry_run) {
        (true, true) => pending(&config, &clock, current)?,
        (true, false) => runtime.block_on(drain(config, clock, current))?.to_string(),
        (false, _) => runtime.block_on(run_job(job, config, clock, dry_run))?,
    };
    writeln!(out, "{sentence}").map_err(Failure::Output)
}

/// Runs a job without the rest of a server, which may be running.
async fn run_job(job: &job::Job, config: Config, clock: Clock, dry_run: bool) -> Result<String, Failure> {
    let stores = Stores::open(&config).await.map_err(|error| Failure::Failed(error.to_string()))?;
    let built_in = ooni_archive::fingerprints::built_in().map_err(|error| Failure::Failed(error.to_string()))?;
    // A server that is running notices new lists by their files.
    let (fingerprints, _) = watch::channel(Arc::new(built_in));
    let (metrics, retry) = (Metrics::default(), RetryPolicy::default());
    let jobs = Jobs::new(Parts { config, clock, stores, metrics, fingerprints, retry })?;
    match jobs.run(job, dry_run).await? {
        Outcome::Done(report) => Ok(report.sentence),
        Outcome::Busy => Err(Failure::Failed(format!("the job {} runs already, in another process", job.name))),
    }
}
