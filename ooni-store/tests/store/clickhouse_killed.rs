//! Changes on ClickHouse that are killed before each of their statements: no accepted row is lost, no rollup is wrong, and
//! repeating the change completes it.

use crate::rollups::{entries, rollup_is_as_rows, rollups_are_right};
use crate::server::OnClickhouse;
use crate::support::{Engine, Fields, Open, SOUND, location, measured, new, open, uids};
use ooni_core::error::{Code, Error};
use ooni_core::time::DateTime;
use ooni_store::failpoint::Failpoint;
use ooni_store::rollup::{ROLLUPS, Rollup};
use ooni_store::{BatchInput, OnExisting, Rejection, ScoredRow};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::Arc;

const SIGKILL: Option<i32> = Some(9);

/// Statements of a refresh: one takes the lease, three rebuild each rollup, one deletes records, and one ends the lease.
const REFRESH: u32 = 1 + 3 * ROLLUPS.len() as u32 + 2;

/// Rows of the `number`th change: one of openvpn, one that is refused, and some others.
fn rows(number: u8, is_new: bool) -> Vec<ScoredRow> {
    let sound = |wanted: bool| if wanted == is_new { SOUND } else { Fields { version: "5", ..SOUND } };
    let vpn = if is_new { SOUND } else { Fields { test: "openvpn", ..SOUND } };
    let uid = |name: &str| format!("{number}-{name}");
    let moved = |name: u8| {
        let mut row = measured(name, u16::from(name) * 97 + u16::from(is_new));
        row.row.measurement_uid = uid(&name.to_string());
        row
    };
    let others = [new(&uid("vpn"), &vpn), new(&uid("better"), &sound(true)), new(&uid("worse"), &sound(false))];
    (0..5).map(moved).chain(others).collect()
}

fn change(store: &Open, change: &str, number: u8) {
    let Open(waiting) = store;
    match change {
        "write" => drop(store.write(&rows(number, false), OnExisting::Keep).unwrap()),
        "replace" => drop(store.write(&rows(number, true), OnExisting::Replace).unwrap()),
        "reject" => {
            let mut input = BatchInput::<ScoredRow>::default();
            input.begin_can("can");
            // The previous change also has the first rejection; only this one has the second.
            for position in [0, i64::from(number)] {
                let error = Error::new(Code::Type, "/a", format!("of change {number}"));
                input.reject(Rejection::new("can", position, Some(&format!("{number}-{position}")), &error));
            }
            waiting.wait(waiting.store.write(Arc::new(input), OnExisting::Keep)).unwrap();
        }
        "locate" => {
            let uids = ["vpn", "worse", "better", "discarded"].map(|name| format!("{number}-{name}"));
            let bodies = uids.into_iter().zip(0..).map(|(uid, linenum)| (uid, location(linenum, "archived"))).collect();
            waiting.wait(waiting.store.set_body_locations(bodies)).unwrap();
        }
        "remove" => drop(waiting.wait(waiting.store.remove(&format!("{number}-vpn"), "asked for", false)).unwrap()),
        // A measurement that was removed six changes before.
        "restore" => drop(waiting.wait(waiting.store.restore(&format!("{}-vpn", number - 6))).unwrap()),
        "drop" => {
            let january = DateTime::new(2024, 1, 1, 0, 0, 0).unwrap();
            waiting.wait(waiting.store.drop_month(january)).unwrap();
        }
        "lists" => waiting.wait(waiting.store.replace_test_lists(entries(&[number, number + 7, number + 21]))).unwrap(),
        _ => waiting.wait(waiting.store.refresh_rollups()).unwrap(),
    }
}

/// The child process of the tests: makes a change.
#[test]
#[ignore = "a child process of another test"]
fn changer() {
    let store = open(&std::env::var("STORE").unwrap()).unwrap();
    change(&store, &std::env::var("CHANGE").unwrap(), std::env::var("NUMBER").unwrap().parse().unwrap());
}

fn child(engine: &OnClickhouse, change: &str, number: u8, kill: u32) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "clickhouse_killed::changer", "--ignored", "--test-threads", "1"])
        .envs([("STORE", &*engine.url()), ("CHANGE", change), ("NUMBER", &number.to_string())])
        // Leases expire immediately, because their holder was killed.
        .env("FASTPATH_CHECKPOINTS", "1")
        .env("FASTPATH_FAILPOINT", format!("{}:{kill}", Failpoint::StatementComing as u32))
        .output()
        .unwrap()
        .status
}

const TABLES: [&str; 7] = ["fastpath", "jsonl", "obs_openvpn", "refused", "rejected", "removed", "archived"];

/// All rows of all tables, without the times at which they were written.
fn dump(engine: &OnClickhouse) -> Vec<Vec<String>> {
    let lists = engine.query("SELECT url, cc, category_code FROM citizenlab ORDER BY ALL");
    TABLES.iter().flat_map(|table| engine.table(table)).chain(lists).collect()
}

/// A change, the number of its statements, and those before which it is killed.
type Change = (&'static str, u32, &'static [u32]);

#[test]
fn writes() {
    are_killed_before_each_statement(&[
        ("write", 6, &[1, 2, 3, 4, 5, 6]),
        ("reject", 3, &[1, 2, 3]),
        ("replace", 9, &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ]);
}

#[test]
fn changes_of_single_measurements() {
    are_killed_before_each_statement(&[
        ("locate", 4, &[1, 2, 3, 4]),
        ("remove", 6, &[1, 2, 3, 4, 5, 6]),
        ("restore", 2, &[1, 2]),
    ]);
}

#[test]
fn changes_of_whole_tables() {
    are_killed_before_each_statement(&[
        ("drop", 5, &[1, 2, 3, 4, 5]),
        ("lists", 7, &[1, 2, 3, 4, 5, 6, 7]),
        ("refresh", REFRESH, &[1, 2, 3, 4, 5, REFRESH / 2, REFRESH - 2, REFRESH - 1, REFRESH]),
    ]);
}

fn are_killed_before_each_statement(changes: &[Change]) {
    skip_without!(Server::shared_clickhouse());
    let (killed, whole) = (OnClickhouse::new(), OnClickhouse::new());
    let (killed_store, whole_store) = (killed.open(), whole.open());
    let mut number = 0;
    for &(name, statements, kills) in changes {
        for &kill in kills {
            number += 1;
            let both = |name| [&killed_store, &whole_store].map(|store| change(store, name, number));
            if name != "write" {
                both("write");
            }
            let before = uids(&killed_store);
            assert_eq!(child(&killed, name, number, kill).signal(), SIGKILL, "{name}, {kill}");
            if matches!(name, "write" | "replace") {
                let after = uids(&killed_store);
                assert!(before.iter().all(|uid| after.contains(uid)), "{name}, {kill}: a row is lost");
            }
            for rollup in ["day_test", "category"] {
                rollup_is_as_rows(&killed_store, Rollup::named(rollup).unwrap());
            }
            // The change has no more than this many statements.
            assert!(child(&killed, name, number, statements + 1).success(), "{name}, {kill}");
            change(&whole_store, name, number);
            assert_eq!(dump(&killed), dump(&whole), "{name}, {kill}");
            // Deleting rows is faster if there are fewer parts.
            for (engine, table) in [&killed, &whole].iter().flat_map(|engine| TABLES.map(|table| (engine, table))) {
                engine.query(&format!("OPTIMIZE TABLE {table}"));
            }
        }
        assert!(child(&killed, "refresh", number, 1000).success());
        rollups_are_right(&killed_store);
    }
}
