//! Bulk loads, on every engine: the store that they leave is that of usual writes.

use crate::rollups::{answers_are_those_of_the_rows, entries, rollups_are_right};
use crate::support::{Engine, Fields, InFile, Open, SOUND, location, measured, new, of_day, open_to_read};
use ooni_core::error::{Code, Error as CoreError};
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::list::List;
use ooni_store::rollup::ROLLUPS;
use ooni_store::{BatchInput, BulkResult, Error, ErrorKind, FinishedMonth, Load, OnExisting, Rejection, ScoredRow};
use std::sync::Arc;

/// Begins a load, or joins one.
pub(crate) fn begin(store: &Open, loader: &str) -> Load {
    store.0.wait(store.0.store.begin_load(loader)).unwrap()
}

pub(crate) fn load(store: &Open, load: &Load, batch: impl Into<BatchInput<ScoredRow>>) -> BulkResult {
    store.0.wait(load.write(Arc::new(batch.into()))).unwrap()
}

/// Ends a load and finishes its months.
pub(crate) fn finish(store: &Open, load: &Load) -> Vec<FinishedMonth> {
    assert_eq!(store.0.wait(load.end()).unwrap(), 0, "other loaders");
    let mut finished = Vec::new();
    store.0.wait(store.0.store.finish_months(|month| finished.push(month))).unwrap();
    finished.sort_by_key(|finished| finished.month);
    assert_eq!(unfinished(store), []);
    finished
}

pub(crate) fn unfinished(store: &Open) -> Vec<DateTime> {
    store.0.wait(store.0.store.unfinished_months()).unwrap()
}

