//! Texts of any length: every engine keeps, counts, finds and sorts them.

use crate::lists::pages;
use crate::rollups::rollups_are_right;
use crate::support::{Engine, InFile, Open, SOUND, counted, new, of_day, stored, text};
use ooni_core::json::Json;
use ooni_core::row::schema::fastpath;
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Category, Filter};
use ooni_store::query::grain::Grain;
use ooni_store::query::list::{List, Order};
use ooni_store::rollup::ROLLUPS;
use ooni_store::value::{self, Value};
use ooni_store::{ListedUrl, OnExisting, RemoveOutcome, ScoredRow};
use std::sync::Arc;

/// Random letters and digits, or characters of four bytes: nothing that an index could compress.
fn noise(seed: u64, length: usize, is_wide: bool) -> String {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let char = |random: u32| match is_wide {
        true => char::from_u32(0x2_0000 + random % 0x8000).unwrap(),
        false => char::from_digit(random % 36, 36).unwrap(),
    };
    (0..length).map(|_| char(next())).collect()
}

/// Texts around the length that PostgreSQL indexes and beyond the length of an index entry. Many differ only in their ends.
fn texts() -> Vec<String> {
    let mut texts = vec!["short".to_owned(), String::new()];
    texts.extend([601, 3000, 100_000].map(|length| noise(1, length, false)));
    for length in [127, 128, 129, 3000] {
        texts.extend([false, true].map(|is_wide| noise(2, length, is_wide)));
    }
    for start in [noise(3, 128, false), noise(3, 3000, true)] {
        texts.extend(["a", "b", "\\", "\\\\"].map(|end| format!("{start}{end}")));
    }
    // PostgreSQL stores each of these as two characters, and cuts between them.
    texts.extend(["\0a", "\u{1}a", "\0b"].map(|end| noise(4, 127, false) + end));
    texts
}

/// A row for each text in all columns that rollups have, and one with the text only in its domain.
fn rows() -> Vec<ScoredRow> {
    let texts = texts();
    let row = |number: usize, text: &String| {
        let mut all = new(&format!("all{number:02}"), &SOUND);
        let mut domain = new(&format!("domain{number:02}"), &SOUND);
        for new in [&mut all, &mut domain] {
            new.row.domain = Json::Text(text.clone().into_bytes());
            new.row.measurement_start_time = of_day(number as i64 * 11 % 60);
            new.row.anomaly = number.is_multiple_of(3);
        }
        let row = &mut all.row;
        for column in [
            &mut row.report_id,
            &mut row.input,
            &mut row.probe_cc,
            &mut row.test_name,
            &mut row.blocking_type,
            &mut row.software_version,
        ] {
            *column = Json::Text(text.clone().into_bytes());
        }
        [all, domain]
    };
    texts.iter().enumerate().flat_map(|(number, text)| row(number, text)).collect()
}

/// The columns of rows as text; times as seconds.
fn cells(rows: &[ScoredRow]) -> Vec<Vec<String>> {
    let cell = |cell: &Value<'_>| match cell {
        Value::Time(time) => time.timestamp().to_string(),
        other => text(other),
    };
    rows.iter().map(|new| value::fastpath(&new.row).unwrap().iter().map(cell).collect()).collect()
}

/// Entries of test lists for some of the inputs, all of long texts.
fn lists() -> Vec<ListedUrl> {
    let (long, wide) = (noise(5, 3000, false), noise(5, 3000, true));
    let entry = |url: &String, code: &str, cc: &str| ListedUrl {
        url: url.clone(),
        domain: wide.clone(),
        cc: cc.to_owned(),
        category_code: code.to_owned(),
    };
    let all = texts();
    let entries = all.iter().enumerate().filter(|(number, _)| number % 4 != 0);
    entries
        .flat_map(|(_, url)| [entry(url, &long, &wide), entry(url, "NEWS", "ZZ"), entry(url, &wide, &wide)])
        .collect()
}

