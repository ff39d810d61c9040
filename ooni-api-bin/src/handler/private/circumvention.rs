//! `GET /api/_/circumvention_stats_by_country`, `GET /api/_/circumvention_runtime_stats`.

use super::chart::{after, days_before, months_before, text, today};
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis, Group, Runtimes};
use ooni_store::query::filter::{Filter, Window};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use utoipa::ToSchema;

/// How long the answers may be cached, in seconds.
const MAX_AGE: u32 = 86_400;

/// The number of months before today.
const MONTHS: u32 = 6;

/// The tests of circumvention tools.
const TESTS: [&str; 5] = ["psiphon", "riseupvpn", "stunreachability", "tor", "torsf"];

/// Measurements of circumvention tools by country.
#[derive(Serialize, ToSchema)]
struct CircumventionStats {
    results: Vec<CircumventionCount>,
    /// Always 0.
    v: u8,
}

/// The measurements of a country.
#[derive(Serialize, ToSchema)]
struct CircumventionCount {
    /// Measurements.
    cnt: u64,
    /// The country.
    probe_cc: String,
}

/// Runtimes of tests of circumvention tools.
#[derive(Serialize, ToSchema)]
struct CircumventionRuntimes<'r> {
    #[serde(serialize_with = "every_combination")]
    #[schema(value_type = Vec<CircumventionRuntime<'static>>)]
    results: &'r [Runtimes],
    /// Always 0.
    v: u8,
}

/// The runtimes of a test in a country on a day.
#[derive(Serialize, ToSchema)]
struct CircumventionRuntime<'r> {
    /// The day, UTC.
    #[schema(value_type = String, format = Date)]
    date: &'r str,
    /// The country.
    #[schema(value_type = String)]
    probe_cc: &'r str,
    /// The test.
    #[schema(value_type = String)]
    test_name: &'r str,
    /// The median in seconds, the 90th percentile in seconds, and the number of measurements; empty without measurements.
    #[serde(serialize_with = "percentiles")]
    #[schema(value_type = Vec<f64>)]
    v: Option<&'r Runtimes>,
}

/// Measurements of circumvention tools by country.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/circumvention_stats_by_country",
    tag = "Private",
    summary = "Tests of circumvention tools by country",
    description = "The number of measurements of each country with psiphon, riseupvpn, stunreachability, tor and torsf that began after \
        midnight six months ago and before yesterday.",
    responses(
        (status = 200, description = "Countries with measurements, ordered by code.", body = CircumventionStats,
            example = json!({"results": [{"cnt": 12_118, "probe_cc": "IR"}, {"cnt": 45_870, "probe_cc": "IT"}], "v": 0}))
    )
)]
pub async fn circumvention_stats_by_country(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let groups = by_country(&app).await.map_err(|error| error.with("v", 0))?;
    let count =
        |group: &Group| CircumventionCount { cnt: group.counts.measurements, probe_cc: text(group.keys.first()) };
    let stats = CircumventionStats { results: groups.iter().map(count).collect(), v: 0 };
    Ok(response::cached(response::json(&stats), Cache::MaxAge(MAX_AGE)))
}

async fn by_country(app: &App) -> Result<Vec<Group>, Error> {
    let query = Aggregation { filter: filter(app), axes: vec![Axis::ProbeCc] };
    Ok(app.stores.reads()?.aggregate(&query).await?)
}

/// Runtimes of circumvention tools.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/circumvention_runtime_stats",
    tag = "Private",
    summary = "Runtimes of tests of circumvention tools",
    description = "How long psiphon, riseupvpn, stunreachability, tor and torsf ran, by day and country, for measurements that began \
        after midnight six months ago and before yesterday and whose scores have `extra.test_runtime`. The response has every \
        combination of their tests, countries and days, each ordered.",
    responses(
        (status = 200, description = "Every combination of test, country and day.", body = CircumventionRuntimes<'static>,
            example = json!({"results": [
                {"date": "2025-07-12", "probe_cc": "EG", "test_name": "psiphon", "v": [64.240_814, 80.5, 12]},
                {"date": "2025-07-12", "probe_cc": "IT", "test_name": "psiphon", "v": []}
            ], "v": 0}))
    )
)]
pub async fn circumvention_runtime_stats(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let runtimes = runtimes(&app).await.map_err(|error| error.with("v", 0))?;
    // There are 200,000 combinations for half a year: other requests do not wait for them to be written.
    let write = move || response::json(&CircumventionRuntimes { results: &runtimes, v: 0 });
    let response = tokio::task::spawn_blocking(write).await.map_err(|_| Error::internal())?;
    Ok(response::cached(response, Cache::MaxAge(MAX_AGE)))
}

async fn runtimes(app: &App) -> Result<Vec<Runtimes>, Error> {
    Ok(app.stores.reads()?.runtimes(&filter(app)).await?)
}

/// The measurements of both routes.
fn filter(app: &App) -> Filter {
    let today = today(app);
    let window = Window::new(after(months_before(today, MONTHS)), days_before(today, 1));
    Filter { test_names: TESTS.map(str::to_owned).to_vec(), window, ..Filter::default() }
}

/// Serializes every combination of the tests, countries and days that occur.
fn every_combination<S: Serializer>(runtimes: &&[Runtimes], serializer: S) -> Result<S::Ok, S::Error> {
    let found: BTreeMap<(&str, &str, DateTime), &Runtimes> =
        runtimes.iter().map(|of| ((&*of.test_name, &*of.probe_cc, of.day), of)).collect();
    let days: BTreeMap<DateTime, String> = runtimes.iter().map(|of| (of.day, of.day.date_text())).collect();
    let countries: BTreeSet<&str> = runtimes.iter().map(|of| &*of.probe_cc).collect();
    let tests: BTreeSet<&str> = runtimes.iter().map(|of| &*of.test_name).collect();
    let places = tests.iter().flat_map(|test| countries.iter().map(move |country| (*test, *country)));
    let all = places.flat_map(|(test, country)| days.iter().map(move |(day, date)| (test, country, *day, date)));
    serializer.collect_seq(all.map(|(test_name, probe_cc, day, date)| CircumventionRuntime {
        date,
        probe_cc,
        test_name,
        v: found.get(&(test_name, probe_cc, day)).copied(),
    }))
}

fn percentiles<S: Serializer>(runtimes: &Option<&Runtimes>, serializer: S) -> Result<S::Ok, S::Error> {
    match runtimes {
        Some(of) => (of.median, of.ninetieth, of.measurements).serialize(serializer),
        None => [0_u8; 0].serialize(serializer),
    }
}
