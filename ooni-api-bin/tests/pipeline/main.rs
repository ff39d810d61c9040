//! From submissions to rows and archive objects, and back by a rerun.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy does not treat helpers of tests as tests

mod bodies;
mod cans;
mod oonidata;
#[path = "../process/mod.rs"]
mod process;
mod rerun;
mod scoring;
mod submit;
#[path = "../support/mod.rs"]
mod support;

use ooni_api::app::App;
use ooni_api::archiver::Archived;
use ooni_api::clock::{Clock, Timestamp};
use ooni_api::config::Config;
use ooni_api::import::{Imported, import};
use ooni_api::scoring::{Outcomes, Scoring};
use ooni_store::{Store, StoreOptions};
use ooni_testkit::corpus;
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// 2026-03-01 12:00:00 UTC.
const NOW: u64 = 1_772_366_400_000_000;

fn config(folder: &Path) -> Config {
    let mut config = Config { state_dir: folder.join("state"), ..Config::default() };
    config.intake.min_free_bytes = 0;
    config.scoring.batch_delay = 10;
    config
}

fn clock() -> Clock {
    Clock::new(|| Timestamp::from_micros(NOW))
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data")
}

/// Rows of the store, by uid, as text.
async fn rows(app: &App) -> BTreeMap<String, String> {
    let store = app.stores.measurements().unwrap();
    let mut rows = store.measurements(None);
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next().await {
        let row = row.unwrap();
        let uid = format!("{:?}", row.row[0]);
        found.insert(uid, format!("{:?} {:?} {:?}", row.row, row.openvpn, row.provenance.body_sha256.len()));
    }
    found
}

/// Scores until so many measurements are done.
async fn scored(app: &App, scoring: Scoring, count: u64) -> Outcomes {
    let mut progress = app.scoring.clone();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(scoring.run(stopped));
    let outcomes = progress.wait_for(|progress| progress.outcomes.total() == count).await.unwrap().outcomes;
    stop.send(true).unwrap();
    running.await.unwrap();
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_measurements_are_scored_and_archived_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (app, tasks) = App::open(config(folder.path()), clock()).await.unwrap();
    let paths = [examples()];
    let imported = import(&app.intake, &app.stores, &paths).await.unwrap();
    assert_eq!((imported.already, imported.failed), (0, 0), "{imported}");
    assert!(imported.accepted > 5, "{imported}");
    let again = import(&app.intake, &app.stores, &paths).await.unwrap();
    assert_eq!(again, Imported { accepted: 0, already: imported.accepted, failed: 0 });

    let outcomes = scored(&app, tasks.scoring, imported.accepted).await;
    let Outcomes { stored, discarded, rejected, refused, damaged } = outcomes;
    assert_eq!((stored + discarded + rejected + refused, damaged), (imported.accepted, 0));
    let before = rows(&app).await;
    assert_eq!(before.len() as u64, stored);

    let Archived { postcans, quarantined, cans } = tasks.archiver.run_once(true).await.unwrap();
    assert_eq!((postcans + quarantined, quarantined), (imported.accepted, 0));
    assert!(cans > 3);
    let store = app.stores.measurements().unwrap();
    let mut listed = store.measurements(None);
    while let Some(row) = listed.next().await {
        let row = row.unwrap();
        let body = row.body.unwrap();
        // A measurement with line breaks is read from the postcan.
        assert_eq!(body.member.is_none(), body.s3path.ends_with(".tar.gz"));
        let from_archive = app.archive.body(&body).await.unwrap();
        assert!(from_archive.text.starts_with(b"{") && from_archive.has_envelope == body.member.is_none());
    }
    assert_eq!(rows(&app).await, before);
}

/// An import has more measurements than the queues of the store and of the log hold.
async fn a_large_import_loses_nothing(store: String) {
    let folder = tempfile::tempdir().unwrap();
    let options = corpus::Options { n: 2000, malformed: 0.0, odd: 0.0, ..corpus::Options::default() };
    let files = folder.path().join("files");
    corpus::containers::write(&options, &files, &corpus::containers::Packing::default()).unwrap();
    let mut config = config(folder.path());
    config.store.uri = store;
    let (app, tasks) = App::open(config, clock()).await.unwrap();
    let running = tasks.start();
    let imported = import(&app.intake, &app.stores, &[files]).await.unwrap();
    assert_eq!(imported, Imported { accepted: 2000, already: 0, failed: 0 });
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_import_into_sqlite_loses_nothing() {
    a_large_import_loses_nothing(String::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_import_into_postgres_loses_nothing() {
    let server = Server::shared_postgres();
    skip_without!(server);
    let url = server.unwrap().postgres_url("postgres");
    Store::migrate(&url, &StoreOptions::default()).await.unwrap();
    a_large_import_loses_nothing(url).await;
}

/// A store that was filled by `fastpath store import` has rows of measurements whose bodies are in no archive yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_measurement_that_has_only_a_row_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.store.uri = format!("sqlite:{}", folder.path().join("ooni.db").display());
    let (app, tasks) = App::open(config.clone(), clock()).await.unwrap();
    let imported = import(&app.intake, &app.stores, &[examples()]).await.unwrap();
    scored(&app, tasks.scoring, imported.accepted).await;
    let before = rows(&app).await;
    assert!(!before.is_empty());

    config.state_dir = folder.path().join("other");
    let (app, tasks) = App::open(config, clock()).await.unwrap();
    let again = import(&app.intake, &app.stores, &[examples()]).await.unwrap();
    assert_eq!(again, imported);
    scored(&app, tasks.scoring, imported.accepted).await;
    tasks.archiver.run_once(true).await.unwrap();
    assert_eq!(rows(&app).await, before);
    let mut listed = app.stores.measurements().unwrap().measurements(None);
    while let Some(row) = listed.next().await {
        assert!(row.unwrap().body.is_some());
    }
}
