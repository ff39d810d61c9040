//! Commands that write to a store and are killed: nothing is half there, and to give the command again makes it whole.
//!
//! A store is copied; a command is killed over the copy at a numbered step and given again; what it leaves is compared
//! with what it leaves when nothing happens. Every command says which steps it has, and has to have them.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests count as no tests
#![cfg(all(debug_assertions, unix))] // there are no failpoints without

mod support;

use ooni_benches::corpus::Options;
use ooni_benches::corpus::archive::{Archive, write};
use ooni_benches::corpus::containers::Packing;
use ooni_fastpath::failpoint::Failpoint;
use ooni_fastpath::store::rollup::ROLLUPS;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use support::{ROOT, gzip, member, post, tar};
use tempfile::TempDir;

const OPENVPN: &str = "ooni-core/tests/fixtures/measurements/openvpn--fastpath--openvpn.json";

const SIGKILL: Option<i32> = Some(9);

/// What all tests begin with.
struct Bench {
    folder: TempDir,
}

static BENCH: LazyLock<Bench> = LazyLock::new(Bench::new);

impl Bench {
    /// An archive; a store with test lists alone, `empty.db`; one with rows by other rules, `rows.db`; the same with rollups
    /// that are wrong, `wrong.db`; other test lists.
    fn new() -> Bench {
        let bench = Bench { folder: TempDir::new().unwrap() };
        let options = Options { n: 600, seed: 5, malformed: 0.03, odd: 0.05, per_hour: 100, ..Options::default() };
        let packing = Packing { per_file: 40, level: 1, ..Packing::default() };
        write(&options, &Archive { per_day: 100, duplicates: 0.1 }, &packing, &bench.path("archive")).unwrap();
        // One with a row of obs_openvpn, of which the corpus has none.
        let vpn = fs::read_to_string(format!("{ROOT}/{OPENVPN}")).unwrap();
        let can = bench.path("archive/raw/20201015/03/RO/openvpn/2020101503_RO_openvpn.n1.0.tar.gz");
        fs::create_dir_all(can.parent().unwrap()).unwrap();
        fs::write(can, gzip(&tar(&[(&member(1), &post(&vpn))]))).unwrap();
        let rows = bench.path("rows.db");
        bench.done(&rows, &["rerun", "--rules", "compat"]);
        let inputs = texts(&rows, "SELECT DISTINCT input FROM fastpath WHERE input LIKE 'http%' ORDER BY input");
        assert!(inputs.len() > 20);
        bench.list("lists/global.csv", &inputs[..15], "NEWS");
        bench.list("lists/it.csv", &inputs[10..20], "HUMR");
        bench.list("others/global.csv", &inputs[5..], "NEWS");
        for store in [&rows, &bench.path("empty.db")] {
            bench.done(store, &["migrate"]);
            bench.done(store, &["store", "load-test-lists", bench.path("lists").to_str().unwrap()]);
        }
        for (table, least) in [("fastpath", 400), ("jsonl", 400), ("obs_openvpn", 1), ("refused", 1)] {
            let rows = texts(&rows, &format!("SELECT measurement_uid FROM {table}"));
            assert!(rows.len() >= least, "{} rows in {table}", rows.len());
        }
        let wrong = bench.path("wrong.db");
        fs::copy(&rows, &wrong).unwrap();
        let wrong = Connection::open(wrong).unwrap();
        for rollup in &ROLLUPS {
            let change = format!("UPDATE {} SET anomaly_count = anomaly_count + 1", rollup.table());
            assert!(wrong.execute(&change, []).unwrap() > 0);
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn list(&self, name: &str, inputs: &[String], category: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let lines = inputs.iter().map(|input| format!("\"{}\",{category}\n", input.replace('"', "\"\"")));
        fs::write(path, format!("url,category_code\n{}", lines.collect::<String>())).unwrap();
    }

    /// Runs a command over a store.
    fn run(&self, store: &Path, arguments: &[&str], failpoint: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
        command.args(arguments);
        // The store that a copy writes to is its last argument.
        if !arguments.starts_with(&["store", "copy"]) {
            command.arg("--db-uri");
        }
        command.arg(format!("sqlite:{}", store.display()));
        if arguments[0] == "rerun" {
            command.arg("--source").arg(self.path("archive"));
            command.args(["--start-day", "2010-01-01", "--end-day", "2021-01-01", "--jobs", "1"]);
        }
        command.env("FASTPATH_CHECKPOINTS", "1");
        match failpoint {
            Some(point) => command.env("FASTPATH_FAILPOINT", point),
            None => command.env_remove("FASTPATH_FAILPOINT"),
        };
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that comes to its end; some of the archive is broken on purpose.
    fn done(&self, store: &Path, arguments: &[&str]) {
        let output = self.run(store, arguments, None);
        let expected = i32::from(arguments[0] == "rerun");
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A copy of a store of the bench.
    fn copy(&self, from: &str) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let to = folder.path().join("ooni.db");
        fs::copy(self.path(from), &to).unwrap();
        (folder, to)
    }
}

fn texts(store: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(store).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// All rows of all tables but for the time at which they were written.
fn dump(store: &Path) -> Vec<String> {
    let connection = Connection::open(store).unwrap();
    let tables = ["fastpath", "jsonl", "obs_openvpn", "refused", "removed", "citizenlab"].map(str::to_owned);
    let mut all = Vec::new();
    for table in tables.into_iter().chain(ROLLUPS.map(|rollup| rollup.table())) {
        let names = format!("SELECT name FROM pragma_table_info('{table}') WHERE name <> 'update_time'");
        let names = texts(store, &names).join(", ");
        let mut statement = connection.prepare(&format!("SELECT {names} FROM {table} ORDER BY {names}")).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        let rows = statement.query_map([], row).unwrap().map(Result::<Vec<Value>, _>::unwrap);
        all.extend(rows.map(|row| format!("{table} {row:?}")));
    }
    all
}

/// A command, the store it changes, and how often it gets to each step at least; it gets to no others.
struct Writing<'w> {
    store: &'static str,
    arguments: &'w [&'w str],
    steps: &'w [(Failpoint, u32)],
}

/// Ends of a transaction.
const ENDS: [(Failpoint, u32); 4] = [
    (Failpoint::RowsWritten, 1),
    (Failpoint::RollupFollowed, ROLLUPS.len() as u32),
    (Failpoint::Committing, 1),
    (Failpoint::Committed, 1),
];

/// The same of many transactions.
const ENDS_OF_MANY: [(Failpoint, u32); 4] = [
    (Failpoint::RowsWritten, 4),
    (Failpoint::RollupFollowed, 4 * ROLLUPS.len() as u32),
    (Failpoint::Committing, 4),
    (Failpoint::Committed, 4),
];

fn killed_everywhere(writing: &Writing<'_>) {
    let Writing { store, arguments, steps } = writing;
    let (_folder, whole) = BENCH.copy(store);
    let before = dump(&whole);
    BENCH.done(&whole, arguments);
    let expected = dump(&whole);
    assert!(before != expected, "{arguments:?} changes nothing");
    let is_one = steps.contains(&(Failpoint::Committed, 1));
    for point in Failpoint::STORE {
        let times = steps.iter().find(|(step, _)| *step == point).map(|(_, times)| *times);
        // The first time, one in the middle, the last that is known.
        let mut kills = times.map_or(vec![1], |times| vec![1, times.div_ceil(2), times]);
        kills.dedup();
        for kill in kills {
            let (_folder, copy) = BENCH.copy(store);
            let ended = BENCH.run(&copy, arguments, Some(&format!("{}:{kill}", point as u32)));
            let said = String::from_utf8_lossy(&ended.stderr);
            let was_killed = ended.status.signal() == SIGKILL;
            assert_eq!(was_killed, times.is_some(), "{arguments:?}, {point:?} for the {kill}th time: {said}");
            if was_killed && is_one {
                let whole = if point == Failpoint::Committed { &expected } else { &before };
                assert!(dump(&copy) == *whole, "{arguments:?}, {point:?}: half of it is there");
            }
            if *store != "wrong.db" {
                BENCH.done(&copy, &["rollup", "check"]);
            }
            BENCH.done(&copy, arguments);
            BENCH.done(&copy, &["rollup", "check"]);
            assert!(dump(&copy) == expected, "{arguments:?}, {point:?} for the {kill}th time: the stores differ");
        }
    }
}

#[test]
fn a_rerun() {
    killed_everywhere(&Writing { store: "empty.db", arguments: &["rerun"], steps: &ENDS_OF_MANY });
}

#[test]
fn a_rerun_that_replaces() {
    let steps = [&ENDS_OF_MANY[..], &[(Failpoint::RowDeleted, 300)]].concat();
    killed_everywhere(&Writing { store: "rows.db", arguments: &["rerun", "--update"], steps: &steps });
}

#[test]
fn a_removal() {
    let uid = &texts(&BENCH.path("rows.db"), "SELECT measurement_uid FROM obs_openvpn")[0];
    let steps = [&ENDS[..], &[(Failpoint::RowDeleted, 1)]].concat();
    let arguments = ["store", "remove", uid, "--reason", "asked for"];
    killed_everywhere(&Writing { store: "rows.db", arguments: &arguments, steps: &steps });
}

#[test]
fn a_month_that_is_dropped() {
    let month =
        "SELECT strftime('%Y-%m', measurement_start_time, 'unixepoch') FROM fastpath GROUP BY 1 ORDER BY count(*) DESC";
    let month = &texts(&BENCH.path("rows.db"), month)[0];
    killed_everywhere(&Writing { store: "rows.db", arguments: &["store", "drop-month", month], steps: &ENDS });
}

#[test]
fn test_lists() {
    let others = BENCH.path("others");
    let arguments = ["store", "load-test-lists", others.to_str().unwrap()];
    let steps = [&ENDS[..], &[(Failpoint::ListsReplaced, 1), (Failpoint::RollupEmptied, 1)]].concat();
    killed_everywhere(&Writing { store: "rows.db", arguments: &arguments, steps: &steps });
}

#[test]
fn a_copy() {
    let from = format!("sqlite:{}", BENCH.path("rows.db").display());
    // Those that were refused before, then the others.
    let steps = ENDS.map(|(step, times)| (step, 2 * times));
    killed_everywhere(&Writing { store: "empty.db", arguments: &["store", "copy", &from], steps: &steps });
}

#[test]
fn rollups_that_are_rebuilt() {
    let many = ROLLUPS.len() as u32;
    let steps = [
        (Failpoint::RowsWritten, many),
        (Failpoint::RollupFollowed, many * many),
        (Failpoint::Committing, many),
        (Failpoint::Committed, many),
        (Failpoint::RollupEmptied, many),
    ];
    killed_everywhere(&Writing { store: "wrong.db", arguments: &["rollup", "rebuild"], steps: &steps });
}
