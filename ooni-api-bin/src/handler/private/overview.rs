//! `GET /api/_/global_overview`, `GET /api/_/countries`, `GET /api/_/country_overview`.

use super::chart::{after, country, text};
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::names;
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis, Group};
use ooni_store::query::filter::{Filter, Window};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How long the answers may be cached, in seconds.
const MAX_AGE: u32 = 86_400;

/// Measurements of a country are counted after this moment: many older dates are wrong.
const SINCE: Option<DateTime> = DateTime::new(2012, 12, 1, 0, 0, 0);

/// The first day of a country without measurements.
const NO_DAY: &str = "1970-01-01";

/// Countries, networks and measurements.
#[derive(Serialize, ToSchema)]
struct GlobalOverview {
    /// Distinct countries.
    country_count: u64,
    /// Measurements.
    measurement_count: u64,
    /// Distinct networks.
    network_count: u64,
}

/// Measurements by country.
#[derive(Serialize, ToSchema)]
struct Countries {
    countries: Vec<CountryCount>,
}

/// A country and its measurements.
#[derive(Serialize, ToSchema)]
struct CountryCount {
    /// ISO 3166-1 alpha-2 code.
    alpha_2: String,
    /// Measurements.
    count: u64,
    /// English name.
    name: &'static str,
}

/// Statistics of a country.
#[derive(Serialize, ToSchema)]
struct CountryOverview {
    /// The day of the first measurement; 1970-01-01 without measurements.
    #[schema(format = Date)]
    first_bucket_date: String,
    /// Measurements.
    measurement_count: u64,
    /// Distinct networks.
    network_count: u64,
}

/// Countries, networks and measurements.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/global_overview",
    tag = "Private",
    summary = "Countries, networks and measurements",
    description = "The numbers of distinct countries, of distinct networks and of measurements, over all time.",
    responses(
        (status = 200, description = "Three numbers.", body = GlobalOverview,
            example = json!({"country_count": 241, "measurement_count": 2_312_443_712_u64, "network_count": 29_816}))
    )
)]
pub async fn global_overview(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let (store, all) = (app.stores.reads()?, Aggregation::default());
    let overview = GlobalOverview {
        country_count: number(store.distinct(&all, Axis::ProbeCc).await?),
        measurement_count: store.count().await?,
        network_count: number(store.distinct(&all, Axis::ProbeAsn).await?),
    };
    Ok(response::cached(response::json(&overview), Cache::MaxAge(MAX_AGE)))
}

/// Measurements by country.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/countries",
    tag = "Private",
    summary = "Measurements by country",
    description = "The number of measurements of each country, over all time, ordered by code. Countries without a name, such as ZZ, \
        are omitted.",
    responses(
        (status = 200, description = "Countries with measurements.", body = Countries,
            example = json!({"countries": [
                {"alpha_2": "IR", "count": 32_110_452, "name": "Iran"},
                {"alpha_2": "IT", "count": 98_405_220, "name": "Italy"}
            ]}))
    )
)]
pub async fn countries(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let query = Aggregation { axes: vec![Axis::ProbeCc], ..Aggregation::default() };
    let named = |group: Group| {
        let alpha_2 = text(group.keys.first());
        let name = names::country(&alpha_2)?;
        Some(CountryCount { alpha_2, count: group.counts.measurements, name })
    };
    let countries = app.stores.reads()?.aggregate(&query).await?.into_iter().filter_map(named).collect();
    Ok(response::cached(response::json(&Countries { countries }), Cache::MaxAge(MAX_AGE)))
}

/// Statistics of a country.
///
/// # Errors
/// 400 without a country, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/country_overview",
    tag = "Private",
    summary = "Measurements and networks of a country",
    description = "The first day, the number of measurements and the number of distinct networks of a country, after the start of \
        December 2012. A country without measurements has zeros, and 1970-01-01 as its first day.",
    params(("probe_cc" = String, Query, description = "Country: two capital letters", min_length = 2, max_length = 2,
            pattern = "^[\\x00-\\x7F]*$", example = "IT")),
    responses(
        (status = 200, description = "The first day and two numbers.", body = CountryOverview,
            example = json!({"first_bucket_date": "2012-12-05", "measurement_count": 98_405_220, "network_count": 312}))
    )
)]
pub async fn country_overview(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let window = Window { from: SINCE.map(after), to: None };
    let filter = Filter { probe_ccs: vec![country(request.query())?], window, ..Filter::default() };
    let (store, query) = (app.stores.reads()?, Aggregation { filter, axes: Vec::new() });
    let (mut measurement_count, mut first) = (0, None);
    if let Some(dated) = store.aggregate_with_days(&query).await?.first() {
        (measurement_count, first) = (dated.group.counts.measurements, dated.days.map(|(first, _)| first));
    }
    let overview = CountryOverview {
        first_bucket_date: first.map_or_else(|| NO_DAY.to_owned(), DateTime::date_text),
        measurement_count,
        network_count: number(store.distinct(&query, Axis::ProbeAsn).await?),
    };
    Ok(response::cached(response::json(&overview), Cache::MaxAge(MAX_AGE)))
}

/// The number of a query without axes, which has one group.
fn number<K>(groups: Vec<(K, u64)>) -> u64 {
    groups.first().map_or(0, |(_, number)| *number)
}
