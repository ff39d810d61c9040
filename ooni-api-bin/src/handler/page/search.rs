//! `GET /search`.

use super::network_names;
use crate::app::App;
use crate::http::response::{Cache, cached};
use crate::http::{Error, Query, Request, Response};
use crate::names::COUNTRIES;
use crate::page::chart::{Chart, grain_of};
use crate::page::outcome::Outcome;
use crate::page::search::{Found, PARAMETERS, SearchPage, page};
use crate::page::{error, layout};
use crate::search::{self, Search};
use hyper::StatusCode;
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis, Group};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::query::list::MeasurementSummary;
use ooni_store::{Deadline, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long the page may be cached, in seconds.
const MAX_AGE: u32 = 60;
/// The default and the maximum number of measurements on a page.
const LIMIT: u32 = 50;
const MOST: u32 = 100;
/// How long counting may take. The page is useful without a chart.
const CHART_TIMEOUT: Duration = Duration::from_secs(8);

/// Searches for measurements.
///
/// # Errors
/// None: errors are pages.
#[utoipa::path(
    get,
    path = "/search",
    tag = "Pages",
    summary = "Search",
    description = "A web page with a search form, the measurements that match, and a chart of their number over time. \
        `/api/v1/measurements` returns the same measurements as data.",
    params(
        ("probe_cc" = Option<String>, Query, description = "Countries, with commas between them.", example = json!("IT")),
        ("probe_asn" = Option<String>, Query, description = "Networks, with commas between them.", example = json!("AS30722")),
        ("test_name" = Option<String>, Query, description = "Tests, with commas between them.", example = json!("web_connectivity")),
        ("outcome" = Option<String>, Query, description = "`confirmed`, `anomaly`, `failure` or `ok`.", example = json!("anomaly")),
        ("domain" = Option<String>, Query, description = "Domains of the input, with commas between them.", example = json!("www.example.com")),
        ("input" = Option<String>, Query, description = "The input, exactly.", example = json!("https://www.example.com/")),
        ("category_code" = Option<String>, Query, description = "Category of the input in a test list.", example = json!("NEWS")),
        ("since" = Option<String>, Query, description = "Measurements that began after this time. Default: 30 days before `until`.", example = json!("2025-06-15")),
        ("until" = Option<String>, Query, description = "Measurements that began at this time or before. Default: the end of today.", example = json!("2025-07-16")),
        ("limit" = Option<u32>, Query, description = "Number of measurements on a page, at most 100. Default: 50.", example = json!(50))
    ),
    responses(
        (status = 200, description = "The page.", content_type = "text/html", body = String),
        (status = 400, description = "The form, with an error that names the parameter.", content_type = "text/html", body = String),
        (status = 403, description = "The country `ZZ` or the network 0 was requested; these are not listed.", content_type = "text/html", body = String)
    )
)]
pub async fn search(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let query = request.query().only(&PARAMETERS);
    let outcome = query.given("outcome").and_then(Outcome::named);
    let of_api = for_api(&query, outcome);
    let result = found(&app, &query, &of_api, outcome).await;
    let (status, result) = match result {
        Ok(found) => (StatusCode::OK, Ok(found)),
        Err(problem) if problem.status().is_client_error() => (problem.status(), Err(problem.message().to_owned())),
        Err(problem) => return Ok(error::page(problem)),
    };
    let cache = if status == StatusCode::OK { Cache::MaxAge(MAX_AGE) } else { Cache::None };
    let page = page(&SearchPage { query: &query, of_api: &of_api, result });
    Ok(cached(layout::response(status, page), cache))
}

/// The parameters of the same request of the API.
fn for_api(query: &Query, outcome: Option<Outcome>) -> Query {
    let is_given = |(name, value): &&(String, String)| !value.is_empty() && name != "outcome";
    let mut pairs: Vec<(String, String)> = query.pairs().iter().filter(is_given).cloned().collect();
    for (name, value) in &mut pairs {
        if name == "probe_cc" {
            *value = value.split(',').map(code).collect::<Vec<_>>().join(",");
        }
    }
    for (name, flag) in outcome.map(Outcome::flags).into_iter().flatten() {
        pairs.retain(|(known, _)| known != name);
        if let Some(flag) = flag {
            pairs.push((name.to_owned(), flag.to_string()));
        }
    }
    Query::of(pairs)
}

