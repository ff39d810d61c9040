//! Errors of a ClickHouse server and of the connection to it. The server is the engine of the package chdb behind
//! ClickHouse's HTTP protocol. It executes one statement at a time and cancels none.

use crate::proxy::FlakyProxy;
use crate::rollups::{entries, rollups_are_as_rows, rollups_are_right};
use crate::server::OnClickhouse;
use crate::support::{
    Engine, Fields, SOUND, counted, is_wanted, measured, message, migrated, new, of_day, open, open_to_read, sound,
    uids,
};
use ooni_core::json::Json;
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::query::list::List;
use ooni_store::{BatchInput, BlockingStore, Deadline, ErrorKind, OnExisting};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn migrations_are_idempotent_and_refuse_other_databases() {
    skip_without!(Server::shared_clickhouse());
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
        assert!(said.starts_with("was created by a newer fastpath: its tables have version 99; "), "{said}");
    }

    let others = OnClickhouse::empty();
    others.query("CREATE TABLE fastpath (notes String) ENGINE = MergeTree ORDER BY notes");
    for said in [message(open(&others.url())), message(migrated(&others.url()))] {
        assert_eq!(said, "has a table fastpath of another program; use a separate database");
    }
    assert_eq!(others.query("SELECT name FROM system.tables WHERE database = currentDatabase()"), [["fastpath"]]);
}

#[test]
fn connection_errors_are_reported() {
    skip_without!(Server::shared_clickhouse());
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let engine = OnClickhouse::empty();
    for (url, said) in [
        (format!("clickhouse://me:secret@127.0.0.1:{closed_port}/x"), "Connection refused"),
        (format!("{}_none", engine.url()), "(ClickHouse error 81)"),
        (engine.url().replace("test@", "me:secret@"), "(ClickHouse error 516)"),
        ("clickhouse://me:secret@host:x/db".to_owned(), "invalid URL of a ClickHouse database: "),
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
fn lost_connections_are_retried() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    let url = engine.url();
    let port = url.rsplit_once(':').unwrap().1.split_once('/').unwrap().0;
    let proxy = FlakyProxy::new(port.parse().unwrap(), 7);
    let store = open(&url.replace(port, &proxy.port.to_string())).unwrap();
    for batch in 0..8_u8 {
        let rows: Vec<_> =
            (0..30_u8).map(|uid| measured(batch * 30 + uid, u16::from(batch) * 250 + u16::from(uid))).collect();
        let written = store.write(&rows, OnExisting::Keep).unwrap();
        assert_eq!((written.inserted, written.already), (30, 0), "batch {batch}");
        assert_eq!(store.count().unwrap(), (u64::from(batch) + 1) * 30);
    }
    rollups_are_right(&store);
    assert!(proxy.cuts() > 30, "{} connections were cut", proxy.cuts());
    assert_eq!(engine.table("jsonl").len(), 240);
    rollups_are_right(&engine.open());
}

fn everything() -> List {
    List { descending: true, limit: 10, ..List::default() }
}

#[test]
fn a_query_times_out() {
    skip_without!(Server::shared_clickhouse());
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
                Ok(_) => assert!(!busy.is_finished(), "the server was never busy"),
            }
        };
        assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "the query timed out or was cancelled"));
    });
    assert_eq!(store.0.wait(clickhouse.list(&everything())).unwrap().len(), 2);
}

#[test]
fn inputs_longer_than_a_form_field() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    let store = engine.open();
    let long = "é'\\".repeat(60_000);
    let mut row = new("long", &Fields { test: "web_connectivity", ..SOUND });
    row.row.input = Json::Text(long.clone().into_bytes());
    store.write(&[row, new(&"x".repeat(601), &SOUND)], OnExisting::Keep).unwrap();
    assert_eq!(uids(&store), ["long"]);
    assert_eq!(engine.table("refused")[0][2], "601 bytes; the limit is 600");
    let BlockingStore { store: clickhouse, .. } = &store.0;
    let list = List { filter: Filter { input: Some(long), ..Filter::default() }, ..everything() };
    let found = store.0.wait(clickhouse.list(&list)).unwrap();
    assert_eq!(found[0].measurement_uid, "long");
    // A time that ClickHouse would read as a year if it were sent as a number.
    let early = Window { from: DateTime::from_timestamp(0), to: DateTime::from_timestamp(9999) };
    let list = List { filter: Filter { window: early, ..Filter::default() }, ..everything() };
    assert_eq!(store.0.wait(clickhouse.list(&list)).unwrap(), []);
    rollups_are_right(&store);
}

