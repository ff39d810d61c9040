//! `GET /api/v1/test-list/urls`.

use super::params;
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
    responses((status = 200, description = ""))
)]
pub async fn test_list_urls(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let query = request.query();
    let probe_cc = params::country(query, &["country_code", "probe_cc"])?;
    let categories = params::categories(query);
    let limit = params::limit(query)?;
    let is_debug = params::boolean(query, "debug")?.unwrap_or(false);
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
