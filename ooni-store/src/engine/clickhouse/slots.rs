//! [`Slots`]: limits how many queries of one workload this process runs at the same time, and how many wait.

use super::error::ClickhouseError;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Limits the queries of one workload.
pub(super) struct Slots {
    running: Semaphore,
    /// Queries that run or wait.
    admitted: Semaphore,
}

/// Permission to run a query. Dropping it lets the next query run.
pub(super) struct Slot<'s> {
    _admitted: SemaphorePermit<'s>,
    _running: SemaphorePermit<'s>,
}

impl Slots {
    /// At most `queries` run at the same time, and at most `queue` wait.
    pub(super) fn new(queries: usize, queue: usize) -> Slots {
        let queries = queries.max(1);
        let admitted = queries.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Slots { running: Semaphore::new(queries), admitted: Semaphore::new(admitted) }
    }

    /// Waits for a slot. Fails at once if too many queries are already waiting.
    pub(super) async fn take(&self) -> Result<Slot<'_>, ClickhouseError> {
        let full = |_| ClickhouseError::Busy("too many queries are waiting");
        let admitted = self.admitted.try_acquire().map_err(full)?;
        let running = self.running.acquire().await.map_err(|_| ClickhouseError::Timeout)?;
        Ok(Slot { _admitted: admitted, _running: running })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_query_waits_unless_the_queue_is_full() {
        let slots = Slots::new(1, 1);
        let running = slots.take().await.unwrap();
        let waiting = slots.take();
        let (waiting, busy) = tokio::join!(waiting, async {
            let busy = slots.take().await;
            drop(running);
            busy
        });
        assert!(matches!(busy, Err(ClickhouseError::Busy("too many queries are waiting"))));
        drop(waiting.unwrap());
        assert!(slots.take().await.is_ok());
    }
}
