//! `routes.md`, the list of all routes: what each is for, where it is specified, and what the server answers to its example.

use crate::documentation::{Example, described_server, operation_of};
use crate::support::Server;
use crate::support::client::post;
use ooni_api::router::{ROUTES, Route};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const HEAD: &str = "\
# Routes

Written by the test `checklist` from the router, the documentation, and the answers of a server with the recorded rows. `UPDATE_GOLDEN=1` \
writes it again.

Tier: A is needed by probes, by the public API or by Explorer's pages of measurements; B by other pages of Explorer; C is for accounts, \
editing and publishing; D redirects addresses of the former API. A route without a tier is new. \"API spec §N\" is described in \
[ARCHITECTURE.md](../ARCHITECTURE.md). Class: which limits a route has, see `router.rs`. Answer: status, content type and `Cache-Control` of \
the answer to the example of the documentation.

| Route | Class | Tier | Spec | Answer | Cache | What it is |
| --- | --- | --- | --- | --- | --- | --- |
";

/// Tier and section of the API spec of all routes but new ones.
const SPECIFIED: &[(&str, &str, &[&str])] = &[
    ("A", "§4.1", &["GET /api/v1/measurements"]),
    ("A", "§4.2", &["GET /api/v1/measurement_meta"]),
    ("A", "§4.3", &["GET /api/v1/raw_measurement"]),
    ("A", "§4.4", &["GET /api/v1/measurement/{measurement_uid}"]),
    ("A", "§4.5", &["GET /api/v1/aggregation"]),
    ("A", "§4.6", &["GET /api/v1/torsf_stats"]),
    ("A", "§4.7", &["GET /api/v1/files"]),
    ("C", "§4.8", &["GET /api/_/measurement_feedback/{measurement_uid}", "POST /api/_/measurement_feedback"]),
    (
        "B",
        "§4.9",
        &[
            "GET /api/v1/observations",
            "GET /api/v1/analysis",
            "GET /api/v1/aggregation/observations",
            "GET /api/v1/aggregation/observations/ctrl",
            "GET /api/v1/aggregation/analysis",
            "GET /api/v1/detector/changepoints",
        ],
    ),
    ("A", "§5.1", &["POST /api/v1/check-in"]),
    ("A", "§5.3", &["GET /api/v1/test-list/urls"]),
    ("B", "§5.4", &["GET /api/_/debug_prioritization"]),
    ("B", "§5.5", &["GET /api/_/show_countries_prioritization"]),
    ("A", "§5.6", &["GET /api/v1/test-helpers", "GET /api/v1/collectors"]),
    ("A", "§5.7", &["POST /api/v1/register", "POST /api/v1/login"]),
    ("D", "§5.7", &["PUT /api/v1/update/{client_id}"]),
    ("A", "§5.8", &["GET /api/v1/test-list/psiphon-config", "GET /api/v1/test-list/tor-targets"]),
    ("A", "§5.9", &["POST /api/v1/geolookup"]),
    ("A", "§5.10", &["POST /bouncer/net-tests"]),
    ("A", "§5.11", &["POST /report", "POST /report/{report_id}", "POST /report/{report_id}/close"]),
    ("A", "§5.12", &["GET /api/v1/manifest", "POST /api/v1/submit_measurement"]),
    ("C", "§5.12", &["POST /api/v1/sign_credential"]),
    ("B", "§5.13", &["GET /api/v2/ooniprobe/vpn-config/{provider}"]),
    ("A", "§5.14", &["GET /api/_/check_report_id"]),
    (
        "B",
        "§6.1",
        &[
            "GET /api/_/asn_by_month",
            "GET /api/_/countries_by_month",
            "GET /api/_/test_names",
            "GET /api/_/countries",
            "GET /api/_/country_overview",
            "GET /api/_/global_overview",
            "GET /api/_/global_overview_by_month",
            "GET /api/_/network_stats",
            "GET /api/_/circumvention_stats_by_country",
            "GET /api/_/circumvention_runtime_stats",
            "GET /api/_/asnmeta",
            "GET /api/_/networks",
            "GET /api/_/domains",
            "GET /api/_/domain_metadata",
        ],
    ),
    (
        "B",
        "§6.2",
        &[
            "GET /api/_/test_coverage",
            "GET /api/_/website_networks",
            "GET /api/_/website_stats",
            "GET /api/_/website_urls",
            "GET /api/_/vanilla_tor_stats",
            "GET /api/_/im_networks",
            "GET /api/_/im_stats",
        ],
    ),
    ("B", "§6.3", &["POST /api/_/check-in"]),
    ("C", "§7", &["GET /api/_/account_metadata"]),
    ("C", "§11", &["GET /api/_/quotas_summary"]),
    ("A", "§12", &["GET /", "GET /health", "GET /version", "GET /metrics", "GET /robots.txt", "GET /invalidpath"]),
    ("B", "§12", &["GET /openapi.json", "GET /apispec_1.json", "GET /apidocs/", "GET /apidocs", "GET /static/{file}"]),
    ("D", "§12", &["GET /api/", "GET /whoami"]),
    (
        "D",
        "§12.1",
        &[
            "GET /stats",
            "GET /files",
            "GET /files/by_date",
            "GET /files/by_date/{date}",
            "GET /files/by_country",
            "GET /files/by_country/{country_code}",
            "GET /files/download/{*path}",
            "GET /{date}",
            "GET /{date}/{report_file}",
        ],
    ),
];

