//! [`Gate`]: how many reads are processed at the same time, and how many wait. The others are refused at once, so that reads
//! leave connections, memory and processors to submissions.

use super::error::Error;
use super::metrics::ReadMetrics;
use crate::config;
use prometheus::IntGauge;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// When a refused client should try again, in seconds.
const RETRY_AFTER: u64 = 5;
/// Reads of each processor if the setting is 0: most of them wait for the store.
const PER_PROCESSOR: usize = 8;

/// Where reads pass or wait.
#[derive(Debug)]
pub(super) struct Gate {
    running: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// How long a read may wait.
    patience: Duration,
    metrics: ReadMetrics,
}

/// A read that waits: for the gate, or for another one whose response it may have.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _count: Count,
}

/// A read that is processed.
#[derive(Debug)]
pub(super) struct Pass {
    _permit: OwnedSemaphorePermit,
    _count: Count,
}

/// One in a gauge, while it exists.
#[derive(Debug)]
struct Count(IntGauge);

impl Gate {
    pub(super) fn new(settings: &config::Reads, metrics: ReadMetrics) -> Gate {
        let max_concurrent = match settings.max_concurrent {
            0 => PER_PROCESSOR * std::thread::available_parallelism().map_or(1, usize::from),
            number => number.min(Semaphore::MAX_PERMITS),
        };
        Gate {
            running: Arc::new(Semaphore::new(max_concurrent)),
            queue: Arc::new(Semaphore::new(settings.max_queued.min(Semaphore::MAX_PERMITS))),
            patience: Duration::from_secs(settings.timeout),
            metrics,
        }
    }

    /// Passes, or waits for it in the place that the read has or in a free one. First come, first served.
    ///
    /// # Errors
    /// 503 if there is no free place, or if the read waits for too long.
    pub(super) async fn enter(&self, place: Option<Place>) -> Result<Pass, Error> {
        let permit = match Arc::clone(&self.running).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = place.map_or_else(|| self.wait(), Ok)?;
                let acquired = timeout(self.patience, Arc::clone(&self.running).acquire_owned()).await;
                acquired.ok().and_then(Result::ok).ok_or_else(|| self.refuse())?
            }
        };
        Ok(Pass { _permit: permit, _count: Count::one(&self.metrics.running) })
    }

    /// A place to wait in.
    ///
    /// # Errors
    /// 503 if there is none.
    pub(super) fn wait(&self) -> Result<Place, Error> {
        let permit = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| self.refuse())?;
        Ok(Place { _permit: permit, _count: Count::one(&self.metrics.queued) })
    }

    /// The error for a read that cannot be processed now.
    pub(super) fn refuse(&self) -> Error {
        self.metrics.refused.inc();
        Error::unavailable("too many requests at the same time", RETRY_AFTER)
    }

    /// How long a read may wait.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }
}

impl Count {
    fn one(gauge: &IntGauge) -> Count {
        gauge.inc();
        Count(gauge.clone())
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use tokio::task::yield_now;

    fn gate(max_concurrent: usize, max_queued: usize) -> Gate {
        let settings = config::Reads { max_concurrent, max_queued, timeout: 10, ..config::Reads::default() };
        Gate::new(&settings, ReadMetrics::new(&Metrics::default()).unwrap())
    }

    #[tokio::test]
    async fn reads_wait_and_are_refused() {
        let gate = Arc::new(gate(2, 1));
        let (first, second) = (gate.enter(None).await.unwrap(), gate.enter(None).await.unwrap());
        let enter = |gate: &Arc<Gate>| {
            tokio::spawn({
                let gate = Arc::clone(gate);
                async move { gate.enter(None).await }
            })
        };
        let waiting = enter(&gate);
        while gate.metrics.queued.get() == 0 {
            yield_now().await;
        }
        let error = gate.enter(None).await.unwrap_err();
        assert_eq!(error.status(), 503);
        assert_eq!(error.into_response().headers()["retry-after"], "5");
        // A client that goes away leaves the queue.
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        let waiting = enter(&gate);
        while gate.metrics.queued.get() == 0 {
            yield_now().await;
        }
        drop(first);
        let third = waiting.await.unwrap().unwrap();
        let metrics = &gate.metrics;
        assert_eq!((metrics.running.get(), metrics.queued.get(), metrics.refused.get()), (2, 0, 1));
        drop((second, third));
        assert_eq!(metrics.running.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_waits_no_longer_than_it_may_take() {
        let gate = gate(1, 1);
        let pass = gate.enter(None).await.unwrap();
        let place = gate.wait().unwrap();
        assert_eq!(gate.enter(Some(place)).await.unwrap_err().status(), 503);
        drop(pass);
        gate.enter(None).await.unwrap();
    }
}
