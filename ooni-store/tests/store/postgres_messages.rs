//! Error messages of PostgreSQL stores: the public message quotes nothing, the operator's message names the cause.

use crate::server::{OnPostgres, Session, server};
use crate::support::{Engine, message, open, open_to_read, sound};
use ooni_store::query::list::List;
use ooni_store::{BlockingStore, Deadline, Error, ErrorKind, OnExisting};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::net::TcpListener;
use std::time::Duration;

const UNAVAILABLE: &str = "The store is unavailable; retry later.";
const BUSY: &str = "The store is overloaded; retry later.";
const FAILED: &str = "The store failed.";
const INVALID: &str = "The request is invalid.";
const TIMEOUT: &str = "The query timed out or was cancelled.";

/// Checks the kind of an error, its public message, and that the message for operators contains `private`.
fn check(case: &str, error: &Error, kind: ErrorKind, public: &str, private: &str) {
    assert_eq!((error.kind(), error.public_message()), (kind, public), "{case}: {error}");
    assert!(error.message().contains(private), "{case}: {error}");
    for shown in [format!("{error:?}"), error.to_string()] {
        assert!(!shown.contains("hunter2") && !shown.contains("SELECT"), "{case}: {shown}");
    }
}

#[test]
fn errors_of_connections() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let url = engine.url();
    let place = url.split_once('@').unwrap().1;
    let closed_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    engine.query("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0");
    let unused = OnPostgres::empty();
    let foreign = OnPostgres::empty();
    foreign.query("CREATE TABLE fastpath (notes text)");
    for (url, kind, public, private) in [
        (
            format!("postgres://me:hunter2@{closed_port}/planted"),
            ErrorKind::Unavailable,
            UNAVAILABLE,
            "Connection refused",
        ),
        ("postgres://me:hunter2@none.invalid/planted".to_owned(), ErrorKind::Other, FAILED, "failed to lookup"),
        (format!("{url}_none"), ErrorKind::Other, FAILED, "does not exist"),
        (format!("postgres://planted:hunter2@{place}"), ErrorKind::Other, FAILED, "\"planted\""),
        (format!("postgres://crowded@{place}"), ErrorKind::Busy, BUSY, "\"crowded\""),
        (format!("{url}?sslmode=require"), ErrorKind::Other, FAILED, "TLS"),
        (format!("{url}?sslmode=planted"), ErrorKind::Other, FAILED, "sslmode"),
        (format!("{url}?sslrootcert=/planted/ca.pem"), ErrorKind::Other, FAILED, "/planted/ca.pem"),
        (format!("{url}?options=-c%20planted_setting%3D1"), ErrorKind::Other, FAILED, "planted_setting"),
        (unused.url(), ErrorKind::Other, FAILED, "fastpath migrate"),
        (foreign.url(), ErrorKind::Other, FAILED, "has a table fastpath of another program"),
    ] {
        check(&url, &open(&url).err().unwrap(), kind, public, private);
        check(&url, &open_to_read(&url).err().unwrap(), kind, public, private);
    }
}

#[test]
fn errors_of_calls() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    store.write(&sound([1]), OnExisting::Keep).unwrap();
    let everything = List { limit: 10, ..List::default() };
    let hurried = |millis| store.0.store.with_deadline(Deadline::after(Duration::from_millis(millis)));

    let reader = open_to_read(&engine.url()).unwrap();
    let error = reader.write(&sound([2]), OnExisting::Keep).unwrap_err();
    check("read only", &error, ErrorKind::Invalid, INVALID, "for reading only");

    let other = Session::new(&engine);
    other.query("BEGIN; LOCK TABLE fastpath");
    let error = store.0.wait(hurried(50).list(&everything)).unwrap_err();
    check("deadline", &error, ErrorKind::Timeout, TIMEOUT, "timed out");
    let january = ooni_core::time::DateTime::new(2024, 1, 1, 0, 0, 0).unwrap();
    other.query("COMMIT; BEGIN; SELECT FROM fastpath");
    let error = store.0.wait(hurried(2000).drop_month(january)).unwrap_err();
    check("locked", &error, ErrorKind::Busy, BUSY, "fastpath_2024_01");
    other.query("COMMIT");

    engine.query("CREATE ROLE outsider LOGIN; GRANT SELECT ON schema_version, bulk_month TO outsider");
    let outsider = open(&engine.url().replace("test@", "outsider@")).unwrap();
    let error = outsider.0.wait(outsider.0.store.list(&everything)).unwrap_err();
    check("permission", &error, ErrorKind::Other, FAILED, "permission denied for table fastpath");
    let error = outsider.write(&sound([2]), OnExisting::Keep).unwrap_err();
    check("permission", &error, ErrorKind::Other, FAILED, "permission denied for table");

    engine.query("UPDATE fastpath SET probe_asn = -1");
    let error = store.0.wait(store.0.store.list(&everything)).unwrap_err();
    check("foreign value", &error, ErrorKind::Other, FAILED, "unexpected value");
    engine.query("ALTER TABLE fastpath RENAME COLUMN scores TO planted");
    let error = store.0.wait(store.0.store.list(&everything)).unwrap_err();
    check("another schema", &error, ErrorKind::Other, FAILED, "scores");
    let error = store.write(&sound([2]), OnExisting::Keep).unwrap_err();
    check("another schema", &error, ErrorKind::Other, FAILED, "scores");

    let url = format!("postgres://test@127.0.0.1:{}/none", server().port);
    assert!(message(BlockingStore::migrate(&url)).contains("\"none\""));
}
