//! Queries that time out, dropped queries, and too many queries, on SQLite.

use crate::support::{Engine, InFile, Open, sound};
use ooni_store::query::filter::Filter;
use ooni_store::query::list::List;
use ooni_store::{BlockingStore, Deadline, ErrorKind, OnExisting, Store};
use rusqlite::Connection;
use std::future::{Future as _, poll_fn};
use std::task::Poll;
use std::time::Duration;

/// Endless test lists, none of whose URLs was measured: a search for listed inputs never ends.
pub(crate) const ENDLESS: &str = "
    DROP TABLE citizenlab;
    CREATE VIEW citizenlab AS
        WITH RECURSIVE number(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number)
        SELECT 'http://none.org/' || n AS url, 'none.org' AS domain, 'ZZ' AS cc, 'NEWS' AS category_code FROM number";

/// Queries that run or wait at the same time.
const SERVED: usize = 4 + 64;

fn endless() -> (InFile, Open) {
    let engine = InFile::new();
    let store = engine.open();
    store.write(&sound([1, 2]), OnExisting::Keep).unwrap();
    Connection::open(&engine.path).unwrap().execute_batch(ENDLESS).unwrap();
    (engine, store)
}

pub(crate) fn list(filter: Filter) -> List {
    List { filter, descending: true, limit: 10, ..List::default() }
}

/// The store with a deadline `limit` from now.
fn within(waiting: &BlockingStore, limit: Duration) -> Store {
    waiting.store.with_deadline(Deadline::after(limit))
}

fn of_listed() -> List {
    list(Filter { only_listed: true, ..Filter::default() })
}

#[test]
fn a_query_times_out() {
    let (_engine, Open(waiting)) = endless();
    let error = waiting.wait(within(&waiting, Duration::from_millis(500)).list(&of_listed())).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "the query timed out or was cancelled"));
    let error = waiting.wait(within(&waiting, Duration::ZERO).list(&of_listed())).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "the query timed out or was cancelled"));
}

#[test]
fn dropped_queries_are_cancelled() {
    let (_engine, Open(waiting)) = endless();
    // More queries than threads: if they were not cancelled, the last query would wait forever.
    let endless = of_listed();
    for _ in 0..8 {
        let query = waiting.store.list(&endless);
        let dropped = waiting.wait(async { tokio::time::timeout(Duration::from_millis(20), query).await });
        assert!(dropped.is_err(), "the query has ended: {dropped:?}");
    }
    assert_eq!(waiting.wait(waiting.store.list(&list(Filter::default()))).unwrap().len(), 2);
}

#[test]
fn a_full_queue_is_busy() {
    let (_engine, Open(waiting)) = endless();
    let query = of_listed();
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
    // All of them were dropped, so there is room as soon as the threads have noticed.
    let answer = loop {
        match waiting.wait(waiting.store.list(&list(Filter::default()))) {
            Err(error) if error.kind() == ErrorKind::Busy => continue,
            answer => break answer,
        }
    };
    assert_eq!(answer.unwrap().len(), 2);
}
