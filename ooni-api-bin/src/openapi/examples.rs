//! Queries that show what routes are for. Parameters of paths have their examples in the attributes of the handlers.

use crate::router::Route;

/// The query of a route in its example, if it has one.
pub(super) fn query(route: &Route) -> Option<&'static str> {
    let found = QUERIES.iter().find(|(path, _)| route.method == "GET" && *path == route.path);
    found.map(|(_, query)| *query)
}

const QUERIES: &[(&str, &str)] = &[
    ("/api/v1/measurements", "probe_cc=IT&test_name=web_connectivity&since=2025-07-01&until=2025-07-15&limit=5"),
    ("/api/v1/measurement_meta", "measurement_uid=20250715085022.950807_TR_webconnectivity_6bcd2b142fb5dece"),
];
