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
                None => result, // the next request may have more luck
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
mod tests {
    use super::*;
    use crate::http::response::{Cache, cached, not_kept, text};
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use tokio::task::yield_now;

    fn cache(change: impl FnOnce(&mut config::Cache)) -> Arc<ResponseCache> {
        let mut settings = config::Cache::default();
        change(&mut settings);
        let metrics = CacheMetrics::new(&crate::metrics::Metrics::default()).unwrap();
        Arc::new(ResponseCache::new(&settings, metrics))
    }

    fn key(target: &str) -> Key {
        Key::new(target, false)
    }

    fn fresh(body: &str) -> Response {
        cached(text(StatusCode::OK, body.to_owned()), Cache::MaxAge(60))
    }

    /// Answers a request as `Reads` does.
    async fn answer(cache: &Arc<ResponseCache>, target: &str, result: Result<Response, Error>) -> Result<String, u16> {
        let result = match cache.find(key(target)) {
            Found::Hit(response) => Ok(response),
            Found::Miss(fill) => fill.finish(result).await,
            Found::Busy(waiting) => match waiting.turn().await {
                Ok(fill) => fill.finish(result).await,
                Err(Some(response)) => Ok(response),
                Err(None) => result,
            },
        };
        text_of(result).await
    }

    async fn text_of(result: Result<Response, Error>) -> Result<String, u16> {
        let response = result.unwrap_or_else(Error::into_response);
        let status = response.status();
        let (_, body) = in_memory(response).await;
        let text = String::from_utf8(body.unwrap().to_vec()).unwrap();
        if status == StatusCode::OK { Ok(text) } else { Err(status.as_u16()) }
    }

