//! Which index or rollup answers a query, according to the plans of the engines.

use crate::server::OnPostgres;
use crate::support::{Engine, InFile, Open, SOUND, new};
use ooni_core::json::Json;
use ooni_core::number::Int;
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Category, Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::query::list::{Cursor, List, Order};
use ooni_store::rollup::ROLLUPS;
use ooni_store::{ListedUrl, OnExisting, ScoredRow, Source};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::collections::BTreeMap;

/// Rows of a store, all of one month. Each country, network, domain, … has so few rows that an index pays off.
const ROWS: u32 = 6000;

/// Midnight of 2024-01-01.
const BEGIN: i64 = 1_704_067_200;

fn at(second: i64) -> DateTime {
    DateTime::from_timestamp(BEGIN + second).unwrap()
}

/// The start of a row, on one of thirty days. Neighbouring rows start on different days.
fn start(number: u32) -> DateTime {
    at(i64::from(number * 2741 % ROWS) * 431)
}

fn row(number: u32) -> ScoredRow {
    let mut new = new(&format!("u{number:06}"), &SOUND);
    let row = &mut new.row;
    let text = |text: String| Json::Text(text.into_bytes());
    row.report_id = text(format!("R{}", number / 10));
    row.input = text(format!("https://site{}.org/", number % 97));
    row.domain = text(format!("site{}.org", number % 97));
    row.probe_cc = text(format!("{}{}", char::from(b'A' + (number % 23) as u8), 'X'));
    row.probe_asn = Int::Small(i64::from(number % 89));
    row.test_name = text(["web_connectivity", "dash", "signal", "ndt", "tor"][number as usize % 5].to_owned());
    row.anomaly = number.is_multiple_of(7);
    if number.is_multiple_of(50) {
        row.ooni_run_link_id = Some(Int::Small(10_001 + i64::from(number % 3)));
    }
    row.measurement_start_time = start(number);
    new
}

fn fill(engine: &dyn Engine) -> Open {
    let store = engine.open();
    store.write(&(0..ROWS).map(row).collect::<Vec<_>>(), OnExisting::Keep).unwrap();
    let entry = |number: u32| ListedUrl {
        url: format!("https://site{number}.org/"),
        domain: format!("site{number}.org"),
        cc: "ZZ".to_owned(),
        category_code: if number == 0 { "NEWS" } else { "HUMR" }.to_owned(),
    };
    store.0.wait(store.0.store.replace_test_lists((0..97).map(entry).collect())).unwrap();
    store
}

/// A filter with the conditions named in `what`, over a number of days.
fn filter(what: &str, days: i64) -> Filter {
    let window = Window::new(at(0), at(0).plus_days(days).unwrap());
    let mut filter = Filter { window, ..Filter::default() };
    for word in what.split_whitespace() {
        match word {
            "country" => filter.probe_ccs = vec!["CX".into()],
            "network" => filter.probe_asns = vec![7],
            "domain" => filter.domains = vec!["site7.org".into()],
            "test" => filter.test_names = vec!["dash".into()],
            "web" => filter.test_names = vec!["web_connectivity".into()],
            "input" => filter.input = Some("https://site7.org/".into()),
            "report" => filter.report_id = Some("R7".into()),
            "category" => filter.category = Some(Category { code: "NEWS".into(), lists: vec!["ZZ".into()] }),
            "anomaly" => filter.anomaly = Some(true),
            "link" => filter.ooni_run_link_ids = vec![10_001],
            "always" => filter.window = Window::default(),
            "world" => {}
            other => panic!("{other}"),
        }
    }
    filter
}

/// Lists: the filter, whether the page starts in the middle, the index that finds the rows, and the column that is searched.
const LISTS: [(&str, bool, &str, &str); 18] = [
    ("world", false, "by_time", "measurement_start_time"),
    ("world", true, "by_time", "measurement_start_time"),
    ("world always", true, "by_time", "measurement_start_time"),
    ("web", false, "by_time", "measurement_start_time"),
    ("anomaly", false, "by_time", "measurement_start_time"),
    ("country", false, "by_country", "probe_cc"),
    ("country", true, "by_country", "probe_cc"),
    ("network", false, "by_network", "probe_asn"),
    ("network country", false, "by_network", "probe_asn"),
    ("domain", false, "by_domain", "domain"),
    ("domain", true, "by_domain", "domain"),
    ("input", false, "by_input", "input"),
    ("report", false, "by_report", "report_id"),
    ("test", false, "by_test", "test_name"),
    ("link", false, "by_link", "ooni_run_link_id"),
    ("link", true, "by_link", "ooni_run_link_id"),
    // The category of each row is looked up until the page is full.
    ("category", false, "by_time", "measurement_start_time"),
    ("category country", false, "by_country", "probe_cc"),
];