/// Batches with everything that a batch can have; they begin in three months.
pub(crate) fn batches() -> Vec<BatchInput<ScoredRow>> {
    let refused = Fields { version: "5", ..SOUND };
    let vpn = Fields { test: "openvpn", keys: r#"{"bootstrap_time":"1"}"#, ..SOUND };
    let without_openvpn = Fields { keys: r#"{"bootstrap_time":""}"#, ..vpn };
    let rejection = |can: &str, position: i64, uid: &str| {
        Rejection::new(can, position, Some(uid), &CoreError::new(Code::Type, "/test_keys", "a list"))
    };
    let mut batches: Vec<BatchInput<ScoredRow>> = (0..4_u8)
        .map(|batch| {
            let rows = (0..40).map(|row| batch * 40 + row).map(|uid| measured(uid, u16::from(uid) * 401));
            BatchInput::from(rows.collect::<Vec<_>>())
        })
        .collect();
    let first = &mut batches[0];
    first.begin_can("raw/1.tar.gz");
    first.reject(rejection("raw/1.tar.gz", 3, "rejected"));
    first.reject(rejection("raw/1.tar.gz", 4, "vpn"));
    first.push(new("refused", &refused));
    first.push(new("vpn", &vpn));
    // Again in the same batch, with other values.
    first.push(measured(1, 7));
    let second = &mut batches[1];
    second.begin_can("raw/2.tar.gz");
    second.push(new("without openvpn", &without_openvpn));
    second.push(ScoredRow { body: None, ..new("archived", &SOUND) });
    second.push(new("removed", &SOUND));
    // Again, as after a crash.
    second.push(measured(2, 2 * 401));
    second.push(new("refused", &refused));
    batches
}

/// What a store has before it is loaded.
fn prepare(store: &Open) {
    let Open(waiting) = store;
    waiting.wait(waiting.store.replace_test_lists(entries(&[0, 1, 4, 5, 9, 17, 21, 42]))).unwrap();
    waiting.wait(waiting.store.remove("removed", "a reason", true)).unwrap();
    let body = vec![("archived".to_owned(), location(9, "archived"))];
    waiting.wait(waiting.store.set_body_locations(body)).unwrap();
}

/// The tables of a store.
pub(crate) fn tables(engine: &dyn Engine) -> Vec<Vec<Vec<String>>> {
    let tables =
        ["fastpath", "jsonl", "obs_openvpn", "refused", "removed", "archived"].map(|table| engine.table(table));
    let rejected =
        engine.query("SELECT can, position, measurement_uid, code, path, message FROM rejected ORDER BY 1, 2");
    tables.into_iter().chain([rejected]).collect()
}

pub(crate) fn a_load_leaves_what_usual_writes_leave(engine: &dyn Engine, usual: &dyn Engine) {
    let (store, other) = (engine.open(), usual.open());
    prepare(&store);
    prepare(&other);
    let loader = begin(&store, "a loader");
    let (mut inserted, mut already) = (0, 0);
    let mut expected = (0, 0);
    for batch in batches() {
        let BulkResult { written, .. } = load(&store, &loader, batch.clone());
        (inserted, already) = (inserted + written.inserted, already + written.already);
        let written_usually = other.0.wait(other.0.store.write(Arc::new(batch), OnExisting::Keep)).unwrap();
        expected = (expected.0 + written_usually.inserted, expected.1 + written_usually.already);
        assert_eq!(written.refused, written_usually.refused);
        assert_eq!(written.without_openvpn, written_usually.without_openvpn);
    }
    let is_bulk = !unfinished(&store).is_empty();
    let finished = finish(&store, &loader);
    assert_eq!((inserted, already), expected);
    if is_bulk {
        assert_eq!(finished.iter().map(|month| month.rows).sum::<u64>(), expected.0);
        let months = [1, 2, 3].map(|month| ooni_core::time::DateTime::new(2024, month, 1, 0, 0, 0).unwrap());
        assert_eq!(finished.iter().map(|finished| finished.month).collect::<Vec<_>>(), months);
    }
    assert_eq!(tables(engine), tables(usual));
    answers_are_those_of_the_rows(engine, &store);
    rollups_are_right(&store);
    // Usual changes follow.
    let Open(waiting) = &store;
    store.write(&[measured(3, 9), measured(200, 700)], OnExisting::Replace).unwrap();
    waiting.wait(waiting.store.remove("u4", "a reason", false)).unwrap();
    waiting.wait(waiting.store.drop_month(of_day(31))).unwrap();
    waiting.wait(waiting.store.replace_test_lists(entries(&[2, 6]))).unwrap();
    rollups_are_right(&store);
    answers_are_those_of_the_rows(engine, &store);
}

pub(crate) fn a_uid_is_loaded_once(engine: &dyn Engine) {
    let store = engine.open();
    let loaders = ["a", "b"].map(|loader| begin(&store, loader));
    // In the same month, in another month, and in a month that is loaded later.
    let [january, february, march] = [10, 40, 70].map(|day| {
        let mut row = new("again", &SOUND);
        row.row.measurement_start_time = of_day(day);
        row
    });
    let batches = [
        (0, vec![january.clone(), measured(1, 1)]),
        (1, vec![january, measured(2, 2), measured(1, 1)]),
        (0, vec![february, measured(3, 3)]),
        (1, vec![march, measured(4, 4)]),
    ];
    let mut inserted = 0;
    for (loader, rows) in batches {
        inserted += load(&store, &loaders[loader], rows).written.inserted;
    }
    let others = |loader: &Load| store.0.wait(loader.end()).unwrap();
    if !unfinished(&store).is_empty() {
        assert_eq!(others(&loaders[0]), 1);
    }
    finish(&store, &loaders[1]);
    assert_eq!(inserted, 5);
    assert_eq!(store.count().unwrap(), 5);
    assert_eq!((engine.table("fastpath").len(), engine.table("jsonl").len()), (5, 5));
    assert!(store.0.wait(store.0.store.find("again")).unwrap().is_some());
    rollups_are_right(&store);
}

#[test]
fn locations_of_refused_measurements_are_kept_on_sqlite() {
    let engine = InFile::new();
    let store = engine.open();
    let archived = vec![("archived".to_owned(), location(13, "archived"))];
    store.0.wait(store.0.store.set_body_locations(archived)).unwrap();
    let loader = begin(&store, "a loader");
    let refused = Fields { version: "5", ..SOUND };
    let without = |uid: &str, fields: &Fields<'_>| ScoredRow { body: None, ..new(uid, fields) };
    let [again, later] =
        ["again", "later"].map(|uid| ScoredRow { body: Some(location(11, uid)), ..new(uid, &refused) });
    load(
        &store,
        &loader,
        vec![measured(1, 1), again, later, without("archived", &refused), without("nowhere", &refused)],
    );
    // Only the refusals have their locations.
    let written = load(&store, &loader, vec![without("again", &refused), without("later", &SOUND)]).written;
    assert_eq!((written.inserted, written.refused.len()), (1, 1));
    finish(&store, &loader);
    let location_in = |table: &str, uid: &str| {
        let columns = "s3path, linenum, date, source, member_offset, member_length, member_line";
        engine.query(&format!("SELECT {columns} FROM {table} WHERE measurement_uid = '{uid}'"))
    };
    let columns = |linenum: u32, can: &str| {
        let (offset, length) = ((u64::from(linenum) << 40).to_string(), (1_u64 << 33).to_string());
        let [linenum, line] = [linenum, linenum / 2].map(|number| number.to_string());
        let [s3path, source] = ["jsonl.gz", "tar.gz"].map(|suffix| format!("raw/{can}.{suffix}"));
        vec![vec![s3path, linenum, "2024-01-02".to_owned(), source, offset, length, line]]
    };
    assert_eq!(location_in("refused", "again"), columns(11, "again"));
    assert_eq!(location_in("refused", "archived"), columns(13, "archived"));
    assert_eq!(location_in("refused", "later"), columns(11, "later"));
    assert_eq!(location_in("jsonl", "later"), columns(11, "later"));
    assert_eq!(location_in("refused", "nowhere"), [["", "0", "", "", "", "", ""].map(str::to_owned)]);
    assert_eq!(location_in("jsonl", "again"), Vec::<Vec<String>>::new());
}

pub(crate) fn months_with_rows_are_written_the_usual_way(engine: &dyn Engine) {
    let store = engine.open();
    store.write(&[measured(1, 1)], OnExisting::Keep).unwrap();
    let january = of_day(0);
    let mut moved = measured(1, 1);
    moved.row.measurement_start_time = of_day(40);
    let rows = [vec![measured(1, 1), moved], (0..40).map(|uid| measured(uid, u16::from(uid) * 401)).collect()].concat();
    let of_january = rows.iter().filter(|row| row.row.measurement_start_time < of_day(31)).count() as u64;
    let loader = begin(&store, "a loader");
    let BulkResult { written, steady } = load(&store, &loader, rows);
    assert_eq!(steady.get(&january), Some(&of_january), "{steady:?}");
    finish(&store, &loader);
    assert_eq!((written.inserted, written.already), (39, 3));
    assert_eq!(store.count().unwrap(), 40);
    rollups_are_right(&store);
    answers_are_those_of_the_rows(engine, &store);
}

/// PostgreSQL has partitions for the months of 2012 to 2039.
pub(crate) fn dates_without_partitions(engine: &dyn Engine) {
    let store = engine.open();
    let mut rows: Vec<_> = (0..40).map(|uid| measured(uid, u16::from(uid) * 401)).collect();
    let dates = [2009, 2045].map(|year| DateTime::new(year, 5, 1, 0, 0, 0).unwrap());
    for (row, date) in rows.iter_mut().zip(dates) {
        row.row.measurement_start_time = date.plus_seconds(100).unwrap();
    }
    let loader = begin(&store, "a loader");
    let BulkResult { written, steady } = load(&store, &loader, rows);
    assert_eq!(written.inserted, 40);
    if engine.url().starts_with("postgres:") {
        assert_eq!(steady, dates.map(|month| (month, 1)).into());
    }
    let finished: u64 = finish(&store, &loader).iter().map(|month| month.rows).sum();
    assert_eq!(finished + steady.values().sum::<u64>(), 40);
    assert_eq!(store.count().unwrap(), 40);
    rollups_are_right(&store);
    answers_are_those_of_the_rows(engine, &store);
}

/// Whether a call failed because a month is being loaded.
fn is_busy<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    match result {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
            assert!(error.message().contains("being loaded") && error.message().contains("2024-0"), "{error}");
            true
        }
        Ok(_) => false,
    }
}

