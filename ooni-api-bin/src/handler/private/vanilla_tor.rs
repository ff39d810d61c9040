//! `GET /api/_/vanilla_tor_stats`.

use super::chart::{after, asn, country, months_before, today};
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis, DatedGroup};
use ooni_store::query::filter::{Filter, Window};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The number of months before today.
const MONTHS: u32 = 6;

/// Results of vanilla_tor in a country.
#[derive(Serialize, ToSchema)]
struct VanillaTorStats {
    /// The day of the last measurement; null without measurements.
    #[schema(format = Date, required = true)]
    last_tested: Option<String>,
    networks: Vec<VanillaTorNetwork>,
    /// Networks with more than five measurements, of which less than 60% succeeded.
    notok_networks: u64,
}

/// Results of vanilla_tor in a network.
#[derive(Serialize, ToSchema)]
struct VanillaTorNetwork {
    /// Measurements with the flag `failure`.
    failure_count: u64,
    /// The day of the last measurement.
    #[schema(format = Date, required = true)]
    last_tested: Option<String>,
    /// The network.
    #[schema(value_type = u64, maximum = 4_294_967_295_u64)]
    probe_asn: u32,
    /// Measurements without the flag `anomaly`.
    success_count: u64,
    /// Always null.
    #[schema(required = true)]
    test_runtime_avg: Option<f32>,
    /// Always null.
    #[schema(required = true)]
    test_runtime_max: Option<f32>,
    /// Always null.
    #[schema(required = true)]
    test_runtime_min: Option<f32>,
    /// All measurements.
    total_count: u64,
}

/// Results of vanilla_tor in a country.
///
/// # Errors
/// 400 without a country, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/vanilla_tor_stats",
    tag = "Private",
    summary = "Results of vanilla_tor in a country",
    description = "The measurements of each network of a country with vanilla_tor that began after midnight six months ago. The \
        reference counts measurements with all tests, by mistake.",
    params(("probe_cc" = String, Query, description = "Country: two capital letters", min_length = 2, max_length = 2,
            pattern = "^[\\x00-\\x7F]*$", example = "IT")),
    responses(
        (status = 200, description = "Networks with measurements, ordered by number.", body = VanillaTorStats,
            example = json!({
                "last_tested": "2025-07-14",
                "networks": [{
                    "failure_count": 2,
                    "last_tested": "2025-07-14",
                    "probe_asn": 3269,
                    "success_count": 43,
                    "test_runtime_avg": null,
                    "test_runtime_max": null,
                    "test_runtime_min": null,
                    "total_count": 58
                }],
                "notok_networks": 0
            }))
    )
)]
pub async fn vanilla_tor_stats(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let filter = Filter {
        probe_ccs: vec![country(request.query())?],
        test_names: vec!["vanilla_tor".to_owned()],
        window: Window { from: Some(after(months_before(today(&app), MONTHS))), to: None },
        ..Filter::default()
    };
    let query = Aggregation { filter, axes: vec![Axis::ProbeAsn] };
    let groups = app.stores.reads()?.aggregate_with_days(&query).await?;
    let networks: Vec<VanillaTorNetwork> = groups.iter().map(network).collect();
    let stats = VanillaTorStats {
        last_tested: groups.iter().filter_map(last_day).max().map(DateTime::date_text),
        notok_networks: networks.iter().filter(|network| is_not_ok(network)).count() as u64,
        networks,
    };
    Ok(response::cached(response::json(&stats), Cache::MaxAge(0)))
}

fn network(dated: &DatedGroup) -> VanillaTorNetwork {
    let counts = dated.group.counts;
    VanillaTorNetwork {
        failure_count: counts.failure,
        last_tested: last_day(dated).map(DateTime::date_text),
        probe_asn: asn(dated.group.keys.first()),
        success_count: counts.measurements.saturating_sub(counts.anomaly_flag),
        test_runtime_avg: None,
        test_runtime_max: None,
        test_runtime_min: None,
        total_count: counts.measurements,
    }
}

fn last_day(dated: &DatedGroup) -> Option<DateTime> {
    dated.days.map(|(_, last)| last)
}

/// Whether a network has enough measurements, and less than six tenths of them succeeded.
fn is_not_ok(network: &VanillaTorNetwork) -> bool {
    network.total_count > 5 && 10 * network.success_count < 6 * network.total_count
}
