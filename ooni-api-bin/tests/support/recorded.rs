//! The rows, files and clock with which the requests of `tests/golden` were recorded.

use super::Server;
use ooni_api::clock::{Clock, Timestamp};
use ooni_api::config::Config;
use ooni_core::time::DateTime;
use ooni_store::{BlockingStore, load_dump};
use std::path::{Path, PathBuf};

/// When the requests of `tests/golden` were recorded: 2025-07-15 10:30:00 UTC, a Tuesday.
pub fn recorded_clock() -> Clock {
    let time = DateTime::new(2025, 7, 15, 10, 30, 0).unwrap();
    Clock::new(move || Timestamp::from_date_time(time))
}

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The settings with which the requests were recorded.
pub fn recorded_settings(config: &mut Config) {
    config.server.base_url = "https://api.ooni.org".to_owned();
    config.server.trusted_proxies = vec!["127.0.0.1".to_owned(), "::1".to_owned()];
    config.geoip.asn = golden("mmdb/GeoLite2-ASN-Test.mmdb");
    config.geoip.cc = golden("mmdb/GeoIP2-Country-Test.mmdb");
    config.intake.min_free_bytes = 0;
    config.jobs.schedule = false;
    config.archive.location = format!("file:{}", golden("cans").display());
    config.limits.exempt = vec!["127.0.0.0/8".to_owned(), "::1".to_owned()];
}

/// Loads the rows of the recording into a store.
pub fn load_rows(url: &str) {
    let store = BlockingStore::open(url).unwrap();
    let loaded = load_dump(&store, &golden("rows.jsonl"), |line, reason| panic!("line {line}: {reason}")).unwrap();
    assert_eq!((loaded.inserted, loaded.listed, loaded.bad), (2822, 645, 0), "{loaded:?}");
}

/// A server with the rows, files and clock of the recording.
pub fn recorded_server() -> Server {
    Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        std::fs::create_dir_all(&config.state_dir).unwrap();
        load_rows(&config.store_uri());
    })
}
