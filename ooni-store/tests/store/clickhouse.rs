//! What can happen to a database on ClickHouse. Its engine is that of the package chdb, behind the protocol of a server
//! (`tests/clickhouse/server.py`): it does one thing at a time and cancels nothing.

use crate::cut::Cut;
use crate::rollups::{rollups_are_as_rows, rollups_are_right};
use crate::server::OnClickhouse;
use crate::support::{Engine, Fields, SOUND, counted, measured, new, open, open_to_read, sound, uids};
use ooni_core::json::Json;
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::query::list::List;
use ooni_store::{BlockingStore, Deadline, Error, ErrorKind, OnExisting};
use std::time::Duration;

fn migrated(url: &str) -> Result<(), Error> {
    BlockingStore::migrate(url).map(drop)
}

fn message<T>(result: Result<T, Error>) -> String {
    let Err(error) = result else { panic!("it worked") };
    error.message().to_owned()
}

#[test]
fn tables_are_made_once_and_by_nobody_else() {
    let engine = OnClickhouse::empty();
    assert_eq!(message(open(&engine.url())), "has no tables yet; `fastpath migrate` creates them");
    std::thread::scope(|scope| {
        (0..2).for_each(|_| drop(scope.spawn(|| migrated(&engine.url()).unwrap())));
    });
    engine.open().write(&sound([1]), OnExisting::Keep).unwrap();
    migrated(&engine.url()).unwrap();
    assert_eq!(open_to_read(&engine.url()).unwrap().count().unwrap(), 1);
    engine.query("INSERT INTO schema_version VALUES (99)");
    for said in [message(open(&engine.url())), message(open_to_read(&engine.url())), message(migrated(&engine.url()))] {
        assert!(said.starts_with("was made by a newer fastpath: its tables are of version 99, "), "{said}");
    }

    let others = OnClickhouse::empty();
    others.query("CREATE TABLE fastpath (notes String) ENGINE = MergeTree ORDER BY notes");
    for said in [message(open(&others.url())), message(migrated(&others.url()))] {
        assert_eq!(said, "has a table fastpath of another program; a database of its own is needed");
    }
    assert_eq!(others.query("SELECT name FROM system.tables WHERE database = currentDatabase()"), [["fastpath"]]);
}

#[test]
fn servers_that_are_not_there() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let engine = OnClickhouse::empty();
    for (url, said) in [
        (format!("clickhouse://me:secret@127.0.0.1:{nobody}/x"), "Connection refused"),
        (format!("{}_none", engine.url()), "(ClickHouse error 81)"),
        (engine.url().replace("test@", "me:secret@"), "(ClickHouse error 516)"),
        ("clickhouse://me:secret@host:x/db".to_owned(), "is no URL of a ClickHouse database: "),
        ("clickhouse://me:secret@host/db?sslrootcert=/nowhere".to_owned(), "sslrootcert /nowhere: "),
    ] {
        let error = open(&url).err().unwrap();
        assert!(error.message().contains(said), "{error}");
        assert!(!error.to_string().contains("secret") && !error.to_string().contains("SELECT"), "{error}");
    }
    let store = open_to_read(&OnClickhouse::new().url()).unwrap();
    assert_eq!(message(store.write(&sound([2]), OnExisting::Keep)), "the store was opened for reading only");
}

#[test]
fn connections_that_are_lost() {
    let engine = OnClickhouse::new();
    let url = engine.url();
    let port = url.rsplit_once(':').unwrap().1.split_once('/').unwrap().0;
    let way = Cut::new(port.parse().unwrap(), 7);
    let store = open(&url.replace(port, &way.port.to_string())).unwrap();
    for batch in 0..8_u8 {
        let rows: Vec<_> =
            (0..30_u8).map(|uid| measured(batch * 30 + uid, u16::from(batch) * 250 + u16::from(uid))).collect();
        let written = store.write(&rows, OnExisting::Keep).unwrap();
        assert_eq!((written.inserted, written.already), (30, 0), "batch {batch}");
        assert_eq!(store.count().unwrap(), (u64::from(batch) + 1) * 30);
    }
    rollups_are_right(&store);
    assert!(way.times() > 30, "it was cut {} times", way.times());
    assert_eq!(engine.table("jsonl").len(), 240);
    rollups_are_right(&engine.open());
}

fn everything() -> List {
    List { descending: true, limit: 10, ..List::default() }
}

#[test]
fn queries_that_take_too_long() {
    let engine = OnClickhouse::new();
    let store = engine.open();
    store.write(&sound([1, 2]), OnExisting::Keep).unwrap();
    let BlockingStore { store: clickhouse, .. } = &store.0;
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| engine.query("SELECT sleepEachRow(1) FROM numbers(3)"));
        let error = loop {
            match store
                .0
                .wait(clickhouse.with_deadline(Deadline::after(Duration::from_millis(300))).list(&everything()))
            {
                Err(error) => break error,
                Ok(_) => assert!(!busy.is_finished(), "it was never busy"),
            }
        };
        assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "the query timed out or was cancelled"));
    });
    assert_eq!(store.0.wait(clickhouse.list(&everything())).unwrap().len(), 2);
}

