//! Limits of a PostgreSQL server, concurrent writers, and connections that are lost at COMMIT.

use crate::server::{OnPostgres, server};
use crate::support::{Engine, open, open_to_read, sound};
use ooni_store::{Deadline, ErrorKind, OnExisting, RemoveOutcome};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Creates a role with these options; returns the URL of the database for it.
fn as_role(engine: &OnPostgres, role: &str, options: &str) -> String {
    engine.query(&format!("CREATE ROLE {role} LOGIN {options}"));
    engine.query(&format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"));
    engine.url().replace("test@", &format!("{role}@"))
}

#[test]
fn timeouts_of_a_role_do_not_apply_to_writes() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    engine.query("ALTER TABLE fastpath OWNER TO test");
    let url = as_role(&engine, "hurried", "SUPERUSER");
    for limit in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"] {
        engine.query(&format!("ALTER ROLE hurried SET {limit} = 1"));
    }
    let written = open(&url).unwrap().write(&sound(0..500), OnExisting::Keep).unwrap();
    assert_eq!(written.inserted, 500);
}

#[test]
fn a_role_without_connections_left_is_busy() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let url = as_role(&engine, "alone", "CONNECTION LIMIT 1");
    let store = open_to_read(&url).unwrap();
    // The pool for look-ups now has the only connection.
    store.0.wait(store.0.store.ping()).unwrap();
    let error = open_to_read(&url).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.is_retryable());
}

#[test]
fn a_writer_does_not_wait_for_another_beyond_its_deadline() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    thread::scope(|scope| {
        let other =
            scope.spawn(|| engine.query("BEGIN; SELECT pg_advisory_xact_lock(1330597449); SELECT pg_sleep(2); COMMIT"));
        while engine.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") == [["0"]] {}
        let hurried = store.0.store.with_deadline(Deadline::after(Duration::from_millis(100)));
        let error = store.0.wait(hurried.remove("u", "r", true)).unwrap_err();
        assert!(error.is_retryable() && !error.is_outcome_unknown(), "{error}");
        assert!(!other.is_finished(), "the lock ended too early for this test");
        other.join().unwrap();
    });
    assert_eq!(store.0.wait(store.0.store.remove("u", "r", true)).unwrap(), RemoveOutcome::Banned);
}

/// A proxy to the server. While `armed` is positive, it closes the client's connection when it forwards a COMMIT, and
/// decrements `armed`. It also closes the next [`CLOSED`] connections.
struct CommitProxy {
    port: u16,
    armed: Arc<AtomicUsize>,
}

/// Connections that are closed immediately after a cut.
const CLOSED: usize = 4;

impl CommitProxy {
    fn new(to: u16) -> CommitProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let armed = Arc::new(AtomicUsize::new(0));
        let closed = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&armed);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let less = |left: usize| left.checked_sub(1);
                if closed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let (armed, closed) = (Arc::clone(&counted), Arc::clone(&closed));
                thread::spawn(move || forward(client, server, &armed, &closed));
            }
        });
        CommitProxy { port, armed }
    }
}

fn forward(mut client: TcpStream, mut server: TcpStream, armed: &AtomicUsize, closed: &AtomicUsize) {
    let mut buffer = [0; 1 << 16];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        let is_commit = buffer[..read].windows(7).any(|window| window == b"COMMIT\0");
        let is_cut =
            is_commit && armed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if is_cut {
            closed.store(CLOSED, Ordering::SeqCst);
            // The client does not learn the outcome.
            let _ = client.shutdown(Shutdown::Both);
        }
        if server.write_all(&buffer[..read]).is_err() || is_cut {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Write);
}

#[test]
fn outcomes_of_changes_whose_connection_is_lost_at_commit() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let proxy = CommitProxy::new(server().port);
    let url = engine.url().replace(&format!(":{}/", server().port), &format!(":{}/", proxy.port));
    let store = open(&url).unwrap();
    let cut = || proxy.armed.store(1, Ordering::SeqCst);

    cut();
    let written = store.write(&sound(0..10), OnExisting::Keep).unwrap();
    assert_eq!((written.inserted, written.already), (10, 0));
    cut();
    let removed = store.0.wait(store.0.store.remove("u000003", "asked for", false)).unwrap();
    assert_eq!(removed, RemoveOutcome::Removed);
    cut();
    let month = ooni_core::time::DateTime::new(2024, 1, 1, 0, 0, 0).unwrap();
    assert_eq!(store.0.wait(store.0.store.drop_month(month)).unwrap(), 9);
    assert_eq!(proxy.armed.load(Ordering::SeqCst), 0, "every COMMIT was cut");
    assert_eq!(store.count().unwrap(), 0);
}
