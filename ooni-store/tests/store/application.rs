//! Application tables, and dumps that contain them (`fixtures/dump.jsonl`).

use crate::rollups::{entries, rollups_are_right};
use crate::server::{OnClickhouse, OnPostgres};
use crate::support::{Engine, InFile, Open, measured, of_day};
use ooni_core::time::DateTime;
use ooni_store::app::row::{AppRow, AsnName, FaultyMeasurement, Feedback, UrlPriority};
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::Filter;
use ooni_store::query::list::{List, MeasurementSummary};
use ooni_store::value::Value;
use ooni_store::{ErrorKind, Loaded, OnExisting, load_dump};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::path::{Path, PathBuf};

const DUMP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/dump.jsonl");

fn load(store: &Open, path: &Path) -> (Loaded, Vec<(u64, String)>) {
    let mut bad = Vec::new();
    let loaded = load_dump(&store.0, path, |line, message| bad.push((line, message.to_owned()))).unwrap();
    (loaded, bad)
}

fn sunday(month: u8, day: u8) -> DateTime {
    DateTime::new(2025, month, day, 0, 0, 0).unwrap()
}

fn a_dump_is_loaded(engine: &dyn Engine) {
    let store = engine.open();
    let (loaded, bad) = load(&store, Path::new(DUMP));
    assert_eq!(bad, []);
    let application = [("asnmeta", 6), ("counters_asn_test_list", 6), ("msmt_feedback", 5), ("url_priorities", 8)];
    let expected = Loaded {
        inserted: 23,
        bodies: 10,
        listed: 19,
        application: application.into(),
        constants: 2,
        ..Loaded::default()
    };
    assert_eq!(loaded, expected);
    let (again, bad) = load(&store, Path::new(DUMP));
    assert_eq!((again, bad), (Loaded { inserted: 0, already: 23, ..expected }, vec![]));
    rollups_are_right(&store);

    let db = &store.0.store;
    let body = store.0.wait(db.body_location("20201202113539.550009_IT_urlgetter_4684a6386f04d5c7")).unwrap().unwrap();
    assert_eq!(&*body.s3path, "raw/20201202/11/IT/urlgetter/2020120211_IT_urlgetter.n1.0.jsonl.gz");
    let names = store.0.wait(db.asn_names(&[3269, 30_722, 5])).unwrap();
    let names: Vec<_> = names.iter().map(|(asn, name)| (*asn, &**name)).collect();
    assert_eq!(names, [(3269, "Telecom Italia S.p.A."), (30_722, "Vodafone Italia S.p.A.")]);
    assert_eq!(store.0.wait(db.asn_names(&[])).unwrap().len(), 3);

    let rules = store.0.wait(db.url_priorities(&["RU", "*", ""].map(str::to_owned))).unwrap();
    assert_eq!(rules.len(), 7);
    assert_eq!(
        rules.iter().map(|rule| rule.priority).filter(|priority| *priority < 0).collect::<Vec<_>>(),
        [-500, -30]
    );
    assert_eq!(store.0.wait(db.url_priorities(&[])).unwrap().len(), 8);

    const MEASUREMENT: &str = "20250710120040.127975_IR_webconnectivity_412ef223889c9450";
    let counts = store.0.wait(db.feedback(MEASUREMENT)).unwrap();
    assert_eq!(counts, [("blocked.dns".to_owned(), 1), ("ok".to_owned(), 2)]);
    let of = |account: &str| store.0.wait(db.feedback_of(MEASUREMENT, &account.repeat(32))).unwrap();
    assert_eq!((of("a").as_deref(), of("z")), (Some("ok"), None));
    let older = Feedback {
        measurement_uid: MEASUREMENT.to_owned(),
        account_id: "a".repeat(32),
        status: "down".to_owned(),
        comment: String::new(),
        update_time: "2025-07-11 23:59:59.999".to_owned(),
    };
    let newer = Feedback { update_time: "2025-07-12 00:00:00.001".to_owned(), ..older.clone() };
    store.0.wait(db.write_application(vec![AppRow::Feedback(older)])).unwrap();
    assert_eq!(of("a").as_deref(), Some("ok"));
    store.0.wait(db.write_application(vec![AppRow::Feedback(newer)])).unwrap();
    assert_eq!(of("a").as_deref(), Some("down"));

    let listed = store.0.wait(db.listed_domains(&["twitter.com", "www.twitter.com"].map(str::to_owned))).unwrap();
    assert_eq!((listed.len(), &*listed[0].cc, &*listed[0].category_code), (11, "ZZ", "GRP"));
    let lengths: Vec<_> = listed[1..].iter().map(|entry| entry.url.len()).collect();
    assert!(lengths.is_sorted(), "{listed:?}");
    assert_eq!(&*store.0.wait(db.test_lists(&["BR".to_owned()])).unwrap()[0].domain, "www.cabofrio.rj.gov.br");

    let counts = |asn, weeks: &[DateTime]| store.0.wait(db.input_counts("IT", asn, weeks)).unwrap();
    let pair = |input: &str, count| (input.to_owned(), count);
    let july = [sunday(7, 6), sunday(7, 13)];
    assert_eq!(counts(Some(30_722), &july), [pair("http://www.unfpa.org/swp", 1), pair("https://doubleclick.net/", 1)]);
    assert_eq!(counts(None, &july).iter().map(|(_, count)| count).sum::<u64>(), 1009);

    let fault = FaultyMeasurement {
        ts: "2025-07-12 00:00:00".to_owned(),
        kind: "geoip".to_owned(),
        uid: "9".to_owned(),
        probe_cc: "IT".to_owned(),
        probe_asn: 5,
        details: "{}".to_owned(),
    };
    store.0.wait(db.write_application(vec![AppRow::Fault(fault.clone())])).unwrap();
    assert_eq!(store.0.wait(db.faulty_measurements(10)).unwrap(), [fault]);
}

