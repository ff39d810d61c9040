//! Errors of the file of a SQLite store.

use crate::support::{Engine, Fields, InFile, Open, SOUND, new, open, open_to_read, open_with, sound, uids};
use ooni_store::{Error, OnExisting, SqliteOptions};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::time::Duration;

const IMPATIENT: SqliteOptions = SqliteOptions {
    lock_wait: Duration::from_millis(1),
    max_bytes: None,
    max_row_bytes: 256 << 20,
    max_log_bytes: 1 << 30,
};

/// Opens the store of a path.
fn at(path: &Path) -> Result<Open, Error> {
    open(&format!("sqlite:{}", path.display()))
}

fn at_to_read(path: &Path) -> Result<Open, Error> {
    open_to_read(&format!("sqlite:{}", path.display()))
}

fn message<T>(result: Result<T, Error>, path: &Path) -> String {
    let Err(error) = result else { panic!("no error") };
    assert_eq!(error.store(), path.display().to_string());
    let said = error.to_string();
    for word in ["SELECT", "INSERT", "PRAGMA", "BEGIN", "fastpath (", "\n"] {
        assert!(!said.contains(word), "{said}");
    }
    error.message().to_owned()
}

#[test]
fn a_locked_database() {
    let engine = InFile::new();
    let store = open_with(&engine.path, IMPATIENT).unwrap();
    store.write(&sound([1]), OnExisting::Keep).unwrap();
    let other = Connection::open(&engine.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let said = message(store.write(&sound([2]), OnExisting::Keep), &engine.path);
    assert_eq!(said, "another process has been writing to it for 1ms");
    assert_eq!(store.count().unwrap(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.write(&sound([2]), OnExisting::Keep).unwrap().inserted, 1);
}

#[test]
fn a_long_log_is_truncated() {
    let engine = InFile::new();
    let log = || fs::metadata(format!("{}-wal", engine.path.display())).unwrap().len();
    let most = |max_log_bytes| {
        let store = open_with(&engine.path, SqliteOptions { max_log_bytes, ..IMPATIENT }).unwrap();
        let after = |uid| {
            store.write(&sound([uid]), OnExisting::Replace).unwrap();
            log()
        };
        (0..20).map(after).max().unwrap()
    };
    let long = most(1 << 30);
    assert!(long > 400 << 10, "a log of {long} bytes is too short for this test");
    let short = most(100 << 10);
    assert!(short <= 100 << 10, "{short}");
    // A reader prevents truncation, and does not block writers.
    let store = open_with(&engine.path, SqliteOptions { max_log_bytes: 0, ..IMPATIENT }).unwrap();
    let reader = Connection::open(&engine.path).unwrap();
    store.write(&sound([30]), OnExisting::Keep).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM fastpath").unwrap();
    store.write(&sound([31]), OnExisting::Keep).unwrap();
    assert!(log() > 0);
    reader.execute_batch("COMMIT").unwrap();
    store.write(&sound([32]), OnExisting::Keep).unwrap();
    assert_eq!((log(), store.count().unwrap()), (0, 23));
}

#[test]
fn a_full_disk() {
    let engine = InFile::new();
    let store = open_with(&engine.path, SqliteOptions { max_bytes: Some(400 << 10), ..IMPATIENT }).unwrap();
    let mut written = 0;
    let said = loop {
        match store.write(&sound(written..written + 50), OnExisting::Keep) {
            Ok(_) => written += 50,
            Err(error) => break message::<()>(Err(error), &engine.path),
        }
        assert!(written < 5000, "the disk never fills");
    };
    assert!(said.starts_with("the disk is full, or the size limit is reached"), "{said}");
    assert!(written > 0);
    // No partial batch is visible, now or later, and writing continues when there is room.
    assert_eq!(store.count().unwrap(), u64::from(written));
    drop(store);
    let store = engine.open();
    assert_eq!(store.count().unwrap(), u64::from(written));
    assert_eq!(engine.table("jsonl").len(), written as usize);
    assert_eq!(store.write(&sound(written..written + 50), OnExisting::Keep).unwrap().inserted, 50);
}

#[test]
fn a_row_that_is_too_long() {
    let engine = InFile::new();
    let store = open_with(&engine.path, SqliteOptions { max_row_bytes: 1600, ..IMPATIENT }).unwrap();
    let long = format!("\"{}\"", "x".repeat(1500));
    let vpn = format!(r#"{{"provider":"{}"}}"#, "x".repeat(1500));
    let batch = [
        new("u1", &Fields { version: &long, ..SOUND }),
        new("u2", &SOUND),
        new("u3", &Fields { test: "openvpn", keys: &vpn, ..SOUND }),
    ];
    let written = store.write(&batch, OnExisting::Keep).unwrap();
    let said: Vec<_> = written.refused.iter().map(|refusal| &*refusal.column).collect();
    assert_eq!(said, ["test_version", "obs_openvpn"]);
    assert_eq!(written.refused[0].message, "1500 bytes, in a row that is too long for this store");
    assert_eq!((uids(&store), engine.table("refused").len()), (vec!["u2".to_owned()], 2));
}

#[test]
fn files_that_are_not_stores() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("text.db"), "no database\n".repeat(1000)).unwrap();
    for open in [at, at_to_read] {
        assert!(message(open(&path("text.db")), &path("text.db")).starts_with("not a SQLite database"));
        assert_eq!(message(open(folder.path()), folder.path()), "is a folder");
    }
    assert_eq!(message(at_to_read(&path("none.db")), &path("none.db")), "does not exist");
    assert_eq!(message(at_to_read(&path("none/none.db")), &path("none/none.db")), "does not exist");
    assert!(!path("none.db").exists());
    assert!(message(at(&path("text.db/x/y.db")), &path("text.db/x/y.db")).starts_with("its folder cannot be created"));

    Connection::open(path("other.db")).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    let before = std::fs::read(path("other.db")).unwrap();
    assert_eq!(message(at(&path("other.db")), &path("other.db")), "is a database of another program");
    assert_eq!(std::fs::read(path("other.db")).unwrap(), before);

    // An empty file.
    std::fs::write(path("empty.db"), "").unwrap();
    assert_eq!(message(at_to_read(&path("empty.db")), &path("empty.db")), "is empty");
    at(&path("empty.db")).unwrap();
    for url in ["mysql://u:p@h/d", "mysql:x", ""] {
        let said = open(url).err().unwrap().to_string();
        assert!(
            said.ends_with("unsupported store URL: expected sqlite:PATH, postgres://… or clickhouse://…"),
            "{said}"
        );
        assert!(!said.contains("u:p"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_in_which_files_cannot_be_created() {
    // Not even root can create files there.
    let path = Path::new("/proc/self/ooni.db");
    assert!(message(at(path), path).starts_with("cannot be opened"));
    let path = Path::new("/proc/self/none/ooni.db");
    assert!(message(at(path), path).starts_with("its folder cannot be created"));
}

#[test]
fn newer_versions_are_refused() {
    let engine = InFile::new();
    engine.open().write(&sound([1]), OnExisting::Keep).unwrap();
    // Opening it again changes nothing.
    assert_eq!(open_to_read(&engine.url()).unwrap().count().unwrap(), 1);
    assert_eq!(engine.open().count().unwrap(), 1);
    Connection::open(&engine.path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for open in [at, at_to_read] {
        let said = message(open(&engine.path), &engine.path);
        assert!(said.starts_with("was created by a newer fastpath: its tables have version 99; "), "{said}");
    }
}

#[test]
fn a_read_only_store_is_not_written() {
    let engine = InFile::new();
    engine.open().write(&sound([1]), OnExisting::Keep).unwrap();
    let store = open_to_read(&engine.url()).unwrap();
    let said = store.write(&sound([2]), OnExisting::Keep).unwrap_err().message().to_owned();
    assert_eq!(said, "the store was opened for reading only");
}

#[test]
fn concurrent_opens_of_a_new_file() {
    for _ in 0..10 {
        let engine = InFile::new();
        let url = engine.url();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let url = &url;
                scope.spawn(move || open(url).unwrap().write(&sound([thread, 9]), OnExisting::Keep).unwrap());
            }
        });
        assert_eq!(uids(&engine.open()), ["u000000", "u000001", "u000002", "u000003", "u000009"]);
    }
}
