//! Live scoring: what it counts, and what it does when the log or the store fails.

use crate::{clock, config};
use ooni_api::app::App;
use ooni_api::config::Config;
use ooni_api::health::{Parts, ScoringHealth};
use ooni_api::intake::{Payload, Route, Side, Submission};
use ooni_api::scoring::{Outcomes, Scoring};
use ooni_api::tasks::Tasks;
use ooni_store::{Store, StoreOptions};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const UID: &str = "20260301115959.000000_IT_ndt_0123456789abcdef";

/// A measurement that gets a row.
const MEASUREMENT: &str = r#"{"format": "json", "content": {"report_id": "20260301T115959Z_ndt_IT_30722_n1_abcdefghijklmnop",
    "probe_cc": "IT", "probe_asn": "AS30722", "test_name": "ndt", "test_start_time": "2026-03-01 11:59:59",
    "measurement_start_time": "2026-03-01 11:59:59", "software_name": "a", "software_version": "1", "test_keys": {}}}"#;

fn submission(uid: Option<&str>, body: &str) -> Submission {
    Submission {
        route: if uid.is_some() { Route::Import } else { Route::Report },
        key_report_id: "20260301T115959Z_ndt_IT_30722_n1_abcdefghijklmnop".to_owned(),
        probe_cc: "IT".to_owned(),
        test_name: "ndt".to_owned(),
        uid: uid.map(str::to_owned),
        headers: Vec::new(),
        side: Side::default(),
        body: Payload::Memory(body.to_owned().into()),
    }
}

/// A running task.
struct Running {
    app: App,
    stop: watch::Sender<bool>,
    scoring: JoinHandle<()>,
}

impl Running {
    fn start((app, tasks): (App, Tasks)) -> Running {
        let (stop, stopped) = watch::channel(false);
        let scoring: Scoring = tasks.scoring;
        Running { app, stop, scoring: tokio::spawn(scoring.run(stopped)) }
    }

    /// Waits until everything is scored; what became of it.
    async fn scored(&self) -> Outcomes {
        let accepted = self.app.intake.counters().accepted;
        let mut progress = self.app.scoring.clone();
        let progress = progress.wait_for(|progress| progress.position.sequence >= accepted).await.unwrap();
        progress.outcomes
    }

    async fn stop(self) -> App {
        self.stop.send(true).unwrap();
        self.scoring.await.unwrap();
        self.app
    }
}

