//! Queries that take too long, that nobody waits for any more, and too many of them, on SQLite.

use crate::support::{Engine, InFile, Open, sound};
use ooni_store::query::filter::{Category, Filter};
use ooni_store::query::list::List;
use ooni_store::{BlockingStore, Deadline, ErrorKind, OnExisting, Store};
use rusqlite::Connection;
use std::future::{Future as _, poll_fn};
use std::task::Poll;
use std::time::Duration;

/// Test lists without end, none of whose URLs was measured: to look for a category takes forever.
pub(crate) const ENDLESS: &str = "
    DROP TABLE citizenlab;
    CREATE VIEW citizenlab AS
        WITH RECURSIVE number(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number)
        SELECT 'http://none.org/' || n AS url, 'none.org' AS domain, 'ZZ' AS cc, 'NEWS' AS category_code FROM number";

/// Threads that read, and queries that wait for one of them.
const SERVED: usize = 4 + 64;

fn endless() -> (InFile, Open) {
    let engine = InFile::new();
    let store = engine.open();
    store.write(&sound([1, 2]), OnExisting::Keep).unwrap();
    Connection::open(&engine.path).unwrap().execute_batch(ENDLESS).unwrap();
    (engine, store)
}

pub(crate) fn list(category: Option<Category>) -> List {
    List { filter: Filter { category, ..Filter::default() }, descending: true, limit: 10, ..List::default() }
}

/// The store, whose next call may take so long.
fn within(waiting: &BlockingStore, limit: Duration) -> Store {
    waiting.store.with_deadline(Deadline::after(limit))
}

fn of_category() -> List {
    list(Some(Category { code: "NEWS".to_owned(), lists: Vec::new() }))
}

#[test]
fn a_query_that_takes_too_long() {
    let (_engine, Open(waiting)) = endless();
    let error = waiting.wait(within(&waiting, Duration::from_millis(500)).list(&of_category())).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "the query timed out or was cancelled"));
    let error = waiting.wait(within(&waiting, Duration::ZERO).list(&of_category())).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "the query timed out or was cancelled"));
}

#[test]
fn queries_that_nobody_waits_for() {
    let (_engine, Open(waiting)) = endless();
    // More than there are threads: if one went on, the last query would wait forever.
    let endless = of_category();
    for _ in 0..8 {
        let query = waiting.store.list(&endless);
        let dropped = waiting.wait(async { tokio::time::timeout(Duration::from_millis(20), query).await });
        assert!(dropped.is_err(), "it has an end: {dropped:?}");
    }
    assert_eq!(waiting.wait(waiting.store.list(&list(None))).unwrap().len(), 2);
}

#[test]
fn more_queries_than_can_wait() {
    let (_engine, Open(waiting)) = endless();
    let query = of_category();
    let first = waiting.wait(async {
        let mut all: Vec<_> = (0..=SERVED).map(|_| Box::pin(waiting.store.list(&query))).collect();
        poll_fn(|context| {
            let first = all.iter_mut().find_map(|query| match query.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            });
            first.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    });
    let error = first.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Busy, "too many queries are waiting"));
    // All of them have been dropped, so there is room as soon as the threads have seen that.
    let answer = loop {
        match waiting.wait(waiting.store.list(&list(None))) {
            Err(error) if error.kind() == ErrorKind::Busy => continue,
            answer => break answer,
        }
    };
    assert_eq!(answer.unwrap().len(), 2);
}