fn asn_names_are_replaced(engine: &dyn Engine) {
    let store = engine.open();
    let name = |asn: u32, changed: &str, org_name: &str| AsnName {
        asn,
        org_name: org_name.to_owned(),
        cc: "IT".to_owned(),
        changed: changed.to_owned(),
        aut_name: format!("a\0 {asn}"),
        source: "RIPE".to_owned(),
    };
    let replace = |names: Vec<AsnName>| store.0.wait(store.0.store.replace_asn_names(names)).unwrap();
    let found = || store.0.wait(store.0.store.asn_names(&[])).unwrap().into_iter().collect::<Vec<_>>();
    let pair = |asn, name: &str| (asn, name.to_owned());
    store.0.wait(store.0.store.write_application(vec![AppRow::AsnName(name(1, "2024-01-01", "before"))])).unwrap();
    let names = [
        name(u32::MAX, "2024-01-01", "é'\0"),
        name(5, "2024-01-02", "latest"),
        name(5, "2023-01-02", "older"),
        // The last one with this network and day is kept.
        name(7, "2024-01-02", "first"),
        name(7, "2024-01-02", "last"),
    ];
    for _ in 0..2 {
        replace(names.to_vec());
        assert_eq!(found(), [pair(5, "latest"), pair(7, "last"), pair(u32::MAX, "é'\0")]);
    }
    assert_eq!(engine.query("SELECT count(*) FROM asnmeta"), [["4"]]);
    let many = (0..150_000).map(|asn| name(asn, "2024-01-01", "many")).collect();
    replace(many);
    assert_eq!(found().len(), 150_000);
    replace(vec![]);
    assert_eq!(found(), []);
}

