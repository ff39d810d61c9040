//! `fastpath store`, `rollup` and `migrate`.

use crate::files::{Files, Ran, fastpath};
use ooni_core::json::{Json, Reader};
use ooni_store::rollup::ROLLUPS;
use rusqlite::Connection;
use std::path::Path;
use std::process::{Command, Stdio};

/// The number of migrations.
const VERSION: usize = 8;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// A store filled with the cans of the fixtures, in a temporary folder.
struct Store(Files);

impl Store {
    fn new() -> Store {
        let store = Store(Files::new());
        let cans = format!("{FIXTURES}/cans");
        let days = ["--start-day", "2015-01-01", "--end-day", "2023-01-01", "--source", &cans];
        let ran = store.run(&["rerun"], &days);
        assert!(ran.err.ends_with("15 cans; 41 rows, 2 of them already there\n"), "{}", ran.err);
        store
    }

    /// Runs a command on it.
    fn run(&self, command: &[&str], more: &[&str]) -> Ran {
        fastpath([command, more, &["--db-uri", &self.url()]].concat())
    }

    /// The output of a command that succeeds.
    fn said(&self, command: &[&str]) -> String {
        let ran = self.run(command, &[]);
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{command:?}");
        ran.text().to_owned()
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.0.path("ooni.db").display())
    }

    fn connect(&self) -> Connection {
        Connection::open(self.0.path("ooni.db")).unwrap()
    }

    fn count(&self, table: &str) -> u64 {
        let stats = self.stats();
        stats.get("tables").unwrap().get(table).unwrap().as_f64().unwrap() as u64
    }

    fn stats(&self) -> Json {
        let text = self.said(&["store", "stats", "--format", "json"]);
        Reader::new().read(text.as_bytes()).unwrap().root().to_json()
    }

    fn is_clean(&self) {
        let checked = self.said(&["rollup", "check"]);
        assert_eq!(checked.lines().count(), ROLLUPS.len());
        assert!(checked.lines().all(|line| line.ends_with(": equal to the rows")), "{checked}");
    }
}

/// The message for invalid arguments.
fn refused(arguments: &[&str]) -> String {
    let ran = fastpath(arguments);
    assert_eq!((ran.code, ran.text()), (Some(2), ""), "{arguments:?}");
    ran.err
}

#[test]
fn stats_of_a_store() {
    let store = Store::new();
    let stats = store.stats();
    let text = |name: &str| stats.get(name).unwrap().as_str().unwrap().to_owned();
    assert_eq!((&*text("oldest"), &*text("newest")), ("2015-11-05T12:29:36Z", "2023-01-21T23:58:05Z"));
    assert_eq!((store.count("fastpath"), store.count("jsonl"), store.count("removed")), (39, 39, 0));
    let measured = |name: &str| stats.get("rollups").unwrap().get(name).unwrap().get("measurements").unwrap().as_f64();
    assert_eq!((measured("country"), measured("category")), (Some(39.0), Some(0.0)));
    let bytes = stats.get("bytes").unwrap().as_f64().unwrap() as u64;
    assert!(bytes >= std::fs::metadata(store.0.path("ooni.db")).unwrap().len());
    let table = store.said(&["store", "stats"]);
    assert!(table.contains("\nmeasurements from 2015-11-05 12:29:36 to 2023-01-21 23:58:05\n"), "{table}");
    assert!(table.contains("\nfastpath       39\n"), "{table}");
    assert!(table.contains("\nday_test            32  all measurements\n"), "{table}");
    store.connect().execute("DELETE FROM rollup_day_test WHERE test_name = 'dash'", []).unwrap();
    let table = store.said(&["store", "stats"]);
    assert!(table.contains("  37 of 39 measurements: rebuild it\n"), "{table}");
}

