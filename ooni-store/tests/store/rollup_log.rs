//! Rows that the rollups do not count yet: answers have them, whoever folds them and whenever it is killed.

use crate::postgres::Done;
use crate::rollups::{answers_are_those_of_the_rows, entries, rollups_are_as_rows, rollups_are_right};
use crate::server::OnPostgres;
use crate::support::{Engine, InFile, Open, SOUND, measured, new, of_day, open_to_read};
use ooni_core::json::Json;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::grain::Grain;
use ooni_store::{BlockingStore, OnExisting, ScoredRow, StoreOptions};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// The number of rows in the log.
fn logged(engine: &dyn Engine) -> u64 {
    let sql = "SELECT count(*) FROM rollup_log WHERE id > (SELECT id FROM rollup_log_folded)";
    engine.query(sql)[0][0].parse().unwrap()
}

/// Opens a store whose log may have so many rows.
fn open_with_log(url: &str, max_rollup_log: u64) -> Open {
    let options = StoreOptions { max_rollup_log, ..StoreOptions::for_commands() };
    BlockingStore::open_with(url, options).map(Open).unwrap()
}

/// Rows whose uids and contents depend on the round.
fn some(round: u16) -> Vec<ScoredRow> {
    (0..40).map(|uid| measured(uid, round * 211 + u16::from(uid) * 139)).collect()
}

fn load_lists(store: &Open) {
    store.0.wait(store.0.store.replace_test_lists(entries(&[0, 1, 5, 20, 22]))).unwrap();
}

/// A store that ended before its log was folded: other stores count the rows in the log, and the next one folds them.
fn a_log_that_was_left(engine: &dyn Engine) {
    let store = engine.open();
    load_lists(&store);
    store.write(&some(0)[..25], OnExisting::Keep).unwrap();
    store.0.wait(store.0.store.refresh_rollups()).unwrap();
    assert_eq!(logged(engine), 0);
    store.write(&some(1), OnExisting::Keep).unwrap();
    drop(store);
    assert_eq!(logged(engine), 15);

    let store = open_to_read(&engine.url()).unwrap();
    answers_are_those_of_the_rows(engine, &store);
    rollups_are_as_rows(&store);
    let state = |store: &Open| store.0.wait(store.0.store.stats()).unwrap().rollups;
    let networks = |store: &Open| {
        let months = Aggregation { axes: vec![Axis::MeasurementStart(Grain::Month)], ..Aggregation::default() };
        store.0.wait(store.0.store.distinct(&months, Axis::ProbeAsn)).unwrap()
    };
    let inputs = |store: &Open| {
        let weeks: Vec<_> = (0..6).map(|week| of_day(6 + 7 * week)).collect();
        store.0.wait(store.0.store.input_counts("IT", None, &weeks)).unwrap()
    };
    let before = (state(&store), networks(&store), inputs(&store));
    store.0.wait(store.0.store.refresh_rollups()).unwrap();
    assert_eq!(logged(engine), 15, "a store that only reads changes nothing");

    let store = engine.open();
    store.0.wait(store.0.store.refresh_rollups()).unwrap();
    assert_eq!(logged(engine), 0);
    assert_eq!((state(&store), networks(&store), inputs(&store)), before);
    rollups_are_right(&store);
}

#[test]
fn sqlite_counts_a_log_that_was_left() {
    a_log_that_was_left(&InFile::new());
}

#[test]
fn postgres_counts_a_log_that_was_left() {
    skip_without!(Server::shared_postgres());
    a_log_that_was_left(&OnPostgres::new());
}

