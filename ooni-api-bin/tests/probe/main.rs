//! Probe services: each route against a running server, recorded requests, whole conversations, and hostile bodies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy does not treat helpers of tests as tests

mod conversations;
mod files;
mod golden;
mod hostile;
mod routes;
mod submissions;
#[path = "../support/mod.rs"]
mod support;

use ooni_api::clock::{Clock, Timestamp};
use ooni_api::config::Config;
use ooni_core::time::DateTime;
use ooni_store::{BlockingStore, load_dump};
use std::path::{Path, PathBuf};
use support::Server;

/// When the requests of `tests/golden` were recorded: 2025-07-15 10:30:00 UTC, a Tuesday.
fn recorded_clock() -> Clock {
    let time = DateTime::new(2025, 7, 15, 10, 30, 0).unwrap();
    Clock::new(move || Timestamp::from_date_time(time))
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The settings with which the requests were recorded.
fn recorded_settings(config: &mut Config) {
    config.server.base_url = "https://api.ooni.org".to_owned();
    config.server.trusted_proxies = vec!["127.0.0.1".to_owned(), "::1".to_owned()];
    config.geoip.asn = golden("mmdb/GeoLite2-ASN-Test.mmdb");
    config.geoip.cc = golden("mmdb/GeoIP2-Country-Test.mmdb");
    config.intake.min_free_bytes = 0;
    config.jobs.schedule = false;
}

/// Loads the rows of the recording into a store.
fn load_rows(url: &str) {
    let store = BlockingStore::open(url).unwrap();
    let loaded = load_dump(&store, &golden("rows.jsonl"), |line, reason| panic!("line {line}: {reason}")).unwrap();
    assert_eq!((loaded.inserted, loaded.listed, loaded.bad), (198, 645, 0), "{loaded:?}");
}

/// A server with the rows, files and clock of the recording.
fn recorded_server() -> Server {
    Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        std::fs::create_dir_all(&config.state_dir).unwrap();
        load_rows(&config.store_uri());
    })
}