/// Aggregations: the filter, days and axes, the rollup that answers them, and the column that is searched, if any. For rows,
/// the index.
const AGGREGATIONS: &[(&str, i64, &[Axis], &str, &str)] = {
    use Axis::{BlockingType, CategoryCode, Domain, Input, ProbeAsn, ProbeCc, TestName};
    const HOUR: Axis = Axis::MeasurementStart(Grain::Hour);
    const DAY: Axis = Axis::MeasurementStart(Grain::Day);
    const WEEK: Axis = Axis::MeasurementStart(Grain::Week);
    const MONTH: Axis = Axis::MeasurementStart(Grain::Month);
    const YEAR: Axis = Axis::MeasurementStart(Grain::Year);
    &[
        ("world", 30, &[], "day_test", "day"),
        ("world", 7, &[HOUR], "hour_country", "hour"),
        ("world", 30, &[DAY], "day_test", "day"),
        ("world", 30, &[WEEK], "day_test", "day"),
        ("world", 366, &[MONTH], "day_test", "day"),
        ("world", 366, &[YEAR], "day_test", "day"),
        ("world", 30, &[TestName], "day_test", "day"),
        ("world", 30, &[ProbeCc], "day_country", "day"),
        ("world", 30, &[DAY, ProbeCc], "day_country", "day"),
        ("world always", 0, &[ProbeCc], "network", ""),
        ("world always", 0, &[MONTH, ProbeCc], "month_country", ""),
        ("world always", 0, &[ProbeAsn], "network", ""),
        ("world always", 0, &[MONTH, ProbeAsn], "month_network", ""),
        ("country always", 0, &[MONTH, ProbeAsn], "month_network", "probe_cc"),
        ("country always", 0, &[ProbeAsn], "network", "probe_cc"),
        ("world always", 0, &[Domain], "test_domain", ""),
        ("web always", 0, &[Domain], "test_domain", "test_name"),
        ("web always", 0, &[Input], "week_input", "test_name"),
        ("world", 30, &[BlockingType], "country", ""),
        ("world", 30, &[CategoryCode], "category", ""),
        ("country", 7, &[HOUR, TestName], "hour_country", "hour"),
        ("country", 30, &[DAY], "country_day", "probe_cc"),
        ("country", 30, &[DAY, TestName], "country", "probe_cc"),
        ("country test", 30, &[DAY, BlockingType], "country", "probe_cc"),
        ("country", 30, &[ProbeAsn], "country_network", "probe_cc"),
        ("country", 30, &[ProbeAsn, DAY], "country_network", "probe_cc"),
        ("country", 30, &[Domain], "country_domain", "probe_cc"),
        ("country test", 30, &[DAY, Domain], "country_domain", "probe_cc"),
        ("network", 4380, &[DAY], "country_network", "probe_asn"),
        ("network", 30, &[DAY, ProbeCc], "country_network", "probe_asn"),
        ("domain", 30, &[DAY, ProbeCc], "country_domain", "domain"),
        // Both columns can be searched.
        ("country domain", 30, &[DAY], "country_domain", ""),
        ("category", 30, &[DAY, ProbeCc], "category", "category_code"),
        ("category country", 30, &[DAY], "category", "category_code"),
        // Queries that no rollup answers.
        ("input", 30, &[DAY], "rows", "by_input"),
        ("domain", 30, &[ProbeAsn], "rows", "by_domain"),
        ("country anomaly", 30, &[DAY], "rows", "by_country"),
        ("network", 7, &[HOUR], "rows", "by_network"),
        ("link", 30, &[DAY], "rows", "by_link"),
        // Only two of the thirty days; for all of them, the whole table would be read.
        ("anomaly", 2, &[DAY], "rows", "by_time"),
        ("report", 30, &[TestName], "rows", "by_report"),
    ]
};

