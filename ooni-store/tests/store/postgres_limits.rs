//! Limits of a PostgreSQL server, concurrent writers, and connections that are lost at COMMIT.

use crate::server::{OnPostgres, Session, server};
use crate::support::{Engine, Open, open, open_to_read, sound};
use ooni_store::query::list::{List, MeasurementSummary};
use ooni_store::{BlockingStore, Deadline, Error, ErrorKind, OnExisting, RemoveOutcome, StoreOptions};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
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

/// Opens the only connection of a role, after the server has closed the connection that opened the store.
fn occupy(store: &Open) {
    loop {
        match store.0.wait(store.0.store.ping()) {
            Err(error) if error.kind() == ErrorKind::Busy => {}
            answer => break answer.unwrap(),
        }
    }
}

#[test]
fn a_role_without_connections_left_is_busy() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let url = as_role(&engine, "alone", "CONNECTION LIMIT 1");
    let store = open_to_read(&url).unwrap();
    // The pool for look-ups now has the only connection.
    occupy(&store);
    let error = open_to_read(&url).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.is_retryable());
    let error = store.count().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
}

#[test]
fn a_writer_of_a_role_without_connections_left_is_busy() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = open(&as_role(&engine, "writes_alone", "CONNECTION LIMIT 1")).unwrap();
    occupy(&store);
    let hurried = store.0.store.with_deadline(Deadline::after(Duration::from_secs(2)));
    let error = store.0.wait(hurried.remove("u", "r", true)).unwrap_err();
    assert_eq!((error.kind(), error.is_outcome_unknown()), (ErrorKind::Busy, false), "{error}");
}

type Pending<'f> = Pin<Box<dyn Future<Output = Result<Vec<MeasurementSummary>, Error>> + 'f>>;

#[test]
fn calls_that_wait_for_a_connection() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let options = StoreOptions { lookup_readers: 1, queue: 2, ..StoreOptions::for_commands() };
    let waiting = BlockingStore::open_with(&engine.url(), options).unwrap();
    let locked = Session::new(&engine);
    locked.query("BEGIN; LOCK TABLE fastpath");
    let store = &waiting.store;
    let everything = List { limit: 10, ..List::default() };
    let listed = || Box::pin(store.list(&everything)) as Pending<'_>;
    let running = || engine.locks("relation = 'fastpath'::regclass AND NOT granted");
    let is_pending =
        |call: &mut Pending<'_>| waiting.wait(poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())));
    // The first call has the only connection, two others wait for it.
    let mut first = listed();
    while running() == 0 {
        assert!(is_pending(&mut first));
    }
    let mut second = listed();
    assert!(is_pending(&mut second));
    // A call that times out leaves the queue.
    let hurried = store.with_deadline(Deadline::after(Duration::from_millis(50)));
    assert_eq!(waiting.wait(hurried.list(&everything)).unwrap_err().kind(), ErrorKind::Timeout);
    let mut third = listed();
    assert!(is_pending(&mut third));
    let patient = store.with_deadline(Deadline::after(Duration::from_secs(60)));
    let error = waiting.wait(patient.list(&everything)).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Busy, "too many queries are waiting"));
    assert!(error.is_retryable());
    // Aggregations have their own connections. This one reads a rollup, which is not locked.
    assert_eq!(waiting.wait(store.count()).unwrap(), 0);
    assert_eq!(running(), 1, "a call that waits for a connection was sent to the server");
    locked.query("COMMIT");
    for call in [first, second, third] {
        assert_eq!(waiting.wait(call).unwrap(), []);
    }
}

#[test]
fn a_pool_that_is_opening_connections_is_not_full() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let options = StoreOptions { lookup_readers: 4, queue: 1, ..StoreOptions::for_commands() };
    let waiting = BlockingStore::open_with(&engine.url(), options).unwrap();
    let store = &waiting.store;
    let pings = waiting.wait(async { tokio::join!(store.ping(), store.ping(), store.ping(), store.ping()) });
    assert!(matches!(pings, (Ok(()), Ok(()), Ok(()), Ok(()))), "{pings:?}");
}

#[test]
fn a_writer_does_not_wait_for_another_beyond_its_deadline() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    thread::scope(|scope| {
        let other =
            scope.spawn(|| engine.query("BEGIN; SELECT pg_advisory_xact_lock(1330597449); SELECT pg_sleep(2); COMMIT"));
        while engine.locks("locktype = 'advisory' AND granted") == 0 {}
        let hurried = store.0.store.with_deadline(Deadline::after(Duration::from_millis(100)));
        let error = store.0.wait(hurried.remove("u", "r", true)).unwrap_err();
        assert!(error.is_retryable() && !error.is_outcome_unknown(), "{error}");
        assert!(!other.is_finished(), "the lock ended too early for this test");
        other.join().unwrap();
    });
    assert_eq!(store.0.wait(store.0.store.remove("u", "r", true)).unwrap(), RemoveOutcome::Banned);
}

/// Each queues for the lock in a transaction that has already looked for the partition.
#[test]
fn two_writers_begin_a_month_together() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let holder = Session::new(&engine);
    holder.query("BEGIN; SELECT pg_advisory_xact_lock(1330597449)");
    thread::scope(|scope| {
        let write = |uid| engine.open().write(&sound([uid]), OnExisting::Keep).map(|written| written.inserted);
        let writers = [1, 2].map(|uid| scope.spawn(move || write(uid)));
        while engine.locks("locktype = 'advisory' AND NOT granted") < 2 {}
        holder.query("COMMIT");
        for writer in writers {
            assert_eq!(writer.join().unwrap().unwrap(), 1);
        }
    });
    assert_eq!(engine.open().count().unwrap(), 2);
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
