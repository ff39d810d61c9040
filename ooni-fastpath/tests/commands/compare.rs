//! `fastpath compare`: rows of files and stores, and differences between sets of rules.

use crate::support::{Files, GOOD, Ran, fastpath, score};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::{Json, Reader};
use ooni_core::process::{Outcome, process};
use ooni_core::row::FastpathRow;
use ooni_core::rules::Rules;
use ooni_store::parquet::Parquet;
use ooni_store::{BlockingStore, BodyLocation, OnExisting, ScoredRow};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A measurement with other fields.
fn measurement(uid: &str, fields: &str) -> String {
    format!(r#"{{"measurement_uid":"{uid}",{fields}{}"#, &GOOD[1..])
}

/// The same rows in every format.
fn everywhere(files: &Files, name: &str, measurements: &[String]) -> [PathBuf; 4] {
    let lines = files.add(&format!("{name}/in.jsonl"), measurements.join("\n"));
    let jsonl = files.add(&format!("{name}.jsonl"), score(&[&lines]).out);
    let scored = fastpath(["score", "--format", "csv", lines.to_str().unwrap()]);
    let csv = files.add(&format!("{name}.csv"), scored.out);
    let rows: Vec<FastpathRow> = measurements.iter().map(|text| row(text)).collect();
    let parquet = files.path(&format!("{name}.parquet"));
    let mut file = Parquet::create(&parquet, None).unwrap();
    file.append(&rows).unwrap();
    file.finish().unwrap();
    let url = format!("sqlite:{}", files.path(&format!("{name}.db")).display());
    let body =
        BodyLocation { s3path: "k".into(), linenum: 0, date: "2024-01-02".into(), source: "k".into(), member: None };
    let new = |row| ScoredRow { row: Box::new(row), openvpn: None, body: Some(body.clone()), body_sha256: [0; 32] };
    let rows: Vec<_> = rows.into_iter().map(new).collect();
    let store = BlockingStore::open(&url).unwrap();
    store.wait(store.store.write(Arc::new(rows), OnExisting::Keep)).unwrap();
    [jsonl, csv, parquet, PathBuf::from(url)]
}

fn row(text: &str) -> FastpathRow {
    let mut reader = Reader::new();
    let document = reader.read(text.as_bytes()).unwrap();
    let uid = document.root().field("measurement_uid").value().text().unwrap();
    let uid = std::str::from_utf8(&uid).unwrap();
    match process(text.as_bytes(), uid, &Fingerprints::empty(), Rules::Fixed) {
        Outcome::Stored { row, .. } => *row,
        other => panic!("{other:?}"),
    }
}

fn compare(arguments: &[&str], paths: &[&Path]) -> Ran {
    let arguments = arguments.iter().map(|argument| (*argument).into());
    let paths = paths.iter().map(|path| path.as_os_str().to_owned());
    fastpath(std::iter::once("compare".into()).chain(arguments).chain(paths))
}

fn json(ran: &Ran) -> Json {
    Reader::new().read(&ran.out).unwrap().root().to_json()
}

fn at<'j>(json: &'j Json, path: &str) -> &'j Json {
    path.split('/').fold(json, |json, step| match (json, step.parse::<usize>()) {
        (Json::Array(items), Ok(number)) => &items[number],
        (json, _) => json.get(step).unwrap_or_else(|| panic!("no {step} in {json:?}")),
    })
}

fn numbers(json: &Json, names: &[&str]) -> Vec<f64> {
    names.iter().map(|name| at(json, name).as_f64().unwrap()).collect()
}

const COUNTS: [&str; 6] = ["left_rows", "right_rows", "same", "different", "only_left/rows", "only_right/rows"];

#[test]
fn equal_rows_in_any_format() {
    let files = Files::new();
    let more = r#""input":"http://x.org/a,\"b\"\u0000","test_runtime":0.1,"annotations":{"ooni_run_link_id":5,"platform":"é"},"#;
    let odd = r#""test_runtime":NaN,"test_version":"1","software_name":"null","#;
    let measurements = [measurement("u3", more), measurement("u1", odd), measurement("u2", "")];
    let forms = everywhere(&files, "a", &measurements);
    for left in &forms {
        for right in &forms {
            let ran = compare(&[], &[left, right]);
            assert_eq!(
                (ran.code, ran.text()),
                (Some(0), "3 and 3 rows: 3 the same, 0 different, 0 only in the first, 0 only in the second\n"),
                "{left:?} {right:?} {}",
                ran.err
            );
        }
    }
}

