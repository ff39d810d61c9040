//! `fastpath store`, `rollup` and `migrate`.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests count as no tests

mod support;

use ooni_core::json::{Json, Reader};
use ooni_store::rollup::ROLLUPS;
use rusqlite::Connection;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{Files, Ran, fastpath};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// A store of the cans of the fixtures, in a folder of its own.
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

    /// Runs a command over it.
    fn run(&self, command: &[&str], more: &[&str]) -> Ran {
        fastpath([command, more, &["--db-uri", &self.url()]].concat())
    }

    /// What a command prints that does what was asked for.
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
        assert!(checked.lines().all(|line| line.ends_with(": as the rows")), "{checked}");
    }
}

/// What is said of arguments that are wrong.
fn refused(arguments: &[&str]) -> String {
    let ran = fastpath(arguments);
    assert_eq!((ran.code, ran.text()), (Some(2), ""), "{arguments:?}");
    ran.err
}

#[test]
fn a_store_says_what_is_in_it() {
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
fn a_rollup_that_differs_is_found_and_rebuilt() {
    let store = Store::new();
    store.is_clean();
    let change = "UPDATE rollup_day_test SET anomaly_count = anomaly_count + 7 WHERE test_name = 'dash';
        DELETE FROM rollup_day_test WHERE test_name = 'signal';
        UPDATE rollup_country SET blocking_type = 'dns' WHERE test_name = 'dash'";
    store.connect().execute_batch(change).unwrap();
    let ran = store.run(&["rollup", "check", "day_test", "month_network"], &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let text = ran.text();
    assert!(text.ends_with("\nmonth_network: as the rows\n"), "{text}");
    assert!(text.starts_with("day_test: "), "{text}");
    let line = "  day 2021-04-14 00:00:00, test_name signal\n    kept measurements 0, ";
    assert!(text.contains(line) && text.contains("\n    rows measurements 1, "), "{text}");
    assert!(text.contains("anomaly 7, ") || text.contains("anomaly 8, "), "{text}");
    let few = store.run(&["rollup", "check", "--examples", "1"], &[]);
    assert_eq!(few.code, Some(1));
    assert!(few.text().contains("\n  and 1 more\n") || few.text().contains("\n  and 2 more\n"), "{}", few.text());
    assert_eq!(store.said(&["rollup", "rebuild", "day_test"]), "day_test: made anew\n");
    assert_eq!(store.said(&["rollup", "check", "day_test"]), "day_test: as the rows\n");
    assert_eq!(store.run(&["rollup", "check", "country"], &[]).code, Some(1), "the others were left alone");
    assert_eq!(store.said(&["rollup", "rebuild"]).lines().count(), ROLLUPS.len());
    store.is_clean();
}

#[test]
fn test_lists_take_the_place_of_others() {
    let store = Store::new();
    let fixtures = format!("{FIXTURES}/test-lists");
    let said = store.said(&["store", "load-test-lists", &fixtures]);
    assert_eq!(said, "318 entries of test lists; 2 files read, passed over for want of a host: 0\n");
    assert_eq!(store.count("citizenlab"), 318);
    // An input of the fixtures' measurements, by all there is in a list.
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
    assert_eq!(ran.text(), "2 entries of test lists; 2 files read, passed over for want of a host: 1\n", "{}", ran.err);
    let connection = store.connect();
    let mut entries = connection.prepare("SELECT url, cc, category_code FROM citizenlab ORDER BY cc").unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?]);
    let entries: Vec<[String; 3]> = entries.query_map([], row).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries, [[&*input, "ZZ", "NEWS"], [&*input, "it", "HUMR"]]);
    let counted = "SELECT sum(measurement_count) FROM rollup_category";
    assert!(connection.query_row(counted, [], |row| row.get::<_, i64>(0)).unwrap() >= 2);
    store.is_clean();

    // What cannot be read changes nothing.
    lists.add("us.csv", "url,notes\nhttp://x.org/,\n");
    let ran = load(folder);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.ends_with("us.csv: no column category_code\n"), "{}", ran.err);
    lists.add("us.csv", "url,category_code\nhttp://x.org/\n");
    assert_eq!(load(folder).code, Some(2));
    let nothing = Files::new();
    let ran = load(nothing.0.path());
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("no test list in it: global.csv, it.csv, …"), "{}", ran.err);
    assert_eq!(load(Path::new("/nowhere/at/all")).code, Some(2));
    assert_eq!(store.count("citizenlab"), 2);
}

