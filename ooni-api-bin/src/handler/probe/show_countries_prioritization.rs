//! `GET /api/_/show_countries_prioritization`.

use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::probe::prioritize::priority;
use hyper::StatusCode;
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use ooni_store::query::aggregate::{Aggregation, Axis, Counts};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::value::Value;
use ooni_store::{ErrorKind, ListedUrl, Store};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A URL of a test list, what was measured of it in the last week, and its priority.
#[derive(Serialize)]
struct Row {
    anomaly_perc: u64,
    category_code: String,
    cc: String,
    domain: String,
    msmt_cnt: u64,
    priority: i64,
    url: String,
}

/// Counts by country and input.
type Measured = HashMap<(String, String), Counts>;

/// All URLs of all countries, as JSON or CSV.
///
/// # Errors
/// 400 for another format, 503 or 504 if the store fails.
pub async fn show_countries_prioritization(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let is_csv = match request.query().given("format").unwrap_or("JSON").to_ascii_uppercase().as_str() {
        "JSON" => false,
        "CSV" => true,
        _ => return Err(Error::bad_request("format: JSON or CSV is expected")),
    };
    let store = app.stores.measurements()?;
    let entries = store.test_lists(&[]).await?;
    let rules = app.stores.application()?.url_priorities(&[]).await?;
    let ccs: BTreeSet<String> = entries.iter().map(|entry| entry.cc.to_uppercase()).collect();
    let measured = measured(&store, ccs, last_week(app.clock.now().date_time())).await?;
    let row = |entry: ListedUrl| {
        let priority = priority(&entry, &rules);
        let key = (entry.cc.to_uppercase(), entry.url);
        let counts = measured.get(&key).copied().unwrap_or_default();
        let anomaly_perc = (counts.anomaly_flag * 100).checked_div(counts.measurements).unwrap_or(0);
        let ((cc, url), msmt_cnt) = (key, counts.measurements);
        let ListedUrl { category_code, domain, .. } = entry;
        Row { anomaly_perc, category_code, cc, domain, msmt_cnt, priority, url }
    };
    let mut rows: Vec<Row> = entries.into_iter().map(row).collect();
    rows.sort_by(|a, b| (&a.cc, -a.priority, &a.url).cmp(&(&b.cc, -b.priority, &b.url)));
    match is_csv {
        true => Ok(response::of_bytes(StatusCode::OK, "text/csv; charset=utf-8", csv(&rows))),
        false => Ok(response::cached(response::json(&rows), Cache::MaxAge(1))),
    }
}

fn last_week(now: DateTime) -> Window {
    let from = DateTime::from_timestamp(now.timestamp() - 7 * SECONDS_PER_DAY).unwrap_or(DateTime::MIN);
    Window::new(from, now)
}

/// What was measured in these countries. If it is too much for one query, half of the countries are counted at a time.
async fn measured(store: &Store, ccs: BTreeSet<String>, window: Window) -> Result<Measured, ooni_store::Error> {
    let mut measured = Measured::new();
    let mut left = vec![ccs.into_iter().collect::<Vec<_>>()];
    while let Some(mut ccs) = left.pop() {
        if ccs.is_empty() {
            continue;
        }
        let filter = Filter {
            probe_ccs: ccs.clone(),
            test_names: vec!["web_connectivity".to_owned()],
            window,
            ..Filter::default()
        };
        match store.aggregate(&Aggregation { filter, axes: vec![Axis::ProbeCc, Axis::Input] }).await {
            Ok(groups) => {
                for group in groups {
                    if let Ok([Value::Text(cc), Value::Text(input)]) = <[_; 2]>::try_from(group.keys) {
                        measured.insert((cc.into_owned(), input.into_owned()), group.counts);
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::TooLarge && ccs.len() > 1 => {
                left.push(ccs.split_off(ccs.len() / 2));
                left.push(ccs);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(measured)
}

fn csv(rows: &[Row]) -> String {
    let mut text = String::from("anomaly_perc,category_code,cc,domain,msmt_cnt,priority,url\r\n");
    for row in rows {
        let [category, cc, domain, url] = [&row.category_code, &row.cc, &row.domain, &row.url].map(|text| quoted(text));
        let (anomaly, count, priority) = (row.anomaly_perc, row.msmt_cnt, row.priority);
        text.push_str(&format!("{anomaly},{category},{cc},{domain},{count},{priority},{url}\r\n"));
    }
    text
}

/// A field of CSV, in quotes if it needs them.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