#[test]
fn a_wrong_rollup_is_detected_and_rebuilt() {
    let store = Store::new();
    store.is_clean();
    let change = "UPDATE rollup_day_test SET anomaly_count = anomaly_count + 7 WHERE test_name = 'dash';
        DELETE FROM rollup_day_test WHERE test_name = 'signal';
        UPDATE rollup_country SET blocking_type = 'dns' WHERE test_name = 'dash'";
    store.connect().execute_batch(change).unwrap();
    let ran = store.run(&["rollup", "check", "day_test", "month_network"], &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let text = ran.text();
    assert!(text.ends_with("\nmonth_network: equal to the rows\n"), "{text}");
    assert!(text.starts_with("day_test: "), "{text}");
    let line = "  day 2021-04-14 00:00:00, test_name signal\n    kept measurements 0, ";
    assert!(text.contains(line) && text.contains("\n    rows measurements 1, "), "{text}");
    assert!(text.contains("anomaly 7, ") || text.contains("anomaly 8, "), "{text}");
    let few = store.run(&["rollup", "check", "--examples", "1"], &[]);
    assert_eq!(few.code, Some(1));
    assert!(few.text().contains("\n  and 1 more\n") || few.text().contains("\n  and 2 more\n"), "{}", few.text());
    assert_eq!(store.said(&["rollup", "rebuild", "day_test"]), "day_test: rebuilt\n");
    assert_eq!(store.said(&["rollup", "check", "day_test"]), "day_test: equal to the rows\n");
    assert_eq!(store.run(&["rollup", "check", "country"], &[]).code, Some(1), "the others were left alone");
    assert_eq!(store.said(&["rollup", "rebuild"]).lines().count(), ROLLUPS.len());
    store.is_clean();
}

#[test]
fn test_lists_are_replaced() {
    let store = Store::new();
    let fixtures = format!("{FIXTURES}/test-lists");
    let said = store.said(&["store", "load-test-lists", &fixtures]);
    assert!(said.ends_with("\n318 entries of 2 test lists loaded; 0 rows skipped, 0 files refused\n"), "{said}");
    assert!(said.starts_with("it.csv: ") && said.contains(" entries\nus.csv: "), "{said}");
    assert_eq!(store.count("citizenlab"), 318);
    // An input of the fixtures, with all columns of a list.
    let input: String = store
        .connect()
        .query_row(
            "SELECT input FROM fastpath WHERE test_name = 'web_connectivity' AND input LIKE 'http://%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let header = "url,category_code,category_description,date_added,source,notes\n";
    let lists = Files::new();
    let global = format!("{header}{input},NEWS,,,,\"a, \"\"b\"\"\"\n{input},NEWS,,,,twice\nhttps://[::1]/,NEWS,,,,\n");
    lists.add("global.csv", global);
    lists.add("it.csv", format!("notes,category_code,url\n,HUMR,{input}\n"));
    lists.add("00-LEGEND-category_codes.csv", "CategoryCode,CategoryName\nNEWS,News\n");
    lists.add("readme.md", "no list");
    let load = |folder: &Path| store.run(&["store", "load-test-lists", folder.to_str().unwrap()], &[]);
    let folder = lists.0.path();
    let ran = load(folder);
    let loaded =
        "global.csv: 1 entry\nit.csv: 1 entry\n2 entries of 2 test lists loaded; 1 rows skipped, 0 files refused\n";
    assert_eq!((ran.code, ran.text()), (Some(0), loaded));
    assert_eq!(ran.err, "fastpath: global.csv, line 4: url without a host name; the row is skipped\n");
    let connection = store.connect();
    let mut entries = connection.prepare("SELECT url, cc, category_code FROM citizenlab ORDER BY cc").unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?]);
    let entries: Vec<[String; 3]> = entries.query_map([], row).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries, [[&*input, "ZZ", "NEWS"], [&*input, "it", "HUMR"]]);
    let counted = "SELECT sum(measurement_count) FROM rollup_category";
    assert!(connection.query_row(counted, [], |row| row.get::<_, i64>(0)).unwrap() >= 2);
    store.is_clean();

    // If a file is refused, its list is kept; the others are loaded.
    lists.add("it.csv", "url,notes\nhttp://x.org/,\n");
    lists.add("us.csv", format!("url,category_code\nhttp://y.org/,NEWS\n{}", "http://x.org/\n".repeat(101)));
    lists.add("ru.csv", "url,category_code,notes\nhttp://x.org/,NEWS,a,b,c\nhttp://y.org/\nhttp://z.org/,HUMR\n");
    let ran = load(folder);
    let loaded =
        "global.csv: 1 entry\nru.csv: 2 entries\n3 entries of 2 test lists loaded; 2 rows skipped, 2 files refused\n";
    assert_eq!((ran.code, ran.text()), (Some(1), loaded));
    let lines = "fastpath: global.csv, line 4: url without a host name; the row is skipped
