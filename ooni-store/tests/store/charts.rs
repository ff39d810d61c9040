//! Queries of charts other than counts (API spec §6).

use crate::rollups::entries;
use crate::support::{Engine, Fields, SOUND, counted, is_wanted, measured, new, of_day, text};
use ooni_core::json::Json;
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Aggregation, Axis, Counts, DatedGroup, Group, Runtimes};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::{ListedUrl, OnExisting, Source, plan};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn distinct_values_are_counted(engine: &dyn Engine) {
    let store = engine.open();
    let rows: Vec<_> = (0..60).map(|uid| measured(uid, u16::from(uid) * 137)).collect();
    store.write(&rows, OnExisting::Keep).unwrap();
    let by_month = Aggregation { axes: vec![Axis::MeasurementStart(Grain::Month)], ..Aggregation::default() };
    let ask = |query: &Aggregation, of| store.0.wait(store.0.store.distinct(query, of)).unwrap();
    let expected = |column: usize, wanted: &dyn Fn(&[String]) -> bool| {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for new in &rows {
            let row: Vec<String> = ooni_store::value::fastpath(&new.row).unwrap().iter().map(text).collect();
            if wanted(&row) {
                found.entry(row[7][..7].to_owned()).or_default().insert(row[column].clone());
            }
        }
        found.into_iter().map(|(month, values)| (month, values.len() as u64)).collect::<Vec<_>>()
    };
    let months = |groups: Vec<(Vec<ooni_store::value::Value<'static>>, u64)>| {
        groups.iter().map(|(key, number)| (text(&key[0])[..7].to_owned(), *number)).collect::<Vec<_>>()
    };
    assert_eq!(months(ask(&by_month, Axis::ProbeAsn)), expected(4, &|_| true));
    assert_eq!(months(ask(&by_month, Axis::ProbeCc)), expected(3, &|_| true));
    assert_eq!(months(ask(&by_month, Axis::TestName)), expected(5, &|_| true));
    // A window that begins and ends within a day.
    let (from, to) = (of_day(3).plus_seconds(1).unwrap(), of_day(66).plus_seconds(4000).unwrap());
    let of_window =
        Aggregation { filter: Filter { window: Window::new(from, to), ..Filter::default() }, ..by_month.clone() };
    assert!(plan(&of_window).len() > 2);
    let is_within = |row: &[String]| (from..to).contains(&DateTime::parse(row[7].as_bytes()).unwrap());
    assert_eq!(months(ask(&of_window, Axis::ProbeAsn)), expected(4, &is_within));
    assert_eq!(months(ask(&of_window, Axis::ProbeCc)), expected(3, &is_within));
    // A query that no rollup answers.
    let anomalies = Filter { anomaly: Some(true), ..Filter::default() };
    let of_rows = Aggregation { filter: anomalies, ..by_month };
    assert_eq!(plan(&of_rows)[0].source, Source::Rows);
    assert_eq!(months(ask(&of_rows, Axis::Input)), expected(2, &|row| row[10] == "t"));
    assert_eq!(ask(&Aggregation::default(), Axis::ProbeCc), [(vec![], 3)]);
}