/// Checks that lists, counts and look-ups are those of these rows.
fn answers_are_right(store: &Open, rows: &[ScoredRow]) {
    let Open(waiting) = store;
    let (cells, lists) = (cells(rows), lists());
    let [cc, test_name, domain, input] = [fastpath::probe_cc, fastpath::test_name, fastpath::domain, fastpath::input]
        .map(|column| {
            let mut values: Vec<String> = cells.iter().map(|row| row[column].clone()).collect();
            values.sort();
            values.dedup();
            values
        });
    let few = |values: &[String]| values.iter().step_by(3).cloned().collect::<Vec<_>>();
    let mut filters = vec![
        Filter::default(),
        Filter { probe_ccs: few(&cc), ..Filter::default() },
        Filter { test_names: few(&test_name), ..Filter::default() },
        Filter { domains: few(&domain), probe_ccs: few(&cc), ..Filter::default() },
    ];
    for list in [vec!["ZZ".to_owned()], vec![noise(5, 3000, true), "none".to_owned()]] {
        let category = |code: &str| Some(Category { code: code.to_owned(), lists: list.clone() });
        filters.push(Filter { category: category("NEWS"), ..Filter::default() });
        filters.push(Filter { category: category(&noise(5, 3000, false)), ..Filter::default() });
    }
    filters.extend(domain.iter().map(|text| Filter { domains: vec![text.clone()], ..Filter::default() }));
    filters.extend(cc.iter().map(|text| Filter { probe_ccs: vec![text.clone()], ..Filter::default() }));
    filters.extend(test_name.iter().map(|text| Filter { test_names: vec![text.clone()], ..Filter::default() }));
    filters.extend(input.iter().map(|text| Filter { input: Some(text.clone()), ..Filter::default() }));
    const DAY: Axis = Axis::MeasurementStart(Grain::Day);
    use Axis::{BlockingType, CategoryCode, Domain, Input, ProbeAsn, ProbeCc, TestName};
    let axes = [
        vec![],
        vec![Domain],
        vec![ProbeCc],
        vec![TestName],
        vec![Input],
        vec![BlockingType],
        vec![CategoryCode],
        vec![ProbeCc, Domain],
        vec![DAY, ProbeAsn],
    ];
    for (number, filter) in filters.iter().enumerate() {
        // All of them for the first, two for each of the others.
        let some = axes.iter().enumerate().filter(|(axis, _)| number == 0 || (number + axis) % 4 == 0);
        for (_, axes) in some {
            let query = Aggregation { filter: filter.clone(), axes: axes.clone() };
            let answer = waiting.wait(waiting.store.aggregate(&query)).unwrap();
            assert!(answer == counted(&cells, &lists, &query), "filter {number}, by {axes:?}");
        }
    }
    for (number, filter) in filters.iter().enumerate() {
        let mut expected: Vec<_> = cells
            .iter()
            .filter(|row| match &filter.category {
                None => crate::support::is_wanted(filter, row, None),
                Some(_) => lists.iter().any(|entry| {
                    entry.url == row[fastpath::input] && crate::support::is_wanted(filter, row, Some(entry))
                }),
            })
            .collect();
        let orders = [
            (Order::Input(None), fastpath::input),
            (Order::ProbeCc(None), fastpath::probe_cc),
            (Order::TestName(None), fastpath::test_name),
        ];
        for (order, column) in &orders[number.min(2)..] {
            expected.sort_by_key(|row| (&row[*column], &row[0]));
            for descending in [false, true] {
                let limit = if number == 0 { 4 } else { 1000 };
                let list = List { filter: filter.clone(), order: order.clone(), descending, offset: 0, limit };
                let found = pages(store, &list);
                let expected = expected.iter().map(|row| &row[0]);
                let is_right = if descending { found.iter().eq(expected.rev()) } else { found.iter().eq(expected) };
                assert!(is_right, "filter {number}, {column}, descending: {descending}: {found:?}");
            }
        }
    }
    for row in &cells {
        let found = waiting.wait(waiting.store.find_in_report(&row[fastpath::report_id], &row[fastpath::input]));
        let found = found.unwrap().unwrap();
        assert_eq!((&found.measurement_uid, found.probe_cc == row[fastpath::probe_cc]), (&row[0], true));
    }
}

/// Whether a store has exactly these rows.
fn has(store: &Open, rows: &[ScoredRow]) -> bool {
    let mut expected: Vec<_> = rows.iter().map(|new| value::fastpath(&new.row).unwrap()).collect();
    expected.sort_by_key(|row| text(&row[0]));
    stored(store) == expected
}

/// Copies all measurements of a store.
fn copy(from: &Open, to: &Open) {
    let all: Vec<_> = from.0.measurements(None).map(Result::unwrap).collect();
    let written = to.0.wait(to.0.store.write(Arc::new(all), OnExisting::Keep)).unwrap();
    assert_eq!(written.refused, []);
    to.0.wait(to.0.store.replace_test_lists(lists())).unwrap();
}

