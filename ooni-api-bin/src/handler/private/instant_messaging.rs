//! `GET /api/_/im_networks`, `GET /api/_/im_stats`.

use super::chart::{asn, country, days_before, last_31_days, midnight_text, network, text, time, today};
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::names::INSTANT_MESSAGING;
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::Filter;
use ooni_store::query::grain::Grain;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// How long the answers may be cached, in seconds.
const MAX_AGE: u32 = 3600;

/// The networks in which a test of instant messaging ran.
#[derive(Default, Serialize, ToSchema)]
struct ImNetworks {
    /// Always empty.
    anomaly_networks: Vec<ImNetwork>,
    /// The day of the last measurement.
    #[schema(format = Date)]
    last_tested: String,
    /// Networks with measurements.
    ok_networks: Vec<ImNetwork>,
}

/// A network and its measurements.
#[derive(Serialize, ToSchema)]
struct ImNetwork {
    /// The network.
    #[schema(value_type = u64, maximum = 4_294_967_295_u64)]
    asn: u32,
    /// The day of the last measurement.
    #[schema(format = Date)]
    last_tested: String,
    /// Always empty.
    name: &'static str,
    /// Measurements.
    total_count: u64,
}

/// Measurements of a test of instant messaging by day.
#[derive(Serialize, ToSchema)]
struct ImStats {
    results: Vec<ImDay>,
}

/// The measurements of a day.
#[derive(Serialize, ToSchema)]
struct ImDay {
    /// Always null.
    #[schema(required = true)]
    anomaly_count: Option<u64>,
    /// Midnight of the day, UTC.
    #[schema(format = DateTime)]
    test_day: String,
    /// Measurements.
    total_count: u64,
}

/// Networks in which instant messaging was tested.
///
/// # Errors
/// 400 without a country, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/im_networks",
    tag = "Private",
    summary = "Tests of instant messaging by network",
    description = "The number of measurements of each network of a country with facebook_messenger, signal, telegram and whatsapp, on \
        the 31 days before today, by test. Networks with the most measurements come first. Tests without measurements are omitted.",
    params(("probe_cc" = String, Query, description = "Country: two capital letters", min_length = 2, max_length = 2,
            pattern = "^[\\x00-\\x7F]*$", example = "IT")),
    responses(
        (status = 200, description = "Networks by test.", body = BTreeMap<String, ImNetworks>,
            example = json!({"signal": {
                "anomaly_networks": [],
                "last_tested": "2025-07-13",
                "ok_networks": [{"asn": 3269, "last_tested": "2025-07-13", "name": "", "total_count": 214}]
            }}))
    )
)]
pub async fn im_networks(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let filter = Filter {
        probe_ccs: vec![country(request.query())?],
        test_names: INSTANT_MESSAGING.map(str::to_owned).to_vec(),
        window: last_31_days(today(&app)),
        ..Filter::default()
    };
    let query = Aggregation { filter, axes: vec![Axis::TestName, Axis::ProbeAsn] };
    let mut tests: BTreeMap<String, ImNetworks> = BTreeMap::new();
    for dated in app.stores.reads()?.aggregate_with_days(&query).await? {
        let (keys, counts) = (&dated.group.keys, dated.group.counts);
        let last_tested = dated.days.map_or_else(String::new, |(_, last)| last.date_text());
        let test = tests.entry(text(keys.first())).or_default();
        test.last_tested = test.last_tested.clone().max(last_tested.clone());
        let (asn, total_count) = (asn(keys.get(1)), counts.measurements);
        test.ok_networks.push(ImNetwork { asn, last_tested, name: "", total_count });
    }
    for test in tests.values_mut() {
        test.ok_networks.sort_by_key(|network| (Reverse(network.total_count), network.asn));
    }
    Ok(response::cached(response::json(&tests), Cache::MaxAge(MAX_AGE)))
}

/// Measurements of an instant messaging test, by day.
///
/// # Errors
/// 400 without a test, a country or a network, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/im_stats",
    tag = "Private",
    summary = "A test of instant messaging by day",
    description = "The number of measurements with a test of instant messaging in a network of a country, on each of the 31 days before \
        today. Days without measurements are included, and so is today, always with 0.",
    params(
        ("test_name" = String, Query, description = "facebook_messenger, signal, telegram or whatsapp",
            pattern = "^(facebook_messenger|signal|telegram|whatsapp)$", example = "whatsapp"),
        ("probe_cc" = String, Query, description = "Country: two capital letters", min_length = 2, max_length = 2,
            pattern = "^[\\x00-\\x7F]*$", example = "IT"),
        ("probe_asn" = String, Query, description = "Network: a number, with or without `AS`",
            pattern = "^(AS)?[0-9]{1,10}$", example = "AS3269")
    ),
    responses(
        (status = 200, description = "32 days.", body = ImStats,
            example = json!({"results": [
                {"anomaly_count": null, "test_day": "2025-06-14T00:00:00+00:00", "total_count": 12},
                {"anomaly_count": null, "test_day": "2025-06-15T00:00:00+00:00", "total_count": 0}
            ]}))
    )
)]
pub async fn im_stats(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let (query, today) = (request.query(), today(&app));
    let test_name = query.given("test_name").filter(|name| INSTANT_MESSAGING.contains(name));
    let filter = Filter {
        test_names: vec![test_name.ok_or_else(|| Error::bad_request("invalid test_name"))?.to_owned()],
        probe_ccs: vec![country(query)?],
        probe_asns: vec![network(query)?],
        window: last_31_days(today),
        ..Filter::default()
    };
    let query = Aggregation { filter, axes: vec![Axis::MeasurementStart(Grain::Day)] };
    let groups = app.stores.reads()?.aggregate(&query).await?;
    let counts: BTreeMap<DateTime, u64> =
        groups.iter().map(|group| (time(group.keys.first()), group.counts.measurements)).collect();
    let of_day = |day: DateTime| ImDay {
        anomaly_count: None,
        test_day: midnight_text(day),
        total_count: counts.get(&day).copied().unwrap_or(0),
    };
    let results = (0..=31).rev().map(|ago| of_day(days_before(today, ago))).collect();
    Ok(response::cached(response::json(&ImStats { results }), Cache::MaxAge(MAX_AGE)))
}