/// Reads the query plans of an engine.
trait Explains {
    /// The indexes of `fastpath` in a plan.
    fn indexes(&self, plan: &[String]) -> Vec<String>;

    /// Whether a plan searches for values of a column instead of reading a whole table.
    fn searches(&self, plan: &[String], column: &str) -> bool;

    /// Whether a plan reads a rollup and nothing else. Plans of SQLite contain its alias only.
    fn reads(&self, plan: &[String], rollup: &str) -> bool;
}

struct OfSqlite;

impl Explains for OfSqlite {
    fn indexes(&self, plan: &[String]) -> Vec<String> {
        let name = |line: &String| Some(line.split_once(" INDEX fastpath_")?.1.split(' ').next()?.to_owned());
        plan.iter().filter_map(name).collect()
    }

    fn searches(&self, plan: &[String], column: &str) -> bool {
        plan.iter().any(|line| line.starts_with("SEARCH") && line.contains(&format!("({column}")))
    }

    fn reads(&self, plan: &[String], _: &str) -> bool {
        plan.iter().any(|line| line.starts_with("SCAN f") || line.starts_with("SEARCH f "))
            && !plan.iter().any(|line| line.contains("fastpath_"))
    }
}

/// The indexes of the partition that has the rows, and the partitioned index of each.
struct OfPostgres(BTreeMap<String, String>);

impl OfPostgres {
    fn new(engine: &OnPostgres) -> OfPostgres {
        let indexes = "SELECT part.relname, whole.relname FROM pg_inherits
            JOIN pg_class AS part ON part.oid = inhrelid JOIN pg_class AS whole ON whole.oid = inhparent
            WHERE whole.relkind = 'I' AND part.relname LIKE 'fastpath_2024_01_%'";
        let pair = |row: Vec<String>| <[String; 2]>::try_from(row).unwrap().into();
        OfPostgres(engine.query(indexes).into_iter().map(pair).collect())
    }
}

impl Explains for OfPostgres {
    fn indexes(&self, plan: &[String]) -> Vec<String> {
        let name = |line: &String| {
            let name = line.split_whitespace().find_map(|word| self.0.get(word))?;
            // The primary key starts with the time.
            Some(name.trim_start_matches("fastpath_").replace("pkey", "by_time"))
        };
        plan.iter().filter_map(name).collect()
    }

    fn searches(&self, plan: &[String], column: &str) -> bool {
        plan.iter().any(|line| line.trim().starts_with("Index Cond") && line.contains(column))
    }

    fn reads(&self, plan: &[String], rollup: &str) -> bool {
        plan.iter().any(|line| line.contains(&format!(" on rollup_{rollup} f ")))
            && !plan.iter().any(|line| line.contains("fastpath"))
    }
}

