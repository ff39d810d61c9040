//! Whole conversations of probes (`tests/conversation`), from the first request to the rows.

use crate::routes::until;
use crate::support::Server;
use crate::support::recorded::{golden, load_rows, recorded_clock, recorded_settings};
use ooni_store::value::Value;
use ooni_store::{Store, StoreOptions};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::runtime::Runtime;

fn conversation(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conversation").join(format!("{name}.jsonl"))
}

/// A server for a conversation, with few test lists and rows.
fn server() -> Server {
    Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        config.scoring.batch_delay = 10;
        fs::create_dir_all(&config.state_dir).unwrap();
        config.probe.psiphon_config = config.state_dir.join("psiphon_config.json");
        config.probe.tor_targets = config.state_dir.join("tor_targets.json");
        fs::write(&config.probe.psiphon_config, r#"{"SponsorId": "test"}"#).unwrap();
        fs::write(&config.probe.tor_targets, r#"{"a": {"address": "192.0.2.1:443"}}"#).unwrap();
        load_rows(&config.store_uri());
    })
}

/// Sends all requests of a conversation, and returns country, network and test of the rows that it leaves, by time.
fn replay(name: &str, measurements: u64) -> Vec<(String, u32, String, String)> {
    const LOADED: u64 = 2822;
    let server = server();
    let mut command = Command::new("python3");
    command.arg(golden("check_api.py")).arg(format!("http://{}", server.address)).arg(conversation(name));
    let output = command.output().expect("python3 is needed");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    let all = fs::read_to_string(conversation(name)).unwrap().lines().count();
    assert!(report.contains(&format!("{all} of {all:3}  in all")), "{report}");

    until(&server, async |store| store.count().await.unwrap() == LOADED + measurements);
    let url = format!("sqlite:{}", server.state_dir().join("ooni.db").display());
    Runtime::new().unwrap().block_on(async {
        let store = Store::open(&url, StoreOptions::default()).await.unwrap();
        let page = store.page(Some("20250715103000"), 100).await.unwrap();
        let mut found = Vec::new();
        for row in page {
            let Value::Text(uid) = &row[0] else { panic!("{:?} is not a uid", row[0]) };
            if uid.starts_with("20250715103000.") {
                let row = store.find(uid).await.unwrap().unwrap();
                found.push((row.probe_cc, row.probe_asn, row.test_name, row.report_id));
            }
        }
        found
    })
}

/// Each row is that of the report which the server opened.
fn check(found: &[(String, u32, String, String)], expected: &[(&str, u32, &str)]) {
    let places: Vec<_> = found.iter().map(|(cc, asn, test, _)| (&**cc, *asn, &**test)).collect();
    assert_eq!(places, expected);
    for (cc, asn, test, report) in found {
        let start = format!("20250715T103000Z_{}_{cc}_{asn}_n1_", test.replace('_', ""));
        assert!(report.starts_with(&start), "{report}");
    }
}

#[test]
fn old_probe() {
    check(&replay("old_probe", 2), &[("RU", 51604, "web_connectivity"), ("AE", 15802, "ndt")]);
}

#[test]
fn report() {
    let found = replay("report", 2);
    check(&found, &[("US", 13335, "http_invalid_request_line"); 2]);
    assert_eq!(found[0].3, found[1].3);
}

#[test]
fn submit_measurement() {
    let found = replay("submit_measurement", 2);
    check(&found, &[("US", 13335, "http_invalid_request_line"), ("RU", 51604, "web_connectivity")]);
}

#[test]
fn psiphon() {
    check(&replay("psiphon", 1), &[("DE", 8881, "psiphon")]);
}
