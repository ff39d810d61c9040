//! `GET /api/_/website_networks`, `GET /api/_/website_stats`, `GET /api/_/website_urls`.

use super::chart::{asn, country, last_31_days, network, text, time, today};
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Query, Request, Response};
use crate::params;
use ooni_store::query::aggregate::{Aggregation, Axis, Group};
use ooni_store::query::filter::Filter;
use ooni_store::query::grain::Grain;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::Arc;
use utoipa::ToSchema;

/// The default and the maximum number of inputs on a page.
const LIMIT: u32 = 10;
const MAX_LIMIT: u32 = 10_000;

/// The number of inputs that can be skipped.
const MAX_OFFSET: u64 = 1_000_000_000;

/// Networks of a country.
#[derive(Serialize, ToSchema)]
struct WebsiteNetworks {
    results: Vec<WebsiteNetwork>,
}

/// A network and its measurements.
#[derive(Serialize, ToSchema)]
struct WebsiteNetwork {
    /// Measurements.
    count: u64,
    /// The network.
    #[schema(value_type = u64, maximum = 4_294_967_295_u64)]
    probe_asn: u32,
}

/// Measurements of an input by day.
#[derive(Serialize, ToSchema)]
struct WebsiteStats {
    results: Vec<WebsiteDay>,
}

/// The measurements of a day. The counts of flags overlap.
#[derive(Serialize, ToSchema)]
struct WebsiteDay {
    /// Measurements with the flag `anomaly`.
    anomaly_count: u64,
    /// Measurements with the flag `confirmed`.
    confirmed_count: u64,
    /// Measurements with the flag `failure`.
    failure_count: u64,
    /// The day, UTC.
    #[schema(format = Date)]
    test_day: String,
    /// All measurements.
    total_count: u64,
}

/// A page of inputs.
#[derive(Serialize, ToSchema)]
struct WebsiteUrls {
    metadata: WebsiteUrlsPage,
    results: Vec<WebsiteUrl>,
}

/// The page.
#[derive(Serialize, ToSchema)]
struct WebsiteUrlsPage {
    /// Its number, from 1.
    current_page: u64,
    /// Maximum inputs of the page.
    limit: u32,
    /// URL of the next page; null if this page is not full.
    #[schema(required = true)]
    next_url: Option<String>,
    /// The number of inputs before the page.
    offset: u64,
    /// The number of all inputs.
    total_count: u64,
}

/// The measurements of an input. The counts of flags overlap.
#[derive(Serialize, ToSchema)]
struct WebsiteUrl {
    /// Measurements with the flag `anomaly`.
    anomaly_count: u64,
    /// Measurements with the flag `confirmed`.
    confirmed_count: u64,
    /// Measurements with the flag `failure`.
    failure_count: u64,
    /// The input.
    input: String,
    /// All measurements.
    total_count: u64,
}

/// Networks of a country.
///
/// # Errors
/// 400 without a country, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/website_networks",
    tag = "Private",
    summary = "Measurements of a country by network",
    description = "The number of measurements of each network of a country with any test, on the 31 days before today. Networks with \
        the most measurements come first.",
    params(("probe_cc" = String, Query, description = "Country: two capital letters", min_length = 2, max_length = 2,
            pattern = "^[\\x00-\\x7F]*$", example = "IT")),
    responses(
        (status = 200, description = "Networks with measurements.", body = WebsiteNetworks,
            example = json!({"results": [{"count": 64_208, "probe_asn": 3269}, {"count": 31_415, "probe_asn": 30_722}]}))
    )
)]
pub async fn website_networks(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let window = last_31_days(today(&app));
    let filter = Filter { probe_ccs: vec![country(request.query())?], window, ..Filter::default() };
    let groups = app.stores.reads()?.aggregate(&Aggregation { filter, axes: vec![Axis::ProbeAsn] }).await?;
    let network =
        |group: &Group| WebsiteNetwork { count: group.counts.measurements, probe_asn: asn(group.keys.first()) };
    let mut results: Vec<WebsiteNetwork> = groups.iter().map(network).collect();
    results.sort_by_key(|network| (Reverse(network.count), network.probe_asn));
    Ok(response::cached(response::json(&WebsiteNetworks { results }), Cache::MaxAge(0)))
}

/// Measurements of an input in a network, by day.
///
/// # Errors
/// 400 without a country or a network, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/website_stats",
    tag = "Private",
    summary = "Measurements of an input by day",
    description = "The number of measurements of an input in a network of a country, on each of the 31 days before today. Days without \
        measurements are omitted.",
    params(
        ("input" = Option<String>, Query, description = "The exact input. Without it, the response has no days",
            example = "https://twitter.com/"),
        ("probe_cc" = String, Query, description = "Country: two capital letters", min_length = 2, max_length = 2,
            pattern = "^[\\x00-\\x7F]*$", example = "IT"),
        ("probe_asn" = String, Query, description = "Network: a number, with or without `AS`",
            pattern = "^(AS)?[0-9]{1,10}$", example = "AS3269")
    ),
    responses(
        (status = 200, description = "Days with measurements.", body = WebsiteStats,
            example = json!({"results": [
                {"anomaly_count": 2, "confirmed_count": 0, "failure_count": 1, "test_day": "2025-07-10", "total_count": 14}
            ]}))
    )
)]
pub async fn website_stats(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let filter = of_network(&app, request.query())?;
    let mut results = Vec::new();
    if let Some(input) = request.query().given("input") {
        let filter = Filter { input: Some(input.to_owned()), ..filter };
        let query = Aggregation { filter, axes: vec![Axis::MeasurementStart(Grain::Day)] };
        let groups = app.stores.reads()?.aggregate(&query).await?;
        results.extend(groups.iter().map(|group| WebsiteDay {
            anomaly_count: group.counts.anomaly_flag,
            confirmed_count: group.counts.confirmed_flag,
            failure_count: group.counts.failure,
            test_day: time(group.keys.first()).date_text(),
            total_count: group.counts.measurements,
        }));
    }
    Ok(response::cached(response::json(&WebsiteStats { results }), Cache::MaxAge(0)))
}

