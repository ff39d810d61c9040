//! Exported files as read by DuckDB: types, rows, and the queries of the README.
//!
//! DuckDB is installed once, with pip.

use crate::support::{Files, GOOD, ROOT, fastpath, gzip};
use ooni_core::row::schema::fastpath;
use ooni_store::value::Value;
use ooni_store::{BlockingStore, StoredRow};
use ooni_testkit::corpus::Options;
use ooni_testkit::corpus::archive::{Archive, write};
use ooni_testkit::corpus::containers::Packing;
use ooni_testkit::python::Package;
use ooni_testkit::skip_without;
use serde_json::Value as JsonValue;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs the statements on standard input; prints the values of the rows of the last one as text.
const SCRIPT: &str = "
import duckdb, json, sys
rows = duckdb.connect().execute(sys.stdin.read()).fetchall()
json.dump([['' if value is None else str(value) for value in row] for row in rows], sys.stdout)
";

/// A folder with exported files in `rows`, and the rows of the store.
struct Exported {
    files: Files,
    python: PathBuf,
    rows: Vec<StoredRow>,
}

impl Exported {
    fn new() -> Exported {
        let files = Files::new();
        let options = Options { n: 2000, seed: 5, blocked: 0.1, odd: 0.05, per_hour: 300, ..Options::default() };
        let packing = Packing { per_file: 100, level: 1, ..Packing::default() };
        write(&options, &Archive { per_day: 400, duplicates: 0.1 }, &packing, &files.path("archive")).unwrap();
        let url = format!("sqlite:{}", files.path("ooni.db").display());
        let [archive, out] = ["archive", "rows"].map(|name| files.path(name).display().to_string());
        let days = ["--start-day", "2010-01-01", "--end-day", "2022-01-01", "--db-uri", &url];
        let rerun = fastpath([&["rerun", "--source", &archive][..], &days].concat());
        assert!(rerun.err.contains(" cans; "), "{}", rerun.err);
        let export = fastpath([&["store", "export", "--out", &out][..], &days].concat());
        assert_eq!((export.code, &*export.err), (Some(0), ""));
        let rows: Vec<_> = BlockingStore::open_to_read(&url).unwrap().rows().map(Result::unwrap).collect();
        assert!(rows.len() > 1500);
        Exported { files, python: Package::Duckdb.python().unwrap(), rows }
    }

    /// The result of a query in the folder that contains `rows`.
    fn ask(&self, sql: &str) -> Vec<Vec<String>> {
        ask(&self.python, &self.files, sql)
    }

    /// Rows whose measurement did not fail.
    fn not_failed(&self) -> impl Iterator<Item = &StoredRow> {
        self.rows.iter().filter(|row| get(row, "msm_failure") == "f")
    }
}

/// The result of a query in a folder.
fn ask(python: &Path, files: &Files, sql: &str) -> Vec<Vec<String>> {
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).current_dir(files.0.path()).env("TZ", "Pacific/Kiritimati");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    let rows: JsonValue = serde_json::from_slice(&output.stdout).unwrap();
    let row = |row: &JsonValue| row.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    rows.as_array().unwrap().iter().map(row).collect()
}

fn get(row: &StoredRow, name: &str) -> String {
    let column = fastpath::NAMES.iter().position(|column| *column == name).unwrap();
    let mut out = Vec::new();
    row[column].write_plain(&mut out);
    String::from_utf8(out).unwrap()
}

