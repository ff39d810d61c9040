//! Calls that read one snapshot of a PostgreSQL store while another process writes.

use crate::postgres::Done;
use crate::rollups::{rollups_are_as_rows, rollups_are_right};
use crate::server::OnPostgres;
use crate::support::{Engine, Open, SOUND, measured, new, of_day, open_to_read};
use ooni_core::json::Json;
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::{ListedUrl, OnExisting, Source, plan};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Reads in a loop until the writer has finished.
fn while_writing(engine: &OnPostgres, write: impl Fn(&Open) + Send, read: impl Fn(&Open)) {
    let done = AtomicBool::new(false);
    let store = engine.open();
    thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || {
            let _done = Done(done);
            write(&store);
        });
        let reader = open_to_read(&engine.url()).unwrap();
        while !done.load(Ordering::Relaxed) {
            read(&reader);
        }
    });
}

#[test]
fn a_check_reads_one_snapshot() {
    skip_without!(Server::shared_postgres());
    let write = |store: &Open| {
        for round in 0..40_u16 {
            let rows: Vec<_> = (0..100_u8).map(|uid| measured(uid, round * 100 + u16::from(uid))).collect();
            store.write(&rows, OnExisting::Replace).unwrap();
            let month = DateTime::new(2024, (round % 3 + 1) as u8, 1, 0, 0, 0).unwrap();
            store.0.wait(store.0.store.drop_month(month)).unwrap();
        }
    };
    let engine = OnPostgres::new();
    while_writing(&engine, write, rollups_are_as_rows);
    rollups_are_right(&engine.open());
}

/// The Sundays after 2024-01-01.
fn sunday(week: i64) -> DateTime {
    of_day(6 + 7 * week)
}

/// Writes two measurements of one input, in two weeks that depend on the round.
fn write_weeks(store: &Open, round: i64) {
    let in_week = |uid, week| {
        let mut row = new(uid, &SOUND);
        row.row.test_name = Json::Text(b"web_connectivity".to_vec());
        row.row.input = Json::Text(b"http://x.org/".to_vec());
        row.row.measurement_start_time = sunday(week % 4);
        row
    };
    store.write(&[in_week("a", round), in_week("b", round + 1)], OnExisting::Replace).unwrap();
}

#[test]
fn input_counts_of_several_weeks_read_one_snapshot() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    let [url, domain, cc, category_code] = ["http://x.org/", "x.org", "ZZ", "NEWS"].map(str::to_owned);
    let lists = vec![ListedUrl { url, domain, cc, category_code }];
    store.0.wait(store.0.store.replace_test_lists(lists)).unwrap();
    write_weeks(&store, 0);
    let weeks = [0, 1, 2, 3].map(sunday);
    let read = |reader: &Open| {
        for asn in [None, Some(5)] {
            let counts = reader.0.wait(reader.0.store.input_counts("IT", asn, &weeks)).unwrap();
            assert_eq!(counts, [("http://x.org/".to_owned(), 2)], "{asn:?}");
        }
    };
    while_writing(&engine, |store| (1..200).for_each(|round| write_weeks(store, round)), read);
}

#[test]
fn statistics_read_one_snapshot() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let write = |store: &Open| {
        for round in 0..60 {
            store.write(&[new(&format!("u{round}"), &SOUND)], OnExisting::Keep).unwrap();
        }
    };
    let read = |reader: &Open| {
        let stats = reader.0.wait(reader.0.store.stats()).unwrap();
        let rows = stats.tables[0].1;
        assert_eq!(stats.tables.iter().find(|(table, _)| *table == "jsonl").unwrap().1, rows);
        for state in stats.rollups.iter().filter(|state| !state.rollup.is_of_lists()) {
            assert_eq!(state.measurements, rows, "{}", state.rollup.name);
        }
    };
    while_writing(&engine, write, read);
}

/// Writes three measurements, mostly into a month that had none.
fn write_months(store: &Open, round: i64) {
    let on_day = |uid, day| {
        let mut row = new(uid, &SOUND);
        row.row.measurement_start_time = of_day(day);
        row
    };
    let first = round * 31;
    let rows = [on_day("a", first), on_day("b", first + 15), on_day("c", first + 40)];
    store.write(&rows, OnExisting::Replace).unwrap();
}

#[test]
fn an_aggregation_reads_one_snapshot() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    write_months(&engine.open(), 0);
    let of = |filter| Aggregation { filter, axes: vec![Axis::ProbeCc] };
    // Rows of all partitions, and a rollup with rows at the edges of the window.
    let of_rows = of(Filter { anomaly: Some(false), ..Filter::default() });
    let cut = |day, seconds| DateTime::from_timestamp(of_day(day).timestamp() + seconds).unwrap();
    let of_both = of(Filter { window: Window::new(cut(-1, 1), cut(4000, 1)), ..Filter::default() });
    let sources = |query| plan(query).iter().map(|part| part.source).collect::<Vec<_>>();
    assert_eq!(sources(&of_rows), [Source::Rows]);
    assert!(sources(&of_both).len() > 1 && sources(&of_both).contains(&Source::Rows), "{:?}", sources(&of_both));
    let read = |reader: &Open| {
        for query in [&of_rows, &of_both] {
            let groups = reader.0.wait(reader.0.store.aggregate(query)).unwrap();
            assert_eq!(groups.iter().map(|group| group.counts.measurements).collect::<Vec<_>>(), [3]);
        }
    };
    while_writing(&engine, |store| (1..120).for_each(|round| write_months(store, round)), read);
}