/// Inputs that were measured in a network.
///
/// # Errors
/// 400 without a country or a network, or for another parameter that cannot be used, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/website_urls",
    tag = "Private",
    summary = "Measurements of a network by input",
    description = "A page of the inputs that were measured with web_connectivity in a network of a country, on the 31 days before \
        today. They are ordered by confirmed, all and anomalous measurements, the most first, and then by input.",
    params(
        ("probe_cc" = String, Query, description = "Country: two capital letters", min_length = 2, max_length = 2,
            pattern = "^[\\x00-\\x7F]*$", example = "IT"),
        ("probe_asn" = String, Query, description = "Network: a number, with or without `AS`",
            pattern = "^(AS)?[0-9]{1,10}$", example = "AS3269"),
        ("limit" = Option<i64>, Query,
            description = "Maximum inputs of the page, at most 10,000. The default is 10; 0 and negative numbers mean the default",
            maximum = 10_000, example = 10),
        ("offset" = Option<u64>, Query, description = "The number of inputs to skip. The default is 0", minimum = 0,
            maximum = 1_000_000_000, example = 0)
    ),
    responses(
        (status = 200, description = "A page of inputs.", body = WebsiteUrls,
            example = json!({
                "metadata": {
                    "current_page": 1,
                    "limit": 1,
                    "next_url": "https://api.ooni.org/api/_/website_urls?limit=1&offset=1&probe_asn=3269&probe_cc=IT",
                    "offset": 0,
                    "total_count": 2310
                },
                "results": [{
                    "anomaly_count": 9,
                    "confirmed_count": 9,
                    "failure_count": 0,
                    "input": "https://thepiratebay.org/",
                    "total_count": 9
                }]
            }))
    )
)]
pub async fn website_urls(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let query = request.query();
    let (probe_cc, probe_asn) = (country(query)?, network(query)?);
    let (limit, offset) = (limit(query)?, params::integer(query, "offset", 0..=MAX_OFFSET)?.unwrap_or(0));
    let filter = Filter { test_names: vec!["web_connectivity".to_owned()], ..of_network(&app, query)? };
    let page = app.stores.reads()?.ranked(&Aggregation { filter, axes: vec![Axis::Input] }, offset, limit).await?;
    let is_full = page.groups.len() as u64 == u64::from(limit);
    let next = || {
        let (base, next) = (&app.config.server.base_url, offset + u64::from(limit));
        let probe_cc = utf8_percent_encode(&probe_cc, NON_ALPHANUMERIC);
        format!("{base}/api/_/website_urls?limit={limit}&offset={next}&probe_asn={probe_asn}&probe_cc={probe_cc}")
    };
    let metadata = WebsiteUrlsPage {
        current_page: offset.div_ceil(u64::from(limit)) + 1,
        limit,
        next_url: is_full.then(next),
        offset,
        total_count: page.total,
    };
    let result = |group: &Group| WebsiteUrl {
        anomaly_count: group.counts.anomaly_flag,
        confirmed_count: group.counts.confirmed_flag,
        failure_count: group.counts.failure,
        input: text(group.keys.first()),
        total_count: group.counts.measurements,
    };
    let urls = WebsiteUrls { metadata, results: page.groups.iter().map(result).collect() };
    Ok(response::cached(response::json(&urls), Cache::MaxAge(3600)))
}

/// The last 31 days of the network and country of a request.
fn of_network(app: &App, query: &Query) -> Result<Filter, Error> {
    let (probe_ccs, probe_asns) = (vec![country(query)?], vec![network(query)?]);
    Ok(Filter { probe_ccs, probe_asns, window: last_31_days(today(app)), ..Filter::default() })
}

/// Maximum inputs of a page. Numbers below 1 mean the default, as in the reference.
fn limit(query: &Query) -> Result<u32, Error> {
    let Some(text) = query.given("limit") else { return Ok(LIMIT) };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(0) => Ok(LIMIT),
        _ if is_number && digits.len() < text.len() => Ok(LIMIT),
        Ok(limit) if is_number && limit <= MAX_LIMIT => Ok(limit),
        _ => Err(params::invalid("limit", &format!("a number of at most {MAX_LIMIT}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let of = |text: &str| limit(&Query::parse(Some(&format!("limit={text}")))).ok();
        for text in ["", "0", "-1", "-99999999999999999999", "00"] {
            assert_eq!(of(text), Some(LIMIT), "{text}");
        }
        assert_eq!((of("1"), of("10000")), (Some(1), Some(10_000)));
        for text in ["10001", "99999999999999999999", "1.0", "-", "--1", "%2B1", "x", "1x", "%D9%A1"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
