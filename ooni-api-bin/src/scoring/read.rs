//! [`Reading`]: the half of the task that reads and scores.

use super::batch::{Batch, Collected, How, score};
use super::task::{Progress, RETRIES, Settings};
use crate::intake::{self, Position, Reader};
use ooni_core::fingerprint::Fingerprints;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// Bodies of one batch, in bytes.
const BATCH_BYTES: u64 = 32 << 20;

/// A batch is so many times as large as configured while more records are there than it can hold, as after a failure of the
/// store. Fewer and larger transactions are faster.
const BEHIND: usize = 5;

/// Reads records of the log and scores them, batch by batch.
pub(super) struct Reading {
    pub(super) reader: Reader,
    /// The end of the last batch.
    pub(super) end: Position,
    pub(super) settings: Settings,
    pub(super) fingerprints: watch::Receiver<Arc<Fingerprints>>,
    pub(super) batches: mpsc::Sender<Batch>,
    pub(super) progress: watch::Sender<Progress>,
    /// What is being scored. It is kept after an error, and scored again.
    pub(super) collected: Option<Arc<Collected>>,
}

impl Reading {
    /// Reads until `stop` is set or the log is closed.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.read() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn read(&mut self) {
        let mut retries = RETRIES;
        loop {
            match self.next_batch().await {
                Ok(Some(batch)) => {
                    retries.reset();
                    if self.batches.send(batch).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(error, "measurements cannot be scored; scoring is retried");
                    self.progress.send_modify(|progress| progress.error = Some(error));
                    sleep(retries.pause()).await;
                }
            }
        }
    }

    /// The next batch. `None` at the end of the log.
    async fn next_batch(&mut self) -> Result<Option<Batch>, String> {
        let collected = match &self.collected {
            Some(collected) => Arc::clone(collected),
            None => {
                let collected = self.collect().await;
                let collected = collected.map_err(|error| format!("the intake log cannot be read: {error}"))?;
                let Some(collected) = collected.map(Arc::new) else { return Ok(None) };
                Arc::clone(self.collected.insert(collected))
            }
        };
        let how = How {
            fingerprints: self.fingerprints.borrow().clone(),
            rules: self.settings.rules,
            threads: self.settings.threads,
            collector: Arc::clone(&self.settings.collector),
        };
        let scored = tokio::task::spawn_blocking(move || score(&collected, &how)).await;
        let scored = scored.map_err(|error| format!("scoring failed: {error}"))?;
        let batch = scored.map_err(|error| format!("a body cannot be read from the intake log: {error}"))?;
        self.end = batch.end;
        self.collected = None;
        Ok(Some(batch))
    }

    /// The next records: as many as a batch has, or those that arrive in time. `None` at the end of the log.
    async fn collect(&mut self) -> Result<Option<Collected>, intake::Error> {
        let Some((first, end)) = self.reader.next_or_gap().await? else { return Ok(None) };
        let until = Instant::now() + self.settings.delay;
        let mut collected = Collected { start: self.end, records: Vec::from_iter(first), end };
        let mut bytes: u64 = collected.records.iter().map(|record| record.body.length()).sum();
        while collected.records.len() < BEHIND * self.settings.batch && bytes < BATCH_BYTES {
            let next = match collected.records.len() < self.settings.batch {
                true => timeout_at(until, self.reader.next_or_gap()).await.unwrap_or(Ok(None)),
                false => self.reader.next_ready().await.map(|next| next.map(|(record, end)| (Some(record), end))),
            };
            // An error is reported when the next batch is read.
            let Ok(Some((record, end))) = next else { break };
            bytes += record.as_ref().map_or(0, |record| record.body.length());
            collected.records.extend(record);
            collected.end = end;
        }
        Ok(Some(collected))
    }
}
