//! [`ResponseCache`]: responses in memory, as the front end of the reference kept them.
//!
//! Only one request at a time computes the response of a key; others wait for it. If it fails, or its client goes away, it is
//! the turn of one of those. If its response cannot be kept, all of them compute it.

use super::error::Error;
use super::etag::in_memory;
use super::lru::Lru;
use super::metrics::CacheMetrics;
use super::request::Request;
use super::response::{self, NotKept, Response};
use crate::config;
use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, USER_AGENT, VARY,
    WARNING,
};
use hyper::{Method, StatusCode};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What a response takes in memory besides its key, headers and body, in bytes: about the size of the structures, and of their
/// places in tables that are half full.
const OVERHEAD: usize = 512;
/// The same for each header.
const HEADER_OVERHEAD: usize = 64;
/// How long an old response is used without another attempt after one failed.
const RETRY: Duration = Duration::from_secs(5);

/// Responses by what was asked.
pub(super) struct ResponseCache {
    max_bytes: u64,
    max_response_bytes: u64,
    stale_if_error: Duration,
    state: Mutex<State>,
    metrics: CacheMetrics,
}

struct State {
    responses: Lru<Key, Entry>,
    flights: HashMap<Key, Flight>,
}

/// What a response depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(Arc<str>);

/// A response that is kept.
struct Entry {
    kept: Arc<Kept>,
    /// Until when it is used although it is old, because a newer one failed.
    retry: Option<Instant>,
}

/// A response.
pub(super) struct Kept {
    headers: HeaderMap,
    body: Bytes,
    stored: Instant,
    max_age: Duration,
}

/// A key whose response is being computed.
struct Flight {
    /// Requests that compute it or wait.
    members: usize,
    /// Whose turn it is to compute it. Closed when the others need not wait any more.
    turn: Arc<Semaphore>,
}

/// What a request has to do.
pub(super) enum Found {
    /// Answer with this.
    Hit(Response),
    /// Compute the response.
    Miss(Fill),
    /// Wait for another request.
    Busy(Waiting),
}

/// A request that computes a response. If it is dropped, another one does.
pub(super) struct Fill {
    member: Member,
    /// What was kept before.
    old: Option<Arc<Kept>>,
}

/// A request that waits for another one.
pub(super) struct Waiting(Member);

/// A request of a flight.
struct Member {
    cache: Arc<ResponseCache>,
    key: Key,
    turn: Arc<Semaphore>,
    has_turn: bool,
}

impl ResponseCache {
    pub(super) fn new(settings: &config::Cache, metrics: CacheMetrics) -> ResponseCache {
        ResponseCache {
            max_bytes: settings.max_bytes,
            max_response_bytes: settings.max_response_bytes,
            stale_if_error: Duration::from_secs(settings.stale_if_error),
            state: Mutex::new(State { responses: Lru::new(settings.max_bytes), flights: HashMap::new() }),
            metrics,
        }
    }

    /// The key of a request; `None` if its response is not kept.
    pub(super) fn key(&self, request: &Request) -> Option<Key> {
        let headers = request.headers();
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let is_personal = headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE);
        if self.max_bytes == 0 || !is_read || is_personal {
            return None;
        }
        // The list of measurements has other results for old versions of the app (API spec §4.1).
        let is_okhttp = headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"okhttp"));
        Some(Key::new(request.target(), is_okhttp))
    }

    /// What there is for a key.
    pub(super) fn find(self: &Arc<Self>, key: Key) -> Found {
        let now = Instant::now();
        let mut state = self.state();
        let entry = state.responses.get(&key);
        if let Some(kept) = entry.as_ref().and_then(|entry| entry.usable(now)) {
            drop(state);
            return Found::Hit(self.hit(&kept, now));
        }
        let old = entry.map(|entry| Arc::clone(&entry.kept));
        let flight = state.flights.entry(key.clone()).or_insert_with(Flight::new);
        flight.members += 1;
        let turn = Arc::clone(&flight.turn);
        let has_turn = turn.try_acquire().map(|permit| permit.forget()).is_ok();
        let member = Member { cache: Arc::clone(self), key, turn, has_turn };
        drop(state);
        if !has_turn {
            return Found::Busy(Waiting(member));
        }
        self.metrics.misses.inc();
        Found::Miss(Fill { member, old })
    }

    /// The response of what is kept.
    fn hit(&self, kept: &Kept, now: Instant) -> Response {
        let age = now.saturating_duration_since(kept.stored);
        let mut response = Response::new(response::body(kept.body.clone()));
        let headers = response.headers_mut();
        headers.clone_from(&kept.headers);
        headers.insert(AGE, HeaderValue::from(age.as_secs()));
        if age < kept.max_age {
            self.metrics.hits.inc();
        } else {
            self.metrics.stale.inc();
            headers.insert(WARNING, HeaderValue::from_static("111 - \"Revalidation Failed\""));
        }
        response
    }

    /// What is kept of a response; `None` if it cannot be kept.
    async fn keep(&self, response: Response) -> (Response, Option<Kept>) {
        let length = response.body().size_hint().exact();
        let max_age = max_age(response.headers()).filter(|_| {
            response.status() == StatusCode::OK
                && response.extensions().get::<NotKept>().is_none()
                && length.is_some_and(|length| length <= self.max_response_bytes)
        });
        let Some(max_age) = max_age else { return (response, None) };
        let (response, body) = in_memory(response).await;
        let kept = body.map(|body| Kept {
            headers: response.headers().clone(),
            body: Bytes::copy_from_slice(&body), // it may be a part of something larger
            stored: Instant::now(),
            max_age,
        });
        (response, kept)
    }

    fn insert(&self, key: &Key, kept: Kept) {
        let size = kept.size(key);
        let entry = Entry { kept: Arc::new(kept), retry: None };
        let mut state = self.state();
        let Some(removed) = state.responses.insert(key.clone(), entry, size) else { return };
        self.metrics.fills.inc();
        self.metrics.evictions.inc_by(removed as u64);
        self.show_size(&state);
    }

    fn remove(&self, key: &Key) {
        let mut state = self.state();
        if state.responses.remove(key).is_some() {
            self.show_size(&state);
        }
    }

    fn show_size(&self, state: &State) {
        self.metrics.bytes.set(i64::try_from(state.responses.weight()).unwrap_or(i64::MAX));
        self.metrics.responses.set(i64::try_from(state.responses.len()).unwrap_or(i64::MAX));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// Parameters are not sorted, because the first of several values counts.
    fn new(target: &str, is_okhttp: bool) -> Key {
        Key(format!("{}{target}", if is_okhttp { "okhttp " } else { "" }).into())
    }
}