#[test]
fn the_first_and_the_last_week() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    let store = engine.open();
    let at = |uid: u8, timestamp: i64| {
        let mut new = measured(uid, 0);
        new.row.measurement_start_time = DateTime::from_timestamp(timestamp).unwrap();
        new
    };
    let times = [0, 3 * SECONDS_PER_DAY - 1, 3 * SECONDS_PER_DAY, i64::from(u32::MAX)];
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
fn entries_without_rows() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    let store = engine.open();
    store.write(&sound([0, 1500, 4000]), OnExisting::Keep).unwrap();
    // As interrupted batches leave them.
    engine.query(
        "INSERT INTO jsonl (measurement_uid, measurement_start_time, update_time)
         SELECT 'u' || leftPad(toString(number), 6, '0'), '2023-05-06 07:08:09', now64(6) FROM numbers(1, 3000)",
    );
    assert_eq!(uids(&store), ["u000000", "u001500", "u004000"]);
    assert_eq!(store.page(Some("u000000"), 1).unwrap().len(), 1);
    store.write(&sound([7]), OnExisting::Keep).unwrap();
    store.write(&sound([1500]), OnExisting::Replace).unwrap();
    assert_eq!(uids(&store), ["u000000", "u000007", "u001500", "u004000"]);
    let entries = "SELECT measurement_uid, count() FROM jsonl WHERE measurement_uid IN ('u000007', 'u001500') GROUP BY 1 ORDER BY 1";
    assert_eq!(engine.query(entries), [["u000007", "1"], ["u001500", "1"]]);
}

