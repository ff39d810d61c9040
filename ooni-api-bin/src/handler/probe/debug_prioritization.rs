//! `GET /api/_/debug_prioritization`.

use super::params;
use super::schema::Prioritization;
use super::test_list_urls::detailed;
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::probe::prioritize::select;
use serde_json::{Value, json};
use std::sync::Arc;

/// The steps that lead to the list of a country and a network.
///
/// # Errors
/// 400 for a parameter that cannot be used, 503 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/debug_prioritization",
    tag = "Probe services",
    summary = "How URLs are prioritized for a network",
    description = "The steps that lead to the list of URLs of a country and a network: the URLs of the lists with counts, the rules, and the result.",
    params(
        ("probe_cc" = Option<String>, Query, description = "The country: two letters. The default is `ZZ`.", example = json!("IT")),
        ("probe_asn" = Option<String>, Query, description = "The network: a number, or a number after `AS`. The default is all networks.", example = json!("AS3269")),
        ("category_codes" = Option<String>, Query, description = "Categories, with commas between them. The default is all.", example = json!("NEWS")),
        ("limit" = Option<i64>, Query, description = "The number of URLs, or -1 for all, the default.", example = json!(10))
    ),
    responses((status = 200, description = "The steps.", body = Prioritization))
)]
pub async fn debug_prioritization(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let query = request.query();
    let probe_cc = params::country(query, &["probe_cc"])?;
    let categories = params::categories(query);
    let probe_asn = crate::params::asn(query, "probe_asn")?.unwrap_or(0);
    let limit = params::unlimited(query)?.unwrap_or(usize::MAX);
    let unavailable = || Error::unavailable("the database is not available", 10);
    let ranked = app.probe.urls.ranked(&probe_cc, probe_asn).await.ok_or_else(unavailable)?;
    let country = app.probe.urls.country(&probe_cc).await.ok_or_else(unavailable)?;
    let entries: Vec<Value> = ranked
        .iter()
        .map(|weighted| {
            json!({
                "category_code": weighted.entry.category_code,
                "cc": weighted.entry.cc,
                "domain": weighted.entry.domain,
                "msmt_cnt": weighted.measurements,
                "url": weighted.entry.url,
            })
        })
        .collect();
    let test_items: Vec<Value> = select(&ranked, &categories, limit).map(detailed).collect();
    let response = response::json(&json!({"entries": entries, "prio_rules": country.rules, "test_items": test_items}));
    Ok(response::cached(response, Cache::MaxAge(0)))
}