impl Entry {
    /// The response, if it is fresh or may be used for another reason.
    fn usable(&self, now: Instant) -> Option<Arc<Kept>> {
        let is_usable = now < self.kept.stored + self.kept.max_age || self.retry.is_some_and(|retry| now < retry);
        is_usable.then(|| Arc::clone(&self.kept))
    }
}

impl Kept {
    /// What it takes in memory, in bytes.
    fn size(&self, key: &Key) -> u64 {
        let header = |(name, value): (&HeaderName, &HeaderValue)| HEADER_OVERHEAD + name.as_str().len() + value.len();
        let headers: usize = self.headers.iter().map(header).sum();
        (OVERHEAD + key.0.len() + headers + self.body.len()) as u64
    }
}

/// How long a response may be kept by its headers; `None` if it may not.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let control = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    let mut seconds = None;
    for directive in control.split(',').map(str::trim) {
        match directive.split_once('=') {
            Some(("max-age", value)) => seconds = value.parse::<u32>().ok(),
            None if matches!(directive, "no-cache" | "no-store" | "private") => return None,
            _ => {}
        }
    }
    // The key has what depends on the user agent, and nothing else of the headers.
    let is_other = headers.get_all(VARY).iter().any(|vary| vary != USER_AGENT.as_str());
    let seconds = seconds.filter(|seconds| *seconds > 0 && !is_other && !headers.contains_key(SET_COOKIE))?;
    Some(Duration::from_secs(seconds.into()))
}

impl Flight {
    fn new() -> Flight {
        Flight { members: 0, turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Waiting {
    /// Waits until it is this request's turn. Otherwise another one has finished: the response that it has kept, or `None` if
    /// its response cannot be kept.
    pub(super) async fn turn(mut self) -> Result<Fill, Option<Response>> {
        let is_mine = self.0.turn.acquire().await.map(|permit| permit.forget()).is_ok();
        self.0.has_turn = is_mine;
        let Member { cache, key, .. } = &self.0;
        let now = Instant::now();
        let mut state = cache.state();
        let entry = state.responses.get(key);
        if !is_mine {
            let usable = entry.and_then(|entry| entry.usable(now));
            drop(state);
            if usable.is_none() {
                cache.metrics.misses.inc();
            }
            return Err(usable.map(|kept| cache.hit(&kept, now)));
        }
        let old = entry.map(|entry| Arc::clone(&entry.kept));
        drop(state);
        cache.metrics.misses.inc();
        Ok(Fill { member: self.0, old })
    }
}

impl Fill {
    /// Keeps the response if that is possible. Returns it, or an old one in place of an error of the server.
    pub(super) async fn finish(self, result: Result<Response, Error>) -> Result<Response, Error> {
        let failure = match &result {
            Ok(response) => Some(response.status()),
            Err(error) => Some(error.status()),
        };
        if let Some(status) = failure.filter(StatusCode::is_server_error) {
            return match self.stale(status) {
                Some(response) => Ok(response),
                None => result, // the next request is an attempt of its own
            };
        }
        let cache = &self.member.cache;
        let (response, kept) = match result {
            Ok(response) => cache.keep(response).await,
            Err(error) => (error.into_response(), None),
        };
        match kept {
            Some(kept) => cache.insert(&self.member.key, kept),
            // If the next request fails, the response of before is not used: it may be of a measurement that was removed.
            None => cache.remove(&self.member.key),
        }
        self.member.release_others();
        Ok(response)
    }

    /// The old response, if it may be used.
    fn stale(&self, status: StatusCode) -> Option<Response> {
        let Member { cache, key, .. } = &self.member;
        let now = Instant::now();
        let old = self.old.as_ref()?;
        if now >= old.stored + old.max_age + cache.stale_if_error {
            return None;
        }
        let path = key.0.split('?').next();
        tracing::warn!(path, %status, "a response failed; an old one is used");
        if let Some(entry) = cache.state().responses.get(key) {
            entry.retry = Some(now + RETRY);
        }
        self.member.release_others();
        Some(cache.hit(old, now))
    }
}

impl Member {
    /// The others need not wait any more.
    fn release_others(&self) {
        self.turn.close();
        let mut state = self.cache.state();
        if state.flights.get(&self.key).is_some_and(|flight| Arc::ptr_eq(&flight.turn, &self.turn)) {
            state.flights.remove(&self.key);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.has_turn {
            self.turn.add_permits(1);
        }
        let mut state = self.cache.state();
        let Some(flight) = state.flights.get_mut(&self.key).filter(|flight| Arc::ptr_eq(&flight.turn, &self.turn))
        else {
            return; // it was released
        };
        flight.members -= 1;
        if flight.members == 0 {
            state.flights.remove(&self.key);
        }
    }
}

impl fmt::Debug for ResponseCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseCache").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
