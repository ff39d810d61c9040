//! `GET /api/v1/test-list/urls`.

use super::params;
use super::schema::TestList;
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::probe::prioritize::{Item, Weighted, select};
use serde_json::{Value, json};
use std::sync::Arc;

/// URLs to measure in a country. If the store fails, a random sample of the global list.
///
/// # Errors
/// 400 for a parameter that cannot be used.
#[utoipa::path(
    get,
    path = "/api/v1/test-list/urls",
    tag = "Probe services",
    summary = "URLs to measure",
    description = "The URLs of the global test list and of that of a country, in order of importance. If the database fails, a random sample of the global list.",
    params(
        ("probe_cc" = Option<String>, Query, description = "The country: two letters. The default is `ZZ`: the global list alone.", example = json!("IT")),
        ("country_code" = Option<String>, Query, description = "The same as `probe_cc`; it is used if both are given.", example = json!("IT")),
        ("category_codes" = Option<String>, Query, description = "Categories, with commas between them. The default is all.", example = json!("NEWS,HUMR")),
        ("limit" = Option<i64>, Query, description = "The number of URLs: 1 to 9999, or -1 for 9999. Larger numbers count as 9999.", example = json!(10)),
        ("debug" = Option<bool>, Query, description = "Whether to show the numbers that decide the order.", example = json!(true))
    ),
    responses((status = 200, description = "The URLs.", body = TestList))
)]
pub async fn test_list_urls(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let query = request.query();
    let probe_cc = params::country(query, &["country_code", "probe_cc"])?;
    let categories = params::categories(query);
    let limit = params::limit(query)?;
    let is_debug = crate::params::boolean(query, "debug")?.unwrap_or(false);
    let results: Vec<Value> = match app.probe.urls.ranked(&probe_cc, 0).await {
        Some(ranked) if is_debug => select(&ranked, &categories, limit).map(detailed).collect(),
        Some(ranked) => select(&ranked, &categories, limit).map(|found| json!(Item::from(&*found.entry))).collect(),
        None => app.probe.urls.sample(&categories, limit).iter().map(|entry| json!(Item::from(&**entry))).collect(),
    };
    app.probe.metrics.test_list_urls.set(results.len() as i64);
    let metadata = json!({"count": results.len(), "current_page": -1, "limit": -1, "next_url": "", "pages": 1});
    let response = response::json(&json!({"metadata": metadata, "results": results}));
    Ok(response::cached(response, Cache::MaxAge(1)))
}

/// A URL with the numbers that decide its place.
pub(super) fn detailed(weighted: &Weighted) -> Value {
    let Item { category_code, country_code, url } = Item::from(&*weighted.entry);
    json!({
        "category_code": category_code,
        "country_code": country_code,
        "msmt_cnt": weighted.measurements,
        "priority": weighted.priority,
        "url": url,
        "weight": weighted.weight,
    })
}
