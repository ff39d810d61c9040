//! The web pages: what they show, and that nothing in a measurement or a parameter becomes markup.

use crate::support::Server;
use crate::support::client::Reply;
use crate::support::recorded::recorded_server;
use ooni_store::{BlockingStore, load_dump};
use serde_json::json;
use std::time::{Duration, Instant};

/// A measurement of the recording whose body is in the archive: an anomaly, and a failure.
const UID: &str = "20210120185357.743894_SK_webconnectivity_5439ba48eab5fef6";
const UNKNOWN: &str = "20210101000000.000000_IT_dash_0000000000000000";

/// A page, which must have the headers and the frame of all pages.
fn page(server: &Server, path: &str, status: u16) -> String {
    let reply = server.get(path);
    assert_eq!(reply.status, status, "{path}: {}", String::from_utf8_lossy(&reply.body));
    is_page(&reply, path);
    reply.text().to_owned()
}

fn is_page(reply: &Reply, path: &str) {
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    let policy = reply.header("content-security-policy").unwrap_or_default();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self';") && !policy.contains("unsafe"),
        "{path}: {policy}"
    );
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
    let html = reply.text();
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{path}: {html}");
    for forbidden in ["<script", "style=\"", "onload=\"", "href=\"javascript", "src=\"", "href=\"http", "href=\"//"] {
        assert!(!html.contains(forbidden), "{path}: {forbidden}");
    }
    for required in ["</title><link rel=", "href=\"#main\"", "<main id=\"main\"", "<nav aria-label=", "<footer", "<h1>"]
    {
        assert_eq!(html.matches(required).count(), 1, "{path}: {required}");
    }
}

