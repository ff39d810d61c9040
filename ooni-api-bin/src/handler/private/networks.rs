//! `GET /api/_/networks`, `GET /api/_/asnmeta`, `GET /api/_/network_stats`.

use super::chart::{asn, country};
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::probe::report_id::parse_asn;
use ooni_store::query::aggregate::{Aggregation, Axis, Group};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// How long names and counts of networks may be cached, in seconds.
const MAX_AGE: u32 = 7200;

/// The name of a network without one.
const UNKNOWN: &str = "Unknown";

/// Measurements by network.
#[derive(Serialize, ToSchema)]
struct Networks<'n> {
    results: Vec<NetworkCount<'n>>,
    /// Always 0.
    v: u8,
}

/// A network and its measurements.
#[derive(Serialize, ToSchema)]
struct NetworkCount<'n> {
    /// Measurements.
    cnt: u64,
    /// The organisation that has the network; empty if it is unknown.
    org_name: &'n str,
    /// The network.
    #[schema(value_type = u64, maximum = 4_294_967_295_u64)]
    probe_asn: u32,
}

/// The name of a network.
#[derive(Serialize, ToSchema)]
struct NetworkName<'n> {
    /// The organisation that has the network, or `Unknown`.
    org_name: &'n str,
}

/// A page of statistics.
#[derive(Serialize, ToSchema)]
struct NetworkStats {
    metadata: NetworkStatsPage,
    /// Always empty.
    #[schema(value_type = Vec<Object>)]
    results: [u8; 0],
}

/// The page.
#[derive(Serialize, ToSchema)]
struct NetworkStatsPage {
    /// Always 1.
    current_page: u32,
    /// Always 10.
    limit: u32,
    /// Always null.
    #[schema(required = true)]
    next_url: Option<String>,
    /// Always 0.
    offset: u32,
    /// Always 0.
    total_count: u32,
}

/// Measurements by network.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/networks",
    tag = "Private",
    summary = "Measurements by network",
    description = "The number of measurements of each network, over all time, and the latest name of its organisation.",
    responses(
        (status = 200, description = "Networks with measurements, ordered by number.", body = Networks<'static>,
            example = json!({"results": [
                {"cnt": 24_110_007, "org_name": "Telecom Italia S.p.A.", "probe_asn": 3269},
                {"cnt": 8_113_295, "org_name": "Vodafone Italia S.p.A.", "probe_asn": 30_722}
            ], "v": 0}))
    )
)]
pub async fn networks(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let (groups, names) = counts_and_names(&app).await.map_err(|error| error.with("v", 0))?;
    let result = |group: &Group| {
        let probe_asn = asn(group.keys.first());
        let org_name = names.get(&probe_asn).map_or("", String::as_str);
        NetworkCount { cnt: group.counts.measurements, org_name, probe_asn }
    };
    let networks = Networks { results: groups.iter().map(result).collect(), v: 0 };
    Ok(response::cached(response::json(&networks), Cache::MaxAge(MAX_AGE)))
}

async fn counts_and_names(app: &App) -> Result<(Vec<Group>, BTreeMap<u32, String>), Error> {
    let deadline = app.stores.read_deadline();
    let query = Aggregation { axes: vec![Axis::ProbeAsn], ..Aggregation::default() };
    let groups = app.stores.measurements()?.with_deadline(deadline).aggregate(&query).await?;
    let asns: Vec<u32> = groups.iter().map(|group| asn(group.keys.first())).collect();
    let names = match asns.is_empty() {
        true => BTreeMap::new(),
        false => app.stores.application()?.with_deadline(deadline).asn_names(&asns).await?,
    };
    Ok((groups, names))
}

/// The name of a network.
///
/// # Errors
/// 400 without a network, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/asnmeta",
    tag = "Private",
    summary = "The name of a network",
    description = "The latest name of the organisation that has a network.",
    params(("asn" = u64, Query, description = "Number of the network, without `AS`", maximum = 4_294_967_295_u64, example = 3269)),
    responses(
        (status = 200, description = "The name; `Unknown` if there is none.", body = NetworkName<'static>,
            example = json!({"org_name": "Telecom Italia S.p.A."}))
    )
)]
pub async fn asnmeta(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let asn = request.query().given("asn").ok_or_else(|| Error::bad_request("missing asn"))?;
    let asn =
        parse_asn(asn).ok_or_else(|| Error::bad_request("asn: a number of a network, such as 3269, is expected"))?;
    let store = app.stores.application()?.with_deadline(app.stores.read_deadline());
    let names = store.asn_names(&[asn]).await?;
    let org_name = names.get(&asn).map_or(UNKNOWN, String::as_str);
    Ok(response::cached(response::json(&NetworkName { org_name }), Cache::MaxAge(MAX_AGE)))
}

/// An empty page, as in the reference.
///
/// # Errors
/// 400 without a country.
#[utoipa::path(
    get,
    path = "/api/_/network_stats",
    tag = "Private",
    summary = "Statistics of networks",
    description = "Always an empty page, as in the reference, which never had these statistics.",
    params(("probe_cc" = String, Query, description = "Country: two capital letters", min_length = 2, max_length = 2,
            pattern = "^[\\x00-\\x7F]*$", example = "IT")),
    responses(
        (status = 200, description = "An empty page.", body = NetworkStats,
            example = json!({
                "metadata": {"current_page": 1, "limit": 10, "next_url": null, "offset": 0, "total_count": 0},
                "results": []
            }))
    )
)]
pub async fn network_stats(_: Arc<App>, request: Request) -> Result<Response, Error> {
    country(request.query())?;
    let metadata = NetworkStatsPage { current_page: 1, limit: 10, next_url: None, offset: 0, total_count: 0 };
    let stats = NetworkStats { metadata, results: [] };
    Ok(response::cached(response::json(&stats), Cache::MaxAge(86_400)))
}