/// The statements of the README below the heading of this name.
fn recipes() -> Vec<String> {
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Query exported files\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    section.split("```sql\n").skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

fn texts<const N: usize>(values: [&dyn ToString; N]) -> Vec<String> {
    values.iter().map(|value| value.to_string()).collect()
}

/// The only test that fails if DuckDB cannot be installed; the others are skipped.
#[test]
fn duckdb_is_installed() {
    Package::Duckdb.python().unwrap();
}

#[test]
fn duckdb_reads_what_was_exported() {
    skip_without!(Package::Duckdb.python());
    let exported = Exported::new();
    let recipes = recipes();
    let answers = [blocked_sites(&exported), failing_messengers(&exported), ways_by_day(&exported)];
    assert_eq!(recipes.len(), answers.len());
    for (recipe, answer) in recipes.iter().zip(answers) {
        assert!(answer.len() > 3, "{recipe}");
        assert_eq!(exported.ask(recipe), answer, "{recipe}");
    }
    types_are_as_documented(&exported);
    rows_are_those_of_the_store(&exported);
}

fn blocked_sites(exported: &Exported) -> Vec<Vec<String>> {
    let mut sites = BTreeMap::<String, (u64, u64, BTreeSet<String>)>::new();
    let in_indonesia = |row: &&StoredRow| get(row, "test_name") == "web_connectivity" && get(row, "probe_cc") == "ID";
    for row in exported.not_failed().filter(in_indonesia) {
        let (measurements, confirmed, networks) = sites.entry(get(row, "domain")).or_default();
        *measurements += 1;
        if get(row, "confirmed") == "t" {
            *confirmed += 1;
            networks.insert(get(row, "probe_asn"));
        }
    }
    let mut sites: Vec<_> = sites.into_iter().filter(|(_, (_, confirmed, _))| *confirmed > 0).collect();
    sites.sort_by_key(|(_, (_, confirmed, _))| Reverse(*confirmed));
    let text = |(domain, (all, confirmed, networks)): &(String, (u64, u64, BTreeSet<String>))| {
        texts([domain, all, confirmed, &networks.len()])
    };
    sites.iter().map(text).collect()
}

fn failing_messengers(exported: &Exported) -> Vec<Vec<String>> {
    let tests = ["facebook_messenger", "signal", "telegram", "whatsapp"];
    let mut networks = BTreeMap::<(String, u64, String), (u64, u64)>::new();
    for row in exported.not_failed().filter(|row| tests.contains(&&*get(row, "test_name"))) {
        let key = (get(row, "probe_cc"), get(row, "probe_asn").parse().unwrap(), get(row, "test_name"));
        let (measurements, anomalies) = networks.entry(key).or_default();
        *measurements += 1;
        *anomalies += u64::from(get(row, "anomaly") == "t");
    }
    let mut failing: Vec<_> = networks.into_iter().filter(|(_, (all, anomalies))| 2 * anomalies > *all).collect();
    failing.sort_by_key(|(_, (_, anomalies))| Reverse(*anomalies));
    failing.iter().map(|((cc, asn, test), (all, anomalies))| texts([cc, asn, test, all, anomalies])).collect()
}

fn ways_by_day(exported: &Exported) -> Vec<Vec<String>> {
    let mut days = BTreeMap::<[String; 3], u64>::new();
    let is_anomaly = |row: &&StoredRow| get(row, "test_name") == "web_connectivity" && get(row, "anomaly") == "t";
    for row in exported.not_failed().filter(is_anomaly).filter(|row| ["IR", "RU"].contains(&&*get(row, "probe_cc"))) {
        let day = get(row, "measurement_start_time")[..10].to_owned();
        *days.entry([get(row, "probe_cc"), day, get(row, "blocking_type")]).or_default() += 1;
    }
    days.iter().map(|([cc, day, how], measurements)| texts([cc, day, how, measurements])).collect()
}

fn types_are_as_documented(exported: &Exported) {
    let readme = fs::read_to_string(format!("{ROOT}/ooni-fastpath/README.md")).unwrap();
    let (_, table) = readme.split_once("\n## Parquet files\n").unwrap();
    let columns = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split("` | `");
        let (name, rest) = (cells.next()?, cells.next()?);
        let kind = match rest.split('`').next()? {
            "STRING" => "VARCHAR",
            "UINT_32" => "UINTEGER",
            "UINT_64" => "UBIGINT",
            "FLOAT" => "FLOAT",
            "TIMESTAMP" => "TIMESTAMP WITH TIME ZONE",
            other => panic!("{other}"),
        };
        Some([name.to_owned(), kind.to_owned()])
    });
    let columns: Vec<_> = columns.collect();
    assert_eq!(columns.len(), 26);
    let files = fs::read_dir(exported.files.path("rows")).unwrap();
    for file in files {
        let file = file.unwrap().path();
        let described = exported.ask(&format!("DESCRIBE SELECT * FROM '{}'", file.display()));
        assert!(described.iter().map(|row| &row[..2]).eq(columns.iter()), "{file:?}: {described:?}");
    }
}