#[test]
fn differences_are_counted_and_shown() {
    let files = Files::new();
    let version = |version: &str| format!(r#""test_version":"{version}","test_runtime":0.5,"#);
    let left = [
        measurement("u1", ""),
        measurement("u2", &version("1")),
        measurement("u4", &version("1")),
        measurement("u3", ""),
    ];
    let right = [
        measurement("u5", ""),
        measurement("u4", &version("2")),
        measurement("u2", &version("\\u001b[2J")),
        measurement("u3", ""),
    ];
    let (lefts, rights) = (everywhere(&files, "a", &left), everywhere(&files, "b", &right));
    for left in &lefts {
        for right in &rights {
            let ran = compare(&["--format", "json", "--examples", "1"], &[left, right]);
            assert_eq!(ran.code, Some(1), "{}", ran.err);
            let report = json(&ran);
            assert_eq!(numbers(&report, &COUNTS), [4.0, 4.0, 1.0, 2.0, 1.0, 1.0]);
            assert_eq!(*at(&report, "only_left/examples/0"), Json::from("u1"));
            assert_eq!(*at(&report, "only_right/examples/0"), Json::from("u5"));
            let Json::Array(columns) = at(&report, "columns") else { panic!() };
            assert_eq!(columns.len(), 1);
            let said =
                ["test", "column", "examples/0/measurement_uid"].map(|name| at(&columns[0], name).as_str().unwrap());
            assert_eq!(said, ["dash", "test_version", "u2"]);
            assert_eq!(at(&columns[0], "rows").as_f64(), Some(2.0));
            assert!(matches!(at(&columns[0], "examples"), Json::Array(examples) if examples.len() == 1));
        }
    }
    let ran = compare(&[], &[&lefts[0], &rights[3]]);
    let expected = "4 and 4 rows: 1 the same, 2 different, 1 only in the first, 1 only in the second
  only in the first: u1
  only in the second: u5

test column       rows
dash test_version    2

test_version, u2
  - 1
  + \u{fffd}[2J
test_version, u4
  - 1
  + 2
";
    assert_eq!((ran.code, ran.text()), (Some(1), expected));
}

#[test]
fn types_are_compared_if_both_inputs_have_them() {
    let files = Files::new();
    let [number, _, _, _] = everywhere(&files, "a", &[measurement("u", r#""test_version":5,"test_runtime":0.1,"#)]);
    let [text, csv, ..] = everywhere(&files, "b", &[measurement("u", r#""test_version":"5","test_runtime":0.1,"#)]);
    assert_eq!(compare(&[], &[&number, &text]).code, Some(1));
    assert_eq!(compare(&[], &[&number, &csv]).code, Some(0));
    // A double that a store rounds to another value.
    let near = r#""test_version":"5","test_runtime":0.1000000001,"#;
    let [jsonl, csv, parquet, _] = everywhere(&files, "c", &[measurement("u", near)]);
    assert_eq!(compare(&[], &[&text, &jsonl]).code, Some(1));
    assert_eq!(compare(&[], &[&text, &csv]).code, Some(1));
    assert_eq!(compare(&[], &[&text, &parquet]).code, Some(0));
}

#[test]
fn a_uid_that_occurs_twice() {
    let files = Files::new();
    let lines = |name: &str, measurements: &[String]| {
        let lines = files.add(&format!("{name}/in.jsonl"), measurements.join("\n"));
        files.add(&format!("{name}.jsonl"), score(&[&lines]).out)
    };
    let (a, b) = (measurement("u", ""), measurement("u", r#""test_version":"2","#));
    let one = lines("one", std::slice::from_ref(&a));
    let two = lines("two", &[a.clone(), b.clone(), "no measurement".to_owned()]);
    let report = json(&compare(&["--format", "json"], &[&one, &two]));
    assert_eq!(numbers(&report, &COUNTS), [1.0, 2.0, 1.0, 0.0, 0.0, 1.0]);
    let turned = lines("turned", &[b, a]);
    let report = json(&compare(&["--format", "json"], &[&turned, &two]));
    assert_eq!(numbers(&report, &COUNTS), [2.0, 2.0, 0.0, 2.0, 0.0, 0.0]);
}

#[test]
fn unreadable_inputs() {
    let files = Files::new();
    let [jsonl, ..] = everywhere(&files, "a", &[measurement("u", "")]);
    let mut cut = std::fs::read(&jsonl).unwrap();
    cut.truncate(50);
    let path = |path: PathBuf| path.to_str().unwrap().to_owned();
    let none = format!("sqlite:{}", files.path("none.db").display());
    for (broken, said) in [
        (path(files.add("cut.jsonl", cut)), "cut.jsonl, line 1: "),
        (
            path(files.add("x.jsonl", "{}\n")),
            "x.jsonl, line 1: not an output line of \"fastpath score\": it has no outcome",
        ),
        (path(files.add("x.csv", "measurement_uid\nu\n")), "x.csv: no column report_id"),
        (path(files.add("x.parquet", "no such file")), "x.parquet: "),
        (
            path(files.add("x.txt", "")),
            "x.txt: expected .jsonl, .csv, .parquet or a store: sqlite:PATH, postgres://… or clickhouse://…",
        ),
        (path(files.path("none.jsonl")), "none.jsonl: does not exist"),
        (none, "none.db: does not exist"),
        ("mysql://u:secret@h/d".to_owned(), "unsupported store URL: expected sqlite:PATH"),
    ] {
        for paths in [[&jsonl, Path::new(&broken)], [Path::new(&broken), &jsonl]] {
            let ran = compare(&[], &paths);
            assert_eq!((ran.code, ran.text()), (Some(2), ""), "{broken}");
            assert!(
                ran.err.contains(said) && ran.err.lines().count() == 1 && !ran.err.contains("secret"),
                "{}",
                ran.err
            );
        }
    }
    assert!(!files.path("none.db").exists());
    for arguments in
        [&["--rules", "compat"][..], &["--rules", "compat,fixed,compat"], &["--rules", "a,b"], &["--jobs", "2"]]
    {
        assert_eq!(compare(arguments, &[&jsonl, &jsonl]).code, Some(2));
    }
    assert_eq!(compare(&[], &[&jsonl]).code, Some(2));
    assert_eq!(compare(&["--rules", "compat,fixed"], &[&files.path("none")]).code, Some(2));
}

#[test]
fn differences_between_rules() {
    let files = Files::new();
    files.add(
        "lists/fingerprints_http.csv",
        "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries,source,exp_url,notes\n\
         expression,nat,,body,regexp,a.c,5,IT,,,\nwhole,prod,,body,full,whole,5,IT,,,\nheader,nat,,header.server,contains,Wall,5,IT,,,\n",
    );
    files.add(
        "lists/fingerprints_dns.csv",
        "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries,source,exp_url,notes\n",
    );
    let web = |uid: &str, response: &str| {
        let keys = format!(r#""test_keys":{{"blocking":false,"requests":[{{"response":{response}}}]}}"#);
        measurement(uid, "").replace("\"dash\"", "\"web_connectivity\"").replace(r#""test_keys":{}"#, &keys)
    };
    let corpus = files.add(
        "corpus/in.jsonl",
        [
            web("u1", r#"{"body":"xabcx"}"#),
            web("u2", r#"{"body":"the whole of it"}"#),
            web("u3", r#"{"body":"abc","headers":{"Server":"a Wall"}}"#),
            web("u4", r#"{"body":"a.c"}"#),
            measurement("u5", ""),
            "no measurement".to_owned(),
        ]
        .join("\n"),
    );
    let lists = files.path("lists");
    let lists = ["--fingerprints", lists.to_str().unwrap(), "--format", "json"];
    for jobs in ["1", "3"] {
        let ran =
            compare(&[&["--rules", "compat,fixed", "--jobs", jobs], &lists[..]].concat(), &[corpus.parent().unwrap()]);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.err.contains("line 6"), "{}", ran.err);
        let changes = json(&ran);
        assert_eq!(numbers(&changes, &["measurements", "changed"]), [6.0, 3.0]);
        let part = |name: &str| -> Vec<(String, f64)> {
            let Json::Array(changes) = at(&changes, name) else { panic!() };
            let kind = |change: &Json| {
                (at(change, "what").as_str().unwrap().to_owned(), at(change, "measurements").as_f64().unwrap())
            };
            changes.iter().map(kind).collect()
        };
        let owned =
            |kinds: &[(&str, f64)]| kinds.iter().map(|&(name, count)| (name.to_owned(), count)).collect::<Vec<_>>();
        assert_eq!(part("repairs"), owned(&[("body-full", 1.0), ("body-regexp", 2.0), ("header-contains", 1.0)]));
        assert_eq!(
            part("fingerprints"),
            owned(&[("expression found", 2.0), ("header found", 1.0), ("whole lost", 1.0)])
        );
        assert_eq!(part("verdicts"), owned(&[("anomaly, confirmed → ok", 1.0), ("ok → anomaly, confirmed", 2.0)]));
        assert_eq!(*at(&changes, "repairs/1/examples/0/measurement_uid"), Json::from("u1"));
        assert_eq!(numbers(at(&changes, "rows"), &COUNTS), [5.0, 5.0, 2.0, 3.0, 0.0, 0.0]);
    }
    // The other way round, and no differences.
    let turned = json(&compare(&[&["--rules", "fixed,compat"], &lists[..]].concat(), &[&corpus]));
    assert_eq!(*at(&turned, "fingerprints/0/what"), Json::from("expression lost"));
    let ran = compare(&["--rules", "fixed,fixed"], &[&corpus]);
    assert_eq!((ran.code, ran.text()), (Some(0), "6 measurements by fixed and fixed: 0 differ\n"));
    let ran = compare(&[&["--rules", "compat,fixed", "--examples", "1"], &lists[..2]].concat(), &[&corpus]);
    files.add("corpus/notes.txt", "");
    let ran_in_folder = compare(&["--rules", "fixed,fixed"], &[corpus.parent().unwrap()]);
    let expected = "6 measurements by fixed and fixed: 0 differ; 1 file with an unknown suffix skipped\n";
    assert_eq!(ran_in_folder.text(), expected);
    let begin = "6 measurements by compat and fixed: 3 differ

test             repair          measurements
web_connectivity body-full                  1
web_connectivity body-regexp                2
web_connectivity header-contains            1
";
    assert!(ran.text().starts_with(begin), "{}", ran.text());
}
