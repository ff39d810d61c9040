//! Stores: what every engine has to do, and what SQLite does besides.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests count as no tests

#[path = "store/archive.rs"]
mod archive;
#[path = "store/charts.rs"]
mod charts;
#[path = "store/clickhouse.rs"]
mod clickhouse;
#[path = "store/commands.rs"]
mod commands;
#[path = "store/cut.rs"]
mod cut;
#[path = "store/explain.rs"]
mod explain;
#[path = "store/failpoints.rs"]
mod failpoints;
#[path = "store/file.rs"]
mod file;
#[path = "support/mod.rs"]
mod files;
#[path = "store/history.rs"]
mod history;
#[path = "store/import.rs"]
mod import;
#[path = "store/killed.rs"]
mod killed;
#[path = "store/limits.rs"]
mod limits;
#[path = "store/postgres.rs"]
mod postgres;
#[path = "store/rollups.rs"]
mod rollups;
#[path = "store/rows.rs"]
mod rows;
#[path = "store/server.rs"]
mod server;
#[path = "store/statements.rs"]
mod statements;
#[path = "store/support.rs"]
mod support;
#[path = "store/tls.rs"]
mod tls;

use server::{OnClickhouse, OnPostgres};
use support::{Engine, InFile};

/// What every engine has to do, in so many cases of each property.
fn behaves(new: fn() -> Box<dyn Engine>, cases: u32) {
    let tests: [fn(&dyn Engine); 10] = [
        rows::rows_read_back,
        rows::a_row_is_written_once,
        rows::replacing_replaces_all,
        rows::refused_rows_are_set_aside,
        rows::a_refused_openvpn_row_does_not_take_the_measurement_along,
        rows::pages_have_the_order_of_uids,
        rows::odd_values_read_back,
        charts::distinct_values_are_counted,
        charts::runtimes_of_tests,
        commands::commands_do_what_they_say,
    ];
    for test in tests {
        test(&*new());
    }
    history::any_history(new, 2 * cases);
    rollups::any_history_leaves_rollups_right(new, cases);
}

/// Tests of every engine, with so many cases of each property.
macro_rules! engines {
    ($($name:ident: $new:expr, $cases:expr;)*) => {
        const ENGINES: &[fn() -> Box<dyn Engine>] = &[$(|| Box::new($new)),*];

        $(mod $name {
            use super::*;

            #[test]
            fn behaves() {
                super::behaves(|| Box::new($new), $cases);
            }

            #[test]
            fn rows_of_the_reference_are_imported() {
                import::tables_of_the_reference(|| Box::new($new));
            }

            #[test]
            fn a_rerun_fills_it() {
                archive::a_rerun_fills(|| Box::new($new));
            }
        })*
    };
}

engines! {
    on_sqlite: InFile::new(), 12;
    on_postgres: OnPostgres::new(), 12;
    on_clickhouse: OnClickhouse::new(), 2;
}

#[test]
#[cfg(all(debug_assertions, unix))]
fn commands_that_are_killed_over_sqlite() {
    failpoints::commands_that_are_killed(|| Box::new(InFile::new()));
}

#[test]
#[cfg(all(debug_assertions, unix))]
fn commands_that_are_killed_over_postgres() {
    failpoints::commands_that_are_killed(|| Box::new(OnPostgres::new()));
}

#[test]
#[cfg(all(debug_assertions, unix))]
#[ignore = "takes minutes on the engine of chdb; every change of it is killed before each statement in store/statements.rs"]
fn commands_that_are_killed_over_clickhouse() {
    failpoints::commands_that_are_killed(|| Box::new(OnClickhouse::new()));
}

#[test]
fn a_store_is_copied_from_any_engine_to_any() {
    for from in ENGINES {
        for to in ENGINES {
            commands::copies(&*from(), &*to());
        }
    }
}