async fn open(config: Config) -> (App, Tasks) {
    App::open(config, clock()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_measurement_that_was_removed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(config(folder.path())).await;
    let app = &opened.0;
    app.stores.measurements().unwrap().remove(UID, "wrong", true).await.unwrap();
    app.intake.accept(submission(Some(UID), MEASUREMENT)).await.unwrap();
    app.intake.accept(submission(None, MEASUREMENT)).await.unwrap();
    let running = Running::start(opened);
    assert_eq!(running.scored().await, Outcomes { stored: 1, refused: 1, ..Outcomes::default() });
    let app = running.stop().await;
    let status = app.stores.measurements().unwrap().uid_status(UID).await.unwrap();
    assert!(status.is_removed && !status.is_stored, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejections_of_two_collectors_have_different_keys() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shared.db").display());
    for collector in ["1", "2"] {
        let mut config = config(&folder.path().join(collector));
        config.store.uri = store.clone();
        config.server.collector_id = collector.to_owned();
        let opened = open(config).await;
        opened.0.intake.accept(submission(None, "not JSON")).await.unwrap();
        let running = Running::start(opened);
        assert_eq!(running.scored().await, Outcomes { rejected: 1, ..Outcomes::default() });
        running.stop().await;
    }
    let store = Store::open(&store, StoreOptions::default()).await.unwrap();
    let mut rejections = store.rejections(None, None);
    let mut keys = Vec::new();
    while let Some(rejection) = rejections.next().await {
        let rejection = rejection.unwrap();
        keys.push((rejection.can.to_string(), rejection.position));
    }
    assert_eq!(keys, [("intake/1/2026030112".to_owned(), 1), ("intake/2/2026030112".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_records_at_the_end_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(config(folder.path())).await;
    let app = &opened.0;
    for body in [MEASUREMENT, "not JSON", "damaged 1", "damaged 2"] {
        app.intake.accept(submission(None, body)).await.unwrap();
    }
    let path = &app.intake.segments()[0].path;
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"damaged ")).collect();
    assert_eq!(places.len(), 2);
    places.into_iter().for_each(|at| bytes[at] = b'D');
    std::fs::write(path, bytes).unwrap();

    let running = Running::start(opened);
    assert_eq!(running.scored().await, Outcomes { stored: 1, rejected: 1, damaged: 2, ..Outcomes::default() });
    let Parts { intake, scoring: ScoringHealth { pending, lag_seconds, .. }, .. } = Parts::of(&running.app).await;
    assert_eq!((intake.accepted, intake.damaged, pending, lag_seconds), (4, 2, 0, 0.0));

    // Records after them are scored, and counted once.
    running.app.intake.accept(submission(None, "{}")).await.unwrap();
    let all = running.scored().await;
    assert_eq!((all.total(), all.damaged), (5, 2), "{all:?}");
    running.stop().await.intake.shutdown().await;

    // The counters are those of the position after a restart.
    let (app, _) = open(config(folder.path())).await;
    assert_eq!(app.scoring.borrow().outcomes, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counters_add_up_while_measurements_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(open(config(folder.path())).await);
    let intake = running.app.intake.clone();
    let submitting = tokio::spawn(async move {
        for number in 0..1000 {
            intake.accept(submission(None, &format!("{number}"))).await.unwrap();
        }
    });
    let mut last = 0;
    while !submitting.is_finished() {
        let Parts { intake, scoring, .. } = Parts::of(&running.app).await;
        assert_eq!(intake.accepted, scoring.outcomes.total() + scoring.pending);
        last = intake.accepted;
    }
    assert!(last > 0);
    submitting.await.unwrap();
    assert_eq!(running.scored().await.total(), 1000);
    let app = running.stop().await;
    assert!(Parts::of(&app).await.scoring.failing, "scoring has ended");
}

/// A session of PostgreSQL that holds the lock of a table until it is dropped.
struct Locked {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Locked {
    /// Returns when the table is locked.
    fn new(url: &str, table: &str) -> Locked {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", url]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = psql.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut locked = Locked { child, input, output: BufReader::new(output).lines() };
        assert_eq!(locked.ask(&format!("BEGIN; LOCK TABLE {table}; SELECT 'locked';")), "locked");
        locked
    }

    /// The first line of what a query returns.
    fn ask(&mut self, query: &str) -> String {
        writeln!(self.input, "{query}").unwrap();
        self.output.next().unwrap().unwrap()
    }

    /// Waits until another session waits for a lock.
    async fn wait_for_waiting(&mut self) {
        while self.ask("SELECT count(*) FROM pg_locks WHERE NOT granted;") == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_does_not_keep_the_server_from_stopping() {
    let server = Server::shared_postgres();
    skip_without!(server);
    let url = server.unwrap().postgres_url("postgres");
    Store::migrate(&url, &StoreOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.store.uri = url.clone();
    let opened = open(config.clone()).await;
    opened.0.intake.accept(submission(Some(UID), MEASUREMENT)).await.unwrap();
    let mut locked = Locked::new(&url, "fastpath");
    let running = Running::start(opened);
    locked.wait_for_waiting().await;
    let app = tokio::time::timeout(Duration::from_secs(50), running.stop()).await.expect("scoring has not stopped");
    assert_eq!(app.scoring.borrow().position.sequence, 0);
    app.intake.clone().shutdown().await;
    drop((app, locked));

    // Nothing is lost.
    let running = Running::start(open(config).await);
    assert_eq!(running.scored().await, Outcomes { stored: 1, ..Outcomes::default() });
    running.stop().await;
}
