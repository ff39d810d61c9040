//! Stores and files: their content, which does not depend on threads, batches or interruptions.

use crate::bench::{Bench, LINES, NEXT, POSTCAN, REPORTS, lz4, postcan, with};
use crate::support::{GOOD, Ran, fastpath, gzip, post, tar, uid};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

/// Cans of several formats, larger and smaller than a batch, with all outcomes.
fn mixed() -> Bench {
    let bench = Bench::new();
    let padded = |number: usize| with(&format!("\"padding{number}\":\"{}\"", "x".repeat(3000)));
    let mut bodies: Vec<_> = (0..400).map(|number| post(&padded(number))).collect();
    bodies[3] = "broken".to_owned();
    bodies[4] = post("{}");
    bodies[5] = post(&with("\"test_version\":0.1"));
    bodies[6] = post(&with("\"probe_cc\":\"ZZ\""));
    bodies[7] = post(&with("\"test_name\":\"ndt\"").replace("\"R\"", "\"N\""));
    bench.can(POSTCAN, &postcan(&bodies));
    // Uids that occurred before, and a new one.
    bench.can(NEXT, &postcan(&[post(GOOD), post(&with("\"probe_asn\":\"AS2\""))]));
    let lines =
        |from: usize, to: usize| -> String { (from..to).map(|number| format!("{}\n", padded(number))).collect() };
    bench.can(LINES, &lz4(lines(1000, 1400).as_bytes()));
    bench.can(REPORTS, &lz4(&tar(&[("r/a.json", &lines(2000, 2200)), ("r/b.json", &lines(2200, 2250))])));
    bench.can(&POSTCAN.replace("IT", "DE").replace("tar.gz", "jsonl.gz"), &gzip(lines(3000, 3200).as_bytes()));
    bench
}

fn at_the_end(ran: &Ran) -> &str {
    ran.err.lines().last().unwrap()
}

#[test]
fn the_number_of_jobs_makes_no_difference() {
    let bench = mixed();
    let mut results = Vec::new();
    for jobs in ["1", "2", "4"] {
        let mut outs = Vec::new();
        for form in ["jsonl", "csv", "parquet"] {
            let out = bench.path(&format!("rows.{form}"));
            let ran = bench.rerun(&["--jobs", jobs, "--out", &out]);
            assert_eq!(ran.code, Some(1), "{}", ran.err);
            outs.push((bench.read(&format!("rows.{form}")), bench.dump(), ran.err));
            fs::remove_file(bench.path("ooni.db")).unwrap();
        }
        results.push(outs);
    }
    assert!(results[0] == results[1] && results[0] == results[2]);
    let dumps: Vec<_> = results[0].iter().map(|(_, dump, _)| dump).collect();
    assert!(dumps[0].len() > 1000 && dumps[0] == dumps[1] && dumps[0] == dumps[2]);
}

#[test]
fn counts_add_up() {
    let bench = mixed();
    for (arguments, has_store) in [(&[][..], true), (&["--no-write-to-db"], false)] {
        let report = bench.path("report.json");
        let ran = bench.rerun(&[arguments, &["--report", &report]].concat());
        assert_eq!(ran.code, Some(1));
        let report = bench.json("report.json");
        let sum = |tally: &serde_json::Value| -> u64 {
            tally.as_object().unwrap().values().map(|number| number.as_u64().unwrap()).sum()
        };
        let of = |count: &serde_json::Value| {
            let number = |name: &str| count[name].as_u64().unwrap();
            let parts = [sum(&count["discarded"]), sum(&count["rejected"]), sum(&count["refused"])];
            assert_eq!(number("accepted"), number("stored") + parts.iter().sum::<u64>());
            [number("accepted"), number("stored"), parts[0], parts[1], parts[2]]
        };
        let tests: BTreeMap<_, _> =
            report["tests"].as_object().unwrap().iter().map(|(test, count)| (&**test, of(count))).collect();
        // A body that is not a measurement has no test.
        assert_eq!(tests["(unknown)"], [2, 0, 1, 1, 0]);
        assert_eq!(tests["ndt"], [1, 1, 0, 0, 0]);
        assert_eq!(tests["dash"], [1249, 1247, 1, 0, 1]);
        assert_eq!(of(&report["all"]), [1252, 1248, 2, 1, 1]);
        assert_eq!(report["tests"]["dash"]["refused"]["test_version"], 1);
        assert_eq!(report["cans"], 5);
        assert_eq!(report["already_there"].as_u64(), has_store.then_some(2), "the can of the next day");
        for line in [
            "test       accepted  stored  discarded  rejected  refused\n",
            "(unknown)         2       0          1         1        0\n",
            "  rejected: E-CAN 1\n",
            "dash           1249    1247          1         0        1\n",
            "  refused: test_version 1\n",
            "all            1252    1248          2         1        1\n",
        ] {
            let line = line.replace("E-CAN", "E-PARSE");
            assert!(ran.err.contains(&line), "{line}{}", ran.err);
        }
        let there = if has_store { ", 2 of them already there" } else { "" };
        assert_eq!(at_the_end(&ran), format!("5 cans; 1248 rows{there}"));
    }
    assert_eq!(bench.query("SELECT 1 FROM fastpath").len(), 1246);
}