fn plans_are_as_intended(store: &Open, engine: &dyn Explains) {
    let Open(waiting) = store;
    for (what, is_deep, index, column) in LISTS {
        let middle = Cursor { key: start(ROWS / 2), uid: format!("u{:06}", ROWS / 2) };
        let order = Order::MeasurementStartTime(is_deep.then_some(middle));
        let list = List { filter: filter(what, 30), order, descending: true, limit: 10, ..List::default() };
        let plan = waiting.wait(waiting.store.explain_list(&list)).unwrap();
        assert_eq!(engine.indexes(&plan), [index], "list of {what}, deep: {is_deep}: {plan:#?}");
        assert!(engine.searches(&plan, column), "list of {what}, deep: {is_deep}: {plan:#?}");
    }
    let plan = waiting.wait(waiting.store.explain_find_in_report("R7", "https://site70.org/")).unwrap();
    // PostgreSQL asks jsonl.
    assert!(plan.iter().any(|line| line.contains("_by_report")), "{plan:#?}");
    assert!(engine.searches(&plan, "report_id"), "{plan:#?}");
    let plan = waiting.wait(waiting.store.explain_find_in_report("R7", "https://site7.org/")).unwrap();
    assert!(engine.searches(&plan, "report_id"), "{plan:#?}");
    let plan = waiting.wait(waiting.store.explain_find("u000007")).unwrap();
    assert!(engine.searches(&plan, "measurement_uid"), "{plan:#?}");
    let plan = waiting.wait(waiting.store.explain_body_location("u000007")).unwrap();
    assert!(engine.searches(&plan, "measurement_uid"), "{plan:#?}");
    assert!(!plan.iter().any(|line| line.starts_with("SCAN t") || line.contains("Seq Scan")), "{plan:#?}");

    for (what, days, axes, expected, column) in AGGREGATIONS {
        let query = Aggregation { filter: filter(what, *days), axes: axes.to_vec() };
        let plan = waiting.wait(waiting.store.explain_aggregate(&query)).unwrap();
        let of = format!("{what}, {days} days, by {axes:?}: {plan:#?}");
        let parts = ooni_store::plan(&query);
        assert_eq!(parts.len(), 1, "{of}");
        match parts[0].source {
            Source::Rollup(rollup) => {
                assert_eq!(rollup.name, *expected, "{of}");
                assert!(engine.reads(&plan, expected), "{of}");
                assert!(column.is_empty() || engine.searches(&plan, column), "{of}");
            }
            Source::Rows => {
                assert_eq!(*expected, "rows", "{of}");
                assert_eq!(engine.indexes(&plan), [*column], "{of}");
            }
        }
    }

    // Charts (API spec §6): networks of a country with their days, inputs of a network, and domains of test lists.
    let networks = Aggregation { filter: filter("country test", 30), axes: vec![Axis::ProbeAsn] };
    let plan = waiting.wait(waiting.store.explain_with_days(&networks)).unwrap();
    assert!(engine.reads(&plan, "country_network") && engine.searches(&plan, "probe_cc"), "{plan:#?}");
    let inputs = Aggregation { filter: filter("country network web", 30), axes: vec![Axis::Input] };
    let plan = waiting.wait(waiting.store.explain_ranked(&inputs)).unwrap();
    assert_eq!(engine.indexes(&plan), ["by_network"], "{plan:#?}");
    let plan = waiting.wait(waiting.store.explain_domain_counts()).unwrap();
    assert!(engine.reads(&plan, "test_domain") && engine.searches(&plan, "test_name"), "{plan:#?}");

    let used = |name| AGGREGATIONS.iter().any(|(_, _, _, expected, _)| *expected == name);
    assert!(ROLLUPS.iter().all(|rollup| used(rollup.name)), "a rollup answers no query");
}

#[test]
fn sqlite_uses_its_indexes() {
    let engine = InFile::new();
    let store = fill(&engine);
    plans_are_as_intended(&store, &OfSqlite);

    // The networks of each month are counted in the order of an index.
    let months = Aggregation { filter: self::filter("world", 366), axes: vec![Axis::MeasurementStart(Grain::Month)] };
    let plan = store.0.wait(store.0.store.explain_distinct(&months, Axis::ProbeAsn)).unwrap();
    let by_month = "COVERING INDEX rollup_month_network_by_month (month>? AND month<?)";
    assert!(plan[0].ends_with(by_month) && plan.len() == 1, "{plan:#?}");

    // The lists that have a URL are searched, not all URLs of the category.
    let list = List { filter: self::filter("category country", 30), limit: 10, ..List::default() };
    let plan = store.0.wait(store.0.store.explain_list(&list)).unwrap();
    assert!(plan.iter().any(|line| line.contains("citizenlab_by_url (url=?")), "{plan:#?}");

    // Rows of several countries are merged in the order of the index, not sorted.
    let filter = Filter { probe_ccs: ["CX", "AX", "BX"].map(str::to_owned).to_vec(), ..filter("world", 30) };
    let list = List { filter, descending: true, limit: 10, ..List::default() };
    let plan = store.0.wait(store.0.store.explain_list(&list)).unwrap();
    assert_eq!(OfSqlite.indexes(&plan), ["by_country"; 3], "{plan:#?}");
    assert!(plan.iter().any(|line| line.contains("MERGE")), "{plan:#?}");
    // Only uids of the same second are sorted.
    let sorts = |line: &&String| line.contains("TEMP B-TREE");
    assert!(plan.iter().filter(sorts).all(|line| line.contains("LAST TERM")), "{plan:#?}");
}

