//! Lists: pages in every order, filters with many values, and changes of test lists.

use crate::rollups::entries;
use crate::server::OnPostgres;
use crate::support::{Engine, InFile, Open, is_wanted, measured, new, of_day, text};
use ooni_core::json::Json;
use ooni_core::number::Int;
use ooni_store::query::aggregate::Aggregation;
use ooni_store::query::filter::{Category, Filter, Window};
use ooni_store::query::list::{List, Order};
use ooni_store::rollup::Rollup;
use ooni_store::{BlockingStore, ErrorKind, OnExisting, StoreOptions};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;

const ORDERS: [Order; 5] = [
    Order::MeasurementStartTime(None),
    Order::Input(None),
    Order::ProbeCc(None),
    Order::ProbeAsn(None),
    Order::TestName(None),
];

fn uids_of(store: &Open, list: &List) -> Vec<String> {
    let rows = store.0.wait(store.0.store.list(list)).unwrap();
    rows.into_iter().map(|row| row.measurement_uid).collect()
}

/// The uids of all pages, each of which begins after the last row of the one before.
pub(crate) fn pages(store: &Open, list: &List) -> Vec<String> {
    let (mut list, mut all) = (list.clone(), Vec::new());
    loop {
        let page = store.0.wait(store.0.store.list(&list)).unwrap();
        all.extend(page.iter().map(|row| row.measurement_uid.clone()));
        match page.last() {
            Some(last) if page.len() == list.limit as usize => list.order = list.order.after(last),
            _ => return all,
        }
    }
}

/// A list whose rows are too long is refused, without a trace: the next calls are answered.
fn lists_have_a_limit_of_bytes(engine: &dyn Engine) {
    let rows: Vec<_> = (0..40_u8)
        .map(|uid| {
            let mut row = measured(uid, 0);
            row.row.input = Json::Text("é".repeat(50_000).into_bytes());
            row
        })
        .collect();
    engine.open().write(&rows, OnExisting::Keep).unwrap();
    let options = StoreOptions { max_list_bytes: 250_000, lookup_readers: 1, ..StoreOptions::default() };
    let store = BlockingStore::open_with(&engine.url(), options).unwrap();
    let list = |limit| store.wait(store.store.list(&List { limit, ..List::default() }));
    for _ in 0..3 {
        let error = list(40).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert_eq!(error.public_message(), "the rows have more than 250000 bytes; ask for fewer");
        assert_eq!(list(2).unwrap().len(), 2);
    }
    // A row is returned, however long it is.
    let options = StoreOptions { max_list_bytes: 1, ..StoreOptions::default() };
    let store = BlockingStore::open_with(&engine.url(), options).unwrap();
    assert_eq!(store.wait(store.store.list(&List { limit: 1, ..List::default() })).unwrap().len(), 1);
}

#[test]
fn lists_of_a_file_have_a_limit_of_bytes() {
    lists_have_a_limit_of_bytes(&InFile::new());
}

#[test]
fn lists_of_postgres_have_a_limit_of_bytes() {
    skip_without!(Server::shared_postgres());
    lists_have_a_limit_of_bytes(&OnPostgres::new());
}

pub(crate) fn pages_have_all_rows_in_order(engine: &dyn Engine) {
    let store = engine.open();
    let mut rows: Vec<_> = (0..48).map(|uid| measured(uid, u16::from(uid) * 139)).collect();
    for (number, row) in rows.iter_mut().enumerate() {
        // Many rows have the same start.
        row.row.measurement_start_time = of_day(number as i64 % 5);
        if number % 9 == 0 {
            row.row.input =
                Json::Text([b"https://site0.org/", "é".repeat(300).as_bytes(), &[b'0' + number as u8 / 9]].concat());
        }
    }
    store.write(&rows, OnExisting::Keep).unwrap();
    // All URLs but one are in several lists, and some twice in one.
    let lists = entries(&[0, 1, 4, 5, 8, 9, 16, 20, 96]);
    store.0.wait(store.0.store.replace_test_lists(lists)).unwrap();

    let category =
        |lists: &[&str]| Category { code: "NEWS".to_owned(), lists: lists.iter().map(|&cc| cc.to_owned()).collect() };
    let countries = ["RU", "IT", "RU"].map(str::to_owned).to_vec();
    let filters = [
        Filter::default(),
        Filter { category: Some(category(&[])), ..Filter::default() },
        Filter { category: Some(category(&["ZZ", "it"])), probe_ccs: countries.clone(), ..Filter::default() },
        Filter { probe_ccs: countries, window: Window::new(of_day(1), of_day(4)), ..Filter::default() },
        Filter {
            probe_asns: vec![1, 2],
            test_names: vec!["dash".to_owned(), "signal".to_owned()],
            ..Filter::default()
        },
        Filter { test_names: vec!["dash".to_owned(), "signal".to_owned()], ..Filter::default() },
    ];
    let (table, lists) = (engine.table("fastpath"), engine.lists());
    let sizes: &[u32] = if engine.has_transactions() { &[1, 5, 17] } else { &[5, 17] };
    for filter in &filters {
        let entries: Vec<_> = match filter.category {
            Some(_) => lists.iter().map(Some).collect(),
            None => vec![None],
        };
        let is_wanted = |row: &&Vec<String>| {
            let fits = |entry: &Option<&_>| {
                entry.is_none_or(|entry: &ooni_store::ListedUrl| entry.url == row[2]) && is_wanted(filter, row, *entry)
            };
            entries.iter().any(fits)
        };
        for order in &ORDERS {
            let column = match order {
                Order::MeasurementStartTime(_) => 7,
                Order::Input(_) => 2,
                Order::ProbeCc(_) => 3,
                Order::ProbeAsn(_) => 4,
                Order::TestName(_) => 5,
            };
            let mut expected: Vec<_> = table.iter().filter(is_wanted).collect();
            expected.sort_by_key(|row| (&row[column], &row[0]));
            let mut expected: Vec<_> = expected.into_iter().map(|row| row[0].clone()).collect();
            assert!(expected.len() > 5, "{filter:?}");
            for descending in [false, true] {
                let all = List { filter: filter.clone(), order: order.clone(), descending, offset: 0, limit: 1000 };
                let of = format!("{order:?}, descending: {descending}, {filter:?}");
                assert_eq!(uids_of(&store, &all), expected, "{of}");
                for &limit in sizes {
                    assert_eq!(pages(&store, &List { limit, ..all.clone() }), expected, "pages of {limit}, {of}");
                }
                let skipped = List { offset: 4, limit: 3, ..all };
                assert_eq!(uids_of(&store, &skipped), expected[4..expected.len().min(7)], "{of}");
                expected.reverse();
            }
        }
    }
}

