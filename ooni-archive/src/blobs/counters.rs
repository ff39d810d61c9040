//! [`Counters`]: what was listed, downloaded and retried.

use std::sync::atomic::{AtomicU64, Ordering};

/// Progress so far, for display.
#[derive(Debug, Default)]
pub struct Counters {
    /// Days that were listed.
    pub days_listed: AtomicU64,
    /// Cans of these days, without finished ones.
    pub cans_listed: AtomicU64,
    /// Bytes of these cans.
    pub bytes_listed: AtomicU64,
    /// Bytes received over the network, including those of failed downloads.
    pub bytes_downloaded: AtomicU64,
    /// Requests that were retried.
    pub retries: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}
