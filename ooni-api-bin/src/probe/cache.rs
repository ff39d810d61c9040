//! [`Cache`]: values that are loaded once for all who ask at the same time, and kept for a short time.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// How long a failure is kept, so that not everyone who asks waits for a store that does not answer.
const FAILURE: Duration = Duration::from_secs(2);

/// A value could not be loaded. The reason was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotLoaded;

/// A bounded cache.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
    capacity: usize,
    lifetime: Duration,
}

#[derive(Debug)]
struct Entry<V> {
    created: Instant,
    value: Arc<OnceCell<Loaded<V>>>,
}

#[derive(Clone, Debug)]
struct Loaded<V> {
    at: Instant,
    result: Result<V, NotLoaded>,
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    pub(super) fn new(capacity: usize, lifetime: Duration) -> Cache<K, V> {
        Cache { entries: Mutex::default(), capacity, lifetime }
    }

    /// The value of a key. If it is not there, one caller loads it while the others wait.
    pub(super) async fn get<F: Future<Output = Result<V, NotLoaded>>>(
        &self,
        key: &K,
        load: impl FnOnce() -> F,
    ) -> Result<V, NotLoaded> {
        let value = self.entry(key);
        let loaded = value.get_or_init(|| async {
            let result = load().await;
            Loaded { at: Instant::now(), result }
        });
        loaded.await.result.clone()
    }

    fn entry(&self, key: &K) -> Arc<OnceCell<Loaded<V>>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(key)
            && !self.is_over(entry)
        {
            return Arc::clone(&entry.value);
        }
        if entries.len() >= self.capacity {
            entries.retain(|_, entry| !self.is_over(entry));
        }
        if entries.len() >= self.capacity
            && let Some(oldest) = entries.iter().min_by_key(|(_, entry)| entry.created).map(|(key, _)| key.clone())
        {
            entries.remove(&oldest);
        }
        let value = Arc::default();
        entries.insert(key.clone(), Entry { created: Instant::now(), value: Arc::clone(&value) });
        value
    }

    /// Whether a value has to be loaded again. One that is being loaded has not.
    fn is_over(&self, entry: &Entry<V>) -> bool {
        entry
            .value
            .get()
            .is_some_and(|Loaded { at, result }| at.elapsed() >= if result.is_ok() { self.lifetime } else { FAILURE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn values_are_loaded_once_and_expire() {
        let cache = Cache::new(10, MINUTE);
        let loads = AtomicU32::new(0);
        let get = || {
            cache.get(&"key", || async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(loads.fetch_add(1, Ordering::Relaxed))
            })
        };
        assert_eq!(tokio::join!(get(), get(), get()), (Ok(0), Ok(0), Ok(0)));
        tokio::time::advance(MINUTE - Duration::from_millis(1)).await;
        assert_eq!(get().await, Ok(0));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(get().await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_kept_for_a_moment() {
        let cache = Cache::new(10, MINUTE);
        let fail = || cache.get(&"key", || async { Err(NotLoaded) });
        let succeed = || cache.get(&"key", || async { Ok(1) });
        assert_eq!(fail().await, Err(NotLoaded));
        assert_eq!(succeed().await, Err(NotLoaded));
        tokio::time::advance(FAILURE).await;
        assert_eq!(succeed().await, Ok(1));
        assert_eq!(fail().await, Ok(1));
    }

    /// Someone who stops waiting does not leave the key locked.
    #[tokio::test(start_paused = true)]
    async fn a_load_that_is_dropped_is_repeated() {
        let cache = Cache::new(10, MINUTE);
        let hangs = cache.get(&"key", std::future::pending);
        assert!(tokio::time::timeout(MINUTE, hangs).await.is_err());
        assert_eq!(cache.get(&"key", || async { Ok(1) }).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_entries_make_room() {
        let cache = Cache::new(3, MINUTE);
        for key in 0..10 {
            assert_eq!(cache.get(&key, || async { Ok(key) }).await, Ok(key));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let mut left: Vec<_> = cache.entries.lock().unwrap().keys().copied().collect();
        left.sort_unstable();
        assert_eq!(left, [7, 8, 9]);
    }
}
