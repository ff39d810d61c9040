//! Commands that write to a store and are killed: no change is partial, and repeating the command completes it.
//!
//! A store is filled; a command on it is killed at a numbered step and repeated; the result is compared with that of an
//! uninterrupted command. Each command lists the steps that it must reach. In an engine without transactions a change may
//! be partial, except for what is read from rollups; its steps are the statements sent to it.

#![cfg(all(debug_assertions, unix))] // failpoints exist only then

use crate::archive::{BENCH, filled};
use crate::commands::content;
use crate::support::Engine;
use ooni_store::failpoint::Failpoint;
use ooni_store::rollup::ROLLUPS;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::LazyLock;

const SIGKILL: Option<i32> = Some(9);

/// A command, the store that it changes, and how often it reaches each step at least. It may reach other steps, depending
/// on the engine, and is killed there once.
struct Writing<'w> {
    store: Beginning,
    arguments: &'w [&'w str],
    steps: Vec<(Failpoint, u32)>,
}

/// The initial content of a store.
#[derive(Clone, Copy, PartialEq)]
enum Beginning {
    /// Test lists.
    Empty,
    /// Test lists, and rows by other rules.
    Rows,
    /// The same, with wrong rollups.
    Wrong,
    /// The same as `Rows`, without the measurement of openvpn, which was removed.
    Removed,
}

impl Beginning {
    fn store(self, new: fn() -> Box<dyn Engine>) -> Box<dyn Engine> {
        let store = filled(new, if self == Beginning::Empty { &BENCH.empty } else { &BENCH.rows });
        match self {
            Beginning::Wrong => ROLLUPS.iter().for_each(|rollup| store.spoil(rollup)),
            Beginning::Removed => BENCH.done(&*store, &["store", "remove", openvpn(), "--reason", "asked for"]),
            Beginning::Empty | Beginning::Rows => {}
        }
        store
    }
}

/// The uid of a measurement of openvpn.
fn openvpn() -> &'static str {
    static UID: LazyLock<String> =
        LazyLock::new(|| BENCH.rows.query("SELECT measurement_uid FROM obs_openvpn").concat().swap_remove(0));
    &UID
}

const MANY: u32 = ROLLUPS.len() as u32;

/// The last steps of a transaction of a bulk load, which changes no rollups.
const ENDS_OF_LOAD: [(Failpoint, u32); 3] =
    [(Failpoint::RowsWritten, 1), (Failpoint::Committing, 1), (Failpoint::Committed, 1)];

/// The last steps of a transaction that changes rows.
const ENDS: [(Failpoint, u32); 4] = [
    (Failpoint::RowsWritten, 1),
    (Failpoint::RollupFollowed, MANY),
    (Failpoint::Committing, 1),
    (Failpoint::Committed, 1),
];

/// The steps of a bulk load that all engines with bulk loads reach.
const OF_LOAD: [(Failpoint, u32); 4] = [
    (Failpoint::MonthBegun, 1),
    (Failpoint::IndexBuilt, 4),
    (Failpoint::MonthCounted, 1),
    (Failpoint::MonthFinishing, 1),
];

/// The same for many transactions that add rows, which are counted in rollups at the end of the command.
const ENDS_OF_MANY: [(Failpoint, u32); 6] = [
    (Failpoint::RowsWritten, 4),
    (Failpoint::LogRead, 1),
    (Failpoint::RollupFollowed, MANY),
    (Failpoint::LogFolded, 1),
    (Failpoint::Committing, 4),
    (Failpoint::Committed, 4),
];

/// Everything in a store, and differences between its rollups and rows.
fn dump(store: &dyn Engine) -> (Vec<String>, Vec<String>) {
    let open = store.open();
    let differences = |rollup| open.0.wait(open.0.store.check(rollup)).unwrap();
    let differences = ROLLUPS.iter().flat_map(differences).map(|difference| format!("{difference:?}")).collect();
    (content(&open), differences)
}

