//! `GET /`.

use crate::app::App;
use crate::health::Health;
use crate::http::response::{Cache, cached};
use crate::http::{Error, Request, Response};
use crate::names;
use crate::page::chart::Chart;
use crate::page::home::{Entry, Home, page};
use crate::page::{error, layout};
use hyper::StatusCode;
use ooni_core::time::DateTime;
use ooni_store::Store;
use ooni_store::query::aggregate::{Aggregation, Axis, Counts, Group};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::query::list::{List, Order};
use ooni_store::value::Value;
use std::cmp::Reverse;
use std::sync::Arc;

/// How long the page may be cached, in seconds.
const MAX_AGE: u32 = 60;
/// The days of the chart.
const DAYS: i64 = 7;

/// The overview of the measurements on this server.
///
/// # Errors
/// None: errors are pages.
#[utoipa::path(
    get,
    path = "/",
    tag = "Pages",
    summary = "Overview",
    description = "A web page with measurements by outcome, hour, country and test, and the state of the pipeline.",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String))
)]
pub async fn home(app: Arc<App>, _: Request) -> Result<Response, Error> {
    Ok(match of(&app).await {
        Ok(home) => cached(layout::response(StatusCode::OK, page(&home)), Cache::MaxAge(MAX_AGE)),
        Err(problem) => error::page(problem),
    })
}

async fn of(app: &App) -> Result<Home, Error> {
    let now = app.clock.now().date_time();
    let store = app.stores.reads()?;
    let last_days = Window { from: now.start_of_day().plus_days(1 - DAYS), to: now.start_of_day().plus_days(1) };
    let hours = Axis::MeasurementStart(Grain::Hour);
    let (countries, tests, networks, hours, span, health) = tokio::join!(
        by(&store, Axis::ProbeCc),
        by(&store, Axis::TestName),
        networks(&store),
        aggregate(&store, Filter { window: last_days, ..Filter::default() }, vec![hours]),
        span(&store, now),
        Health::of(app),
    );
    let (countries, tests) = (countries?, tests?);
    let title = "Measurements per hour, last seven days".to_owned();
    Ok(Home {
        now,
        counts: total(&tests),
        countries: countries.into_iter().filter(|entry| entry.code != "ZZ").collect(),
        tests,
        networks: networks?,
        span: span?,
        hours: Chart::new("hours-chart", title, Grain::Hour, last_days, &hours?),
        health,
        base_url: app.config.server.base_url.clone(),
    })
}

/// Counts by an axis, the largest first.
async fn by(store: &Store, axis: Axis) -> Result<Vec<Entry>, Error> {
    let groups = aggregate(store, Filter::default(), vec![axis]).await?;
    let entry = |Group { keys, counts }: Group| match keys.into_iter().next() {
        Some(Value::Text(code)) => Some(Entry { name: name(axis, &code), code: code.into_owned(), counts }),
        _ => None,
    };
    let mut entries: Vec<Entry> = groups.into_iter().filter_map(entry).collect();
    entries.sort_by_key(|entry| Reverse(entry.counts.measurements));
    Ok(entries)
}

/// The display name of a country or test.
fn name(axis: Axis, code: &str) -> String {
    let name = if axis == Axis::ProbeCc { names::country(code) } else { names::test(code) };
    name.unwrap_or(code).to_owned()
}

fn total(entries: &[Entry]) -> Counts {
    entries.iter().fold(Counts::default(), |sum, Entry { counts, .. }| Counts {
        measurements: sum.measurements + counts.measurements,
        failure: sum.failure + counts.failure,
        confirmed: sum.confirmed + counts.confirmed,
        anomaly: sum.anomaly + counts.anomaly,
        confirmed_flag: sum.confirmed_flag + counts.confirmed_flag,
        anomaly_flag: sum.anomaly_flag + counts.anomaly_flag,
    })
}

async fn networks(store: &Store) -> Result<u64, Error> {
    let filter = Filter { only_known_asn: true, ..Filter::default() };
    let counts = store.distinct(&Aggregation { filter, axes: Vec::new() }, Axis::ProbeAsn).await?;
    Ok(counts.first().map_or(0, |(_, number)| *number))
}

async fn aggregate(store: &Store, filter: Filter, axes: Vec<Axis>) -> Result<Vec<Group>, Error> {
    Ok(store.aggregate(&Aggregation { filter, axes }).await?)
}

/// The starts of the first and the last measurement. Clocks of probes may be wrong, so those in the future are left out.
async fn span(store: &Store, now: DateTime) -> Result<Option<(DateTime, DateTime)>, Error> {
    let window = Window { from: None, to: now.plus_seconds(1) };
    let list = |descending| List {
        filter: Filter { window, ..Filter::default() },
        order: Order::MeasurementStartTime(None),
        descending,
        offset: 0,
        limit: 1,
    };
    let (first, last) = (list(false), list(true));
    let (first, last) = tokio::try_join!(store.list(&first), store.list(&last))?;
    Ok(first.first().zip(last.first()).map(|(first, last)| (first.measurement_start_time, last.measurement_start_time)))
}
