//! [`Urls`]: the URLs of a country and a network in the order in which probes measure them, from the store.
//!
//! Check-in is the most frequent request that asks the store, so everything is kept for a minute. The entries of the global
//! list are shared by all countries.

use super::cache::{Cache, NotLoaded};
use super::prioritize::{self, GLOBAL, Weighted};
use crate::clock::{Clock, Timestamp};
use crate::stores::Stores;
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use ooni_store::app::row::UrlPriority;
use ooni_store::{Deadline, ListedUrl, Store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long lists, rules and counts are kept.
const LIFETIME: Duration = Duration::from_secs(60);

/// Countries whose lists are kept. There are about 250.
const COUNTRIES: usize = 300;

/// Networks whose lists are kept. Each takes about 100 kB.
const NETWORKS: usize = 500;

/// How long a probe waits for the store at most. It gets its answer without URLs then.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The URLs of test lists, with priorities.
#[derive(Debug)]
pub struct Urls {
    stores: Stores,
    clock: Clock,
    global: Cache<(), Entries>,
    countries: Cache<String, Arc<Country>>,
    ranked: Cache<(String, u32), Arc<[Weighted]>>,
    /// The last global list that was loaded, for when the store fails.
    last_global: Mutex<Entries>,
}

type Entries = Arc<[Arc<ListedUrl>]>;

/// The lists of a country and the rules for it.
#[derive(Debug)]
pub struct Country {
    /// The URLs of the country's list and of the global one, and the priority of each.
    entries: Vec<(Arc<ListedUrl>, i64)>,
    /// The rules that may match them.
    pub rules: Vec<UrlPriority>,
}

impl Urls {
    /// URLs from these stores.
    pub fn new(stores: Stores, clock: Clock) -> Urls {
        Urls {
            stores,
            clock,
            global: Cache::new(1, LIFETIME),
            countries: Cache::new(COUNTRIES, LIFETIME),
            ranked: Cache::new(NETWORKS, LIFETIME),
            last_global: Mutex::new(Entries::default()),
        }
    }

    /// All URLs for a country and a network in their order, or for the whole country if the network is 0. `None` if the
    /// store failed, which was logged.
    pub async fn ranked(&self, probe_cc: &str, probe_asn: u32) -> Option<Arc<[Weighted]>> {
        let load = || async {
            let country = self.load_country(probe_cc).await?;
            let counts = self.counts(probe_cc, probe_asn).await?;
            Ok(prioritize::rank(&country.entries, &counts).into())
        };
        self.ranked.get(&(probe_cc.to_owned(), probe_asn), load).await.ok()
    }

    /// The lists of a country. `None` if the store failed, which was logged.
    pub async fn country(&self, probe_cc: &str) -> Option<Arc<Country>> {
        self.load_country(probe_cc).await.ok()
    }

    /// Number of URLs in the global list. `None` if the store failed, which was logged.
    pub async fn global_count(&self) -> Option<usize> {
        self.global().await.ok().map(|global| global.len())
    }

    /// A random sample of the last global list, for when the store fails.
    pub fn sample(&self, categories: &[String], limit: usize) -> Vec<Arc<ListedUrl>> {
        let all = Arc::clone(&self.last_global.lock().unwrap_or_else(PoisonError::into_inner));
        let is_wanted = |entry: &&Arc<ListedUrl>| categories.is_empty() || categories.contains(&entry.category_code);
        let mut sample: Vec<_> = all.iter().filter(is_wanted).cloned().collect();
        fastrand::shuffle(&mut sample);
        sample.truncate(limit);
        sample
    }

    async fn load_country(&self, probe_cc: &str) -> Result<Arc<Country>, NotLoaded> {
        let load = || async {
            let global = self.global().await?;
            let ccs = [probe_cc.to_owned(), probe_cc.to_lowercase()];
            let own = self.measurements()?.test_lists(&ccs).await.map_err(not_loaded)?;
            let own = own.into_iter().filter(|entry| entry.cc != GLOBAL).map(Arc::new);
            let mut entries: Vec<_> = global.iter().cloned().chain(own).collect();
            prioritize::sort(&mut entries);
            let rules = ["*", "", probe_cc].map(str::to_owned);
            let rules = self.application()?.url_priorities(&rules).await.map_err(not_loaded)?;
            let priority = |entry: Arc<ListedUrl>| {
                let priority = prioritize::priority(&entry, &rules);
                (entry, priority)
            };
            let entries = entries.into_iter().map(priority).collect();
            Ok(Arc::new(Country { entries, rules }))
        };
        self.countries.get(&probe_cc.to_owned(), load).await
    }

    async fn global(&self) -> Result<Entries, NotLoaded> {
        let load = || async {
            let global = self.measurements()?.test_lists(&[GLOBAL.to_owned()]).await.map_err(not_loaded)?;
            let global: Entries = global.into_iter().map(Arc::new).collect();
            if !global.is_empty() {
                *self.last_global.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&global);
            }
            Ok(global)
        };
        self.global.get(&(), load).await
    }

    /// How often each URL was measured in this week and the last one.
    async fn counts(&self, probe_cc: &str, probe_asn: u32) -> Result<HashMap<String, u64>, NotLoaded> {
        let asn = (probe_asn != 0).then_some(probe_asn);
        let counts = self.measurements()?.input_counts(probe_cc, asn, &weeks(self.clock.now())).await;
        Ok(counts.map_err(not_loaded)?.into_iter().collect())
    }

    fn measurements(&self) -> Result<Store, NotLoaded> {
        let store = self.stores.measurements_for_services().map_err(|_| NotLoaded)?;
        Ok(store.with_deadline(Deadline::after(QUERY_TIMEOUT)))
    }

    fn application(&self) -> Result<Store, NotLoaded> {
        let store = self.stores.application_for_services().map_err(|_| NotLoaded)?;
        Ok(store.with_deadline(Deadline::after(QUERY_TIMEOUT)))
    }
}

fn not_loaded(error: ooni_store::Error) -> NotLoaded {
    tracing::warn!(%error, "test lists, rules or counts cannot be loaded");
    NotLoaded
}

/// The Sundays on which the last week and this week begin.
fn weeks(now: Timestamp) -> Vec<DateTime> {
    let days = now.date_time().timestamp().div_euclid(SECONDS_PER_DAY);
    // 1970 began on a Thursday.
    let sunday = days - (days + 4).rem_euclid(7);
    [sunday - 7, sunday].into_iter().filter_map(|day| DateTime::from_timestamp(day * SECONDS_PER_DAY)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_sundays() {
        let texts = |text: &str| {
            let now = Timestamp::from_date_time(DateTime::parse(text.as_bytes()).unwrap());
            weeks(now).iter().map(|week| week.to_string()).collect::<Vec<_>>()
        };
        let (last, this) = ("2025-07-06 00:00:00", "2025-07-13 00:00:00");
        for day in ["2025-07-13 00:00:00", "2025-07-15 10:30:00", "2025-07-19 23:59:59"] {
            assert_eq!(texts(day), [last, this], "{day}");
        }
        assert_eq!(texts("2025-07-20 00:00:00"), [this, "2025-07-20 00:00:00"]);
        assert_eq!(texts("1970-01-01 00:00:00"), ["1969-12-21 00:00:00", "1969-12-28 00:00:00"]);
    }
}
