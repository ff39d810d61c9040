//! Locks, which one process at a time holds.

use crate::server::{OnClickhouse, OnPostgres};
use crate::support::{Engine, InFile, Open, open, open_to_read};
use ooni_store::{ErrorKind, StoreLock};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn take(store: &Open, name: &str) -> Option<StoreLock> {
    store.0.wait(store.0.store.try_lock(name)).unwrap()
}

/// Waits for a lock that was just released.
fn wait(store: &Open, name: &str) -> StoreLock {
    loop {
        if let Some(lock) = take(store, name) {
            return lock;
        }
    }
}

/// The child process of [`one_process_holds_a_lock`]: takes a lock and holds it.
#[test]
#[ignore = "a child process of another test"]
fn holder() {
    let store = open(&std::env::var("STORE").unwrap()).unwrap();
    let lock = take(&store, "archive").unwrap();
    println!("locked");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    assert!(lock.is_held());
}

fn one_process_holds_a_lock(engine: &dyn Engine) {
    let (store, other) = (engine.open(), engine.open());
    let lock = take(&store, "archive").unwrap();
    assert!(lock.is_held());
    // Neither another store nor the same one can take it; other names are other locks.
    assert!(take(&other, "archive").is_none() && take(&store, "archive").is_none());
    let others = [take(&other, "archive-2").unwrap(), take(&store, "test-lists").unwrap()];
    drop((lock, others));
    drop(wait(&other, "archive"));
    drop(wait(&store, "archive-2"));

    for _ in 0..2 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "locks::holder", "--ignored", "--nocapture", "--test-threads", "1"])
            .env("STORE", engine.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().contains("locked") {}
        assert!(take(&store, "archive").is_none());
        // A killed process releases it.
        child.kill().unwrap();
        child.wait().unwrap();
        drop(wait(&store, "archive"));
    }

    for name in ["", "A", "a/b", "../a", "a.b", "é", &"a".repeat(65)] {
        let error = store.0.wait(store.0.store.try_lock(name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
    }
    let reader = open_to_read(&engine.url()).unwrap();
    let error = reader.0.wait(reader.0.store.try_lock("archive")).unwrap_err();
    assert_eq!(error.message(), "the store was opened for reading only");
}

#[test]
fn sqlite_locks() {
    let engine = InFile::new();
    one_process_holds_a_lock(&engine);
    // The same file with another path has the same locks.
    let link = engine.path.with_file_name("link.db");
    std::os::unix::fs::symlink(&engine.path, &link).unwrap();
    let (store, other) = (engine.open(), open(&format!("sqlite:{}", link.display())).unwrap());
    let lock = take(&store, "archive");
    assert!(lock.is_some() && take(&other, "archive").is_none());
}

#[test]
fn postgres_locks() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    one_process_holds_a_lock(&engine);
    let store = engine.open();
    let lock = wait(&store, "archive");
    engine.query(
        "SELECT pg_terminate_backend(pid) FROM pg_locks
         WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    while lock.is_held() {}
    drop(wait(&store, "archive"));
    // Another database of the server has its own locks.
    let other = OnPostgres::new().open();
    let both = [take(&store, "jobs"), take(&other, "jobs")];
    assert!(both.iter().all(Option::is_some));
}

#[test]
fn clickhouse_has_no_locks() {
    skip_without!(Server::shared_clickhouse());
    let store = OnClickhouse::new().open();
    let error = store.0.wait(store.0.store.try_lock("archive")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
