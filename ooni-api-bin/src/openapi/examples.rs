//! Queries that show what routes are for. The parameters have examples in the attributes of
//! the handlers; here are combinations of them.

use crate::router::Route;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// The query that shows what a route is for: its own, or that of its required parameters.
pub(super) fn query(route: &Route, parameters: &Value) -> String {
    if let Some((_, query)) = QUERIES.iter().find(|(path, _)| route.method == "GET" && *path == route.path) {
        return (*query).to_owned();
    }
    let all = parameters.as_array().into_iter().flatten();
    let required = all.filter(|parameter| parameter["in"] == "query" && parameter["required"] == true);
    let pairs: Vec<String> = required
        .map(|parameter| {
            let name = parameter["name"].as_str().unwrap_or_default();
            format!("{name}={}", encoded(&shown(parameter.get("example").unwrap_or(&Value::Null))))
        })
        .collect();
    pairs.join("&")
}

/// The example of a parameter, if the handler does not know a better one: the same measurement everywhere, and one of the values
/// of a choice.
pub(super) fn value(parameter: &Value) -> Option<Value> {
    let name = parameter["name"].as_str()?;
    if let Some((_, value)) = VALUES.iter().find(|(key, _)| *key == name) {
        return Some(Value::from(*value));
    }
    match parameter.get("example") {
        Some(_) => None,
        None => parameter["schema"]["enum"].get(0).cloned(),
    }
}

/// A value of JSON as it is shown: strings without quotes.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A part of a URL, percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// What is percent-encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A measurement of Signal in Brazil, which is in OONI's archive.
const VALUES: &[(&str, &str)] = &[
    ("measurement_uid", "20210414233239.754884_BR_signal_42774cc22a73086c"),
    ("report_id", "20210414T233239Z_signal_BR_271354_n1_zCvPVXKJT7kxPQI4"),
];

/// What is worth a look, where the required parameters are not enough.
const QUERIES: &[(&str, &str)] = &[
    ("/api/v1/measurements", "probe_cc=IT&test_name=web_connectivity&since=2025-07-01&until=2025-07-15&limit=5"),
    ("/api/v1/raw_measurement", "measurement_uid=20210414233239.754884_BR_signal_42774cc22a73086c"),
    ("/api/v1/measurement_meta", "measurement_uid=20210414233239.754884_BR_signal_42774cc22a73086c"),
    (
        "/api/v1/aggregation",
        "probe_cc=IT&test_name=web_connectivity&since=2025-07-01&until=2025-07-15&axis_x=measurement_start_day",
    ),
    ("/api/v1/torsf_stats", "probe_cc=IT&since=2025-07-01&until=2025-07-15"),
    ("/api/v1/test-list/urls", "probe_cc=IT&limit=10"),
    ("/api/_/debug_prioritization", "probe_cc=IT&limit=10"),
    ("/api/_/domains", "limit=10"),
    ("/api/_/networks", "limit=10"),
    ("/search", "probe_cc=IT&test_name=web_connectivity"),
];