const ACCOUNTS: &str = "accounts: there are no users, so nobody can log in";
const TEST_LISTS: &str = "editing of test lists needs accounts and a repository on GitHub; lists are read from files";
const INCIDENTS: &str = "incidents are published by people with accounts";
const OONI_RUN: &str = "OONI Run links are made by people with accounts";

/// Routes of the reference that this server does not have: all are of tier C.
const EXCLUDED: &[(&str, &str, &str)] = &[
    ("POST /api/v1/user_register", "§7", ACCOUNTS),
    ("GET /api/v1/user_login", "§7", ACCOUNTS),
    ("GET /api/v1/user_refresh_token", "§7", ACCOUNTS),
    ("POST /api/v1/set_account_role", "§7", ACCOUNTS),
    ("GET /api/v1/get_account_role/{email_address}", "§7", ACCOUNTS),
    ("POST /api/v1/set_session_expunge", "§7", ACCOUNTS),
    ("POST /api/v2/ooniauth/user-login", "§7", ACCOUNTS),
    ("POST /api/v2/ooniauth/user-session", "§7", ACCOUNTS),
    ("GET /api/v2/ooniauth/user-session", "§7", ACCOUNTS),
    ("GET /api/_/url-submission/test-list/{country_code}", "§8.1", TEST_LISTS),
    ("POST /api/v1/url-submission/update-url", "§8.1", TEST_LISTS),
    ("POST /api/v1/url-submission/submit", "§8.1", TEST_LISTS),
    ("GET /api/_/url-priorities/list", "§8.2", TEST_LISTS),
    ("POST /api/_/url-priorities/update", "§8.2", TEST_LISTS),
    ("GET /api/v1/incidents/search", "§9", INCIDENTS),
    ("GET /api/v1/incidents/show/{incident_id}", "§9", INCIDENTS),
    ("POST /api/v1/incidents/{action}", "§9", INCIDENTS),
    ("POST /api/_/ooni_run/create", "§10.1", OONI_RUN),
    ("POST /api/_/ooni_run/archive/{ooni_run_link_id}", "§10.1", OONI_RUN),
    ("GET /api/_/ooni_run/fetch/{ooni_run_link_id}", "§10.1", OONI_RUN),
    ("GET /api/_/ooni_run/list", "§10.1", OONI_RUN),
    ("POST /api/v2/oonirun/links", "§10.2", OONI_RUN),
    ("GET /api/v2/oonirun/links", "§10.2", OONI_RUN),
    ("GET /api/v2/oonirun/links/{id}", "§10.2", OONI_RUN),
    ("PUT /api/v2/oonirun/links/{id}", "§10.2", OONI_RUN),
    ("GET /api/v2/oonirun/links/{id}/revisions", "§10.2", OONI_RUN),
    ("GET /api/v2/oonirun/links/{id}/full-descriptor/{revision}", "§10.2", OONI_RUN),
    ("POST /api/v2/oonirun/links/{id}/engine-descriptor/{revision}", "§10.2", OONI_RUN),
];

/// What the server answers to the example of a route: status, content type, and cache header.
fn answer(server: &Server, route: &Route, operation: &Value) -> (String, String) {
    let target = Example::of(route, operation).target();
    let reply = match route.method {
        "GET" => server.get(&target),
        method => {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            let body = if example.is_null() { String::new() } else { example.to_string() };
            server.send(&[method.as_bytes(), &post(&target, "", body.as_bytes())["POST".len()..]].concat())
        }
    };
    let content_type = reply.header("content-type").unwrap_or_default().split(';').next().unwrap();
    let cache = reply.header("cache-control").unwrap_or_default().to_owned();
    match reply.header("location") {
        Some(location) => (format!("{} to {location}", reply.status), cache),
        None => (format!("{} {content_type}", reply.status), cache),
    }
}

fn written(server: &Server, document: &Value) -> String {
    let specified =
        SPECIFIED.iter().flat_map(|(tier, section, names)| names.iter().map(move |name| (*name, (*tier, *section))));
    let specified: BTreeMap<&str, (&str, &str)> = specified.collect();
    let routes: Vec<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let missing: Vec<&&str> = specified.keys().filter(|name| !routes.iter().any(|route| route == **name)).collect();
    assert!(missing.is_empty(), "the router does not have {missing:?}");
    let mut text = HEAD.to_owned();
    for route in ROUTES {
        let name = format!("{} {}", route.method, route.path);
        let (tier, section) = specified.get(&*name).copied().unwrap_or_default();
        let operation = operation_of(document, route);
        let (answer, cache) = answer(server, route, operation);
        let summary = operation["summary"].as_str().unwrap();
        text.push_str(&format!(
            "| `{name}` | {:?} | {tier} | {section} | {answer} | {cache} | {summary} |\n",
            route.class
        ));
    }
    text.push_str("\n## Routes of the reference that are not here\n\n| Route | Spec | Why |\n| --- | --- | --- |\n");
    for (name, section, why) in EXCLUDED {
        text.push_str(&format!("| `{name}` | {section} | {why} |\n"));
    }
    text
}

#[test]
fn the_list_of_routes_is_that_of_the_router() {
    let server = described_server();
    let document = server.get("/openapi.json").json();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("routes.md");
    let text = written(&server, &document);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).find(|(kept, new)| kept != new);
    assert!(kept == text, "run the test with UPDATE_GOLDEN=1 to update routes.md: {differs:?}");
}

#[test]
fn excluded_routes_are_404() {
    let server = described_server();
    for (name, _, _) in EXCLUDED {
        let (method, path) = name.split_once(' ').unwrap();
        let path = path.replace(['{', '}'], "");
        let reply = server.send(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(reply.status, 404, "{name}");
    }
}
