//! What the archiver does with numbers of cans, ends of hours, and what a killed process has left.

use crate::process::archive;
use crate::{NOW, config};
use ooni_api::app::App;
use ooni_api::archiver::Archived;
use ooni_api::clock::{Clock, Timestamp};
use ooni_api::config::Config;
use ooni_api::drain::drain;
use ooni_api::intake::{Intake, Payload, Route, Side, Submission};
use ooni_api::tasks::Tasks;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const HOUR: u64 = 3_600_000_000;

/// A clock that stands still until it is set.
fn hand() -> (Arc<AtomicU64>, Clock) {
    let hand = Arc::new(AtomicU64::new(NOW));
    let clock = Arc::clone(&hand);
    (hand, Clock::new(move || Timestamp::from_micros(clock.load(Ordering::SeqCst))))
}

async fn submit(intake: &Intake, body: impl Into<Vec<u8>>) -> String {
    let submission = Submission {
        route: Route::Report,
        key_report_id: String::new(),
        probe_cc: "IT".to_owned(),
        test_name: "ndt".to_owned(),
        uid: None,
        headers: Vec::new(),
        side: Side::default(),
        body: Payload::Memory(body.into().into()),
    };
    intake.accept(submission).await.unwrap().uid
}

async fn open(config: &Config, clock: &Clock) -> (App, Tasks) {
    App::open(config.clone(), clock.clone()).await.unwrap()
}

/// The plan of the first segment.
fn plan(config: &Config, app: &App) -> PathBuf {
    let segment = app.intake.segments()[0].path.clone();
    config.state_dir.join("archiver").join(segment.file_name().unwrap()).with_extension("plan")
}