fn killed_everywhere(new: fn() -> Box<dyn Engine>, writing: &Writing<'_>) {
    let Writing { store, arguments, steps } = writing;
    let whole = store.store(new);
    let before = dump(&*whole);
    BENCH.done(&*whole, arguments);
    let expected = dump(&*whole);
    assert!(before != expected, "{arguments:?} changes nothing");
    assert!(expected.1.is_empty(), "{arguments:?}: {:?}", expected.1);
    let is_one = steps.contains(&(Failpoint::Committed, 1)) && whole.has_transactions();
    for (point, kill, is_known) in kills(steps, whole.has_transactions()) {
        let store = store.store(new);
        let ended = BENCH.run(&*store, arguments, Some(&format!("{}:{kill}", point as u32)));
        let stderr = String::from_utf8_lossy(&ended.stderr);
        let was_killed = ended.status.signal() == SIGKILL;
        assert!(was_killed || !is_known, "{arguments:?}, {point:?} for the {kill}th time: {stderr}");
        if !was_killed {
            continue;
        }
        // A bulk load is not finished.
        let is_unfinished = {
            let open = store.open();
            !open.0.wait(open.0.store.unfinished_months()).unwrap().is_empty()
        };
        let left = if is_unfinished { Default::default() } else { dump(&*store) };
        if is_one {
            let whole = if point == Failpoint::Committed { &expected } else { &before };
            assert!(left == *whole, "{arguments:?}, {point:?}: half of it is there");
        }
        if before.1.is_empty() {
            assert!(left.1.is_empty(), "{arguments:?}, {point:?}: {:?}", left.1);
        }
        BENCH.done(&*store, arguments);
        assert!(dump(&*store) == expected, "{arguments:?}, {point:?} for the {kill}th time: the stores differ");
    }
}

/// The steps at which to kill, which occurrence of the step, and whether it is known to be reached.
fn kills(steps: &[(Failpoint, u32)], has_transactions: bool) -> Vec<(Failpoint, u32, bool)> {
    if !has_transactions {
        // Between rows, and between the rollups of most commands; `clickhouse_killed.rs` of ooni-store tests every statement.
        return vec![(Failpoint::StatementComing, 3, true), (Failpoint::StatementComing, 30, false)];
    }
    let of = |point: Failpoint| {
        let times = steps.iter().find(|(step, _)| *step == point).map(|(_, times)| *times);
        // In the middle of the known occurrences: earlier changes are there, later ones are not.
        (point, times.map_or(1, |times| times / 2 + 1), times.is_some())
    };
    let is_bulk = steps.iter().any(|(step, _)| Failpoint::BULK.contains(step));
    let bulk = Failpoint::BULK.into_iter().filter(|_| is_bulk);
    Failpoint::STORE.into_iter().chain(bulk).map(of).collect()
}

/// Kills every command that writes.
pub(crate) fn commands_that_are_killed(new: fn() -> Box<dyn Engine>) {
    use Beginning::{Empty, Removed, Rows, Wrong};
    let of_one = |more: &[(Failpoint, u32)]| [&ENDS[..], more].concat();
    let without_rows = |times: u32, step| {
        [(Failpoint::RowsWritten, times), (Failpoint::Committing, times), (Failpoint::Committed, times), step]
    };
    let uid = openvpn();
    let month =
        "SELECT strftime('%Y-%m', measurement_start_time, 'unixepoch') FROM fastpath GROUP BY 1 ORDER BY count(*) DESC";
    let month = &BENCH.rows.query(month).concat()[0];
    let others = BENCH.path("others");
    let lists = [&without_rows(1, (Failpoint::ListsReplaced, 1))[..], &[(Failpoint::RollupEmptied, 1)]].concat();
    let copied = BENCH.rows.url();
    // A copy writes refused measurements first, then the others in a bulk load, then rejections.
    let loads = [&ENDS_OF_LOAD.map(|(step, times)| (step, 3 * times))[..], &OF_LOAD].concat();
    let writings = [
        Writing { store: Empty, arguments: &["rerun"], steps: ENDS_OF_MANY.to_vec() },
        // The rows differ in nothing that rollups count.
        Writing {
            store: Rows,
            arguments: &["rerun", "--update"],
            steps: without_rows(4, (Failpoint::RowDeleted, 4)).to_vec(),
        },
        Writing {
            store: Rows,
            arguments: &["store", "remove", uid, "--reason", "asked for"],
            steps: of_one(&[(Failpoint::RowDeleted, 1)]),
        },
        Writing {
            store: Removed,
            arguments: &["store", "restore", uid],
            steps: vec![(Failpoint::RowsWritten, 1), (Failpoint::Committing, 1), (Failpoint::Committed, 1)],
        },
        Writing { store: Rows, arguments: &["store", "drop-month", month], steps: of_one(&[]) },
        Writing { store: Rows, arguments: &["store", "load-test-lists", others.to_str().unwrap()], steps: lists },
        Writing { store: Empty, arguments: &["store", "copy", &copied], steps: loads.clone() },
        Writing { store: Empty, arguments: &["rerun", "--bulk"], steps: loads },
        Writing {
            store: Wrong,
            arguments: &["rollup", "rebuild"],
            steps: without_rows(MANY, (Failpoint::RollupEmptied, MANY)).to_vec(),
        },
    ];
    for point in Failpoint::STORE.into_iter().chain(Failpoint::BULK) {
        assert!(writings.iter().any(|writing| writing.steps.iter().any(|(step, _)| *step == point)), "{point:?}");
    }
    writings.iter().for_each(|writing| killed_everywhere(new, writing));
}