/// Writers fold a log that has too many rows. Changes that delete rows fold it first.
fn a_full_log(engine: &dyn Engine) {
    const MOST: u64 = 100;
    let store = open_with_log(&engine.url(), MOST);
    load_lists(&store);
    let mut longest = 0;
    for round in 0..40_u32 {
        let row = |number: u32| {
            let mut row = measured(number as u8, (round * 30 + number) as u16 * 17);
            row.row.measurement_uid = format!("u{}", round * 30 + number);
            row
        };
        let written = store.write(&(0..30).map(row).collect::<Vec<_>>(), OnExisting::Keep).unwrap();
        assert_eq!(written.inserted, 30);
        longest = longest.max(logged(engine));
    }
    assert!((30..=MOST).contains(&longest), "{longest}");
    rollups_are_right(&store);
    assert_eq!(logged(engine), 0);

    store.write(&some(3), OnExisting::Replace).unwrap();
    assert_eq!(logged(engine), 0, "rows were deleted");
    // The same rows again: nothing changes that rollups count.
    store.write(&some(3), OnExisting::Replace).unwrap();
    assert_eq!(logged(engine), 0);
    let mut more = new("other", &SOUND);
    more.row.probe_cc = Json::Text(b"FR".to_vec());
    store.write(&[more], OnExisting::Replace).unwrap();
    store.0.wait(store.0.store.remove("other", "a reason", false)).unwrap();
    assert_eq!(logged(engine), 0, "a row in the log was deleted");
    rollups_are_right(&store);
    answers_are_those_of_the_rows(engine, &store);
}

#[test]
fn sqlite_folds_a_full_log() {
    a_full_log(&InFile::new());
}

#[test]
fn postgres_folds_a_full_log() {
    skip_without!(Server::shared_postgres());
    a_full_log(&OnPostgres::new());
}

/// Waits until a store has folded its log by itself.
fn wait_until_folded(engine: &dyn Engine) {
    let begun = Instant::now();
    while logged(engine) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the log is not folded");
        sleep(Duration::from_millis(50));
    }
}

/// While two stores write and fold, every answer has all rows of each write, or none.
fn answers_while_rows_are_folded(engine: &dyn Engine, rounds: u32) {
    load_lists(&engine.open());
    let url = engine.url();
    let of_writer = |writer: &str, rounds: u32| {
        let store = open_with_log(&url, 90);
        for round in 0..rounds {
            let row = |number: u32| {
                let mut row = measured(number as u8, (round % 60) as u16 * 12);
                row.row.measurement_uid = format!("{writer}{round}-{number}");
                row.row.probe_cc = Json::Text(["IT", "RU", "ZZ"][number as usize % 3].as_bytes().to_vec());
                row
            };
            store.write(&(0..30).map(row).collect::<Vec<_>>(), OnExisting::Keep).unwrap();
            sleep(Duration::from_millis(u64::from(round % 5 == 0) * 20));
        }
    };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _done = Done(&done);
            thread::scope(|scope| {
                scope.spawn(|| of_writer("a", rounds));
                of_writer("b", rounds);
            });
        });
        let reader = open_to_read(&engine.url()).unwrap();
        let (by_country, mut last) = (Aggregation { axes: vec![Axis::ProbeCc], ..Aggregation::default() }, 0);
        while !done.load(Ordering::Relaxed) {
            let groups = reader.0.wait(reader.0.store.aggregate(&by_country)).unwrap();
            let counts: Vec<u64> = groups.iter().map(|group| group.counts.measurements).collect();
            assert!(counts.iter().all(|&count| count == counts[0] && count % 10 == 0), "{counts:?}");
            let all = counts.iter().sum();
            assert!(all >= last, "{all} after {last}");
            last = all;
            rollups_are_as_rows(&reader);
        }
    });
    let store = engine.open();
    assert_eq!(store.count().unwrap(), u64::from(rounds) * 60);
    rollups_are_right(&store);
    answers_are_those_of_the_rows(engine, &store);
}

#[test]
fn sqlite_answers_while_rows_are_folded() {
    answers_while_rows_are_folded(&InFile::new(), 60);
}

#[test]
fn postgres_answers_while_rows_are_folded() {
    skip_without!(Server::shared_postgres());
    answers_while_rows_are_folded(&OnPostgres::new(), 60);
}

#[test]
fn sqlite_folds_by_itself() {
    folds_by_itself(&InFile::new());
}