#[test]
fn sqlite_reads_edges_of_a_window_from_rows() {
    let engine = InFile::new();
    let store = fill(&engine);
    let window = Window::new(at(2000), at(20 * SECONDS_PER_DAY + 5000));
    let query = Aggregation { filter: Filter { window, ..Filter::default() }, axes: vec![Axis::ProbeCc] };
    let plan = store.0.wait(store.0.store.explain_aggregate(&query)).unwrap();
    // Two rollups, searched by time, and the rows of less than an hour at both ends.
    assert_eq!(OfSqlite.indexes(&plan), ["by_time"; 2], "{plan:#?}");
    for time in ["day", "hour"] {
        assert!(OfSqlite.searches(&plan, time), "{time}: {plan:#?}");
    }
}

#[test]
fn postgres_uses_its_indexes() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    drop(fill(&engine));
    let analyzed =
        engine.query("SELECT CAST(reltuples AS text) FROM pg_class WHERE oid = CAST('citizenlab' AS regclass)");
    assert_eq!(analyzed, [["97"]], "statistics of test lists");
    engine.query("ANALYZE");
    // A table of a few pages would be read as a whole, unlike a large one.
    let url = format!("{}?options=-c%20enable_seqscan%3Doff", engine.url());
    let (store, engine) = (crate::support::open(&url).unwrap(), OfPostgres::new(&engine));
    plans_are_as_intended(&store, &engine);

    // Only rows with equal prefixes are sorted, and the index is searched from the cursor.
    let after = |key: &str| Some(Cursor { key: key.to_owned(), uid: String::new() });
    let orders = [
        (Order::ProbeCc(after("CX")), "by_country", "probe_cc"),
        (Order::Input(after("https://site7.org/")), "by_input", "input"),
    ];
    for (order, index, column) in orders {
        let list = List { order, limit: 10, ..List::default() };
        let plan = store.0.wait(store.0.store.explain_list(&list)).unwrap();
        assert_eq!(engine.indexes(&plan), [index], "{plan:#?}");
        assert!(engine.searches(&plan, column), "{plan:#?}");
        assert!(plan.iter().any(|line| line.contains("Incremental Sort")), "{plan:#?}");
    }
}

#[test]
fn postgres_plans_one_partition_for_a_measurement() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    let row = |number: u16| {
        let mut new = new(&format!("u{number}"), &SOUND);
        let month = (number % 12 + 1) as u8;
        new.row.measurement_start_time = DateTime::new(2012 + number / 12, month, 15, 1, 2, 3).unwrap();
        new
    };
    store.write(&(0..180).map(row).collect::<Vec<_>>(), OnExisting::Keep).unwrap();
    let Open(waiting) = &store;
    for (uid, partition) in [("u0", "fastpath_2012_01"), ("u100", "fastpath_2020_05"), ("u179", "fastpath_2026_12")] {
        let (report_id, input) = (format!("R-{uid}"), format!("http://x.org/{uid}"));
        let by_uid = waiting.wait(waiting.store.explain_find(uid)).unwrap();
        let by_report = waiting.wait(waiting.store.explain_find_in_report(&report_id, &input)).unwrap();
        for plan in [by_uid, by_report] {
            let scans: Vec<_> = plan.iter().filter(|line| line.contains(" on fastpath")).collect();
            assert!(scans.len() == 1 && scans[0].contains(&format!(" on {partition} f ")), "{plan:#?}");
            assert!(!plan.iter().any(|line| line.contains("Append")), "{plan:#?}");
        }
        let found = waiting.wait(waiting.store.find(uid)).unwrap().unwrap();
        assert_eq!(found.measurement_uid, uid);
        assert_eq!(waiting.wait(waiting.store.find_in_report(&report_id, &input)).unwrap(), Some(found));
        assert!(waiting.wait(waiting.store.uid_status(uid)).unwrap().is_stored);
    }
    assert_eq!(waiting.wait(waiting.store.find("u180")).unwrap(), None);
    assert_eq!(waiting.wait(waiting.store.find_in_report("R-u0", "http://x.org/u1")).unwrap(), None);
    assert!(!waiting.wait(waiting.store.uid_status("u180")).unwrap().is_stored);
}
