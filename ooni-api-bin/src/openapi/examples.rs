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

const QUERIES: &[(&str, &str)] = &[
    ("/api/v1/measurements", "probe_cc=IT&test_name=web_connectivity&since=2025-07-01&until=2025-07-15&limit=5"),
    ("/api/v1/measurement_meta", "measurement_uid=20250715085022.950807_TR_webconnectivity_6bcd2b142fb5dece"),
];
