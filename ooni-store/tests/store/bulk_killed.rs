//! Bulk loads that are killed at a step: the store knows what is missing, and repeating the load completes it.

use crate::bulk::{batches, begin, finish, load, tables, unfinished};
use crate::rollups::{answers_are_those_of_the_rows, rollups_are_right};
use crate::server::OnPostgres;
use crate::support::{Engine, InFile, open};
use ooni_store::failpoint::Failpoint;
use ooni_testkit::server::Server;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

const SIGKILL: Option<i32> = Some(9);

/// Where the load is killed, and for which time.
const KILLS: [(Failpoint, u32); 15] = [
    (Failpoint::MonthBegun, 1),
    (Failpoint::RowsWritten, 2),
    (Failpoint::Committing, 2),
    (Failpoint::Committed, 2),
    (Failpoint::Committed, 3),
    (Failpoint::RollupFollowed, 4),
    (Failpoint::MonthCounted, 1),
    (Failpoint::MonthCounted, 2),
    (Failpoint::IndexBuilt, 1),
    (Failpoint::IndexBuilt, 5),
    // After those of three months, those of other tables.
    (Failpoint::IndexBuilt, 22),
    (Failpoint::IndexBuilt, 25),
    (Failpoint::MonthFinishing, 1),
    (Failpoint::Committing, 12),
    (Failpoint::Committed, 12),
];

/// Loads everything. The lease of the loader that was killed is taken over.
fn load_all(engine_url: &str) {
    let store = open(engine_url).unwrap();
    let loader = begin(&store, "a loader");
    for batch in batches() {
        load(&store, &loader, batch);
    }
    finish(&store, &loader);
}

/// The child process of [`loads_are_completed`].
#[test]
#[ignore = "a child process of another test"]
fn loader() {
    load_all(&std::env::var("STORE").unwrap());
}

pub(crate) fn loads_are_completed(new: fn() -> Box<dyn Engine>) {
    let whole = new();
    load_all(&whole.url());
    let expected = tables(&*whole);
    let mut killed = 0;
    for (point, kill) in KILLS {
        let engine = new();
        drop(engine.open());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "bulk_killed::loader", "--ignored", "--test-threads", "1"])
            .env("STORE", engine.url())
            .env("FASTPATH_FAILPOINT", format!("{}:{kill}", point as u32))
            .output()
            .unwrap();
        if child.status.signal() != SIGKILL {
            assert!(child.status.success(), "{point:?}: {}", String::from_utf8_lossy(&child.stderr));
            continue; // not a step of this engine
        }
        killed += 1;
        let store = engine.open();
        match unfinished(&store).is_empty() {
            true => assert!([0, expected[0].len() as u64].contains(&store.count().unwrap()), "{point:?} {kill}"),
            false => assert!(store.count().is_err(), "{point:?} {kill}"),
        }
        drop(store);
        load_all(&engine.url());
        assert_eq!(tables(&*engine), expected, "{point:?} for the {kill}th time");
        let store = engine.open();
        rollups_are_right(&store);
        answers_are_those_of_the_rows(&*engine, &store);
    }
    assert!(killed >= 10, "{killed}");
}

#[test]
fn sqlite_loads_are_completed() {
    loads_are_completed(|| Box::new(InFile::new()));
}

#[test]
fn postgres_loads_are_completed() {
    ooni_testkit::skip_without!(Server::shared_postgres());
    loads_are_completed(|| Box::new(OnPostgres::new()));
}
