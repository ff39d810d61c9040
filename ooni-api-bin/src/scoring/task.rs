//! [`Scoring`]: the task that follows the log. One half scores the next batch while the other writes the last one.

use super::Outcomes;
use super::batch::{Batch, How, score};
use crate::clock::Timestamp;
use crate::failpoint::{Failpoint, reach};
use crate::intake::{self, Cursor, Intake, Position, Reader, Record};
use crate::stores::Stores;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::rules::Rules;
use ooni_store::app::row::AppRow;
use ooni_store::{OnExisting, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// How long to wait after a failed write, at first and at most.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// Bodies of one batch, in bytes.
const BATCH_BYTES: u64 = 32 << 20;

/// How the log is scored.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
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
    /// When the last scored measurement was received.
    pub received: Option<Timestamp>,
    /// The error of the last write, while it is repeated.
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

    /// Scores until `stop` is set and the batch at hand is written, or cannot be.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let (sender, batches) = mpsc::channel(1);
        let reading = read(
            self.intake.reader(self.cursor.position()),
            sender,
            self.settings,
            self.fingerprints.clone(),
            stop.clone(),
        );
        tokio::join!(reading, self.write(batches, stop));
    }

    /// Writes batches as they come.
    async fn write(mut self, mut batches: mpsc::Receiver<Batch>, stop: watch::Receiver<bool>) {
        while let Some(batch) = batches.recv().await {
            let mut pause = FIRST_RETRY;
            while let Err(error) = self.commit(&batch).await {
                tracing::warn!(error, "a batch of measurements cannot be stored, and is tried again");
                self.progress.send_modify(|progress| progress.error = Some(error));
                if stopped_within(&stop, pause).await {
                    return;
                }
                pause = LAST_RETRY.min(pause * 2);
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
        self.progress.send_replace(Progress {
            position: batch.end,
            outcomes: total,
            received: Some(batch.received),
            error: None,
        });
        Ok(())
    }

    async fn store(&self, batch: &Batch) -> Result<Outcomes, String> {
        reach(Failpoint::ScoreBatch);
        if !batch.faults.is_empty() {
            let faults = batch.faults.iter().cloned().map(AppRow::Fault).collect();
            let store = available(self.stores.application())?;
            store.write_application(faults).await.map_err(|error| error.to_string())?;
        }
        let store = available(self.stores.measurements())?;
        let written = store.write(batch.input.clone(), OnExisting::Keep).await.map_err(|error| error.to_string())?;
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

/// Reads and scores batches until `stop` is set.
async fn read(
    mut reader: Reader,
    batches: mpsc::Sender<Batch>,
    settings: Settings,
    fingerprints: watch::Receiver<Arc<Fingerprints>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let collected = tokio::select! {
            collected = collect(&mut reader, &settings) => collected,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (records, end) = match collected {
            Ok(Some(collected)) => collected,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "the intake log cannot be read, and is tried again");
                if stopped_within(&stop, LAST_RETRY).await {
                    return;
                }
                continue;
            }
        };
        let how = How { fingerprints: fingerprints.borrow().clone(), rules: settings.rules, threads: settings.threads };
        let Ok(batch) = tokio::task::spawn_blocking(move || score(&records, end, &how)).await else { return };
        if batches.send(batch).await.is_err() {
            return;
        }
    }
}

/// The next records: as many as a batch has, or those that arrive in time. `None` at the end of the log.
async fn collect(reader: &mut Reader, settings: &Settings) -> Result<Option<(Vec<Record>, Position)>, intake::Error> {
    let Some((first, mut end)) = reader.next().await? else { return Ok(None) };
    let until = Instant::now() + settings.delay;
    let mut bytes = first.body.length();
    let mut records = vec![first];
    while records.len() < settings.batch && bytes < BATCH_BYTES {
        // An error is reported when the next batch is read.
        let Ok(Ok(Some((record, after)))) = timeout_at(until, reader.next()).await else { break };
        bytes += record.body.length();
        records.push(record);
        end = after;
    }
    Ok(Some((records, end)))
}

/// Waits; true if `stop` was set meanwhile.
async fn stopped_within(stop: &watch::Receiver<bool>, pause: Duration) -> bool {
    let mut stop = stop.clone();
    tokio::select! {
        () = sleep(pause) => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}
