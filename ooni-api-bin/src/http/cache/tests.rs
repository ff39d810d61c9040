//! Tests of the cache of responses.

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