pub(crate) fn unfinished_months_are_not_read(engine: &dyn Engine) {
    let store = engine.open();
    prepare(&store);
    let loader = begin(&store, "a loader");
    let rows: Vec<_> = (0..40).map(|uid| measured(uid, u16::from(uid) * 401)).collect();
    load(&store, &loader, rows.clone());
    if unfinished(&store).is_empty() {
        return; // an engine without bulk loads
    }
    let is_of_store = engine.url().starts_with("sqlite:");
    reads_are_busy(&store, &rows, is_of_store);
    reads_are_busy(&open_to_read(&engine.url()).unwrap(), &rows, is_of_store);
    let Open(waiting) = &store;
    assert!(is_busy(store.write(&rows, OnExisting::Keep)));
    assert!(is_busy(store.write(&rows, OnExisting::Replace)));
    assert!(is_busy(waiting.wait(waiting.store.remove("u1", "a reason", true))));
    assert!(is_busy(waiting.wait(waiting.store.drop_month(of_day(31)))));
    assert!(is_busy(waiting.wait(waiting.store.replace_test_lists(entries(&[3])))));
    assert!(is_busy(waiting.wait(waiting.store.rebuild(&ROLLUPS[0]))));
    let body = vec![("u1".to_owned(), location(1, "2024"))];
    assert!(is_busy(waiting.wait(waiting.store.set_body_locations(body))));
    finish(&store, &loader);
    assert_eq!(store.count().unwrap(), 40);
    assert!(store.0.wait(store.0.store.find("none")).unwrap().is_none());
    rollups_are_right(&store);
    answers_are_those_of_the_rows(engine, &store);
}