/// Every column of every row. DuckDB converts the values to text, because Python would format some of them differently.
fn rows_are_those_of_the_store(exported: &Exported) {
    let columns = fastpath::NAMES.map(|name| match name {
        "test_start_time" | "measurement_start_time" => {
            format!("strftime({name} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S')")
        }
        "test_runtime" => format!("CAST({name} AS DOUBLE)"),
        _ => format!("CAST({name} AS VARCHAR)"),
    });
    let read = exported.ask(&format!("SELECT {} FROM 'rows/*.parquet' ORDER BY measurement_uid", columns.join(", ")));
    assert_eq!(read.len(), exported.rows.len());
    for (read, row) in read.iter().zip(&exported.rows) {
        for ((name, read), cell) in fastpath::NAMES.into_iter().zip(read).zip(row) {
            match cell {
                Value::Float(value) if value.is_nan() => assert_eq!(read, "nan", "{row:?}"),
                Value::Float(value) => assert_eq!(read.parse::<f64>().unwrap() as f32, *value, "{row:?}"),
                _ => assert_eq!(*read, get(row, name), "{name} of {row:?}"),
            }
        }
    }
}

/// Lone surrogates are written as U+FFFD in every output; DuckDB rejects a JSON file with `\ud83d`.
#[test]
fn lone_surrogates_are_replaced_in_every_output() {
    skip_without!(Package::Duckdb.python());
    let files = Files::new();
    let odd = GOOD
        .replace("\"dash\"", "\"stunreachability\"")
        .replace("\"test_keys\":{}", "\"test_keys\":{\"failure\":\"a\\ud83d\"}");
    // Text columns with lone surrogates are refused by typed stores and Parquet files.
    let input = odd.replace("\"R\"", "\"R2\",\"input\":\"x\\ud83dy\\ud83d\\ude00\"");
    let bad = odd.replace("AS1", "x\\ud83d");
    let key = "archive/raw/20240102/03/IT/stunreachability/2024010203_IT_stunreachability.n1.0.jsonl.gz";
    files.add(key, gzip(format!("{odd}\n{input}\n{bad}\n").as_bytes()));
    let url = format!("sqlite:{}", files.path("ooni.db").display());
    let source = files.path("archive").display().to_string();
    for form in ["jsonl", "csv", "parquet"] {
        let out = files.path(&format!("rows.{form}")).display().to_string();
        let days = ["--start-day", "2024-01-01", "--end-day", "2024-02-01", "--source", &source];
        let ran = fastpath([&["rerun", "--db-uri", &url, "--out", &out], &days[..]].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.err.contains("  refused: input 1\n"), "{}", ran.err);
    }
    let python = Package::Duckdb.python().unwrap();
    let ask = |sql: &str| ask(&python, &files, sql);
    let failure = "a\u{fffd}";
    let lines =
        ask("SELECT row.input, row.scores.extra.failure FROM 'rows.jsonl' WHERE outcome = 'stored' ORDER BY row.input");
    let csv = ask(
        "SELECT input, scores->>'$.extra.failure' FROM 'rows.csv' WHERE outcome = 'stored' ORDER BY input NULLS FIRST",
    );
    assert_eq!(lines, [["", failure], ["x\u{fffd}y😀", failure]]);
    assert_eq!(csv, lines);
    assert_eq!(ask("SELECT input, scores->>'$.extra.failure' FROM 'rows.parquet'"), [["", failure]]);
    let rows: Vec<_> = BlockingStore::open_to_read(&url).unwrap().rows().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1);
    let scores: JsonValue = serde_json::from_str(&get(&rows[0], "scores")).unwrap();
    assert_eq!(scores["extra"]["failure"], failure);
    // All outputs except for the table have the same rows.
    let table = fastpath(["score", files.path(key).to_str().unwrap()]);
    assert!(table.text().contains(" x\u{fffd}y😀\n"), "{}", table.text());
    let compared = fastpath(["compare", &url, files.path("rows.parquet").to_str().unwrap()]);
    assert_eq!(compared.code, Some(0), "{}", compared.text());
    let paths = ["rows.jsonl", "rows.csv"].map(|name| files.path(name).display().to_string());
    assert_eq!(fastpath(["compare", &paths[0], &paths[1]]).code, Some(0));
}
