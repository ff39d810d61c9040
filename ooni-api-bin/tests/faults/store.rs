//! A PostgreSQL server that is down.

use crate::process::check::{check, check_kept};
use crate::process::kills;
use crate::process::load::{Load, request};
use crate::process::server::{Server, Setup};
use ooni_store::BlockingStore;
use ooni_testkit::server::Server as Database;
use ooni_testkit::skip_without;
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

/// A database server of its own, and a setup whose store is there.
fn setup() -> (Database, Setup) {
    let database = Database::postgres(false).unwrap();
    let url = database.postgres_url("postgres");
    BlockingStore::migrate(&url).unwrap();
    let mut setup = Setup::new();
    setup.use_store(&url);
    (database, setup)
}

fn has_error(health: &Value, code: &str) -> bool {
    health["errors"].as_array().unwrap().contains(&json!(code))
}

fn lag(health: &Value) -> f64 {
    health["scoring"]["lag_seconds"].as_f64().unwrap()
}

/// Submissions are accepted, and wait.
fn check_waiting(server: &Server, load: &Load) {
    let is_down = |health: &Value| has_error(health, "db_error");
    let before = server.wait_for("the error is not reported", is_down);
    let count = load.count();
    server.wait_for("nothing was accepted", |_| load.count() > count + 100);
    let later = server.wait_for("it does not lag", |health| lag(health) > lag(&before) + 3600.0);
    assert_eq!((&later["status"], &later["store"]["reachable"]), (&json!("degraded"), &json!(false)), "{later}");
    assert!(is_down(&later), "{later}");
    assert_eq!(later["scoring"]["stored"], before["scoring"]["stored"], "{later}");
    let answer = request(server.address(), b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    assert!(answer.0.starts_with("HTTP/1.1 200 "), "{}", answer.0);
}

#[test]
fn a_store_that_is_down_throughout() {
    skip_without!(Database::shared_postgres());
    let (database, setup) = setup();
    database.stop().unwrap();
    let load = Load::slow();
    for _ in 0..2.max(kills() / 20) {
        let server = Server::start(&setup, None);
        let submitting = load.start(server.address());
        check_waiting(&server, &load);
        server.kill();
        submitting.wait();
        check_kept(&setup, &load);
    }
    let server = Server::start(&setup, None);
    database.restart().unwrap();
    server.wait_until_scored();
    server.stop();
    check(&setup, &load);
}

#[test]
fn a_store_that_goes_down_and_comes_back() {
    skip_without!(Database::shared_postgres());
    let (database, setup) = setup();
    let load = Load::slow();
    for _ in 0..1.max(kills() / 20) {
        let server = Server::start(&setup, None);
        let submitting = load.start(server.address());
        server.wait_for("nothing was stored", |health| health["scoring"]["stored"].as_u64() > Some(0));
        database.stop().unwrap();
        check_waiting(&server, &load);
        database.restart().unwrap();
        // The same process continues.
        let waiting = server.health()["intake"]["accepted"].as_u64();
        server.wait_for("nothing more is stored", |health| {
            health["scoring"]["stored"].as_u64() > waiting && health["scoring"]["failing"] == false
        });
        database.stop().unwrap();
        sleep(Duration::from_millis(300));
        server.kill();
        submitting.wait();
        check_kept(&setup, &load);
        database.restart().unwrap();
    }
    check(&setup, &load);
}