pub(crate) fn runtimes_of_tests(engine: &dyn Engine) {
    let store = engine.open();
    let psiphon = |uid: usize, seconds: &str| {
        let rest = format!("\"test_runtime\":{seconds},");
        new(&format!("u{uid}"), &Fields { test: "psiphon", rest: &rest, keys: r#"{"bootstrap_time":1}"#, ..SOUND })
    };
    let mut rows: Vec<_> =
        ["4", "1.5", "100", "2", "0.5", "3"].iter().enumerate().map(|(uid, seconds)| psiphon(uid, seconds)).collect();
    rows[5].row.probe_cc = Json::Text(b"RU".to_vec());
    rows.push(new("without", &SOUND));
    store.write(&rows, OnExisting::Keep).unwrap();
    let ask = |first: i64| {
        let window = Window::new(of_day(first), of_day(first + 1));
        let filter = Filter { window, test_names: vec!["psiphon".into(), "dash".into()], ..Filter::default() };
        store.0.wait(store.0.store.runtimes(&filter)).unwrap()
    };
    let found = ask(1);
    let runtimes = |probe_cc: &str, measurements, median, ninetieth| Runtimes {
        day: of_day(1),
        probe_cc: probe_cc.to_owned(),
        test_name: "psiphon".to_owned(),
        measurements,
        median,
        ninetieth,
    };
    assert_eq!(found[1], runtimes("RU", 1, 3.0, 3.0));
    // The 90th percentile lies six tenths of the way from the fourth to the fifth value.
    assert_eq!(found[0], runtimes("IT", 5, 2.0, 61.6));
    assert_eq!((found.len(), ask(2)), (2, vec![]));
    store.0.wait(store.0.store.remove("u4", "asked for", false)).unwrap();
    assert_eq!(ask(1)[0], runtimes("IT", 4, 3.0, 71.2));
}

pub(crate) fn listed_urls_are_counted(engine: &dyn Engine) {
    let store = engine.open();
    let rows: Vec<_> = (0..120).map(|uid| measured(uid, u16::from(uid) * 37)).collect();
    store.write(&rows, OnExisting::Keep).unwrap();
    // One entry twice, and URLs in several lists; the country of the global list is `ZZ`.
    store.0.wait(store.0.store.replace_test_lists(entries(&[0, 1, 2, 3, 4, 5, 9, 9, 21]))).unwrap();
    let (table, mut lists) = (engine.table("fastpath"), engine.lists());
    lists.sort_by(|a, b| (&a.cc, &a.url, &a.category_code).cmp(&(&b.cc, &b.url, &b.category_code)));
    // Weeks that begin on Sunday, and days.
    for (first, days) in [(0, 75), (6, 14), (3, 7)] {
        let window = Window::new(of_day(first), of_day(first + days));
        let seconds = of_day(first).timestamp()..of_day(first + days).timestamp();
        let counted = store.0.wait(store.0.store.listed_counts(window)).unwrap();
        let expected = lists.iter().map(|entry| {
            let of_entry = |row: &&Vec<String>| {
                row[2] == entry.url && row[3] == entry.cc.to_uppercase() && seconds.contains(&row[7].parse().unwrap())
            };
            let found: Vec<_> = table.iter().filter(of_entry).collect();
            (entry.clone(), found.len() as u64, found.iter().filter(|row| row[10] == "t").count() as u64)
        });
        let expected: Vec<_> = expected.collect();
        assert!(expected.iter().any(|(_, measurements, anomalies)| 0 < *anomalies && anomalies < measurements));
        let counted = counted.into_iter().map(|counts| (counts.entry, counts.measurements, counts.anomalies));
        assert_eq!(counted.collect::<Vec<_>>(), expected, "{days} days from day {first}");
    }
}

/// Queries over the rows of [`measured`]: by rollups, by rows, by both, and without axes.
fn queries() -> Vec<Aggregation> {
    use Axis::{Input, ProbeAsn, TestName};
    let italy = Filter { probe_ccs: vec!["IT".into()], ..Filter::default() };
    let window = Window::new(of_day(3).plus_seconds(1).unwrap(), of_day(66).plus_seconds(4000).unwrap());
    let signal = Filter { test_names: vec!["signal".into()], window, ..italy.clone() };
    let anomalies = Filter { anomaly: Some(true), ..Filter::default() };
    let nowhere = Filter { probe_ccs: vec!["AQ".into()], ..Filter::default() };
    let query = |filter: &Filter, axes: &[Axis]| Aggregation { filter: filter.clone(), axes: axes.to_vec() };
    vec![
        query(&Filter::default(), &[]),
        query(&italy, &[]),
        query(&italy, &[ProbeAsn]),
        query(&italy, &[TestName, ProbeAsn]),
        query(&signal, &[ProbeAsn]),
        query(&signal, &[]),
        query(&anomalies, &[Input]),
        query(&nowhere, &[]),
        query(&nowhere, &[ProbeAsn]),
    ]
}

pub(crate) fn groups_have_their_days(engine: &dyn Engine) {
    let store = engine.open();
    let rows: Vec<_> = (0..120).map(|uid| measured(uid, u16::from(uid) * 137)).collect();
    store.write(&rows, OnExisting::Keep).unwrap();
    let table = engine.table("fastpath");
    for query in queries() {
        let by_day = Aggregation {
            axes: [&query.axes[..], &[Axis::MeasurementStart(Grain::Day)]].concat(),
            filter: query.filter.clone(),
        };
        let days = |group: &Group| {
            let of_group = counted(&table, &[], &by_day).into_iter().filter(|day| day.keys.starts_with(&group.keys));
            let of_group: Vec<_> = of_group.map(|mut day| day.keys.pop().unwrap()).collect();
            let time = |day: &_| match day {
                ooni_store::value::Value::Time(day) => *day,
                other => panic!("{other:?}"),
            };
            Some((time(of_group.first()?), time(of_group.last()?)))
        };
        let expected: Vec<DatedGroup> =
            counted(&table, &[], &query).into_iter().map(|group| DatedGroup { days: days(&group), group }).collect();
        assert_eq!(store.0.wait(store.0.store.aggregate_with_days(&query)).unwrap(), expected, "{query:?}");
    }
}

pub(crate) fn groups_are_ranked(engine: &dyn Engine) {
    let store = engine.open();
    let mut rows: Vec<_> = (0..120).map(|uid| measured(uid, u16::from(uid) * 137)).collect();
    // Ties, which are ordered by the bytes of the input.
    for (uid, input) in (120..).zip(["https://a.org/", "https://B.org/", "https://é.org/", "https://a.org/b", "x"]) {
        let mut new = measured(uid, 0);
        new.row.input = Json::Text(input.as_bytes().to_vec());
        rows.push(new);
    }
    store.write(&rows, OnExisting::Keep).unwrap();
    let table = engine.table("fastpath");
    let mut queries = queries();
    queries.push(Aggregation { axes: vec![Axis::Input], ..Aggregation::default() });
    for query in queries {
        let mut expected = counted(&table, &[], &query);
        let key = |Group { counts: Counts { measurements, confirmed_flag, anomaly_flag, .. }, .. }: &Group| {
            std::cmp::Reverse((*confirmed_flag, *measurements, *anomaly_flag))
        };
        expected.sort_by_key(key);
        for (offset, limit) in [(0, 3), (2, 2), (3, 1000), (500, 5)] {
            let page = store.0.wait(store.0.store.ranked(&query, offset, limit)).unwrap();
            let of_page = expected.iter().skip(offset as usize).take(limit as usize);
            assert!(page.groups.iter().eq(of_page), "{query:?}, {offset}, {limit}: {page:?}");
            assert_eq!(page.total, expected.len() as u64, "{query:?}, {offset}, {limit}");
        }
    }
}

pub(crate) fn listed_domains_are_counted(engine: &dyn Engine) {
    let store = engine.open();
    let ask = || {
        let counts = store.0.wait(store.0.store.domain_counts()).unwrap().into_iter();
        counts.map(|counts| (counts.domain, counts.category_code, counts.measurements)).collect::<Vec<_>>()
    };
    assert_eq!(ask(), []);
    let rows: Vec<_> = (0..120).map(|uid| measured(uid, u16::from(uid) * 37)).collect();
    store.write(&rows, OnExisting::Keep).unwrap();
    let entry = |cc: &str, url: &str, domain: &str, category: &str| ListedUrl {
        url: url.to_owned(),
        domain: domain.to_owned(),
        cc: cc.to_owned(),
        category_code: category.to_owned(),
    };
    let lists = vec![
        entry("it", "https://site0.org/", "site0.org", "NEWS"),
        entry("ZZ", "https://site0.org/long", "site0.org", "HUMR"),
        entry("ru", "https://site1.org/long", "site1.org", "NEWS"),
        entry("tr", "https://site1.org/", "site1.org", "LGBT"),
        entry("it", "https://никогда.org/", "никогда.org", "GOVT"),
        entry("it", "https://Never.org/", "Never.org", "GAME"),
    ];
    store.0.wait(store.0.store.replace_test_lists(lists)).unwrap();
    let web = Filter { test_names: vec!["web_connectivity".into()], ..Filter::default() };
    let number = |domain: &str| {
        let filter = Filter { domains: vec![domain.to_owned()], ..web.clone() };
        engine.table("fastpath").iter().filter(|row| is_wanted(&filter, row, None)).count() as u64
    };
    let count = |domain: &str, category: &str| (domain.to_owned(), category.to_owned(), number(domain));
    assert!(number("site0.org") > 0 && number("site1.org") > 0 && number("Never.org") == 0);
    let expected = [
        count("Never.org", "GAME"),
        count("site0.org", "HUMR"),
        count("site1.org", "LGBT"),
        count("никогда.org", "GOVT"),
    ];
    assert_eq!(ask(), expected);
}