#[test]
fn what_was_removed_stays_away() {
    let store = Store::new();
    let uid: String =
        store.connect().query_row("SELECT max(measurement_uid) FROM fastpath", [], |row| row.get(0)).unwrap();
    assert_eq!(store.said(&["store", "remove", &uid, "--reason", "a name is in it"]), "removed\n");
    let not_there = "it was not there; it will not be taken in\n";
    assert_eq!(store.said(&["store", "remove", "other", "--reason", "asked for"]), not_there);
    assert_eq!((store.count("fastpath"), store.count("jsonl"), store.count("removed")), (38, 38, 2));
    store.is_clean();
    let cans = format!("{FIXTURES}/cans");
    let ran =
        store.run(&["rerun", "--update"], &["--start-day", "2015-01-01", "--end-day", "2023-01-01", "--source", &cans]);
    assert!(ran.err.contains("  refused: measurement_uid "), "{}", ran.err);
    assert_eq!((store.count("fastpath"), store.count("removed")), (38, 2));
    store.is_clean();
}

#[test]
fn a_month_is_taken_out() {
    let store = Store::new();
    let of_january =
        "SELECT count(*) FROM fastpath WHERE strftime('%Y-%m', measurement_start_time, 'unixepoch') = '2021-01'";
    assert_eq!(store.connect().query_row(of_january, [], |row| row.get::<_, i64>(0)).unwrap(), 4);
    assert_eq!(store.said(&["store", "drop-month", "2021-01"]), "4 measurements taken out\n");
    assert_eq!(store.said(&["store", "drop-month", "2021-01"]), "0 measurements taken out\n");
    assert_eq!((store.count("fastpath"), store.count("jsonl")), (35, 35));
    store.is_clean();
}

#[test]
fn a_store_is_made_by_migrate_alone() {
    let files = Files::new();
    let url = format!("sqlite:{}", files.path("new/ooni.db").display());
    for command in [
        &["store", "stats"][..],
        &["store", "remove", "uid", "--reason", "x"],
        &["store", "drop-month", "2021-01"],
        &["store", "load-test-lists", &format!("{FIXTURES}/test-lists")],
        &["rollup", "check"],
        &["rollup", "rebuild"],
    ] {
        let said = refused(&[command, &["--db-uri", &url]].concat());
        assert!(said.contains("ooni.db: cannot be opened"), "{said}");
        assert!(!files.path("new").exists(), "{command:?}");
    }
    for _ in 0..2 {
        let ran = fastpath(["migrate", "--db-uri", &url]);
        assert_eq!((ran.code, ran.text(), &*ran.err), (Some(0), "", ""));
    }
    let stats = fastpath(["store", "stats", "--db-uri", &url]);
    assert_eq!(stats.code, Some(0));
    assert!(stats.text().contains("\nfastpath        0\n") && !stats.text().contains("from"), "{}", stats.text());
    assert!(refused(&["migrate", "--db-uri", "nonsense"]).starts_with("fastpath: nonsense: "));
}

#[test]
fn arguments_that_are_wrong() {
    for (arguments, expected) in [
        (&["store"][..], "Usage: fastpath store <COMMAND>"),
        (&["rollup"], "Usage: fastpath rollup <COMMAND>"),
        (&["store", "nonsense"], "unrecognized subcommand 'nonsense'"),
        (&["store", "stats", "--nonsense"], "unexpected argument '--nonsense'"),
        (&["store", "stats", "--format", "csv"], "invalid value 'csv'"),
        (&["store", "remove", "uid"], "--reason <TEXT>"),
        (&["store", "remove", "uid", "--reason", ""], "a value is required for '--reason <TEXT>'"),
        (&["store", "remove", "", "--reason", "x"], "a value is required for '<UID>'"),
        (&["store", "drop-month"], "<YYYY-MM>"),
        (&["store", "drop-month", "2021-13"], "not a month: YYYY-MM is wanted, such as 2021-06"),
        (&["store", "drop-month", "2021-1"], "not a month"),
        (&["store", "drop-month", "2021-01-01"], "not a month"),
        (&["rollup", "check", "nonsense"], "no rollup of this name; there are day_test, day_country, "),
        (&["rollup", "rebuild", "rollup_day_test"], "no rollup of this name"),
        (&["migrate", "x"], "unexpected argument 'x'"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

/// Nobody reads what is printed: that is no error, and what was asked for is done.
#[test]
fn a_pipe_that_is_closed() {
    let store = Store::new();
    store.connect().execute("DELETE FROM rollup_country", []).unwrap();
    for (command, code) in [
        (&["store", "stats"][..], 0),
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
