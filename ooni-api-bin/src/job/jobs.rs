//! [`Jobs`]: runs a job with its lock, its metrics, its line in the log, and the memory of its last success.

use super::memory::Memory;
use super::metrics::JobMetrics;
use super::{Job, Report, Scope};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::fetch::Fetcher;
use crate::metrics::Metrics;
use crate::stores::Stores;
use anyhow::{Context, anyhow};
use ooni_archive::blobs::RetryPolicy;
use ooni_core::fingerprint::Fingerprints;
use ooni_store::{Store, StoreLock};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// A PostgreSQL server releases a lock a moment after the process that held it, so the lock of a job that has just ended is
/// requested several times.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// What jobs work with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The databases.
    pub stores: Stores,
    /// Where the metrics of jobs are registered.
    pub metrics: Metrics,
    /// Where new fingerprints are sent to.
    pub fingerprints: watch::Sender<Arc<Fingerprints>>,
    /// Timeouts and retries of downloads.
    pub retry: RetryPolicy,
}

/// Runs jobs.
#[derive(Debug)]
pub struct Jobs {
    parts: Parts,
    metrics: JobMetrics,
    fetcher: Fetcher,
    folder: PathBuf,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job did its work.
    Done(Report),
    /// The job runs already, here or in another process.
    Busy,
}

/// A run of a job.
pub(super) struct Run<'r> {
    jobs: &'r Jobs,
    memory: Mutex<Memory>,
    /// Whether nothing is changed.
    pub(super) is_dry: bool,
}

/// Held while a job runs. A file is unlocked when it is closed.
enum Lock {
    Store { _lock: StoreLock },
    File { _file: File },
}

impl Jobs {
    /// Jobs that work with these parts.
    ///
    /// # Errors
    /// The folder of their files cannot be created.
    pub fn new(parts: Parts) -> anyhow::Result<Jobs> {
        let folder = parts.config.state_dir.join("jobs");
        fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be created", folder.display()))?;
        let metrics = JobMetrics::new(&parts.metrics)?;
        let jobs = Jobs { metrics, fetcher: Fetcher::new(parts.retry, folder.clone()), folder, parts };
        for job in super::JOBS {
            if let Some(last) = jobs.last_success(job) {
                jobs.metrics.succeeded(job, last);
            }
        }
        Ok(jobs)
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.parts.config
    }

    /// The databases.
    pub fn stores(&self) -> &Stores {
        &self.parts.stores
    }

    /// Where new fingerprints are sent to.
    pub fn fingerprints(&self) -> &watch::Sender<Arc<Fingerprints>> {
        &self.parts.fingerprints
    }

    /// When a job last succeeded.
    pub fn last_success(&self, job: &Job) -> Option<Timestamp> {
        Memory::read(&self.memory_path(job)).last_success
    }

    /// Runs a job, unless it runs already. With `is_dry`, nothing is changed, and the report says what would be.
    ///
    /// # Errors
    /// The job failed; what it would have replaced is still there. The error is counted; the caller reports it.
    pub async fn run(&self, job: &Job, is_dry: bool) -> anyhow::Result<Outcome> {
        let started = Instant::now();
        let done = self.run_locked(job, is_dry).await;
        let duration = started.elapsed();
        match &done {
            Ok(Outcome::Busy) => tracing::info!(job = job.name, "the job runs already"),
            Ok(Outcome::Done(report)) => {
                tracing::info!(job = job.name, seconds = duration.as_secs_f64(), is_dry, "{}", report.sentence);
            }
            Err(_) => {}
        }
        match &done {
            _ if is_dry => {}
            Ok(Outcome::Busy) => {}
            Ok(Outcome::Done(_)) => self.metrics.ran(job, duration),
            Err(_) => self.metrics.failed(job, duration),
        }
        done
    }

    async fn run_locked(&self, job: &Job, is_dry: bool) -> anyhow::Result<Outcome> {
        let Some(_lock) = self.lock(job).await? else { return Ok(Outcome::Busy) };
        let path = self.memory_path(job);
        let run = Run { jobs: self, memory: Mutex::new(Memory::read(&path)), is_dry };
        let report = (job.run)(&run).await?;
        if !is_dry {
            let now = self.parts.clock.now();
            let mut memory = run.memory.into_inner().unwrap_or_else(PoisonError::into_inner);
            memory.last_success = Some(now);
            memory.source = (job.source)(self.config());
            memory.place = self.place(job).await;
            memory.write(&path).with_context(|| format!("{}: cannot be written", path.display()))?;
            self.metrics.succeeded(job, now);
        }
        Ok(Outcome::Done(report))
    }

