//! Files for probes: the psiphon configuration, Tor targets, and services.

use crate::support::Server;
use crate::support::recorded::{recorded_clock, recorded_settings};
use ooni_api::config::Config;
use ooni_api::run::run;
use serde_json::json;
use std::fs;
use std::path::Path;
use tokio::net::TcpListener;

fn server(change: impl FnOnce(&mut Config)) -> Server {
    Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        change(config);
    })
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Asks until the answer is as wanted.
fn until(server: &Server, path: &str, text: &str) {
    while server.get(path).text() != text {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn missing_files() {
    let server = server(|_| {});
    for (path, error) in [("psiphon-config", "Invalid psiphon-config"), ("tor-targets", "Invalid tor-targets")] {
        let reply = server.get(&format!("/api/v1/test-list/{path}"));
        assert_eq!((reply.status, reply.error().as_str()), (401, error));
    }
}

/// Files are returned as they are, and read again when they are replaced. One that is not JSON is not used.
#[test]
fn replaced_files() {
    let folder = tempfile::tempdir().unwrap();
    let [psiphon, tor, services] = ["psiphon.json", "tor.json", "services.json"].map(|name| folder.path().join(name));
    fs::write(&psiphon, "{\"b\": 1,  \"a\": 2}\n").unwrap();
    fs::write(&services, "{\"collectors\": []}").unwrap();
    let server = server(|config| {
        config.probe.psiphon_config = psiphon.clone();
        config.probe.tor_targets = tor.clone();
        config.probe.services = services.clone();
    });
    let (psiphon_path, tor_path) = ("/api/v1/test-list/psiphon-config", "/api/v1/test-list/tor-targets");
    assert_eq!(server.get(psiphon_path).text(), "{\"b\": 1,  \"a\": 2}\n");
    assert_eq!(server.get("/api/v1/collectors").text(), "[]\n");
    assert_eq!(server.get(tor_path).status, 401);
    replace(&psiphon, "not JSON");
    replace(&services, "{\"features\": {\"torsf_enabled\": true}, \"collectors\": []}");
    replace(&tor, "{}");
    until(&server, tor_path, "{}");
    assert_eq!(server.get(psiphon_path).text(), "{\"b\": 1,  \"a\": 2}\n");
    let checked = server.post("/api/v1/check-in", "{}").json();
    assert_eq!(checked["conf"]["features"]["torsf_enabled"], json!(true));
    replace(&psiphon, "{}");
    until(&server, psiphon_path, "{}");
}

/// A server does not start with services that it cannot use.
#[tokio::test]
async fn invalid_services() {
    let folder = tempfile::tempdir().unwrap();
    let services = folder.path().join("services.json");
    let mut config = Config::default();
    recorded_settings(&mut config);
    config.probe.services = services.clone();
    // A server that has failed to start may hold its lock for another moment.
    let start = |state: &str| {
        let config = Config { state_dir: folder.path().join(state), ..config.clone() };
        async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let error = run(config, listener, recorded_clock(), std::future::pending()).await.unwrap_err();
            format!("{error:#}")
        }
    };
    let missing = start("missing").await;
    assert!(missing.starts_with(&format!("{}: No such file", services.display())), "{missing}");
    fs::write(&services, "{\n  \"features\": {\n    \"torsf_enabled\": 1\n  }\n}\n").unwrap();
    let reason = "torsf_enabled: invalid type: integer `1`, expected a boolean at line 3 column 22";
    assert_eq!(start("invalid").await, format!("{}: {reason}", services.display()));
}