fastpath: it.csv is refused: no column category_code
fastpath: ru.csv, line 3: missing category_code; the row is skipped
fastpath: us.csv is refused: 101 rows have no valid url and category_code; at most 100 are skipped
";
    assert_eq!(ran.err, lines);
    let mut lists_of = connection.prepare("SELECT cc, count(*) FROM citizenlab GROUP BY cc ORDER BY cc").unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let lists_of: Vec<(String, i64)> = lists_of.query_map([], row).unwrap().map(Result::unwrap).collect();
    assert_eq!(lists_of, [("ZZ".to_owned(), 1), ("it".to_owned(), 1), ("ru".to_owned(), 2)]);

    // A file that cannot be read changes nothing.
    let all_refused = Files::new();
    all_refused.add("us.csv", "url,notes\nhttp://x.org/,\n");
    let ran = load(all_refused.0.path());
    assert_eq!((ran.code, ran.text()), (Some(2), ""));
    assert!(ran.err.contains(": no test list can be loaded; nothing was changed\n"), "{}", ran.err);
    let nothing = Files::new();
    let ran = load(nothing.0.path());
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("contains no test list (global.csv, it.csv, …)"), "{}", ran.err);
    assert_eq!(load(Path::new("/nowhere/at/all")).code, Some(2));
    assert_eq!(store.count("citizenlab"), 4);
}

/// Lists as they were published (see fixtures/test-lists/README.md), with more and fewer fields than their header has.
#[test]
fn published_lists_with_other_numbers_of_fields() {
    let store = Store::new();
    let ran = store.run(&["store", "load-test-lists", &format!("{FIXTURES}/test-lists/uneven")], &[]);
    let loaded =
        "it.csv: 4 entries\nru.csv: 1 entry\n5 entries of 2 test lists loaded; 0 rows skipped, 0 files refused\n";
    assert_eq!((ran.code, ran.text(), &*ran.err), (Some(0), loaded, ""));
}