#[test]
fn inputs_longer_than_a_field_of_a_form() {
    let engine = OnClickhouse::new();
    let store = engine.open();
    let long = "é'\\".repeat(60_000);
    let mut row = new("long", &Fields { test: "web_connectivity", ..SOUND });
    row.row.input = Json::Text(long.clone().into_bytes());
    store.write(&[row, new(&"x".repeat(601), &SOUND)], OnExisting::Keep).unwrap();
    assert_eq!(uids(&store), ["long"]);
    assert_eq!(engine.table("refused")[0][2], "601 bytes, where this store takes 600");
    let BlockingStore { store: clickhouse, .. } = &store.0;
    let list = List { filter: Filter { input: Some(long), ..Filter::default() }, ..everything() };
    let found = store.0.wait(clickhouse.list(&list)).unwrap();
    assert_eq!(found[0].measurement_uid, "long");
    // A time that ClickHouse would take for a year if it were sent as a number.
    let early = Window { from: DateTime::from_timestamp(0), to: DateTime::from_timestamp(9999) };
    let list = List { filter: Filter { window: early, ..Filter::default() }, ..everything() };
    assert_eq!(store.0.wait(clickhouse.list(&list)).unwrap(), []);
    rollups_are_right(&store);
}

#[test]
fn the_first_week_and_the_last() {
    let engine = OnClickhouse::new();
    let store = engine.open();
    let at = |uid: u8, timestamp: i64| {
        let mut new = measured(uid, 0);
        new.row.measurement_start_time = DateTime::from_timestamp(timestamp).unwrap();
        new
    };
    let times = [0, 86_400 * 3 - 1, 86_400 * 3, i64::from(u32::MAX)];
    let rows: Vec<_> = times.iter().zip(0..).map(|(&time, uid)| at(uid, time)).collect();
    store.write(&rows, OnExisting::Keep).unwrap();
    let BlockingStore { store: clickhouse, .. } = &store.0;
    let table = engine.table("fastpath");
    for _ in 0..2 {
        for grain in [Grain::Hour, Grain::Day, Grain::Week, Grain::Month, Grain::Year] {
            let query = Aggregation { axes: vec![Axis::MeasurementStart(grain)], ..Aggregation::default() };
            let answer = store.0.wait(clickhouse.aggregate(&query)).unwrap();
            assert_eq!(answer, counted(&table, &[], &query), "{grain:?}");
        }
        rollups_are_right(&store);
    }
}

#[test]
fn what_is_noted_and_not_there() {
    let engine = OnClickhouse::new();
    let store = engine.open();
    store.write(&sound([0, 1500, 4000]), OnExisting::Keep).unwrap();
    // As of batches that were cut off.
    engine.query(
        "INSERT INTO jsonl (measurement_uid, measurement_start_time, update_time)
         SELECT 'u' || leftPad(toString(number), 6, '0'), '2023-05-06 07:08:09', now64(6) FROM numbers(1, 3000)",
    );
    assert_eq!(uids(&store), ["u000000", "u001500", "u004000"]);
    assert_eq!(store.page(Some("u000000"), 1).unwrap().len(), 1);
    store.write(&sound([7]), OnExisting::Keep).unwrap();
    store.write(&sound([1500]), OnExisting::Replace).unwrap();
    assert_eq!(uids(&store), ["u000000", "u000007", "u001500", "u004000"]);
    let noted = "SELECT measurement_uid, count() FROM jsonl WHERE measurement_uid IN ('u000007', 'u001500') GROUP BY 1 ORDER BY 1";
    assert_eq!(engine.query(noted), [["u000007", "1"], ["u001500", "1"]]);
}

#[test]
fn two_that_write_at_once() {
    let engine = OnClickhouse::new();
    std::thread::scope(|scope| {
        for writer in 0..2_u16 {
            let store = engine.open();
            scope.spawn(move || {
                for batch in 0..6_u16 {
                    // Those of both have the same start, and else what differs.
                    let rows: Vec<_> = (0..20_u8)
                        .map(|uid| {
                            let mut row = measured(uid, 7 * u16::from(uid) + 108 * writer);
                            let start = 1_704_067_200 + i64::from(uid) * 86_400;
                            row.row.measurement_start_time = DateTime::from_timestamp(start).unwrap();
                            row
                        })
                        .chain((0..5).map(|uid| measured(40 + uid + 5 * batch as u8 + 100 * writer as u8, batch)))
                        .collect();
                    store.write(&rows, OnExisting::Replace).unwrap();
                    if batch % 2 == writer {
                        store.0.wait(store.0.store.refresh_rollups()).unwrap();
                    }
                }
            });
        }
    });
    let store = engine.open();
    rollups_are_as_rows(&store);
    assert_eq!(store.count().unwrap(), 20 + 2 * 6 * 5);
    assert_eq!(engine.table("jsonl").len(), 80);
    rollups_are_right(&store);
    assert_eq!(engine.query("SELECT count() FROM lease"), [["0"]]);
}