/// The code of a country, from its code or its name in any case.
fn code(text: &str) -> &str {
    let text = text.trim();
    let is_it = |name: &str| name.eq_ignore_ascii_case(text);
    COUNTRIES.iter().find(|(code, name)| is_it(code) || is_it(name)).map_or(text, |(code, _)| code)
}

async fn found(app: &App, query: &Query, of_api: &Query, outcome: Option<Outcome>) -> Result<Found, Error> {
    if outcome.is_none() && query.given("outcome").is_some() {
        return Err(Error::bad_request("outcome: confirmed, anomaly, failure or ok is expected"));
    }
    let mut search = search::parse(of_api, app.clock.now().date_time())?;
    let limit = if search.is_limited { search.list.limit.min(MOST) } else { LIMIT };
    search.list.limit = limit + 1; // to see whether there is a next page
    let deadline = app.stores.read_deadline();
    let store = app.stores.measurements()?.with_deadline(deadline);
    let (rows, chart) = tokio::join!(store.list(&search.list), chart(&store, deadline, &search, outcome));
    let mut rows = rows?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows
        .last()
        .filter(|_| has_more)
        .map(|last| format!("/search?{}", search.next_query(query, None, rows.len() as u64, last)));
    Ok(Found {
        networks: networks(app, deadline, &rows).await,
        window: search.list.filter.window,
        chart,
        next,
        is_later: search.offset > 0,
        rows,
    })
}

/// The chart of a selection; `None` if counting it takes too long.
async fn chart(store: &Store, deadline: Deadline, search: &Search, outcome: Option<Outcome>) -> Option<Chart> {
    let mut filter = search.list.filter.clone();
    if outcome.is_some() {
        // Rollups have the counts of each outcome, but no conditions on flags.
        (filter.anomaly, filter.confirmed, filter.failure) = (None, None, None);
    }
    let (window, grain) = (filter.window, grain_of(filter.window));
    let store = store.with_deadline(deadline.at_most(CHART_TIMEOUT));
    let groups = match groups(&store, filter, grain).await {
        Ok(groups) => groups,
        Err(error) => {
            tracing::info!(%error, "a search has no chart");
            return None;
        }
    };
    let chart = Chart::new("chart", "Measurements of this search".to_owned(), grain, window, &groups);
    Some(match outcome {
        Some(outcome) => chart.only(outcome),
        None => chart,
    })
}

/// The counts of a selection by time.
///
/// Lists leave out measurements of unknown networks, but rollups of domains and categories have no networks, so rows would have to be
/// counted. Scoring discards such measurements, so there are hardly ever any.
async fn groups(store: &Store, filter: Filter, grain: Grain) -> Result<Vec<Group>, ooni_store::Error> {
    let only_known_asn = filter.only_known_asn && has_unknown_networks(store, filter.window).await?;
    let filter = Filter { only_known_asn, ..filter };
    store.aggregate(&Aggregation { filter, axes: vec![Axis::MeasurementStart(grain)] }).await
}

/// Whether there are measurements of unknown networks on the days of a window.
async fn has_unknown_networks(store: &Store, window: Window) -> Result<bool, ooni_store::Error> {
    let days = Window {
        from: window.from.map(DateTime::start_of_day),
        to: window.to.and_then(|to| to.start_of_day().plus_days(1)),
    };
    let filter = Filter { probe_asns: vec![0], window: days, ..Filter::default() };
    let groups = store.aggregate(&Aggregation { filter, axes: Vec::new() }).await?;
    Ok(groups.iter().any(|group| group.counts.measurements > 0))
}

/// The names of the networks of some measurements.
async fn networks(app: &App, deadline: Deadline, rows: &[MeasurementSummary]) -> BTreeMap<u32, String> {
    let mut asns: Vec<u32> = rows.iter().map(|row| row.probe_asn).collect();
    asns.sort_unstable();
    asns.dedup();
    network_names(app, deadline, &asns).await
}
