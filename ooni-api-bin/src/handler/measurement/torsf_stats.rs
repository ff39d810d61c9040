//! `GET /api/v1/torsf_stats` (API spec §4.6).

use super::aggregation::{cached_if_closed, day};
use crate::app::App;
use crate::http::response::json;
use crate::http::{Error, Query, Request, Response};
use crate::params;
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis, Group};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::value::Value;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Counts of measurements of torsf.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TorsfStats)]
pub struct Answer {
    /// Always 0.
    #[schema(example = 0)]
    v: u8,
    result: Vec<Day>,
}

/// Measurements of a day in a country. Unlike in aggregations, a measurement may be in several of the counts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TorsfDay)]
struct Day {
    /// Measurements with anomalies.
    #[schema(example = 3)]
    anomaly_count: u64,
    /// The share of measurements with anomalies.
    #[schema(example = 0.25)]
    anomaly_rate: f64,
    /// Measurements with confirmed blocking.
    #[schema(example = 0)]
    confirmed_count: u64,
    /// Measurements that failed.
    #[schema(example = 1)]
    failure_count: u64,
    /// All measurements.
    #[schema(example = 12)]
    measurement_count: u64,
    /// The day, UTC.
    #[schema(example = "2025-07-01")]
    measurement_start_day: String,
    /// Country of the probe.
    #[schema(example = "IT")]
    probe_cc: String,
}

/// Counts of measurements of torsf, by day and country.
///
/// # Errors
/// 400 for times that cannot be used, and errors of the database. All of them have `v`.
#[utoipa::path(
    get,
    path = "/api/v1/torsf_stats",
    tag = "Measurements",
    summary = "Count measurements of Tor Snowflake",
    description = "Counts measurements of the test `torsf`, by day and country.\n\n\
        The response can be cached for a day if `until` is more than 72 hours ago.",
    params(
        ("probe_cc" = Option<String>, Query, description = "Country of probes.", example = json!("IT")),
        ("since" = Option<String>, Query, description = "Measurements that began after this time: a date, or a date and time, UTC. By default \
            all.", example = json!("2025-06-01")),
        ("until" = Option<String>, Query, description = "Measurements that began at this time or before: a date, or a date and time, UTC. By default \
            all.", example = json!("2025-07-10")),
    ),
    responses((status = 200, description = "The counts, ordered by day and country.", body = Answer))
)]
pub async fn torsf_stats(app: Arc<App>, request: Request) -> Result<Response, Error> {
    answer(&app, request.query()).await.map_err(|error| error.with("v", 0))
}

async fn answer(app: &App, query: &Query) -> Result<Response, Error> {
    let (since, until) = (params::time(query, "since")?, params::time(query, "until")?);
    let filter = Filter {
        test_names: vec!["torsf".to_owned()],
        probe_ccs: query.given("probe_cc").map(str::to_owned).into_iter().collect(),
        window: Window { from: since.map(after), to: until.map(after) },
        ..Filter::default()
    };
    let axes = vec![Axis::MeasurementStart(Grain::Day), Axis::ProbeCc];
    let groups = app.stores.reads()?.aggregate(&Aggregation { filter, axes }).await?;
    let response = json(&Answer { v: 0, result: groups.into_iter().filter_map(row).collect() });
    Ok(cached_if_closed(response, until, app.clock.now().date_time()))
}

/// The next second. Measurements begin at whole seconds.
fn after(time: DateTime) -> DateTime {
    time.plus_seconds(1).unwrap_or(time)
}

fn row(group: Group) -> Option<Day> {
    let Ok([Value::Time(start), Value::Text(probe_cc)]) = <[Value<'static>; 2]>::try_from(group.keys) else {
        return None;
    };
    let counts = group.counts;
    Some(Day {
        anomaly_count: counts.anomaly_flag,
        anomaly_rate: counts.anomaly_flag as f64 / counts.measurements as f64,
        confirmed_count: counts.confirmed_flag,
        failure_count: counts.failure,
        measurement_count: counts.measurements,
        measurement_start_day: day(Grain::Day, start),
        probe_cc: probe_cc.into_owned(),
    })
}