fn default_rules_are_written_once(new: fn() -> Box<dyn Engine>) {
    let engine = new();
    let url = engine.url();
    drop(engine.open());
    let seeded: Vec<bool> = std::thread::scope(|scope| {
        let seed = || {
            let store = crate::support::open(&url).unwrap();
            store.0.wait(store.0.store.seed_url_priorities()).unwrap()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(seed)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(seeded.iter().filter(|is_first| **is_first).count(), 1);
    let store = engine.open();
    let rules = || store.0.wait(store.0.store.url_priorities(&[])).unwrap();
    assert_eq!((rules().len(), rules().iter().map(|rule| rule.priority).sum::<i64>()), (31, 1670));
    assert!(rules().iter().all(|rule| [&rule.cc, &rule.domain, &rule.url] == ["*"; 3]));

    // Any rule prevents it.
    let engine = new();
    let store = engine.open();
    let any = || "*".to_owned();
    let rule = UrlPriority { category_code: "NEWS".to_owned(), cc: any(), domain: any(), url: any(), priority: 7 };
    store.0.wait(store.0.store.write_application(vec![AppRow::UrlPriority(rule.clone())])).unwrap();
    assert!(!store.0.wait(store.0.store.seed_url_priorities()).unwrap());
    assert_eq!(store.0.wait(store.0.store.url_priorities(&[])).unwrap(), [rule]);
}

#[test]
fn sqlite_has_application_tables() {
    asn_names_are_replaced(&InFile::new());
    default_rules_are_written_once(|| Box::new(InFile::new()));
    let engine = InFile::new();
    a_dump_is_loaded(&engine);
    let store = engine.open();
    for (table, plan) in store.0.wait(store.0.store.explain_application()).unwrap() {
        assert!(!plan.iter().any(|line| line.starts_with("SCAN") && !line.contains("EXISTS")), "{table}: {plan:#?}");
    }
    let plan = store.0.wait(store.0.store.explain_input_counts("IT", 5, sunday(7, 6))).unwrap();
    assert!(plan[0].contains("fastpath_by_network"), "{plan:#?}");
}

#[test]
fn postgres_has_application_tables() {
    skip_without!(Server::shared_postgres());
    asn_names_are_replaced(&OnPostgres::new());
    default_rules_are_written_once(|| Box::new(OnPostgres::new()));
    let engine = OnPostgres::new();
    a_dump_is_loaded(&engine);
    let store = crate::support::open(&format!("{}?options=-c%20enable_seqscan%3Doff", engine.url())).unwrap();
    for (table, plan) in store.0.wait(store.0.store.explain_application()).unwrap() {
        assert!(!plan.iter().any(|line| line.contains("Seq Scan")), "{table}: {plan:#?}");
    }
}

#[test]
fn clickhouse_has_no_application_tables() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    let store = engine.open();
    let errors = [
        store.0.wait(store.0.store.asn_names(&[5])).unwrap_err(),
        store.0.wait(store.0.store.replace_asn_names(vec![])).unwrap_err(),
        store.0.wait(store.0.store.seed_url_priorities()).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Invalid), "{errors:?}");
    let lines = std::fs::read_to_string(DUMP).unwrap();
    let lines = lines
        .lines()
        .filter(|line| ["\"fastpath\"", "\"jsonl\"", "\"citizenlab\""].iter().any(|table| line.contains(table)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.jsonl");
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let (loaded, bad) = load(&store, &path);
    assert_eq!((loaded.inserted, loaded.bodies, loaded.listed, bad), (23, 10, 19, vec![]));
}

#[test]
fn bad_lines_of_a_dump_are_reported() {
    let engine = InFile::new();
    let store = engine.open();
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("dump.jsonl");
    let good = std::fs::read_to_string(DUMP).unwrap();
    let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
    let late = lines[1].replace("measurement_start_time\":\"20", "measurement_start_time\":\"9");
    let late = late.replace("measurement_uid\":\"", "measurement_uid\":\"x");
    assert_ne!(late, lines[1]);
    let bad = [
        "{\"table\"".to_owned(),
        r#"{"table": "accounts", "row": {}}"#.to_owned(),
        r#"{"table": "asnmeta", "row": {"asn": "x", "org_name": "", "changed": ""}}"#.to_owned(),
        r#"{"table": "jsonl", "row": {"measurement_uid": "none", "s3path": "a", "linenum": 0}}"#.to_owned(),
        r#"{"table": "fastpath", "row": {"measurement_uid": []}}"#.to_owned(),
        late,
    ];
    lines.splice(0..0, bad);
    lines.insert(0, String::new());
    std::fs::write(&path, lines.join("\n")).unwrap();
    let (loaded, reported) = load(&store, &path);
    let numbers: Vec<u64> = reported.iter().map(|(line, _)| *line).collect();
    assert_eq!(numbers, [2, 3, 4, 6, 7, 5], "{reported:#?}");
    assert_eq!((loaded.inserted, loaded.bad), (23, 6));
    assert_eq!(reported[0].1, "not a row of a dump: EOF while parsing an object at column 8");
    assert_eq!(reported[1].1, "unknown table `accounts`");
    assert_eq!(reported[5].1, "jsonl: its measurement is not in this file");
    assert!(reported[4].1.starts_with("fastpath: measurement_start_time: "), "{reported:#?}");
}

/// Rows that were scored before the column existed have an empty text there.
#[test]
fn a_blocking_type_that_only_the_scores_have() {
    let engine = InFile::new();
    let store = engine.open();
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("dump.jsonl");
    let row = |uid: &str, column: &str, scores: &str| {
        let start = "2025-07-06 00:00:00";
        let row = serde_json::json!({
            "measurement_uid": uid, "test_start_time": start, "measurement_start_time": start, "scores": scores,
            "blocking_type": column,
        });
        serde_json::json!({"table": "fastpath", "row": row}).to_string()
    };
    let scored = r#"{"analysis": {"blocking_type": "dns"}}"#;
    let rows = [row("a", "", scored), row("b", "tcp_ip", scored), row("c", "", "{}"), row("d", "", "no JSON")];
    std::fs::write(&path, rows.join("\n")).unwrap();
    assert_eq!(load(&store, &path).1, []);
    let axes = vec![Axis::BlockingType];
    let groups = store.0.wait(store.0.store.aggregate(&Aggregation { axes, ..Aggregation::default() })).unwrap();
    let counts: Vec<_> = groups.iter().map(|group| (group.keys[0].clone(), group.counts.measurements)).collect();
    let text = |text: &'static str| Value::Text(text.into());
    assert_eq!(counts, [(text(""), 2), (text("dns"), 1), (text("tcp_ip"), 1)]);
}

pub(crate) fn inputs_are_counted_by_network(engine: &dyn Engine) {
    let store = engine.open();
    // Every fifth has an input that no list has.
    let content = |uid: u8| u16::from(uid) * 12 % 36 + u16::from(uid.is_multiple_of(5));
    let mut rows: Vec<_> = (0..40).map(|uid| measured(uid, content(uid))).collect();
    for (number, row) in rows.iter_mut().enumerate() {
        row.row.measurement_start_time = of_day(6 + number as i64 % 14);
        row.row.probe_asn = ooni_core::number::Int::Small(number as i64 % 2);
    }
    store.write(&rows, OnExisting::Keep).unwrap();
    // The URL is in two lists.
    store.0.wait(store.0.store.replace_test_lists(entries(&[0, 4, 6]))).unwrap();
    const LISTED: &str = "https://site0.org/";
    let filter = Filter {
        input: Some(LISTED.to_owned()),
        probe_ccs: vec!["IT".to_owned()],
        test_names: vec!["web_connectivity".to_owned()],
        ..Filter::default()
    };
    let list = List { filter, limit: 1000, ..List::default() };
    let all = store.0.wait(store.0.store.list(&list)).unwrap();
    // The Sundays after 2024-01-01, and the end of the last week.
    let bounds = [6, 13, 20].map(of_day);
    for weeks in [&bounds[..2], &bounds[..1], &bounds[1..2]] {
        let window = weeks[0]..bounds[if weeks.contains(&bounds[1]) { 2 } else { 1 }];
        for asn in [None, Some(0), Some(1)] {
            let is_counted = |row: &&MeasurementSummary| {
                window.contains(&row.measurement_start_time) && asn.is_none_or(|asn| asn == row.probe_asn)
            };
            let counted = all.iter().filter(is_counted).count() as u64;
            assert!(counted > 0);
            let counts = store.0.wait(store.0.store.input_counts("IT", asn, weeks)).unwrap();
            assert_eq!(counts, [(LISTED.to_owned(), counted)], "{weeks:?}, {asn:?}");
        }
    }
}
