//! [`Tasks`]: what works beside the handlers: scoring, the archiver, the release of what both are done with, and jobs.

use crate::archiver::{self, Archiver};
use crate::intake::Intake;
use crate::job::Jobs;
use crate::schedule;
use crate::scoring::{self, Scoring};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often segments are released.
const RELEASE: Duration = Duration::from_secs(10);

/// The tasks of a server, before they run.
#[derive(Debug)]
pub struct Tasks {
    /// Scores the log.
    pub scoring: Scoring,
    /// Archives the log.
    pub archiver: Archiver,
    /// Releases segments of the log.
    pub release: Release,
    /// Jobs, which run by their schedule.
    pub jobs: Arc<Jobs>,
}

/// Running tasks.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Tasks {
    /// Starts all tasks.
    pub fn start(self) -> Running {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(self.scoring.run(stopped.clone()));
        tasks.spawn(self.archiver.run(stopped.clone()));
        tasks.spawn(self.release.run(stopped.clone()));
        tasks.spawn(schedule::run(self.jobs, stopped));
        Running { stop, tasks }
    }
}

impl Running {
    /// Stops the tasks after the step at hand, and waits for them.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task failed");
            }
        }
    }
}

/// Releases segments that are scored and archived, and too old for repeats.
#[derive(Debug)]
pub struct Release {
    /// The log.
    pub intake: Intake,
    /// How far scoring is.
    pub scoring: watch::Receiver<scoring::Progress>,
    /// How far the archiver is.
    pub archiver: watch::Receiver<archiver::Progress>,
}

impl Release {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let position = self.scoring.borrow().position.min(self.archiver.borrow().position);
            match self.intake.release(position).await {
                Ok(gone) if gone.segments > 0 => tracing::info!(segments = gone.segments, "released"),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a segment cannot be released"),
            }
            tokio::select! {
                () = tokio::time::sleep(RELEASE) => {}
                Ok(()) = self.archiver.changed() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}