#[test]
fn concurrent_writers() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    std::thread::scope(|scope| {
        for writer in 0..2_u16 {
            let store = engine.open();
            scope.spawn(move || {
                for batch in 0..6_u16 {
                    // Rows that both write have the same start and different content.
                    let rows: Vec<_> = (0..20_u8)
                        .map(|uid| {
                            let mut row = measured(uid, 7 * u16::from(uid) + 108 * writer);
                            row.row.measurement_start_time = of_day(uid.into());
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

#[test]
fn windows_at_the_limits_of_time() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    let store = engine.open();
    let rows: Vec<_> = [0, 9998, 9999, 10_000, 200 * SECONDS_PER_DAY, i64::from(u32::MAX)]
        .into_iter()
        .zip(0..)
        .map(|(timestamp, uid)| {
            let mut new = measured(uid, 0);
            new.row.measurement_start_time = DateTime::from_timestamp(timestamp).unwrap();
            new
        })
        .collect();
    store.write(&rows, OnExisting::Keep).unwrap();
    let BlockingStore { store: clickhouse, .. } = &store.0;
    let table = engine.table("fastpath");
    let at = |timestamp| Some(DateTime::from_timestamp(timestamp).unwrap());
    let bounds = [None, at(-1), at(0), at(1), at(9999), at(10_000), at(i64::from(u32::MAX)), Some(DateTime::MAX)];
    for _ in 0..2 {
        for (from, to) in bounds.iter().flat_map(|from| bounds.iter().map(move |to| (*from, *to))) {
            let filter = Filter { window: Window { from, to }, ..Filter::default() };
            let wanted = table.iter().filter(|row| is_wanted(&filter, row, None)).count();
            let list = List { filter: filter.clone(), ..everything() };
            assert_eq!(store.0.wait(clickhouse.list(&list)).unwrap().len(), wanted, "{from:?}, {to:?}");
            let query = Aggregation { filter, axes: vec![] };
            let counted = store.0.wait(clickhouse.aggregate(&query)).unwrap();
            assert_eq!(counted[0].counts.measurements, wanted as u64, "{from:?}, {to:?}");
        }
        store.0.wait(clickhouse.refresh_rollups()).unwrap();
    }
}

#[test]
fn filters_with_a_hundred_thousand_values() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    let store = engine.open();
    store.write(&(0..4).map(|uid| measured(uid, 0)).collect::<Vec<_>>(), OnExisting::Keep).unwrap();
    let BlockingStore { store: clickhouse, .. } = &store.0;
    let domains = (0..100_000).map(|number| format!("domain{number}.example.org")).chain(["site0.org".to_owned()]);
    let domains: Vec<String> = domains.collect();
    let probe_asns: Vec<u32> = (0..100_000).collect();
    for filter in [Filter { domains, ..Filter::default() }, Filter { probe_asns, ..Filter::default() }] {
        let list = List { filter: filter.clone(), ..everything() };
        assert_eq!(store.0.wait(clickhouse.list(&list)).unwrap().len(), 4);
        let counted = store.0.wait(clickhouse.aggregate(&Aggregation { filter, axes: vec![] })).unwrap();
        assert_eq!(counted[0].counts.measurements, 4);
    }
}

/// The port of a server that accepts connections and sends this answer.
fn answering(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.read(&mut [0; 1 << 16]);
            let _ = client.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn permanent_errors_are_not_retried() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::empty();
    let (other, web) =
        (answering("220 other protocol\r\n"), answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    for (url, said) in [
        (format!("{}_none", engine.url()), "(ClickHouse error 81)"),
        (engine.url().replace("test@", "me:secret@"), "(ClickHouse error 516)"),
        ("clickhouse://me:secret@none.invalid/db".to_owned(), "dns error"),
        (format!("clickhouse://me:secret@127.0.0.1:{other}/db"), "invalid HTTP version"),
        (format!("clickhouse://me:secret@127.0.0.1:{other}/db?secure=1"), "received corrupt message"),
        (format!("clickhouse://me:secret@127.0.0.1:{web}/db"), "answers with HTTP status 404 Not Found"),
    ] {
        let begun = Instant::now();
        let error = open(&url).err().unwrap();
        // Retries would take half a minute.
        assert!(begun.elapsed() < Duration::from_secs(10), "{error}");
        assert!(error.message().contains(said), "{error}");
        assert_eq!((error.kind(), error.public_message()), (ErrorKind::Other, "The store failed."), "{error}");
    }
}

/// The port of a proxy that forwards until a packet contains `last`; it drops that packet and everything after it. Also
/// whether that has happened.
fn stalling(to: u16, last: &'static str) -> (u16, Arc<AtomicBool>) {
    let is_reached = Arc::new(AtomicBool::new(false));
    let reached = Arc::clone(&is_reached);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            for (mut from, mut to) in [(&client, &server), (&server, &client)]
                .map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()))
            {
                let reached = Arc::clone(&reached);
                thread::spawn(move || {
                    let mut buffer = [0; 1 << 16];
                    let mut is_over = false;
                    while let Ok(read @ 1..) = from.read(&mut buffer) {
                        is_over = is_over || String::from_utf8_lossy(&buffer[..read]).contains(last);
                        reached.fetch_or(is_over, Ordering::Relaxed);
                        if !is_over && to.write_all(&buffer[..read]).is_err() {
                            return;
                        }
                    }
                });
            }
        }
    });
    (port, is_reached)
}

#[test]
fn a_deadline_covers_all_statements_of_a_write() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    let url = engine.url();
    let port = url.rsplit_once(':').unwrap().1.split_once('/').unwrap().0;
    for (last, is_unknown) in [("removed LIMIT 1", false), ("INSERT+INTO+dirty", false), ("INSERT+INTO+fastpath", true)]
    {
        let (proxy, is_reached) = stalling(port.parse().unwrap(), last);
        let store = open(&url.replace(port, &proxy.to_string())).unwrap().0;
        // All tests share the server, so the statement may be reached late.
        let mut limit = Duration::from_secs(1);
        let error = loop {
            limit *= 2;
            let begun = Instant::now();
            let limited = store.store.with_deadline(Deadline::after(limit));
            let rows = Arc::new(BatchInput::from(sound([1, 2])));
            let error = store.wait(limited.write(rows, OnExisting::Keep)).unwrap_err();
            assert!(begun.elapsed() < limit + Duration::from_secs(5), "{last}: {error}");
            assert_eq!(error.kind(), ErrorKind::Timeout, "{last}: {error}");
            assert_eq!(store.wait(limited.count()).unwrap_err().kind(), ErrorKind::Timeout, "{last}");
            if is_reached.load(Ordering::Relaxed) {
                break error;
            }
        };
        assert_eq!(error.is_outcome_unknown(), is_unknown, "{last}: {error}");
    }
    let store = engine.open();
    assert_eq!(store.write(&sound([1, 2]), OnExisting::Keep).unwrap().inserted, 2);
    rollups_are_as_rows(&store);
}

#[test]
fn a_lease_of_a_killed_process_expires_within_a_minute() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    let store = engine.open();
    let replace = |lists: &[u8], limit: u64| {
        let limited = store.0.store.with_deadline(Deadline::after(Duration::from_secs(limit)));
        store.0.wait(limited.replace_test_lists(entries(lists)))
    };
    engine.query("INSERT INTO lease SELECT 7, now64(6)");
    let error = replace(&[1], 2).unwrap_err();
    assert_eq!((error.kind(), error.is_outcome_unknown()), (ErrorKind::Timeout, false), "{error}");
    engine.query("TRUNCATE TABLE lease");
    engine.query("INSERT INTO lease SELECT 7, now64(6) - INTERVAL 57 SECOND");
    replace(&[1, 2], 30).unwrap();
    assert_eq!(engine.query("SELECT count() FROM lease"), [["0"]]);
    rollups_are_right(&store);
}