fn reads_are_busy(store: &Open, rows: &[ScoredRow], is_of_store: bool) {
    let Open(waiting) = store;
    let ask = |window: Window| {
        let filter = Filter { window, ..Filter::default() };
        let query = Aggregation { filter: filter.clone(), axes: vec![Axis::TestName] };
        let list = List { filter: filter.clone(), limit: 5, ..List::default() };
        [
            is_busy(waiting.wait(waiting.store.list(&list))),
            is_busy(waiting.wait(waiting.store.aggregate(&query))),
            is_busy(waiting.wait(waiting.store.distinct(&query, Axis::ProbeCc))),
            is_busy(waiting.wait(waiting.store.aggregate_with_days(&query))),
            is_busy(waiting.wait(waiting.store.ranked(&query, 0, 5))),
            is_busy(waiting.wait(waiting.store.runtimes(&filter))),
            is_busy(waiting.wait(waiting.store.listed_counts(window))),
            is_busy(waiting.wait(waiting.store.unarchived(window))),
            is_busy(waiting.slice(filter).collect::<Result<Vec<_>, _>>()),
        ]
    };
    let overlapping =
        [Window::default(), Window::new(of_day(30), of_day(31)), Window { from: Some(of_day(74)), to: None }];
    for window in overlapping {
        assert_eq!(ask(window), [true; 9], "{window:?}");
    }
    // A load of the whole store has no other months.
    let others = [Window { from: None, to: Some(of_day(0)) }, Window { from: Some(of_day(91)), to: None }];
    for window in others {
        assert_eq!(ask(window), [is_of_store; 9], "{window:?}");
    }
    assert!(is_busy(waiting.wait(waiting.store.input_counts("IT", None, &[of_day(6)]))));
    assert_eq!(is_busy(waiting.wait(waiting.store.input_counts("IT", None, &[of_day(-29)]))), is_of_store);
    assert!(is_busy(waiting.wait(waiting.store.domain_counts())));
    assert!(is_busy(store.count()));
    assert!(is_busy(store.page(None, 1)));
    assert!(is_busy(waiting.measurements(None).collect::<Result<Vec<_>, _>>()));
    assert!(is_busy(waiting.wait(waiting.store.stats())));
    assert!(ROLLUPS.iter().all(|rollup| is_busy(waiting.wait(waiting.store.check(rollup)))));
    // What is found is right, and what is not may be in a month that is being loaded.
    let uid = &rows[0].row.measurement_uid;
    match waiting.wait(waiting.store.find(uid)) {
        Ok(found) => assert_eq!(&found.unwrap().measurement_uid, uid),
        busy => assert!(is_busy(busy)),
    }
    assert!(is_busy(waiting.wait(waiting.store.find("none"))));
    assert!(is_busy(waiting.wait(waiting.store.find_in_report("none", ""))));
    assert!(is_busy(waiting.wait(waiting.store.body_location("none"))));
    assert!(is_busy(waiting.wait(waiting.store.uid_status("none"))));
    assert_eq!(waiting.removals().map(|removal| removal.unwrap().uid).collect::<Vec<_>>(), ["removed"]);
}