#[test]
fn the_overview_counts_all_rows() {
    let server = recorded_server();
    let html = page(&server, "/", 200);
    assert_eq!(server.get("/").header("cache-control"), Some("max-age=60"));
    for text in [
        "<dd>2,822</dd>",
        "<time datetime=\"2012-11-30\">2012-11-30</time>",
        "<time datetime=\"2025-07-15\">2025-07-15</time>",
        "href=\"/search?probe_cc=IT\"",
        "<bdi>Italy</bdi>",
        "href=\"/search?test_name=web_connectivity\"",
        "Measurements per hour, last seven days",
        "<td class=\"number\">1,519</td>",
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert!(!html.contains("There are no measurements yet"));
}

#[test]
fn an_empty_store_says_how_to_fill_it() {
    let server = Server::start(|config| config.intake.min_free_bytes = 0);
    let html = page(&server, "/", 200);
    let command = format!("curl http://{}/report", server.address);
    assert!(html.contains("There are no measurements yet") && html.contains(&command), "{html}");
    let html = page(&server, "/search", 200);
    assert!(html.contains("No measurement matches."), "{html}");
}

#[test]
fn a_search_lists_pages_of_measurements() {
    let server = recorded_server();
    let mut path = "/search?probe_cc=IR&since=2024-01-01&until=2025-07-16&limit=100".to_owned();
    let mut uids = Vec::new();
    loop {
        let html = page(&server, &path, 200);
        uids.extend(html.split("href=\"/m/").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        assert!(html.contains("value=\"IR\"") && html.contains("IR</span>"), "{html}");
        let next = html.split("rel=\"next\" href=\"").nth(1);
        let Some(next) = next.map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&")) else { break };
        path = next;
    }
    let listed = server.get("/api/v1/measurements?probe_cc=IR&since=2024-01-01&until=2025-07-16&limit=10000").json();
    let listed: Vec<&str> =
        listed["results"].as_array().unwrap().iter().map(|row| row["measurement_uid"].as_str().unwrap()).collect();
    assert!(listed.len() > 100);
    assert_eq!(uids, listed);
}

#[test]
fn a_search_is_the_same_as_that_of_the_api() {
    let server = recorded_server();
    for outcome in ["confirmed", "anomaly", "failure", "ok"] {
        let html = page(&server, &format!("/search?outcome={outcome}&test_name=web_connectivity&limit=100"), 200);
        let api = html.split("href=\"/api/v1/measurements?").nth(1).unwrap().split('"').next().unwrap();
        let api = api.replace("&amp;", "&");
        let rows = server.get(&format!("/api/v1/measurements?{api}")).json()["results"].as_array().unwrap().len();
        assert!(rows > 0, "{outcome}: {api}");
        assert_eq!(html.matches("href=\"/m/").count(), rows, "{outcome}: {api}");
        // The legend of the chart counts the whole selection.
        let all = server.get(&format!("/api/v1/measurements?{api}&limit=100000").replace("&limit=100&", "&")).json();
        let count = format!("<span class=\"count\">{}</span>", all["results"].as_array().unwrap().len());
        assert!(html.contains(&count), "{outcome}: {count} in {html}");
    }
}

#[test]
fn a_country_has_a_code_and_a_name() {
    let server = recorded_server();
    for text in ["IT", "it", "Italy", "italy%20"] {
        let html = page(&server, &format!("/search?probe_cc={text}&since=2025-07-01"), 200);
        assert!(html.contains("href=\"/m/") && html.contains("href=\"/api/v1/measurements?probe_cc=IT&amp;"), "{text}");
    }
    let html = page(&server, "/search?probe_cc=Italy,ir&since=2025-07-01", 200);
    assert!(html.contains("probe_cc=IT%2CIR&amp;"));
}

#[test]
fn parameters_that_cannot_be_used_are_explained_beside_the_form() {
    let server = recorded_server();
    for (query, text) in [
        ("probe_asn=x", "<strong>Network: </strong>"),
        ("since=yesterday", "<strong>From: </strong>"),
        ("until=2025-13-01", "<strong>Before: </strong>"),
        ("outcome=odd", "<strong>Outcome: </strong>"),
        ("input=x", "<strong>Address that was tested: </strong>"),
        ("limit=0", "limit: "),
    ] {
        let html = page(&server, &format!("/search?{query}"), 400);
        assert!(html.contains(text) && html.contains("role=\"alert\""), "{query}: {html}");
    }
    page(&server, "/search?probe_cc=ZZ", 403);
}

#[test]
fn hostile_parameters_stay_text() {
    let server = recorded_server();
    let hostile = [
        "%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "%00",
        "%E2%80%AEabc",
        "';DROP%20TABLE%20fastpath;--",
        "javascript:alert(1)",
        "%ff%fe",
    ];
    for name in [
        "probe_cc",
        "probe_asn",
        "test_name",
        "domain",
        "input",
        "category_code",
        "since",
        "until",
        "outcome",
        "report_id",
        "after",
        "limit",
        "order",
        "zzz",
    ] {
        for value in hostile {
            let path = format!("/search?{name}={value}");
            let reply = server.get(&path);
            assert!(matches!(reply.status, 200 | 400), "{path}: {}", reply.status);
            is_page(&reply, &path);
        }
        let path = format!("/search?{name}={}", "x".repeat(20_000));
        is_page(&server.get(&path), &path);
    }
    for value in hostile {
        let path = format!("/m/{}", value.replace('/', "%2F"));
        page(&server, &path, 404);
    }
}

#[test]
fn hostile_measurements_stay_text() {
    let input = "javascript:alert(1)//\u{202e}<script>alert(2)</script>\" onload=\"x";
    let row = json!({"table": "fastpath", "row": {
        "measurement_uid": "20250715000000.000000_IT_webconnectivity_<b>0000000000", "report_id": "<i>report</i>", "input": input,
        "probe_cc": "<u", "probe_asn": 30722, "test_name": "<s>test</s>", "test_start_time": "2025-07-15 00:00:00",
        "measurement_start_time": "2025-07-15 00:00:00", "scores": "{\"<em>\":\"</pre>\"}", "platform": "", "anomaly": "t",
        "confirmed": "f", "msm_failure": "f", "blocking_type": "", "domain": "", "software_name": "", "software_version": "",
        "test_version": "", "test_runtime": 0.0, "architecture": "", "engine_name": "", "engine_version": "",
        "test_helper_address": "", "test_helper_type": "", "ooni_run_link_id": null, "is_verified": "u"}});
    let server = Server::start(|config| {
        config.intake.min_free_bytes = 0;
        std::fs::create_dir_all(&config.state_dir).unwrap();
        let file = config.state_dir.join("rows.jsonl");
        std::fs::write(&file, format!("{row}\n")).unwrap();
        let store = BlockingStore::open(&config.store_uri()).unwrap();
        load_dump(&store, &file, |line, reason| panic!("line {line}: {reason}")).unwrap();
    });
    for path in [
        "/",
        "/search?since=2025-07-01&until=2025-08-01",
        "/m/20250715000000.000000_IT_webconnectivity_%3Cb%3E0000000000",
    ] {
        let html = page(&server, path, 200);
        assert!(!html.contains('\u{202e}'), "{path}: {html}");
        for markup in ["<b>0", "<i>report", "<s>test", "<em>", "<u\"", " onload=\""] {
            assert!(!html.contains(markup), "{path}: {markup} in {html}");
        }
    }
    let html = page(&server, "/search?since=2025-07-01&until=2025-08-01", 200);
    assert!(html.contains("<bdi>javascript:alert(1)//\\u202e&lt;script&gt;"), "{html}");
}

#[test]
fn a_measurement_has_its_row_its_explanation_and_its_body() {
    let server = recorded_server();
    let html = page(&server, &format!("/m/{UID}"), 200);
    for text in [
        "Web Connectivity",
        "<bdi>http://www.wikispaces.com/</bdi>",
        "Slovakia",
        "blocking_general",
        "Rules that fired",
        "/test_keys/",
        &format!("ooni-api verify {UID} --url https://api.ooni.org"),
        &format!("/api/v1/raw_measurement?measurement_uid={UID}"),
        "&quot;test_keys&quot;: {",
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
    let html = page(&server, &format!("/m/{UNKNOWN}"), 404);
    assert!(html.contains("There is no measurement with this id."), "{html}");
}

#[test]
fn a_submission_is_shown_at_once() {
    let server = Server::start(|config| {
        config.intake.min_free_bytes = 0;
        config.scoring.batch_delay = 500;
    });
    let report = server.post("/report", r#"{"probe_cc":"IT","probe_asn":"AS30722","test_name":"torsf"}"#).json();
    let report = report["report_id"].as_str().unwrap().to_owned();
    let body = json!({"format": "json", "content": {
        "report_id": report, "probe_cc": "IT", "probe_asn": "AS30722", "test_name": "torsf", "measurement_start_time": "2025-07-15 10:00:00",
        "test_start_time": "2025-07-15 10:00:00", "test_keys": {"failure": "<odd>"}}});
    let reply = server.post(&format!("/report/{report}"), &body.to_string()).json();
    let path = format!("/m/{}", reply["measurement_uid"].as_str().unwrap());
    // Whether it is scored already depends on the machine; the page is there in both cases.
    let html = page(&server, &path, 200);
    assert!(html.contains("is not scored yet") || html.contains("Verification"), "{html}");
    assert!(html.contains("&lt;odd&gt;"), "{html}");
    let started = Instant::now();
    while !page(&server, &path, 200).contains("Verification") {
        assert!(started.elapsed() < Duration::from_secs(60), "it is not scored");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_style_sheet_is_cached_by_its_version() {
    let server = Server::start(|config| config.intake.min_free_bytes = 0);
    let html = page(&server, "/", 200);
    let path = html.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let reply = server.get(path);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert!(reply.header("cache-control").unwrap().starts_with("max-age="));
    let tag = reply.header("etag").unwrap();
    let again = server.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nIf-None-Match: {tag}\r\n\r\n"));
    assert_eq!((again.status, again.header("etag")), (304, Some(tag)));
    assert_eq!(server.get("/static/other.css").status, 404);
    assert_eq!(server.get("/static/..%2Fstyle.css").status, 404);
}