#[test]
fn a_refused_row_is_set_aside() {
    let bench = Bench::new();
    bench.can(POSTCAN, &postcan(&[post(GOOD), post(&with("\"test_version\":0.1")), post(GOOD)]));
    let ran = bench.rerun(&["--out", &bench.path("rows.jsonl")]);
    assert_eq!(ran.code, Some(1));
    let place = format!("fastpath: {POSTCAN}, member {}, byte ", crate::support::member(1));
    assert!(ran.err.starts_with(&place), "{}", ran.err);
    assert!(ran.err.contains(": the row is refused: column test_version: "), "{}", ran.err);
    assert_eq!(bench.texts("SELECT measurement_uid FROM fastpath ORDER BY 1"), [uid(0), uid(2)]);
    assert_eq!(bench.texts("SELECT measurement_uid FROM refused WHERE column_name = 'test_version'"), [uid(1)]);
    assert_eq!(bench.texts("SELECT source FROM refused"), [POSTCAN]);
    // JSONL and CSV files include rows that a store refuses.
    assert_eq!(bench.lines("rows.jsonl")[1]["row"]["test_version"], 0.1);
    // A second run counts it again.
    let ran = bench.rerun(&["--report", &bench.path("report.json")]);
    assert_eq!(at_the_end(&ran), "1 cans; 2 rows, 2 of them already there");
    assert_eq!(bench.json("report.json")["all"]["refused"]["test_version"], 1);
    assert_eq!(bench.query("SELECT 1 FROM refused").len(), 1);
}

#[test]
fn a_second_run_changes_rows_only_with_update() {
    let bench = Bench::with(3);
    let first = bench.rerun(&[]);
    assert_eq!(at_the_end(&first), "1 cans; 3 rows, 0 of them already there");
    let (dump, times) = (bench.dump(), "SELECT update_time || measurement_uid FROM fastpath ORDER BY 1");
    let before = bench.texts(times);
    let again = bench.rerun(&["--report", &bench.path("report.json")]);
    assert_eq!((again.code, at_the_end(&again)), (Some(0), "1 cans; 3 rows, 3 of them already there"));
    assert_eq!(bench.json("report.json")["already_there"], 3);
    assert_eq!((bench.dump(), bench.texts(times)), (dump, before));
    // The same uids with other content.
    bench.can(POSTCAN, &postcan(&[post(&with("\"software_name\":\"new\"")), post(GOOD), post(GOOD)]));
    bench.rerun(&[]);
    assert_eq!(bench.texts("SELECT software_name FROM fastpath WHERE software_name <> ''"), [""; 0]);
    let ran = bench.rerun(&["--update"]);
    assert_eq!(at_the_end(&ran), "1 cans; 3 rows, 3 of them replaced");
    assert_eq!(bench.texts("SELECT measurement_uid FROM fastpath WHERE software_name = 'new'"), [uid(0)]);
    assert_eq!(bench.query("SELECT 1 FROM fastpath").len(), 3);
}

#[test]
fn two_runs_are_the_same() {
    let [first, second] = [mixed(), mixed()];
    let out = |bench: &Bench| bench.rerun(&["--out", &bench.path("rows.parquet")]);
    assert_eq!((out(&first).code, out(&second).code), (Some(1), Some(1)));
    assert_eq!(first.dump(), second.dump());
    assert!(first.read("rows.parquet") == second.read("rows.parquet"));
    let ran = fastpath(["compare", &first.uri(), &second.uri()]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.text(), ran.err);
}

#[test]
fn csv_and_parquet_have_the_rows_of_jsonl() {
    let bench = mixed();
    for form in ["jsonl", "csv", "parquet"] {
        bench.rerun(&["--no-write-to-db", "--out", &bench.path(&format!("rows.{form}"))]);
    }
    let lines = bench.lines("rows.jsonl");
    let mut reader = csv::Reader::from_path(bench.path("rows.csv")).unwrap();
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), lines.len());
    for (record, line) in records.iter().zip(&lines) {
        assert_eq!(record[0], *line["measurement_uid"].as_str().unwrap_or_default());
        assert_eq!(record[1], *line["outcome"].as_str().unwrap());
        assert_eq!(record[2], *line["reason"].as_str().unwrap_or_default());
    }
    let reader = SerializedFileReader::new(fs::File::open(bench.path("rows.parquet")).unwrap()).unwrap();
    let uids: Vec<_> =
        reader.get_row_iter(None).unwrap().map(|row| row.unwrap().get_string(0).unwrap().clone()).collect();
    // Only rows, without the refused one; one uid twice, as in the archive.
    let stored = lines.iter().filter(|line| line["outcome"] == "stored" && line["row"]["test_version"] != 0.1);
    assert_eq!(uids, stored.map(|line| line["measurement_uid"].as_str().unwrap()).collect::<Vec<_>>());
    assert_eq!(uids.len(), 1248);
}

