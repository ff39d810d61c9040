//! [`Scoring`]: the task that follows the log. One half scores the next batch while the other writes the last one.

use super::Outcomes;
use super::batch::Batch;
use super::read::Reading;
use crate::backoff::Backoff;
use crate::failpoint::{Failpoint, reach};
use crate::intake::{Cursor, Intake, Position};
use crate::stores::Stores;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::rules::Rules;
use ooni_store::app::row::AppRow;
use ooni_store::{Deadline, OnExisting, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// Pauses between attempts to read or store a batch.
pub(super) const RETRIES: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

/// How long a write may take. After that it is retried.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// How long the batch at hand may take when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// How the log is scored.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Id of this collector.
    pub collector: Arc<str>,
    /// Measurements of a batch.
    pub batch: usize,
    /// How long a measurement may wait for others.
    pub delay: Duration,
    /// Threads.
    pub threads: usize,
    /// Rules.
    pub rules: Rules,
}

/// How far scoring is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Where the log continues.
    pub position: Position,
    /// What became of the measurements before.
    pub outcomes: Outcomes,
    /// The error of the last attempt, while it is repeated.
    pub error: Option<String>,
}

/// The task, and what it needs.
#[derive(Debug)]
pub struct Scoring {
    intake: Intake,
    stores: Stores,
    fingerprints: watch::Receiver<Arc<Fingerprints>>,
    settings: Settings,
    cursor: Cursor<Outcomes>,
    progress: watch::Sender<Progress>,
}

impl Scoring {
    /// A task that continues at the cursor, and its progress.
    pub fn new(
        intake: Intake,
        stores: Stores,
        fingerprints: watch::Receiver<Arc<Fingerprints>>,
        settings: Settings,
        cursor: Cursor<Outcomes>,
    ) -> (Scoring, watch::Receiver<Progress>) {
        let (position, outcomes) = (cursor.position(), *cursor.state());
        let (progress, watched) = watch::channel(Progress { position, outcomes, ..Progress::default() });
        (Scoring { intake, stores, fingerprints, settings, cursor, progress }, watched)
    }

    /// Scores until `stop` is set and the batch at hand is written, or cannot be written within `GRACE`.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let (sender, batches) = mpsc::channel(1);
        let reading = Reading {
            reader: self.intake.reader(self.cursor.position()),
            end: self.cursor.position(),
            settings: self.settings.clone(),
            fingerprints: self.fingerprints.clone(),
            batches: sender,
            progress: self.progress.clone(),
            collected: None,
        };
        let mut stopped = stop.clone();
        let grace = async {
            let _ = stopped.wait_for(|stop| *stop).await;
            sleep(GRACE).await;
        };
        tokio::select! {
            _ = async { tokio::join!(reading.run(stop.clone()), self.write(batches, stop)) } => {}
            // The cursor has not moved, so the batch is written again after the next start.
            () = grace => tracing::warn!("the store does not answer; the last batch of measurements is not stored yet"),
        }
    }

    /// Writes batches as they come.
    async fn write(mut self, mut batches: mpsc::Receiver<Batch>, stop: watch::Receiver<bool>) {
        while let Some(batch) = batches.recv().await {
            let mut retries = RETRIES;
            while let Err(error) = self.commit(&batch).await {
                tracing::warn!(error, "a batch of measurements cannot be stored, and is tried again");
                self.progress.send_modify(|progress| progress.error = Some(error));
                if stopped_within(&stop, retries.pause()).await {
                    return;
                }
            }
        }
    }

    /// Makes a batch durable, then the cursor.
    async fn commit(&mut self, batch: &Batch) -> Result<(), String> {
        let outcomes = self.store(batch).await?;
        reach(Failpoint::ScoreStored);
        let mut total = *self.cursor.state();
        total += outcomes;
        self.cursor.commit(batch.end, total).await.map_err(|error| error.to_string())?;
        self.progress.send_replace(Progress { position: batch.end, outcomes: total, error: None });
        Ok(())
    }

    async fn store(&self, batch: &Batch) -> Result<Outcomes, String> {
        reach(Failpoint::ScoreBatch);
        let deadline = Deadline::after(WRITE_LIMIT);
        if !batch.faults.is_empty() {
            let faults = batch.faults.iter().cloned().map(AppRow::Fault).collect();
            let store = available(self.stores.application())?;
            store.with_deadline(deadline).write_application(faults).await.map_err(|error| error.to_string())?;
        }
        let store = available(self.stores.measurements())?;
        let written = store.with_deadline(deadline).write(batch.input.clone(), OnExisting::Keep).await;
        let written = written.map_err(|error| error.to_string())?;
        for refusal in &written.refused {
            let uid = batch.input.rows().get(refusal.index).map(|row| &*row.row.measurement_uid);
            tracing::warn!(uid, column = refusal.column, reason = refusal.message, "a row was refused");
        }
        Ok(batch.outcomes(written.refused.len() as u64))
    }
}

fn available(store: Result<Store, crate::http::Error>) -> Result<Store, String> {
    store.map_err(|_| "the database is not available".to_owned())
}

/// Waits; true if `stop` was set meanwhile.
async fn stopped_within(stop: &watch::Receiver<bool>, pause: Duration) -> bool {
    let mut stop = stop.clone();
    tokio::select! {
        () = sleep(pause) => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}
