//! [`State`]: what the parts of a connection know of each other: its task, its stream and its requests.

use super::metrics::HttpMetrics;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The state of a connection.
#[derive(Debug)]
pub(super) struct State {
    opened: Instant,
    pub(super) metrics: HttpMetrics,
    /// Requests whose responses are not complete.
    active: AtomicUsize,
    /// When the last response ended, in milliseconds since the connection was opened.
    last: AtomicU64,
    /// Since when the client does not take what is written, in milliseconds; 0 if it does.
    blocked: AtomicU64,
    /// The HTTP/2 responses of which the client has not taken more, by request, and since when.
    untaken: Mutex<HashMap<u64, u64>>,
    http2: AtomicBool,
    expired: AtomicBool,
    unread: AtomicBool,
    /// Requests that reached the service, and the number of the one whose framing is ambiguous; 0 if there is none.
    requests: AtomicU64,
    ambiguous: AtomicU64,
}

impl State {
    pub(super) fn new(metrics: HttpMetrics) -> State {
        metrics.connections.inc();
        State {
            opened: Instant::now(),
            metrics,
            active: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            untaken: Mutex::default(),
            http2: AtomicBool::new(false),
            expired: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            ambiguous: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn at(&self, millis: u64) -> Instant {
        self.opened + Duration::from_millis(millis)
    }

    /// A request begins. Returns its number.
    pub(super) fn begin(&self) -> u64 {
        self.metrics.busy.inc();
        self.active.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed) + 1
    }

    /// The response of a request is complete.
    pub(super) fn end(&self, request: u64) {
        self.untaken().remove(&request);
        self.last.store(self.now(), Relaxed);
        self.active.fetch_sub(1, Relaxed);
        self.metrics.busy.dec();
    }

    /// Whether no request is in progress.
    pub(super) fn is_idle(&self) -> bool {
        self.active.load(Relaxed) == 0
    }

    fn untaken(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is more of a response, which the client has not taken yet; or there is none at this moment. Without a limit of
    /// that, a client of HTTP/2 could hold responses for ever by its windows, which `wrote` does not see.
    pub(super) fn set_untaken(&self, request: u64, is_untaken: bool) {
        match is_untaken {
            true => self.untaken().insert(request, self.now()),
            false => self.untaken().remove(&request),
        };
    }

    /// Something was written, or could not be written because the client does not read.
    pub(super) fn wrote(&self, progress: bool) {
        let now = self.now().max(1);
        if progress {
            // HTTP/2 also writes answers to pings and settings.
            if !self.is_http2() {
                self.last.store(now, Relaxed);
            }
            self.blocked.store(0, Relaxed);
        } else {
            let _ = self.blocked.compare_exchange(0, now, Relaxed, Relaxed);
        }
    }

    /// When the connection has been idle for some time, if no request is in progress.
    pub(super) fn idle_until(&self, timeout: Duration) -> Option<Instant> {
        self.is_idle().then(|| self.at(self.last.load(Relaxed)) + timeout)
    }

    /// When the client has not read, or not taken more of a response, for some time, if it does not.
    pub(super) fn blocked_until(&self, timeout: Duration) -> Option<Instant> {
        let blocked = Some(self.blocked.load(Relaxed)).filter(|since| *since != 0);
        let untaken = self.untaken().values().min().copied();
        blocked.into_iter().chain(untaken).min().map(|since| self.at(since) + timeout)
    }

    /// Whether the connection speaks HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    pub(super) fn set_http2(&self) {
        self.http2.store(true, Relaxed);
    }

    /// The connection was idle for too long: nothing more is read.
    pub(super) fn expire(&self) {
        self.expired.store(true, Relaxed);
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expired.load(Relaxed)
    }

    /// Whether the client may still be sending what is not going to be read.
    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Relaxed)
    }

    pub(super) fn set_unread(&self, unread: bool) {
        self.unread.store(unread, Relaxed);
    }

    /// Whether the framing of a request is ambiguous.
    pub(super) fn is_ambiguous(&self, request: u64) -> bool {
        self.ambiguous.load(Relaxed) == request
    }

    /// The framing of a request is ambiguous. Requests are counted from 1.
    pub(super) fn set_ambiguous(&self, request: u64) {
        self.ambiguous.store(request, Relaxed);
    }

    /// A request was refused before it reached the service.
    pub(super) fn refused(&self, status: &str) {
        self.metrics.unparsable(status);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}