#[test]
fn postgres_folds_by_itself() {
    skip_without!(Server::shared_postgres());
    folds_by_itself(&OnPostgres::new());
}

fn folds_by_itself(engine: &dyn Engine) {
    let store = engine.open();
    load_lists(&store);
    for round in 0..3 {
        store.write(&some(round), OnExisting::Keep).unwrap();
        wait_until_folded(engine);
        rollups_are_as_rows(&store);
    }
}

/// The log does not grow with what was ever written: the space of folded rows is used again, long before autovacuum comes.
#[test]
fn postgres_uses_the_space_of_folded_rows_again() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    let bytes_after = |round: u16| {
        let row = |number: u16| {
            let mut row = measured((number % 60) as u8, number);
            row.row.measurement_uid = format!("{round}-{number}");
            row
        };
        store.write(&(0..12_000).map(row).collect::<Vec<_>>(), OnExisting::Keep).unwrap();
        wait_until_folded(&engine);
        // Less than a minute, after which autovacuum would have come.
        sleep(Duration::from_millis(500));
        engine.query("SELECT pg_relation_size('rollup_log')")[0][0].parse::<u64>().unwrap()
    };
    let sizes = [0, 1, 2, 3].map(bytes_after);
    assert!(sizes[0] > 0 && sizes[3] < 3 * sizes[0], "{sizes:?}");
}

/// Processes that are killed while they fold.
#[cfg(all(debug_assertions, unix))] // failpoints need both
mod killed {
    use super::*;
    use crate::support::open;
    use ooni_store::failpoint::Failpoint;
    use ooni_store::rollup::ROLLUPS;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// The child process of [`killed_while_folding`]: writes rows and waits until they are folded in the background.
    #[test]
    #[ignore = "a child process of another test"]
    fn folder() {
        let store = open(&std::env::var("STORE").unwrap()).unwrap();
        store.write(&some(std::env::var("ROUND").unwrap().parse().unwrap()), OnExisting::Keep).unwrap();
        sleep(Duration::from_secs(60));
    }

    fn killed_while_folding(engine: &dyn Engine) {
        let store = engine.open();
        load_lists(&store);
        store.write(&some(0), OnExisting::Keep).unwrap();
        store.0.wait(store.0.store.refresh_rollups()).unwrap();
        drop(store);
        let middle = ROLLUPS.len() as u32 / 2;
        for (round, point, time) in
            [(1, Failpoint::LogRead, 1), (2, Failpoint::RollupFollowed, middle), (3, Failpoint::LogFolded, 1)]
        {
            let store = engine.open();
            let month = of_day(31 * (round as i64 % 2)).start_of_month();
            store.0.wait(store.0.store.drop_month(month)).unwrap();
            let before = store.count().unwrap();
            // It would fold what the child writes.
            drop(store);
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "rollup_log::killed::folder", "--ignored", "--test-threads", "1"])
                .envs([("STORE", &*engine.url()), ("ROUND", &round.to_string())])
                .env("FASTPATH_FAILPOINT", format!("{}:{time}", point as u32))
                .output()
                .unwrap();
            assert_eq!(child.status.signal(), Some(9), "{point:?}");
            let store = engine.open();
            let added = store.count().unwrap() - before;
            assert!(added > 0, "{point:?}");
            assert_eq!(logged(engine), added, "{point:?}: the log has what was written");
            rollups_are_as_rows(&store);
            answers_are_those_of_the_rows(engine, &store);
            // Another process takes over when it writes something.
            let mut row = new(&format!("after{round}"), &SOUND);
            row.row.measurement_start_time = of_day(round as i64);
            store.write(&[row], OnExisting::Keep).unwrap();
            wait_until_folded(engine);
            rollups_are_right(&store);
        }
    }

    #[test]
    fn sqlite_is_killed_while_folding() {
        killed_while_folding(&InFile::new());
    }

    #[test]
    fn postgres_is_killed_while_folding() {
        skip_without!(Server::shared_postgres());
        killed_while_folding(&OnPostgres::new());
    }
}