pub(crate) fn texts_of_any_length(engine: &dyn Engine, other: &dyn Engine) {
    let mut rows = rows();
    let store = engine.open();
    let Open(waiting) = &store;
    waiting.wait(waiting.store.replace_test_lists(lists())).unwrap();
    let written = store.write(&rows, OnExisting::Keep).unwrap();
    assert_eq!((written.inserted, written.refused), (rows.len() as u64, vec![]));
    assert!(has(&store, &rows));
    answers_are_right(&store, &rows);
    rollups_are_right(&store);
    answers_are_right(&store, &rows);

    let file = InFile::new();
    let (file, other) = (file.open(), other.open());
    copy(&store, &file);
    copy(&file, &other);
    assert!(has(&other, &rows));
    rollups_are_right(&other);

    // Counts are subtracted from cells, and empty cells are deleted.
    assert_eq!(store.write(&rows, OnExisting::Replace).unwrap().replaced, rows.len() as u64);
    rollups_are_right(&store);
    rows.retain(|new| {
        let is_removed = new.row.measurement_uid.ends_with('5');
        if is_removed {
            let removed = waiting.wait(waiting.store.remove(&new.row.measurement_uid, "a reason", false)).unwrap();
            assert_eq!(removed, RemoveOutcome::Removed);
        }
        !is_removed
    });
    let january = DateTime::new(2024, 1, 1, 0, 0, 0).unwrap();
    let before = rows.len();
    rows.retain(|new| new.row.measurement_start_time >= of_day(31));
    assert_eq!(waiting.wait(waiting.store.drop_month(january)).unwrap(), (before - rows.len()) as u64);
    waiting.wait(waiting.store.replace_test_lists(vec![])).unwrap();
    waiting.wait(waiting.store.replace_test_lists(lists())).unwrap();
    rollups_are_right(&store);
    for rollup in &ROLLUPS {
        waiting.wait(waiting.store.rebuild(rollup)).unwrap();
    }
    rollups_are_right(&store);
    answers_are_right(&store, &rows);
}

pub(crate) fn a_very_long_text_leaves_the_others_alone(engine: &dyn Engine) {
    let store = engine.open();
    let long = noise(6, 2 << 20, false);
    let mut rows = vec![new("before", &SOUND)];
    for uid in ["domain", "country", "test", "input", "report"] {
        let mut new = new(uid, &SOUND);
        let row = &mut new.row;
        let column = match uid {
            "domain" => &mut row.domain,
            "country" => &mut row.probe_cc,
            "test" => &mut row.test_name,
            "input" => &mut row.input,
            _ => &mut row.report_id,
        };
        *column = Json::Text(long.clone().into_bytes());
        rows.push(new);
    }
    rows.extend([new("after", &SOUND), new(&noise(6, 600, false), &SOUND)]);
    // Refused by every engine.
    let refused = [new(&noise(6, 601, false), &SOUND), new(&long, &SOUND)];
    let written = store.write(&[&rows[..2], &refused, &rows[2..]].concat(), OnExisting::Keep).unwrap();
    assert_eq!(written.inserted, rows.len() as u64);
    let said: Vec<_> =
        written.refused.iter().map(|refusal| (refusal.index, &*refusal.column, &*refusal.message)).collect();
    let message = |length| format!("{length} bytes; the limit is 600");
    assert_eq!(said, [(2, "measurement_uid", &*message(601)), (3, "measurement_uid", &*message(2 << 20))]);
    assert!(has(&store, &rows));
    rollups_are_right(&store);
    let domains = Filter { domains: vec![long.clone()], ..Filter::default() };
    let list = List { filter: domains, limit: 10, ..List::default() };
    assert_eq!(pages(&store, &list), ["domain"]);
    let found = store.0.wait(store.0.store.find_in_report(&long, "http://x.org/report")).unwrap();
    assert_eq!(found.unwrap().measurement_uid, "report");
    let mut refusals: Vec<_> = store.0.refusals().map(|refusal| refusal.unwrap().uid).collect();
    refusals.sort_by_key(|uid| uid.len());
    assert!(refusals.iter().map(|uid| &**uid).eq([&*noise(6, 601, false), &long]));
}