/// A line of a plan, for the first can.
fn line(step: &str) -> String {
    let hour = NOW / HOUR * 3600;
    format!("{{\"hour\":{hour},\"cc\":\"IT\",\"testname\":\"ndt\",\"number\":0,\"step\":{step}}}\n")
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_that_is_over_is_archived_without_traffic() {
    let folder = tempfile::tempdir().unwrap();
    let (time, clock) = hand();
    let config = config(folder.path());
    let (app, tasks) = open(&config, &clock).await;
    submit(&app.intake, "{\"n\":1}").await;
    assert_eq!(tasks.archiver.run_once(false).await.unwrap(), Archived::default());
    app.intake.shutdown().await;
    time.fetch_add(HOUR, Ordering::SeqCst);
    let (_, tasks) = open(&config, &clock).await;
    let archived = tasks.archiver.run_once(false).await.unwrap();
    assert_eq!(archived, Archived { postcans: 1, quarantined: 0, cans: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_segment_of_the_current_hour_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (time, clock) = hand();
    let config = config(folder.path());
    let (app, tasks) = open(&config, &clock).await;
    submit(&app.intake, "{\"n\":1}").await;
    app.intake.rotate().await.unwrap();
    assert_eq!(tasks.archiver.run_once(false).await.unwrap(), Archived::default());
    app.intake.shutdown().await;
    // The clock was set back by several hours.
    time.fetch_sub(3 * HOUR, Ordering::SeqCst);
    let (_, tasks) = open(&config, &clock).await;
    assert_eq!(tasks.archiver.run_once(false).await.unwrap().postcans, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_can_of_another_server_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("archive");
    let (time, clock) = hand();
    let of = |name: &str| {
        let mut config = config(&folder.path().join(name));
        config.archive.location = shared.to_str().unwrap().to_owned();
        config
    };
    let (one, other) = (of("one"), of("other"));
    let (app, tasks) = open(&one, &clock).await;
    let first = submit(&app.intake, "{\"n\":1}").await;
    // As if it had been killed after it had planned the can.
    fs::write(plan(&one, &app), line("\"planned\",\"last\":1")).unwrap();
    time.fetch_add(1, Ordering::SeqCst);
    let (other_app, other_tasks) = open(&other, &clock).await;
    let second = submit(&other_app.intake, "{\"n\":2}").await;
    other_tasks.archiver.run_once(true).await.unwrap();

    tasks.archiver.run_once(true).await.unwrap();
    let archived = archive::bodies(&shared);
    assert_eq!(archived.keys().collect::<Vec<_>>(), [&first, &second]);
    let lines = archive::lines(&shared);
    let texts: Vec<&[u8]> = lines.values().flatten().map(Vec::as_slice).collect();
    assert_eq!(texts, [b"{\"n\":2}", b"{\"n\":1}"]);
    assert_eq!(files(&one.state_dir.join("archiver")), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_attempt_put_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (_, clock) = hand();
    let config = config(folder.path());
    let (app, tasks) = open(&config, &clock).await;
    let uid = submit(&app.intake, "{\"n\":1}").await;
    let [planned, putting] = ["\"planned\",\"last\":1", "\"putting\""].map(line);
    fs::write(plan(&config, &app), planned + &putting).unwrap();
    let put = config.state_dir.join("archive/raw/20260301/12/IT/ndt/2026030112_IT_ndt.n1.0.tar.gz");
    fs::create_dir_all(put.parent().unwrap()).unwrap();
    fs::write(&put, "a part").unwrap();
    let archived = tasks.archiver.run_once(true).await.unwrap();
    assert_eq!(archived, Archived { postcans: 1, quarantined: 0, cans: 1 });
    assert_eq!(archive::bodies(&config.state_dir.join("archive")).into_keys().collect::<Vec<_>>(), [uid]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_can_that_is_done_is_not_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_, clock) = hand();
    let config = config(folder.path());
    let (app, tasks) = open(&config, &clock).await;
    submit(&app.intake, "{\"n\":1}").await;
    submit(&app.intake, "not JSON").await;
    let third = submit(&app.intake, "{\"n\":3}").await;
    let done = "\"done\",\"postcans\":1,\"quarantined\":1,\"cans\":2";
    let [planned, done] = ["\"planned\",\"last\":2", done].map(line);
    fs::write(plan(&config, &app), planned + &done).unwrap();
    let archived = tasks.archiver.run_once(true).await.unwrap();
    assert_eq!(archived, Archived { postcans: 2, quarantined: 1, cans: 3 });
    assert_eq!(archive::bodies(&config.state_dir.join("archive")).into_keys().collect::<Vec<_>>(), [third]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_an_earlier_process_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (_, clock) = hand();
    let config = config(folder.path());
    let (app, _) = open(&config, &clock).await;
    submit(&app.intake, "{\"n\":1}").await;
    let plan = plan(&config, &app).file_name().unwrap().to_str().unwrap().to_owned();
    app.intake.shutdown().await;
    let archiver = config.state_dir.join("archiver");
    for file in [".tmpAbCdEf", "2026030111-00000000000000000001.plan", &plan] {
        fs::write(archiver.join(file), "").unwrap();
    }
    let (_, tasks) = open(&config, &clock).await;
    assert_eq!(files(&archiver), [plan]);
    tasks.archiver.run_once(true).await.unwrap();
    assert_eq!(files(&archiver), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_very_compressible_body_has_a_can_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (_, clock) = hand();
    let config = config(folder.path());
    let (app, tasks) = open(&config, &clock).await;
    let bodies = ["{\"n\":1}".to_owned(), format!("{{\"n\":\"{}\"}}", "a".repeat(100_000_000)), "{\"n\":3}".to_owned()];
    let mut wanted = BTreeMap::new();
    for body in &bodies {
        wanted.insert(submit(&app.intake, body.as_bytes()).await, body);
    }
    tasks.archiver.run_once(true).await.unwrap();
    let root = config.state_dir.join("archive");
    let archived = archive::bodies(&root);
    assert_eq!(archived.len(), wanted.len());
    for (uid, body) in wanted {
        assert!(archived[&uid].body == body.as_bytes(), "{uid}");
    }
    assert_eq!(archive::readable_lines(&root), [1, 1, 1]);
    let lines = archive::lines(&root).into_values().flatten();
    assert!(lines.eq(bodies.iter().map(|body| body.as_bytes().to_vec())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_last_record_does_not_block_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let (_, clock) = hand();
    let config = config(folder.path());
    let (app, _) = open(&config, &clock).await;
    let first = submit(&app.intake, "{\"n\":1}").await;
    submit(&app.intake, "{\"n\":2}").await;
    let segment = app.intake.segments()[0].path.clone();
    // The start verifies only the last segment.
    app.intake.rotate().await.unwrap();
    app.intake.shutdown().await;
    let mut bytes = fs::read(&segment).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&segment, bytes).unwrap();
    let archived = drain(config.clone(), clock, true).await.unwrap();
    assert_eq!(archived, Archived { postcans: 1, quarantined: 0, cans: 1 });
    assert_eq!(archive::bodies(&config.state_dir.join("archive")).into_keys().collect::<Vec<_>>(), [first]);
}
