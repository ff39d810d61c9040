//! The pages in Chromium: accessibility, layout at several widths, keyboard, and requests. `check.mjs` has the checks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy does not treat helpers of tests as tests

#[path = "../support/mod.rs"]
mod support;

use crate::support::recorded::recorded_server;
use crate::support::{Server, wait_until};
use ooni_testkit::browser::Browser;
use ooni_testkit::skip_without;
use std::path::Path;

/// A measurement of the recording whose body is in the archive.
const UID: &str = "20210120185357.743894_SK_webconnectivity_5439ba48eab5fef6";

/// One of the recording with an input of 621 characters and no spaces.
const LONG: &str = "20250626193727.692164_IR_webconnectivity_d63638489cfb562c";
/// A measurement that a fingerprint confirms, and what its report is opened with.
const CONFIRMED: &str = "web_connectivity--fastpath--bug_352.json";
const ITS_REPORT: &str = r#"{"probe_cc": "IR", "probe_asn": "AS197207", "test_name": "web_connectivity"}"#;

/// Submits the confirmed measurement, and waits until it is scored. Returns the path of its page.
fn submit_confirmed(server: &Server) -> String {
    let opened = server.post("/report", ITS_REPORT).json();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data").join(CONFIRMED);
    let report = format!("/report/{}", opened["report_id"].as_str().unwrap());
    let accepted = server.post(&report, &std::fs::read(file).unwrap()).json();
    let path = format!("/m/{}", accepted["measurement_uid"].as_str().unwrap());
    wait_until("it is scored", || server.get(&path).text().contains("Verification"));
    path
}

#[test]
fn chromium_node_and_axe_core_are_installed() {
    Browser::find().unwrap();
}

#[test]
fn pages_in_chromium() {
    skip_without!(Browser::find());
    let (server, empty) = (recorded_server(), Server::start(|config| config.intake.min_free_bytes = 0));
    let live = Server::start(|config| config.intake.min_free_bytes = 0);
    let confirmed = submit_confirmed(&live);
    let mut pages = vec![
        ("home", format!("http://{}/", server.address)),
        ("home-empty", format!("http://{}/", empty.address)),
        ("search", format!("http://{}/search", server.address)),
        ("search-none", format!("http://{}/search?domain=none.invalid", server.address)),
        ("search-error", format!("http://{}/search?probe_asn=x&since=yesterday", server.address)),
        ("measurement", format!("http://{}/m/{UID}", server.address)),
        ("measurement-long", format!("http://{}/m/{LONG}", server.address)),
        ("measurement-confirmed", format!("http://{}{confirmed}", live.address)),
        ("not-found", format!("http://{}/m/20210101000000.000000_IT_dash_0000000000000000", server.address)),
    ];
    if server.get("/apidocs/").status == 200 {
        pages.push(("apidocs", format!("http://{}/apidocs/", server.address)));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Browser::find().unwrap().script(&folder.join("tests/browser/check.mjs"));
    command.arg(folder.join("../target/screenshots"));
    command.args(pages.iter().map(|(name, url)| format!("{name}={url}")));
    let output = command.output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains("all checks passed"), "{report}");
}
