//! Deadlines that cover a whole call, and look-ups that do not wait for aggregations, on SQLite.

use crate::limits::{ENDLESS, list};
use crate::support::{Engine, InFile, Open, sound, uids};
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Category, Filter};
use ooni_store::{BlockingStore, Deadline, ErrorKind, OnExisting, SqliteOptions, Store, StoreOptions};
use rusqlite::Connection;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// A store in which an aggregation by category never ends.
fn endless() -> (InFile, Open) {
    let engine = InFile::new();
    let store = engine.open();
    store.write(&sound([1, 2]), OnExisting::Keep).unwrap();
    Connection::open(&engine.path).unwrap().execute_batch(ENDLESS).unwrap();
    (engine, store)
}

/// An aggregation that no rollup answers.
fn heavy() -> Aggregation {
    let category = Some(Category { code: "NEWS".to_owned(), lists: Vec::new() });
    Aggregation { filter: Filter { category, ..Filter::default() }, axes: vec![Axis::Domain] }
}

type Pending<'f> = Pin<Box<dyn Future<Output = ()> + Send + 'f>>;

/// Starts a number of aggregations that never end.
fn start(store: &Store, number: usize) -> Vec<Pending<'static>> {
    let one = |_| {
        let store = store.clone();
        Box::pin(async move { drop(store.aggregate(&heavy()).await.unwrap()) }) as Pending<'static>
    };
    (0..number).map(one).collect()
}

/// Polls the futures; returns whether all of them are pending.
async fn all_pending(futures: &mut [Pending<'_>]) -> bool {
    poll_fn(|context| Poll::Ready(futures.iter_mut().all(|future| future.as_mut().poll(context).is_pending()))).await
}

#[test]
fn look_ups_do_not_queue_behind_aggregations() {
    let (_engine, Open(waiting)) = endless();
    let store = &waiting.store;
    waiting.wait(async {
        // Four of them occupy all threads for aggregations, and the others wait: behind them, a look-up would never finish.
        let mut heavy = start(store, 24);
        assert!(all_pending(&mut heavy).await);
        assert_eq!(store.find("none").await.unwrap(), None);
        assert_eq!(store.list(&list(Filter::default())).await.unwrap().len(), 2);
        assert!(store.body_location("u000001").await.unwrap().is_some());
        store.ping().await.unwrap();
        assert!(all_pending(&mut heavy).await);
    });
}

#[test]
fn a_deadline_covers_the_wait_for_a_connection() {
    let (_engine, Open(waiting)) = endless();
    let store = &waiting.store;
    waiting.wait(async {
        let mut heavy = start(store, 4);
        assert!(all_pending(&mut heavy).await);
        // The query is not running, so only the wait can time out.
        let queued = store.with_deadline(Deadline::after(Duration::from_millis(50)));
        assert_eq!(queued.count().await.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(all_pending(&mut heavy).await);
    });
}

#[test]
fn a_deadline_covers_all_calls_of_a_request() {
    let (_engine, Open(waiting)) = endless();
    let store = waiting.store.with_deadline(Deadline::after(Duration::ZERO));
    waiting.wait(async {
        assert_eq!(store.ping().await.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(store.rows().next().await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    });
}

#[test]
fn a_write_ends_at_its_deadline() {
    let engine = InFile::new();
    let Open(waiting) = engine.open();
    let within = |limit| waiting.store.with_deadline(Deadline::after(limit));
    let write = |store: &Store, uid| waiting.wait(store.write(std::sync::Arc::new(sound([uid])), OnExisting::Keep));
    write(&waiting.store, 1).unwrap();

    // While it waits for another process; the lock timeout is much longer.
    let other = Connection::open(&engine.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = write(&within(Duration::from_millis(50)), 2).unwrap_err();
    assert_eq!((error.kind(), error.is_outcome_unknown()), (ErrorKind::Timeout, false));
    other.execute_batch("ROLLBACK").unwrap();

    // While a statement runs.
    let trigger = "
        CREATE TRIGGER endless AFTER INSERT ON fastpath BEGIN
            SELECT count(*) FROM (WITH RECURSIVE number(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number) SELECT n FROM number);
        END";
    other.execute_batch(trigger).unwrap();
    let error = write(&within(Duration::from_millis(200)), 2).unwrap_err();
    assert_eq!((error.kind(), error.is_outcome_unknown()), (ErrorKind::Timeout, false));
    other.execute_batch("DROP TRIGGER endless").unwrap();

    assert_eq!(uids(&engine.open()), ["u000001"]);
    assert_eq!(write(&waiting.store, 2).unwrap().inserted, 1);
}

#[test]
fn a_lock_of_another_process_is_busy() {
    let engine = InFile::new();
    let sqlite = SqliteOptions { lock_wait: Duration::from_millis(1), ..SqliteOptions::default() };
    let options = StoreOptions { sqlite, ..StoreOptions::default() };
    let waiting = ooni_store::BlockingStore::open_with(&engine.url(), options).unwrap();
    let other = Connection::open(&engine.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = waiting.wait(waiting.store.remove("u1", "test", false)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Busy, true));
}

#[test]
fn a_month_is_dropped_while_others_read() {
    let (engine, Open(waiting)) = endless();
    drop(waiting);
    // With one connection for aggregations, a running aggregation is the only reader.
    let options = StoreOptions { aggregation_readers: 1, ..StoreOptions::for_commands() };
    let waiting = BlockingStore::open_with(&engine.url(), options).unwrap();
    let other = Connection::open(&engine.path).unwrap();
    other.busy_timeout(Duration::ZERO).unwrap();
    other.execute_batch("CREATE TABLE t (n)").unwrap();
    waiting.wait(async {
        let store = &waiting.store;
        // The connection for aggregations loads the schema now. Otherwise that would also keep the log for a moment, before
        // the aggregation has a snapshot.
        store.aggregate(&Aggregation { axes: vec![Axis::ProbeCc], ..Aggregation::default() }).await.unwrap();
        let mut heavy = start(store, 1);
        // Once the aggregation reads the log, it cannot be truncated.
        let truncated = "PRAGMA wal_checkpoint(TRUNCATE)";
        let mut is_read = false;
        while !is_read {
            assert!(all_pending(&mut heavy).await);
            other.execute_batch("INSERT INTO t VALUES (1)").unwrap();
            is_read = other.query_row(truncated, [], |row| row.get::<_, bool>(0)).unwrap();
        }
        // A reader with a snapshot, as of another process.
        let reader = Connection::open(&engine.path).unwrap();
        reader.execute_batch("BEGIN").unwrap();
        let rows = || reader.query_row("SELECT count(*) FROM fastpath", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(rows(), 2);
        let month = DateTime::new(2024, 1, 1, 0, 0, 0).unwrap();
        // The lists are an endless view, which updating the rollup by category would read.
        let lists = "BEGIN; DROP VIEW citizenlab; CREATE TABLE citizenlab (url, domain, cc, category_code); COMMIT";
        other.execute_batch(lists).unwrap();
        assert_eq!(store.drop_month(month).await.unwrap(), 2);
        assert_eq!(store.list(&list(Filter::default())).await.unwrap().len(), 0);
        assert!(all_pending(&mut heavy).await);
        assert_eq!(rows(), 2, "a reader keeps its snapshot");
    });
}
