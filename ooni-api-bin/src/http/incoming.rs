//! [`Body`]: the body of a request, as it comes from the connection.

use super::decode::too_large;
use super::error::Error;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A client that sends fewer bytes than this in a second uses up the timeout, even if it never stops.
const MIN_BYTES_PER_SECOND: u64 = 16 << 10;

/// The body of a request.
#[derive(Debug)]
pub(super) struct Body {
    /// `None` at its end.
    incoming: Option<Incoming>,
    timeout: Duration,
    /// How long the client may still be waited for: the timeout at first. Waiting reduces it, and what is received extends it
    /// again, up to the timeout.
    patience: Duration,
    progress: Arc<Progress>,
}

/// How much of a body was read, and what was not.
#[derive(Debug, Default)]
pub(super) struct Progress {
    received: AtomicU64,
    finished: AtomicBool,
    /// What a handler did not read.
    rest: Mutex<Option<Incoming>>,
}

impl Body {
    pub(super) fn new(incoming: Incoming, timeout: Duration) -> Body {
        let incoming = Some(incoming).filter(|incoming| !incoming.is_end_stream());
        let progress = Progress { finished: AtomicBool::new(incoming.is_none()), ..Progress::default() };
        Body { incoming, timeout, patience: timeout, progress: Arc::new(progress) }
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Its length, if the client says it.
    pub(super) fn declared(&self) -> Option<u64> {
        self.incoming.as_ref().map_or(Some(0), |incoming| incoming.size_hint().exact())
    }

    pub(super) fn is_finished(&self) -> bool {
        self.incoming.is_none()
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// 413 beyond the limit, 408 if it is too slow, 400 if it ends too early or is malformed.
    pub(super) async fn next(&mut self, limit: u64) -> Result<Option<Bytes>, Error> {
        while let Some(incoming) = &mut self.incoming {
            let begin = Instant::now();
            let Ok(frame) = timeout(self.patience, incoming.frame()).await else {
                return Err(Error::request_timeout());
            };
            self.patience = self.patience.saturating_sub(begin.elapsed());
            match frame {
                Some(Ok(frame)) => {
                    let Ok(bytes) = frame.into_data() else { continue };
                    let earned = Duration::from_micros(bytes.len() as u64 * 1_000_000 / MIN_BYTES_PER_SECOND);
                    self.patience = self.timeout.min(self.patience + earned);
                    let received = self.progress.received.fetch_add(bytes.len() as u64, Relaxed);
                    if received + bytes.len() as u64 > limit {
                        return Err(too_large(limit));
                    }
                    return Ok(Some(bytes));
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "a body cannot be read");
                    return Err(Error::bad_request("the body is malformed or was cut off"));
                }
                None => {
                    self.progress.finished.store(true, Relaxed);
                    self.incoming = None;
                }
            }
        }
        Ok(None)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        *self.progress.rest() = self.incoming.take();
    }
}

impl Progress {
    fn rest(&self) -> std::sync::MutexGuard<'_, Option<Incoming>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes were read.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Whether all of it was read.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.load(Relaxed)
    }

    /// Reads what is left in the background, so that the connection can be used for another request.
    pub(super) fn discard_rest(&self, limit: Duration) {
        if let Some(mut rest) = self.rest().take() {
            tokio::spawn(timeout(limit, async move { while let Some(Ok(_)) = rest.frame().await {} }));
        }
    }
}
