//! Dropping a month of a PostgreSQL store while others read it.

use crate::rollups::rollups_are_right;
use crate::server::{OnPostgres, Session};
use crate::support::{Engine, Open, SOUND, new, sound, uids};
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::Filter;
use ooni_store::query::grain::Grain;
use ooni_store::query::list::List;
use ooni_store::{Deadline, ErrorKind, OnExisting};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::thread;
use std::time::Duration;

fn january() -> DateTime {
    DateTime::new(2024, 1, 1, 0, 0, 0).unwrap()
}

/// A store with two measurements in January 2024, and one in February.
fn two_months() -> (OnPostgres, Open) {
    let engine = OnPostgres::new();
    let store = engine.open();
    let mut rows = sound([1, 2]);
    let mut later = new("later", &SOUND);
    later.row.measurement_start_time = DateTime::new(2024, 2, 1, 0, 0, 0).unwrap();
    rows.push(later);
    store.write(&rows, OnExisting::Keep).unwrap();
    (engine, store)
}

/// Checks that a look-up, a list, and aggregations of a rollup and of rows find all measurements.
fn read_all(store: &Open) {
    // Without a deadline, a test that fails would wait forever.
    let db = store.0.store.with_deadline(Deadline::after(Duration::from_secs(60)));
    assert!(store.0.wait(db.find("u000001")).unwrap().is_some());
    assert_eq!(store.0.wait(db.list(&List { limit: 10, ..List::default() })).unwrap().len(), 3);
    assert_eq!(store.0.wait(db.count()).unwrap(), 3);
    let filter = Filter { anomaly: Some(false), ..Filter::default() };
    let by_month = Aggregation { filter, axes: vec![Axis::MeasurementStart(Grain::Month)] };
    assert_eq!(store.0.wait(db.aggregate(&by_month)).unwrap().len(), 2);
}

#[test]
fn drop_month_does_not_stall_readers_while_it_waits_for_one() {
    skip_without!(Server::shared_postgres());
    // A reader of all partitions and a reader of one: the table that it reads, and how a wait for it is detected.
    let requests: fn(&OnPostgres) -> bool =
        |engine| engine.locks("relation = 'fastpath'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted") > 0;
    let repeats: fn(&OnPostgres) -> bool = |engine| {
        let pauses = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND query LIKE 'ROLLBACK TO SAVEPOINT%'";
        engine.query(pauses) != [["0"]]
    };
    for (table, is_waiting) in [("fastpath", requests), ("fastpath_2024_01", repeats)] {
        let (engine, store) = two_months();
        thread::scope(|scope| {
            let reader = Session::new(&engine);
            reader.query(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM {table}"));
            let dropping = scope.spawn(|| store.0.wait(store.0.store.drop_month(january())));
            for _ in 0..3 {
                while !is_waiting(&engine) {
                    assert!(!dropping.is_finished(), "it did not wait for the reader of {table}");
                }
                read_all(&store);
            }
            assert!(!dropping.is_finished(), "it did not wait for the reader of {table}");
            let rows = "SELECT count(*) FROM fastpath_2024_01";
            assert_eq!(reader.query(rows), [["2"]]);
            reader.query("COMMIT");
            assert_eq!(dropping.join().unwrap().unwrap(), 2, "{table}");
        });
        assert_eq!(uids(&store), ["later"]);
        assert_eq!(engine.query("SELECT to_regclass('fastpath_2024_01') IS NULL"), [["t"]]);
        rollups_are_right(&store);
    }
}

#[test]
fn a_month_that_is_read_until_the_deadline_is_not_dropped() {
    skip_without!(Server::shared_postgres());
    let (engine, store) = two_months();
    let reader = Session::new(&engine);
    reader.query("BEGIN; SELECT FROM fastpath");
    let tables = || ["fastpath", "jsonl"].map(|table| engine.table(table));
    let before = tables();
    let hurried = store.0.store.with_deadline(Deadline::after(Duration::from_secs(3)));
    let error = store.0.wait(hurried.drop_month(january())).unwrap_err();
    let message = "fastpath_2024_01 cannot be dropped while others use fastpath";
    assert_eq!((error.kind(), error.message()), (ErrorKind::Busy, message));
    assert!(!error.is_outcome_unknown());
    assert_eq!(error.public_message(), "The store is overloaded; retry later.");
    assert_eq!(tables(), before);
    rollups_are_right(&store);
    // The locks are released, although the month is still being read.
    store.write(&sound([3]), OnExisting::Keep).unwrap();
    assert_eq!(store.count().unwrap(), 4);
    reader.query("COMMIT");
    assert_eq!(store.0.wait(store.0.store.drop_month(january())).unwrap(), 3);
    rollups_are_right(&store);
}
