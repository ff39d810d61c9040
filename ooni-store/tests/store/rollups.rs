//! Rollups agree with the rows after any history.

use crate::support::{Engine, Open, counted, measured, of_day};
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Category, Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::rollup::{ROLLUPS, Rollup};
use ooni_store::{ListedUrl, OnExisting, ScoredRow};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// A change to a store.
#[derive(Clone, Debug)]
enum Event {
    Write(Vec<(u8, u16)>, OnExisting),
    Remove(u8),
    DropMonth(u8),
    Lists(Vec<u8>),
    Rebuild(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let rows = prop::collection::vec((0..40_u8, any::<u16>()), 0..30);
    let on_existing = prop_oneof![Just(OnExisting::Keep), Just(OnExisting::Replace)];
    prop_oneof![
        6 => (rows, on_existing).prop_map(|(rows, on_existing)| Event::Write(rows, on_existing)),
        2 => (0..40_u8).prop_map(Event::Remove),
        1 => (0..3_u8).prop_map(Event::DropMonth),
        1 => prop::collection::vec(any::<u8>(), 0..6).prop_map(Event::Lists),
        1 => (0..ROLLUPS.len()).prop_map(Event::Rebuild),
    ]
}

fn apply(store: &Open, event: &Event) {
    let Open(waiting) = store;
    match event {
        Event::Write(rows, on_existing) => {
            let rows: Vec<ScoredRow> = rows.iter().map(|&(uid, content)| measured(uid, content)).collect();
            store.write(&rows, *on_existing).unwrap();
        }
        Event::Remove(uid) => drop(waiting.wait(waiting.store.remove(&format!("u{uid}"), "a reason", true)).unwrap()),
        Event::DropMonth(month) => {
            let month = DateTime::new(2024, month + 1, 1, 0, 0, 0).unwrap();
            waiting.wait(waiting.store.drop_month(month)).unwrap();
        }
        Event::Lists(lists) => waiting.wait(waiting.store.replace_test_lists(entries(lists))).unwrap(),
        Event::Rebuild(number) => waiting.wait(waiting.store.rebuild(&ROLLUPS[*number])).unwrap(),
    }
}

/// Entries of test lists; some URLs are in several of them.
pub(crate) fn entries(numbers: &[u8]) -> Vec<ListedUrl> {
    let entry = |number: &u8| ListedUrl {
        url: format!("https://site{}.org/", number % 4),
        domain: format!("site{}.org", number % 4),
        cc: ["ZZ", "it", "ru"][usize::from(number / 4 % 3)].to_owned(),
        category_code: ["NEWS", "HUMR"][usize::from(number / 16 % 2)].to_owned(),
    };
    numbers.iter().map(entry).collect()
}

pub(crate) fn any_history_leaves_rollups_right(new: fn() -> Box<dyn Engine>, cases: u32) {
    let config = ProptestConfig { cases, ..ProptestConfig::with_source_file(file!()) };
    let histories = (prop::collection::vec(event(), 1..12), any::<bool>());
    let result = TestRunner::new(config).run(&histories, |(events, is_rollup_current)| {
        let engine = new();
        let store = engine.open();
        for event in &events {
            apply(&store, event);
        }
        if is_rollup_current {
            rollups_are_right(&store);
        }
        answers_are_those_of_the_rows(&*engine, &store);
        rollups_are_right(&store);
        Ok(())
    });
    result.unwrap();
}

/// No rollup differs from the rows, before and after rollups are refreshed.
pub(crate) fn rollups_are_right(store: &Open) {
    let Open(waiting) = store;
    rollups_are_as_rows(store);
    waiting.wait(waiting.store.refresh_rollups()).unwrap();
    for rollup in &ROLLUPS {
        assert!(waiting.wait(waiting.store.is_rollup_current(rollup, Window::default())).unwrap(), "{}", rollup.name);
    }
    rollups_are_as_rows(store);
}

/// No rollup differs from the rows where it is current.
pub(crate) fn rollups_are_as_rows(store: &Open) {
    ROLLUPS.iter().for_each(|rollup| rollup_is_as_rows(store, rollup));
}

pub(crate) fn rollup_is_as_rows(store: &Open, rollup: &'static Rollup) {
    let differences = store.0.wait(store.0.store.check(rollup)).unwrap();
    assert_eq!(differences, [], "{}", rollup.name);
}

/// Every kind of aggregation returns the counts of the rows.
pub(crate) fn answers_are_those_of_the_rows(engine: &dyn Engine, store: &Open) {
    let axes = [
        Axis::BlockingType,
        Axis::CategoryCode,
        Axis::Domain,
        Axis::Input,
        Axis::MeasurementStart(Grain::Hour),
        Axis::MeasurementStart(Grain::Day),
        Axis::MeasurementStart(Grain::Week),
        Axis::MeasurementStart(Grain::Month),
        Axis::MeasurementStart(Grain::Year),
        Axis::ProbeAsn,
        Axis::ProbeCc,
        Axis::TestName,
    ];
    let moved = |time: DateTime, seconds| time.plus_seconds(seconds).unwrap();
    let category = |lists: &[&str]| {
        let lists = lists.iter().map(|&cc| cc.to_owned()).collect();
        Filter { category: Some(Category { code: "NEWS".to_owned(), lists }), ..Filter::default() }
    };
    let filters = [
        Filter::default(),
        Filter { window: Window::new(of_day(3), of_day(40)), ..Filter::default() },
        // Windows that cut through days and hours.
        Filter { window: Window::new(moved(of_day(3), 1), moved(of_day(40), 5 * 3600)), ..Filter::default() },
        Filter {
            window: Window { from: Some(moved(of_day(20), -4321)), to: None },
            probe_ccs: vec!["IT".to_owned()],
            ..Filter::default()
        },
        Filter { probe_ccs: vec!["IT".to_owned(), "RU".to_owned()], ..Filter::default() },
        Filter { probe_asns: vec![2], only_known_cc: true, ..Filter::default() },
        Filter { domains: vec!["site1.org".to_owned()], test_names: vec!["dash".to_owned()], ..Filter::default() },
        Filter { anomaly: Some(true), ..Filter::default() },
        Filter { input: Some("https://site1.org/".to_owned()), ..Filter::default() },
        category(&["ZZ", "it"]),
        Filter { probe_ccs: vec!["RU".to_owned()], ..category(&[]) },
    ];
    let (rows, lists) = (engine.table("fastpath"), engine.lists());
    let Open(waiting) = store;
    for (number, filter) in filters.iter().enumerate() {
        for (first, axis) in axes.iter().enumerate() {
            let with = [vec![], vec![*axis], vec![*axis, axes[(first + number + 1) % axes.len()]]];
            for axes in with {
                if axes.iter().filter(|axis| matches!(axis, Axis::MeasurementStart(_))).count() > 1 {
                    continue;
                }
                let query = Aggregation { filter: filter.clone(), axes };
                let answer = waiting.wait(waiting.store.aggregate(&query)).unwrap();
                assert_eq!(answer, counted(&rows, &lists, &query), "{query:?}");
            }
        }
    }
}
