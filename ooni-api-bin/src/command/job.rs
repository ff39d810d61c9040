//! `ooni-api job`.

use super::output::{Failure, settings};
use crate::cli::job::{Job, JobName};
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

pub(super) fn run(arguments: &Job, out: &mut dyn Write) -> Result<(), Failure> {
    let Job { name, dry_run, current, .. } = *arguments;
    if current && !matches!(name, JobName::Archive) {
        return Err(Failure::Usage(vec!["--current is for the job archive".to_owned()]));
    }
    let config = settings(arguments.settings.state.config.as_deref(), &arguments.settings.flags())?;
    log::start(&config.log).map_err(Failure::Failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("the runtime cannot start: {error}")))?;
    let clock = Clock::system();
    let sentence = match name {
        JobName::Archive if dry_run => pending(&config, &clock, current)?,
        JobName::Archive => runtime.block_on(drain(config, clock, current))?.to_string(),
        JobName::Other(job) => runtime.block_on(run_job(job, config, clock, dry_run))?,
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