    fn header(response: &Response, name: HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn ok(text: &str) -> Result<String, u16> {
        Ok(text.to_owned())
    }

    fn unavailable() -> Result<Response, Error> {
        Err(Error::unavailable("later", 1))
    }

    #[tokio::test]
    async fn what_is_kept() {
        let header = |name: &'static str, value: &'static str| {
            let mut response = fresh("a");
            response.headers_mut().append(name, HeaderValue::from_static(value));
            response
        };
        let control = |value: &'static str| {
            let mut response = fresh("a");
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(value));
            response
        };
        let mut partial = fresh("a");
        *partial.status_mut() = StatusCode::PARTIAL_CONTENT;
        for (name, response, is_kept) in [
            ("fresh", fresh("a"), true),
            ("public", control("public, max-age=60"), true),
            ("private", control("private, max-age=60"), false),
            ("no-cache", control("max-age=60, no-cache"), false),
            ("max-age=0", cached(text(StatusCode::OK, "a"), Cache::MaxAge(0)), false),
            ("nonsense", control("max-age=-1"), false),
            ("none", text(StatusCode::OK, "a"), false),
            ("not kept", not_kept(fresh("a")), false),
            ("partial", partial, false),
            ("user agent", header("vary", "user-agent"), true),
            ("other header", header("vary", "accept"), false),
            ("cookie", header("set-cookie", "a=b"), false),
            ("longest", fresh(&"a".repeat(100)), true),
            ("longer", fresh(&"a".repeat(101)), false),
        ] {
            let cache = cache(|settings| settings.max_response_bytes = 100);
            answer(&cache, "/", Ok(response)).await.unwrap_or_default();
            assert_eq!(answer(&cache, "/", Ok(fresh("b"))).await != ok("b"), is_kept, "{name}");
        }
        let cache = cache(|_| {});
        answer(&cache, "/?a", Ok(fresh("a"))).await.unwrap();
        assert_eq!(answer(&cache, "/?b", Ok(fresh("b"))).await, ok("b"));
        assert_eq!(answer(&cache, "/?a", unavailable()).await, ok("a"));
        assert!(matches!(cache.find(Key::new("/?a", true)), Found::Miss(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn old_responses_are_used_when_new_ones_fail() {
        let cache = cache(|settings| settings.stale_if_error = 3600);
        assert_eq!(answer(&cache, "/", unavailable()).await, Err(503));
        assert_eq!(answer(&cache, "/", Ok(fresh("a"))).await, ok("a"));
        tokio::time::advance(Duration::from_secs(59)).await;
        let Found::Hit(response) = cache.find(key("/")) else { panic!("it is fresh") };
        assert_eq!((header(&response, AGE), header(&response, WARNING)), ("59", ""));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(answer(&cache, "/", unavailable()).await, ok("a"));
        // For a moment it is not tried again.
        let Found::Hit(response) = cache.find(key("/")) else { panic!("an attempt has just failed") };
        assert_eq!((header(&response, AGE), header(&response, WARNING)), ("60", "111 - \"Revalidation Failed\""));
        tokio::time::advance(RETRY).await;
        tokio::time::advance(Duration::from_secs(3594)).await;
        assert_eq!(answer(&cache, "/", Ok(text(StatusCode::BAD_GATEWAY, ""))).await, ok("a"));
        tokio::time::advance(RETRY).await;
        assert_eq!(answer(&cache, "/", unavailable()).await, Err(503));
        assert_eq!(answer(&cache, "/", Ok(fresh("b"))).await, ok("b"));
        assert_eq!(answer(&cache, "/", unavailable()).await, ok("b"));
        // An error of the client is not one of the server, and what does not exist any more is not used.
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(answer(&cache, "/", Err(Error::not_found("none"))).await, Err(404));
        assert_eq!(answer(&cache, "/", unavailable()).await, Err(503));
        let metrics = &cache.metrics;
        assert_eq!((metrics.hits.get(), metrics.stale.get(), metrics.fills.get()), (2, 3, 2));
        assert_eq!((metrics.responses.get(), metrics.bytes.get()), (0, 0));
    }

    /// Starts requests that wait for the first one.
    fn waiters(
        cache: &Arc<ResponseCache>,
        calls: &Arc<AtomicUsize>,
        count: usize,
    ) -> Vec<tokio::task::JoinHandle<Result<String, u16>>> {
        let wait = |number: usize| {
            let Found::Busy(waiting) = cache.find(key("/")) else { panic!("another request computes it") };
            let calls = Arc::clone(calls);
            tokio::spawn(async move {
                match waiting.turn().await {
                    Ok(fill) => {
                        let call = calls.fetch_add(1, SeqCst);
                        yield_now().await;
                        let result = if call == 0 { unavailable() } else { Ok(fresh(&format!("filled {call}"))) };
                        text_of(fill.finish(result).await).await
                    }
                    Err(Some(response)) => text_of(Ok(response)).await,
                    Err(None) => ok(&format!("alone {number}")),
                }
            })
        };
        (0..count).map(wait).collect()
    }

    async fn results(tasks: Vec<tokio::task::JoinHandle<Result<String, u16>>>) -> Vec<Result<String, u16>> {
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        results
    }

    fn first(cache: &Arc<ResponseCache>) -> Fill {
        match cache.find(key("/")) {
            Found::Miss(fill) => fill,
            _ => panic!("it is the first request"),
        }
    }

    #[tokio::test]
    async fn others_wait_for_the_first() {
        let cache = cache(|_| {});
        let calls = Arc::default();
        let fill = first(&cache);
        let tasks = waiters(&cache, &calls, 50);
        yield_now().await;
        fill.finish(Ok(fresh("first"))).await.unwrap();
        assert!(results(tasks).await.iter().all(|result| *result == ok("first")));
        assert_eq!(calls.load(SeqCst), 0);
        let metrics = &cache.metrics;
        assert_eq!((metrics.misses.get(), metrics.hits.get(), metrics.fills.get()), (1, 50, 1));
        assert!(cache.state().flights.is_empty());
    }

    #[tokio::test]
    async fn another_takes_the_turn_of_a_request_that_ends() {
        let cache = cache(|_| {});
        let calls = Arc::default();
        let fill = first(&cache);
        let mut tasks = waiters(&cache, &calls, 50);
        yield_now().await;
        // The client of the first goes away, and so does that of the next in turn; the third fails.
        tasks.remove(0).abort();
        drop(fill);
        let results = results(tasks).await;
        assert_eq!(results[0], Err(503));
        assert!(results[1..].iter().all(|result| *result == ok("filled 1")), "{results:?}");
        assert_eq!(calls.load(SeqCst), 2);
        assert!(cache.state().flights.is_empty());
    }

    #[tokio::test]
    async fn nobody_waits_for_a_response_that_is_not_kept() {
        let cache = cache(|_| {});
        let calls = Arc::default();
        for result in [Ok(text(StatusCode::OK, "a")), Err(Error::not_found("none"))] {
            let fill = first(&cache);
            let tasks = waiters(&cache, &calls, 20);
            yield_now().await;
            let _ = fill.finish(result).await;
            let alone = results(tasks).await.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
            assert!(alone.iter().all(|text| text.starts_with("alone")), "{alone:?}");
        }
        assert_eq!(calls.load(SeqCst), 0);
        assert!(cache.state().flights.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn all_get_the_old_response_when_the_first_fails() {
        let cache = cache(|_| {});
        let calls = Arc::default();
        answer(&cache, "/", Ok(fresh("old"))).await.unwrap();
        tokio::time::advance(Duration::from_secs(61)).await;
        let fill = first(&cache);
        let tasks = waiters(&cache, &calls, 20);
        yield_now().await;
        assert_eq!(text_of(fill.finish(unavailable()).await).await, ok("old"));
        assert!(results(tasks).await.iter().all(|result| *result == ok("old")));
        assert_eq!(calls.load(SeqCst), 0);
    }

    proptest! {
        #[test]
        fn the_size_never_exceeds_the_limit(responses in prop::collection::vec((0..50_u32, 0..3000_usize), 1..100)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let cache = cache(|settings| (settings.max_bytes, settings.max_response_bytes) = (10_000, 2000));
                let mut hits = 0;
                for (target, length) in responses {
                    let (target, body) = (format!("/{target}"), "a".repeat(length));
                    hits += u32::from(matches!(cache.find(key(&target)), Found::Hit(_)));
                    answer(&cache, &target, Ok(fresh(&body))).await.unwrap();
                    let mut state = cache.state();
                    let (weight, count) = (state.responses.weight(), state.responses.len());
                    assert!(weight <= 10_000 && count <= 10_000 / OVERHEAD, "{weight} {count}");
                    let of_target = state.responses.get(&key(&target));
                    assert!(of_target.is_none_or(|entry| entry.kept.body.len() <= 2000));
                    assert!(state.flights.is_empty());
                    drop(state);
                    assert_eq!(cache.metrics.bytes.get(), i64::try_from(weight).unwrap());
                }
                assert!(cache.metrics.hits.get() >= u64::from(hits));
            });
        }
    }
}
