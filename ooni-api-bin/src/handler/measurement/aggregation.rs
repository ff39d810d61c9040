//! `GET /api/v1/aggregation` (API spec §4.5).

mod answer;
mod request;

pub(super) use self::answer::day;
use self::answer::{Answer, DbStats, csv};
use self::request::{Asked, AxisName, Format, TimeGrain};
use crate::app::App;
use crate::http::response::{Cache, Response, cached, json, of_bytes};
use crate::http::{Error, Request};
use hyper::StatusCode;
use hyper::header::{CONTENT_DISPOSITION, HeaderValue};
use ooni_core::time::{DateTime, SECONDS_PER_HOUR};
use ooni_store::query::aggregate::Group;
use std::sync::Arc;
use std::time::Instant;

/// How late measurements may arrive. Counts of a window that ended earlier can be cached.
const OPEN: i64 = 72 * SECONDS_PER_HOUR;
/// Seconds for which counts of such a window can be cached.
const MAX_AGE: u32 = 86_400;
/// Groups above which an answer takes milliseconds to write.
const LONG: usize = 2000;

/// Counts of measurements, as JSON or CSV.
///
/// # Errors
/// 400 for a parameter that cannot be used and for too many groups, and errors of the database. All of them have `v`.
#[utoipa::path(
    get,
    path = "/api/v1/aggregation",
    tag = "Measurements",
    summary = "Count measurements",
    description = "Counts measurements, in total or along one or two axes. Each measurement is in exactly one of `failure_count`, \
        `confirmed_count`, `anomaly_count` and `ok_count`.\n\n\
        Without axes, `result` is one object. With axes, it is an array with an object for each group that has measurements, \
        ordered by the axes. Groups without measurements are omitted.\n\n\
        With `category_code` as a filter or an axis, only inputs of test lists are counted. An input that several lists have in \
        the same category is counted once for each of them.\n\n\
        The response can be cached for a day if `since` and `until` are given and `until` is more than 72 hours ago.",
    params(
        ("axis_x" = inline(Option<AxisName>), Query, description = "What measurements are grouped by.", example = json!("measurement_start_day")),
        ("axis_y" = inline(Option<AxisName>), Query, description = "What measurements are grouped by after `axis_x`; a different axis.", example = json!("probe_cc")),
        ("time_grain" = inline(Option<TimeGrain>), Query, description = "The resolution of the axis `measurement_start_day`. Weeks begin on \
            Sunday. `hour` needs a window of at most 7 days, `week` one of more than 7 days, `month` one of more than 30 days, and `year` one of \
            more than 365 days; `day` is always possible. `auto`, the default, is `hour` up to 7 days, else `day`.", example = json!("day")),
        ("since" = Option<String>, Query, description = "Measurements that began at this time or later: a date, or a date and time, UTC. By default \
            180 days ago.", example = json!("2025-06-01")),
        ("until" = Option<String>, Query, description = "Measurements that began before this time: a date, or a date and time, UTC. By default \
            now.", example = json!("2025-07-10")),
        ("probe_cc" = Option<String>, Query, description = "Countries of probes: codes of two capital letters, with commas between \
            them.", example = json!("IT,VE")),
        ("probe_asn" = Option<String>, Query, description = "Networks of probes: numbers with or without `AS`, with commas between \
            them.", example = json!("AS3269,AS8048")),
        ("test_name" = Option<String>, Query, description = "Tests, with commas between them.", example = json!("web_connectivity")),
        ("domain" = Option<String>, Query, description = "Domains or addresses, with commas between them. A port, if \
            given, must match as well; few measurements have one.", example = json!("twitter.com,www.facebook.com")),
        ("input" = Option<String>, Query, description = "The exact input, three characters or more.", example = json!("https://twitter.com/")),
        ("category_code" = Option<String>, Query, description = "Category of the input in the global test list, or in that of one of the \
            countries of `probe_cc`.", example = json!("NEWS")),
        ("ooni_run_link_id" = Option<String>, Query, description = "OONI Run links: numbers, with commas between them.", example = json!("10001")),
        ("format" = inline(Option<Format>), Query, description = "The format of the response. By default JSON.", example = json!("JSON")),
        ("download" = Option<bool>, Query, description = "Whether browsers save the response as a file.", example = json!(false)),
    ),
    responses(
        (
            status = 200,
            description = "The counts. CSV has a line with the names of columns, then a line for each group.",
            content((Answer<'static> = "application/json"), (String = "text/csv"))
        )
    )
)]
pub async fn aggregation(app: Arc<App>, request: Request) -> Result<Response, Error> {
    answer(&app, &request).await.map_err(|error| error.with("v", 0))
}

async fn answer(app: &App, request: &Request) -> Result<Response, Error> {
    let begin = Instant::now();
    let now = app.clock.now().date_time();
    let asked = Asked::parse(request.query(), now)?;
    let groups = app.stores.reads()?.aggregate(&asked.aggregation).await?;
    let (until, stats) = (asked.until, DbStats::of(groups.len(), begin.elapsed()));
    let response = match groups.len() {
        // Other requests do not wait for a long answer to be written.
        LONG.. => tokio::task::spawn_blocking(move || response(&asked, &groups, stats))
            .await
            .map_err(|_| Error::internal())?,
        _ => response(&asked, &groups, stats),
    };
    Ok(cached_if_closed(response, until, now))
}

fn response(asked: &Asked, groups: &[Group], stats: DbStats) -> Response {
    let axes = &asked.aggregation.axes;
    let response = match asked.format {
        Format::Json => json(&Answer::new(axes, groups, stats)),
        Format::Csv => of_bytes(StatusCode::OK, "text/csv; charset=utf-8", csv(axes, groups)),
    };
    if asked.download { with_name(response, asked.format) } else { response }
}

/// The response with a cache header, if it is about a window that ended long ago.
pub(super) fn cached_if_closed(response: Response, until: Option<DateTime>, now: DateTime) -> Response {
    match until.is_some_and(|until| until.timestamp() < now.timestamp() - OPEN) {
        true => cached(response, Cache::MaxAge(MAX_AGE)),
        false => response,
    }
}

/// The response as a file.
fn with_name(mut response: Response, format: Format) -> Response {
    let value = HeaderValue::from_static(match format {
        Format::Json => "attachment; filename=ooni-aggregate-data.json",
        Format::Csv => "attachment; filename=ooni-aggregate-data.csv",
    });
    response.headers_mut().insert(CONTENT_DISPOSITION, value);
    response
}
