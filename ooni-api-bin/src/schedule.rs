//! The schedule: runs jobs by their intervals until the server stops.
//!
//! Each job has a task of its own, so a job that fails or hangs does not delay the others. Due times are by the wall clock
//! and the last success, which is remembered across restarts; waits are by tokio's clock.

use crate::job::{JOBS, Job, Jobs, Outcome, Scope, fingerprints};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A job that failed is retried after its interval, or after this time if that is shorter.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// How long to wait if another process runs the job.
const BUSY: Duration = Duration::from_secs(60);

/// Waits get longer by up to this share, so that servers do not ask a source all at the same time.
const JITTER: f64 = 0.1;

/// Runs the jobs that have an interval and something to do, until `stop` is set; none with `jobs.schedule = false`. Lists that
/// another process has replaced are used in any case. A job that is running when the server stops is cancelled, which is as good as a failure.
pub async fn run(jobs: Arc<Jobs>, mut stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    tasks.spawn(fingerprints::follow(jobs.config().state_dir.clone(), jobs.fingerprints().clone()));
    if jobs.config().jobs.schedule {
        for job in JOBS {
            if let Some(interval) = job.interval.filter(|_| job.is_configured(jobs.config())) {
                tasks.spawn(follow(Arc::clone(&jobs), job, interval));
            }
        }
    }
    let _ = stop.wait_for(|stop| *stop).await; // an error means that the server is gone
    tasks.shutdown().await;
}

/// Runs a job whenever it is due.
async fn follow(jobs: Arc<Jobs>, job: &'static Job, interval: Duration) {
    loop {
        if matches!(job.scope, Scope::Store) && !are_stores_open(&jobs).await {
            return;
        }
        let due = jobs.due_in(job, interval).await;
        if !due.is_zero() {
            sleep(jittered(due)).await;
        }
        // Another process may have run it meanwhile.
        if !due.is_zero() && !jobs.due_in(job, interval).await.is_zero() {
            continue;
        }
        match jobs.run(job, false).await {
            Ok(Outcome::Done(_)) => {}
            Ok(Outcome::Busy) => sleep(jittered(BUSY)).await,
            Err(error) => {
                tracing::warn!(job = job.name, error = format!("{error:#}"), "the job failed");
                sleep(jittered(interval.min(LONGEST_RETRY))).await;
            }
        }
    }
}

/// Waits for both databases. Returns false if one turned out to be unusable.
fn are_stores_open(jobs: &Jobs) -> impl Future<Output = bool> + Send + use<> {
    let stores = jobs.stores().clone();
    async move { stores.wait_for_measurements().await.is_some() && stores.wait_for_application().await.is_some() }
}

fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + JITTER * fastrand::f64())
}