pub(crate) fn filters_with_many_values(engine: &dyn Engine) {
    const MANY: u32 = 40_000;
    let store = engine.open();
    let mut rows: Vec<_> = (0..6).map(|uid| measured(uid, u16::from(uid) * 5)).collect();
    let odd = "it's \"odd\", \\ and\tlong";
    for (number, row) in rows.iter_mut().enumerate() {
        row.row.probe_asn = Int::Small([7, 70_000, 80_000][number % 3]);
        row.row.domain = Json::Text([odd, "a\0b", "a", "site.org", "other.org", "b"][number].as_bytes().to_vec());
    }
    let linked = |uid: &str, link: &str| {
        let rest = format!("\"annotations\":{{\"ooni_run_link_id\":{link}}},");
        new(uid, &crate::support::Fields { rest: &rest, ..crate::support::SOUND })
    };
    rows.extend([linked("link", "10001"), linked("longest", "18446744073709551615"), linked("other", "3")]);
    store.write(&rows, OnExisting::Keep).unwrap();
    let uid = |row: &Vec<String>| row[0].clone();
    let table = engine.table("fastpath");
    let chosen = |column: usize, values: &[&str]| {
        let wanted = |row: &&Vec<String>| values.contains(&&*row[column]);
        table.iter().filter(wanted).map(uid).collect::<Vec<_>>()
    };
    let found = |filter: Filter| {
        let list = List { filter: filter.clone(), limit: 100, ..List::default() };
        let mut uids = uids_of(&store, &list);
        uids.sort();
        let counted = store.0.wait(store.0.store.aggregate(&Aggregation { filter, axes: vec![] })).unwrap();
        assert_eq!(counted[0].counts.measurements, uids.len() as u64);
        uids
    };
    let asns: Vec<u32> = (0..MANY).chain([70_000]).collect();
    assert_eq!(found(Filter { probe_asns: asns, ..Filter::default() }), chosen(4, &["5", "7", "70000"]));
    let none = |number: u32| format!("domain{number}.example.org");
    let with = |more: &[&str]| (0..MANY).map(none).chain(more.iter().map(|&text| text.to_owned())).collect::<Vec<_>>();
    // With and without a NUL among them.
    let domains = with(&[odd, "site.org"]);
    assert_eq!(found(Filter { domains, ..Filter::default() }), ["u0", "u3"]);
    let domains = with(&[odd, "a\0b"]);
    assert_eq!(found(Filter { domains, ..Filter::default() }), ["u0", "u1"]);
    let ooni_run_link_ids = (5..u64::from(MANY)).chain([u64::MAX]).collect();
    assert_eq!(found(Filter { ooni_run_link_ids, ..Filter::default() }), ["link", "longest"]);
    let lists = store.0.wait(store.0.store.test_lists(&with(&["ZZ"]))).unwrap();
    assert_eq!(lists, []);
    assert_eq!(text(&store.page(None, 1).unwrap()[0][0]), "link");
}

pub(crate) fn changed_test_lists_update_the_rollup(engine: &dyn Engine) {
    let store = engine.open();
    let rows: Vec<_> = (0..48).map(|uid| measured(uid, u16::from(uid) * 139)).collect();
    store.write(&rows, OnExisting::Keep).unwrap();
    let replace = |numbers: &[u8]| store.0.wait(store.0.store.replace_test_lists(entries(numbers))).unwrap();
    // Sites 0 to 3 in three lists and two categories.
    let mut numbers: Vec<u8> = (0..24).collect();
    replace(&numbers);
    crate::rollups::rollups_are_right(&store);
    numbers.retain(|number| ![5, 21].contains(number));
    numbers.extend([1, 2]);
    replace(&numbers);
    crate::rollups::rollups_are_right(&store);
    if !engine.has_transactions() {
        return; // rollups are rebuilt later
    }
    // Unchanged entries are not counted again, so wrong counts of them remain.
    let category = Rollup::named("category").unwrap();
    engine.spoil(category);
    numbers.push(3);
    replace(&numbers);
    assert_ne!(store.0.wait(store.0.store.check(category)).unwrap(), []);
    replace(&[]);
    crate::rollups::rollups_are_right(&store);
}
