//! The requests of `tests/golden`, compared with the answers of the reference by `check_api.py`.

use crate::support::Server;
use crate::support::recorded::{golden, load_rows, recorded_clock, recorded_settings};
use ooni_api::config::Config;
use ooni_store::BlockingStore;
use ooni_testkit::skip_without;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// Cases that need anonymous credentials, which this server does not have.
const OF_CREDENTIALS: usize = 4;

/// What the reference had: a key for tokens and files for probes.
fn with_files(config: &mut Config) {
    recorded_settings(config);
    let secrets = config.state_dir.join("secrets");
    fs::create_dir_all(&secrets).unwrap();
    let key = secrets.join("probe_token.key");
    fs::write(&key, "super_secure\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    config.probe.psiphon_config = config.state_dir.join("psiphon_config.json");
    config.probe.tor_targets = config.state_dir.join("tor_targets.json");
    fs::write(&config.probe.psiphon_config, r#"{"SponsorId": "test"}"#).unwrap();
    fs::write(&config.probe.tor_targets, r#"{"a": {"address": "192.0.2.1:443", "source": "test"}}"#).unwrap();
}

/// Runs all cases. The report of the script says where answers differ.
fn check(server: &Server) {
    let all = fs::read_to_string(golden("requests.jsonl")).unwrap().lines().count();
    let mut command = Command::new("python3");
    command.arg(golden("check_api.py")).arg(format!("http://{}", server.address)).arg(golden("requests.jsonl"));
    command.arg("--cans").arg(golden("cans"));
    if let Ok(route) = std::env::var("OONI_GOLDEN_ROUTE") {
        command.args(["--route", &route]); // while a route is written
    }
    command.args(["--clock", "--have", "jwt key super_secure", "--have", "psiphon and tor configured"]);
    let output = command.output().expect("python3 is needed");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    let good = all - OF_CREDENTIALS;
    assert!(report.contains(&format!("{good} of {good}  in all")), "{report}");
}

#[test]
fn sqlite() {
    let server = Server::start_at(recorded_clock(), |config| {
        with_files(config);
        load_rows(&config.store_uri());
    });
    check(&server);
}

#[test]
fn postgres() {
    let postgres = ooni_testkit::server::Server::shared_postgres();
    skip_without!(postgres);
    let url = postgres.unwrap().postgres_url("postgres");
    BlockingStore::migrate(&url).unwrap();
    load_rows(&url);
    let server = Server::start_at(recorded_clock(), |config| {
        with_files(config);
        config.store.uri = url;
    });
    check(&server);
}

/// One test fails if the database server is missing, instead of being skipped.
#[test]
fn postgres_is_installed() {
    ooni_testkit::server::Server::shared_postgres().unwrap();
}