#[test]
fn removed_measurements_are_not_stored_again() {
    let store = Store::new();
    let uid: String =
        store.connect().query_row("SELECT max(measurement_uid) FROM fastpath", [], |row| row.get(0)).unwrap();
    let remove = |uid: &str, more: &[&str]| {
        let ran = store.run(&["store", "remove", uid, "--reason", "a name is in it"], more);
        assert_eq!(ran.err, "");
        (ran.code, ran.text().to_owned())
    };
    let said = |code: i32, text: &str| (Some(code), format!("{text}\n"));
    let unknown = "the store has no such measurement, nothing was changed; use --ban to ban the uid anyway";
    assert_eq!(remove(&uid, &["--dry-run"]), said(0, "would be removed"));
    assert_eq!(remove("other", &["--dry-run"]), said(1, unknown));
    assert_eq!(remove("other", &[]), said(1, unknown));
    let would_be_banned = "not in the store; the uid would be banned";
    assert_eq!(remove("other", &["--ban", "--dry-run"]), said(0, would_be_banned));
    assert_eq!((store.count("fastpath"), store.count("removed")), (39, 0));
    assert_eq!(store.said(&["store", "removed"]), "none\n");

    assert_eq!(remove(&uid, &[]), said(0, "removed"));
    assert_eq!(remove("other", &["--ban"]), said(0, "not in the store; the uid is now banned"));
    assert_eq!(store.run(&["store", "remove", &uid, "--reason", "another"], &[]).code, Some(0));
    assert_eq!(remove(&uid, &["--dry-run"]), said(0, "already removed; the first reason is kept"));
    assert_eq!((store.count("fastpath"), store.count("jsonl"), store.count("removed")), (38, 38, 2));
    store.is_clean();

    let csv = store.said(&["store", "removed", "--format", "csv"]);
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("measurement_uid,time,reason"));
    let first: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert!(first[0] == uid && first[1].len() == 19 && first[2] == "a name is in it", "{csv}");
    let json = store.said(&["store", "removed", "--format", "jsonl", "--limit", "1"]);
    assert!(
        json.starts_with(&format!(r#"{{"measurement_uid":"{uid}","time":"2"#)) && json.lines().count() == 1,
        "{json}"
    );
    let table = store.said(&["store", "removed"]);
    assert!(table.contains(&format!("  {uid}\n  a name is in it\n")), "{table}");

    let cans = format!("{FIXTURES}/cans");
    let days = ["--start-day", "2015-01-01", "--end-day", "2023-01-01", "--source", &cans];
    let ran = store.run(&["rerun", "--update"], &days);
    assert!(ran.err.contains("  refused: measurement_uid "), "{}", ran.err);
    assert!(ran.err.ends_with("15 cans; 39 rows, 39 of them replaced\n"), "{}", ran.err);
    assert_eq!((store.count("fastpath"), store.count("removed")), (38, 2));
    store.is_clean();

    assert_eq!(store.said(&["store", "restore", &uid]), "restored; the next rerun of its day stores it again\n");
    let ran = store.run(&["store", "restore", &uid], &[]);
    assert_eq!((ran.code, ran.text()), (Some(1), "it was not removed\n"));
    store.run(&["rerun"], &days);
    assert_eq!((store.count("fastpath"), store.count("removed")), (39, 1));
    store.is_clean();
}

#[test]
fn rejections_are_listed() {
    let store = Store(Files::new());
    store.run(&["migrate"], &[]);
    assert_eq!((store.count("rejected"), &*store.said(&["store", "rejected"])), (0, "none\n"));
    let header = "can,position,measurement_uid,code,path,message\n";
    assert_eq!(store.said(&["store", "rejected", "--format", "csv"]), header);
    // Three of four lines are rejected, each for another reason.
    let archive = Files::new();
    let lines = std::fs::read_to_string(format!("{FIXTURES}/rejected.jsonl")).unwrap();
    let rerun = |lines: &str| {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        std::io::Write::write_all(&mut encoder, lines.as_bytes()).unwrap();
        archive.add("canned/2018-05-07/x.json.lz4", encoder.finish().unwrap());
        let source = archive.0.path().to_str().unwrap();
        store.run(&["rerun"], &["--start-day", "2018-05-07", "--end-day", "2018-05-08", "--source", source])
    };
    assert_eq!(rerun(&lines).code, Some(1));
    assert_eq!((store.count("fastpath"), store.count("rejected")), (1, 3));
    let csv = store.said(&["store", "rejected", "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<Vec<String>> =
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
    let keys: Vec<[&str; 3]> = rows.iter().map(|row| [&*row[0], &row[1], &row[3]]).collect();
    let can = "canned/2018-05-07/x.json.lz4";
    assert_eq!(keys, [[can, "1", "E-ASSERT"], [can, "2", "E-VALUE"], [can, "3", "E-PARSE"]]);
    assert!(rows.iter().all(|row| !row[5].is_empty()) && rows[2][2].is_empty() && !rows[0][2].is_empty(), "{csv}");
    let one = store.said(&["store", "rejected", "--code", "e-value", "--format", "jsonl"]);
    assert!(one.starts_with(&format!(r#"{{"can":"{can}","position":2,"measurement_uid":""#)), "{one}");
    assert_eq!(store.said(&["store", "rejected", "--limit", "2", "--format", "jsonl"]).lines().count(), 2);
    assert_eq!(store.said(&["store", "rejected", "--can", "other"]), "none\n");
    let table = store.said(&["store", "rejected", "--can", can]);
    assert!(table.starts_with(&format!("{can}\n       1  E-ASSERT  ")), "{table}");
    assert!(table.contains("\n       3  E-PARSE   -\n          the text ends"), "{table}");
    assert!(table.lines().count() == 7 && table.lines().all(|line| line.chars().count() <= 80), "{table}");
    // The can is repaired.
    let first = lines.lines().next().unwrap();
    assert_eq!(rerun(&format!("{first}\n")).code, Some(0));
    assert_eq!((store.count("fastpath"), store.count("rejected")), (1, 0));
}

#[test]
fn a_month_is_deleted() {
    let store = Store::new();
    let of_january =
        "SELECT count(*) FROM fastpath WHERE strftime('%Y-%m', measurement_start_time, 'unixepoch') = '2021-01'";
    assert_eq!(store.connect().query_row(of_january, [], |row| row.get::<_, i64>(0)).unwrap(), 4);
    let drop_month = |more: &[&str]| store.said(&[&["store", "drop-month", "2021-01"], more].concat());
    assert_eq!(drop_month(&["--dry-run"]), "4 measurements would be deleted\n");
    assert_eq!(drop_month(&[]), "4 measurements deleted\n");
    assert_eq!(drop_month(&["--dry-run"]), "0 measurements would be deleted\n");
    assert_eq!(drop_month(&[]), "0 measurements deleted\n");
    assert_eq!((store.count("fastpath"), store.count("jsonl")), (35, 35));
    store.is_clean();
}

#[test]
fn only_migrate_creates_a_store() {
    let files = Files::new();
    let url = format!("sqlite:{}", files.path("new/ooni.db").display());
    for command in [
        &["store", "stats"][..],
        &["store", "remove", "uid", "--reason", "x"],
        &["store", "remove", "uid", "--reason", "x", "--dry-run"],
        &["store", "removed"],
        &["store", "restore", "uid"],
        &["store", "rejected"],
        &["store", "drop-month", "2021-01"],
        &["store", "drop-month", "2021-01", "--dry-run"],
        &["store", "load-test-lists", &format!("{FIXTURES}/test-lists")],
        &["rollup", "check"],
        &["rollup", "rebuild"],
    ] {
        let said = refused(&[command, &["--db-uri", &url]].concat());
        assert!(said.contains("ooni.db: does not exist"), "{said}");
        assert!(!files.path("new").exists(), "{command:?}");
    }
    let migrated = |said: &str| {
        let ran = fastpath(["migrate", "--db-uri", &url]);
        assert_eq!((ran.code, ran.text(), &*ran.err), (Some(0), &*format!("{url}: {said}\n"), ""));
    };
    migrated(&format!("created the tables, version {VERSION}"));
    migrated(&format!("already at version {VERSION}"));
    // The first version of the schema, without rejections.
    let first = include_str!("../../../ooni-store/migrations/sqlite/0001_measurements.sql");
    let old = Connection::open(files.path("old.db")).unwrap();
    old.execute_batch(first).unwrap();
    old.execute_batch("PRAGMA application_id = 1330597449; PRAGMA user_version = 1").unwrap();
    drop(old);
    let old = format!("sqlite:{}", files.path("old.db").display());
    let said = refused(&["store", "stats", "--db-uri", &old]);
    assert!(said.ends_with("was created by an older fastpath; `fastpath migrate` brings it up to date\n"), "{said}");
    let ran = fastpath(["migrate", "--db-uri", &old]);
    assert_eq!(ran.text(), format!("{old}: migrated from version 1 to version {VERSION}\n"));
    assert_eq!(fastpath(["store", "stats", "--db-uri", &old]).code, Some(0));
    let stats = fastpath(["store", "stats", "--db-uri", &url]);
    assert_eq!(stats.code, Some(0));
    assert!(stats.text().contains("\nfastpath        0\n") && !stats.text().contains("from"), "{}", stats.text());
    assert!(refused(&["migrate", "--db-uri", "nonsense"]).starts_with("fastpath: nonsense: "));
}

#[test]
fn invalid_arguments() {
    for (arguments, expected) in [
        (&["store"][..], "Usage: fastpath store <COMMAND>"),
        (&["rollup"], "Usage: fastpath rollup <COMMAND>"),
        (&["store", "nonsense"], "unrecognized subcommand 'nonsense'"),
        (&["store", "stats", "--nonsense"], "unexpected argument '--nonsense'"),
        (&["store", "stats", "--format", "csv"], "invalid value 'csv'"),
        (&["store", "remove", "uid"], "--reason <TEXT>"),
        (&["store", "remove", "uid", "--reason", ""], "a value is required for '--reason <TEXT>'"),
        (&["store", "remove", "", "--reason", "x"], "a value is required for '<UID>'"),
        (&["store", "rejected", "--code", "E-X"], "not an error code: expected one of E-PARSE, E-TYPE, "),
        (&["store", "drop-month"], "<YYYY-MM>"),
        (&["store", "drop-month", "2021-13"], "not a month; expected YYYY-MM, such as 2021-06"),
        (&["store", "drop-month", "2021-1"], "not a month"),
        (&["store", "drop-month", "2021-01-01"], "not a month"),
        (&["rollup", "check", "nonsense"], "unknown rollup; expected one of day_test, day_country, "),
        (&["rollup", "rebuild", "rollup_day_test"], "unknown rollup"),
        (&["migrate", "x"], "unexpected argument 'x'"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

/// A closed standard output is not an error, and the command is completed.
#[test]
fn a_closed_pipe() {
    let store = Store::new();
    store.connect().execute("DELETE FROM rollup_country", []).unwrap();
    for (command, code) in [
        (&["store", "stats"][..], 0),
        (&["store", "rejected"], 0),
        (&["rollup", "check"], 1),
        (&["rollup", "rebuild"], 0),
        (&["rollup", "check"], 0),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fastpath"))
            .args(command)
            .args(["--db-uri", &store.url()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(code), &b""[..]), "{command:?}");
    }
}