#[test]
fn standard_output_gets_lines() {
    let bench = mixed();
    bench.rerun(&["--no-write-to-db", "--out", &bench.path("rows.jsonl")]);
    let ran = bench.rerun(&["--no-write-to-db", "--out", "-"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out == bench.read("rows.jsonl"));
}

/// Runs with a reader that closes standard output early.
fn closed(bench: &Bench, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
    command.args(["rerun", "--start-day", "2010-01-01", "--end-day", "2024-02-01", "--out", "-", "--source"]);
    command.arg(bench.archive()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_reader_may_close_standard_output() {
    // More than a pipe holds.
    let bench = Bench::with(4000);
    for jobs in ["1", "3"] {
        assert_eq!(closed(&bench, &["--no-write-to-db", "--jobs", jobs]), (Some(0), String::new()));
        // The store still gets all rows.
        let uri = format!("{}{jobs}", bench.uri());
        let (code, output) = closed(&bench, &["--db-uri", &uri, "--jobs", jobs]);
        assert_eq!(code, Some(1));
        assert!(output.contains("\n1 cans; 4000 rows, 0 of them already there\n"), "{output}");
        assert!(
            output.ends_with(
                "fastpath: standard output was closed early, so lines are missing there; the store has all rows\n"
            ),
            "{output}"
        );
        assert_eq!(crate::bench::query(&uri, "SELECT 1 FROM fastpath").len(), 4000);
    }
}

#[test]
fn a_run_is_resumed_from_its_journal() {
    let bench = Bench::with(3);
    let [out, report] = ["rows.csv", "report.json"].map(|name| bench.path(name));
    let arguments = ["--out", &out, "--report", &report];
    bench.rerun(&arguments);
    let (whole, first) = (bench.read("rows.csv"), bench.read("report.json"));
    assert_eq!(whole.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"measurement_uid,")).count(), 1);
    // Resuming a complete run prints its report again.
    let ran = bench.rerun(&[&arguments[..], &["--resume"]].concat());
    assert_eq!((ran.code, bench.read("rows.csv") == whole), (Some(0), true));
    let complete = "fastpath: this run is already complete; to start again, omit --resume\n";
    assert!(ran.err.starts_with(complete), "{}", ran.err);
    assert_eq!(bench.read("report.json"), first);
    // The run is resumed without the last line of its journal, and with only the first; the output has more than it says.
    let journal = fs::read_to_string(bench.path("rows.csv.journal")).unwrap();
    let ends: Vec<_> = journal.match_indices('\n').map(|(at, _)| at + 1).collect();
    assert_eq!(ends.len(), 3);
    for end in [ends[1], ends[0], ends[0] + 7, 0] {
        fs::write(bench.path("rows.csv.journal"), &journal[..end]).unwrap();
        fs::write(bench.path("rows.csv"), [&*whole, b"half a li"].concat()).unwrap();
        let ran = bench.rerun(&[&arguments[..], &["--resume"]].concat());
        assert_eq!((ran.code, bench.read("rows.csv") == whole), (Some(0), true), "{end}: {}", ran.err);
        assert_eq!(bench.json("report.json")["all"]["stored"], 3);
    }
    // A journal that does not match its output or store.
    fs::write(bench.path("rows.csv"), &whole[..20]).unwrap();
    fs::write(bench.path("rows.csv.journal"), &journal[..ends[1]]).unwrap();
    let ran = bench.rerun(&[&arguments[..], &["--resume"]].concat());
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("rows.csv: is shorter than its journal says; --restart starts again"), "{}", ran.err);
    fs::write(bench.path("rows.csv"), &whole).unwrap();
    for file in ["ooni.db", "ooni.db-wal", "ooni.db-shm"] {
        let _ = fs::remove_file(bench.path(file));
    }
    let ran = bench.rerun(&[&arguments[..], &["--resume"]].concat());
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("has no rows, but the journal says that it has; --restart starts again"), "{}", ran.err);
    // Another run.
    let ran = bench.rerun(&[&arguments[..], &["--resume", "--ccs", "IT"]].concat());
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("the journal of another run: --ccs was nothing and is IT"), "{}", ran.err);
    // With --restart everything starts again.
    assert_eq!(bench.rerun(&arguments).code, Some(2));
    let ran = bench.rerun(&[&arguments[..], &["--restart"]].concat());
    assert_eq!((ran.code, bench.read("rows.csv") == whole), (Some(0), true));
}
