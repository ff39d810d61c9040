//! `GET /api/_/show_countries_prioritization`.

use crate::app::App;
use crate::csv;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::probe::prioritize::priority;
use hyper::StatusCode;
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use ooni_store::ListedUrl;
use ooni_store::query::aggregate::ListedCounts;
use ooni_store::query::filter::Window;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A URL of a test list, what was measured of it in the last week, and its priority.
#[derive(Serialize, ToSchema)]
#[schema(as = UrlOfCountry)]
struct Row {
    /// Share of anomalies in percent.
    anomaly_perc: u64,
    /// Its category.
    category_code: String,
    /// The country of its list; `ZZ` for the global list.
    cc: String,
    /// Its domain.
    domain: String,
    /// How often it was measured in the country.
    msmt_cnt: u64,
    /// The sum of all rules that match it.
    priority: i64,
    /// The URL.
    url: String,
}

/// All URLs of all countries, as JSON or CSV.
///
/// # Errors
/// 400 for another format, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/show_countries_prioritization",
    tag = "Probe services",
    summary = "Priorities of all URLs of all countries",
    description = "All URLs of all test lists, with their priority, how often they were measured in the last seven days, and the share of anomalies in percent.",
    params(("format" = Option<String>, Query, description = "`JSON`, the default, or `CSV`; in any case.", example = json!("JSON"))),
    responses(
        (status = 200, description = "The URLs, by country, then by priority.", content((Vec<Row> = "application/json"), (String = "text/csv"))),
        (status = 504, description = "The query took too long.", body = crate::openapi::ErrorBody)
    )
)]
pub async fn show_countries_prioritization(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let is_csv = match request.query().given("format").unwrap_or("JSON").to_ascii_uppercase().as_str() {
        "JSON" => false,
        "CSV" => true,
        _ => return Err(Error::bad_request("format: JSON or CSV is expected")),
    };
    let rules = app.stores.application_for_services()?.url_priorities(&[]).await?;
    let window = last_week(app.clock.now().date_time());
    let entries = app.stores.measurements_for_services()?.listed_counts(window).await?;
    let row = |ListedCounts { entry, measurements, anomalies }| {
        let priority = priority(&entry, &rules);
        let ListedUrl { url, domain, cc, category_code } = entry;
        let anomaly_perc = (anomalies * 100).checked_div(measurements).unwrap_or(0);
        Row { anomaly_perc, category_code, cc: cc.to_uppercase(), domain, msmt_cnt: measurements, priority, url }
    };
    let mut rows: Vec<Row> = entries.into_iter().map(row).collect();
    rows.sort_by(|a, b| (&a.cc, -a.priority, &a.url).cmp(&(&b.cc, -b.priority, &b.url)));
    match is_csv {
        true => Ok(response::of_bytes(StatusCode::OK, "text/csv; charset=utf-8", to_csv(&rows))),
        false => Ok(response::cached(response::json(&rows), Cache::MaxAge(1))),
    }
}

fn last_week(now: DateTime) -> Window {
    let from = DateTime::from_timestamp(now.timestamp() - 7 * SECONDS_PER_DAY).unwrap_or(DateTime::MIN);
    Window::new(from, now)
}

fn to_csv(rows: &[Row]) -> String {
    let mut text = String::from("anomaly_perc,category_code,cc,domain,msmt_cnt,priority,url\r\n");
    for row in rows {
        let [category, cc, domain, url] =
            [&row.category_code, &row.cc, &row.domain, &row.url].map(|text| csv::field(text));
        let (anomaly, count, priority) = (row.anomaly_perc, row.msmt_cnt, row.priority);
        text.push_str(&format!("{anomaly},{category},{cc},{domain},{count},{priority},{url}\r\n"));
    }
    text
}