    /// How long to wait until a job is due by its interval. Zero if it has never succeeded, or if its source or the place
    /// that it writes to has changed since.
    pub async fn due_in(&self, job: &Job, interval: Duration) -> Duration {
        let memory = Memory::read(&self.memory_path(job));
        let Some(last) = memory.last_success else { return Duration::ZERO };
        if memory.source != (job.source)(self.config()) || memory.place != self.place(job).await {
            return Duration::ZERO;
        }
        let now = self.parts.clock.now();
        // After the clock was set back, the last success may be in the future.
        if last > now {
            return Duration::ZERO;
        }
        interval.saturating_sub(Duration::from_secs_f64(now.seconds_since(last)))
    }

    /// What identifies the place that a job writes to: another database, or lost files, need another run.
    async fn place(&self, job: &Job) -> Option<String> {
        match job.scope {
            Scope::Store => {
                let store = self.parts.stores.application().ok()?;
                store.identity().await.ok()
            }
            Scope::State(files) => {
                let files = files(self.config());
                (files.is_empty() || files.iter().any(|file| file.exists())).then(String::new)
            }
        }
    }

    fn memory_path(&self, job: &Job) -> PathBuf {
        self.folder.join(format!("{}.json", job.name))
    }

    async fn lock(&self, job: &Job) -> anyhow::Result<Option<Lock>> {
        match job.scope {
            Scope::Store => {
                let (store, name) = (application(&self.parts.stores)?, format!("job-{}", job.name));
                for _ in 0..LOCK_ATTEMPTS {
                    if let Some(lock) = store.try_lock(&name).await? {
                        return Ok(Some(Lock::Store { _lock: lock }));
                    }
                    sleep(LOCK_WAIT).await;
                }
                Ok(None)
            }
            Scope::State(_) => {
                let path = self.folder.join(format!("{}.lock", job.name));
                let failed = || format!("{}: cannot be locked", path.display());
                // The file is not deleted later, or another process could lock one that no longer has a name.
                let file = File::options().create(true).truncate(false).write(true).open(&path);
                let file = file.with_context(failed)?;
                match file.try_lock() {
                    Ok(()) => Ok(Some(Lock::File { _file: file })),
                    Err(TryLockError::WouldBlock) => Ok(None),
                    Err(TryLockError::Error(error)) => Err(error).with_context(failed),
                }
            }
        }
    }
}

impl<'r> Run<'r> {
    /// The settings.
    pub(super) fn config(&self) -> &'r Config {
        &self.jobs.parts.config
    }

    /// The state directory.
    pub(super) fn state_dir(&self) -> &'r Path {
        &self.jobs.parts.config.state_dir
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.jobs.parts.clock.now()
    }

    /// Where sources are fetched from.
    pub(super) fn fetcher(&self) -> &'r Fetcher {
        &self.jobs.fetcher
    }

    /// Metrics.
    pub(super) fn metrics(&self) -> &'r JobMetrics {
        &self.jobs.metrics
    }

    /// Where new fingerprints are sent to.
    pub(super) fn fingerprints(&self) -> &'r watch::Sender<Arc<Fingerprints>> {
        &self.jobs.parts.fingerprints
    }

    /// The database of measurements.
    pub(super) fn measurements(&self) -> anyhow::Result<Store> {
        self.jobs.parts.stores.measurements().map_err(|_| anyhow!("the store cannot be reached"))
    }

    /// The database of the application tables.
    pub(super) fn application(&self) -> anyhow::Result<Store> {
        application(&self.jobs.parts.stores)
    }

    /// Both databases, or one if they are the same.
    pub(super) fn all_stores(&self) -> anyhow::Result<Vec<Store>> {
        let mut stores = vec![self.measurements()?];
        if self.config().store_uri() != self.config().app_store_uri() {
            stores.push(self.application()?);
        }
        Ok(stores)
    }

    /// What the job remembers of earlier runs.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn application(stores: &Stores) -> anyhow::Result<Store> {
    stores.application().map_err(|_| anyhow!("the database of the application tables cannot be reached"))
}
