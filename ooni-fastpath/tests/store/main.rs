//! Commands on stores of every engine.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy does not treat helpers of tests as tests

mod archive;
mod cli;
mod commands;
mod copy;
mod export;
mod failpoints;
#[path = "../support/mod.rs"]
mod files;
mod import;
#[path = "../../../ooni-store/tests/store/server.rs"]
mod server;
#[path = "../../../ooni-store/tests/store/support.rs"]
mod support;

use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use server::{OnClickhouse, OnPostgres};
use support::{Engine, InFile};

/// Tests for every engine.
macro_rules! engines {
    ($($name:ident: $new:expr, $server:expr;)*) => {
        const ENGINES: &[fn() -> Box<dyn Engine>] = &[$(|| Box::new($new)),*];

        $(mod $name {
            use super::*;

            #[test]
            fn commands_work() {
                skip_without!($server);
                commands::commands_work(&$new);
            }

            #[test]
            fn rows_of_the_reference_are_imported() {
                skip_without!($server);
                import::tables_of_the_reference(|| Box::new($new));
            }

            #[test]
            fn a_rerun_fills_it() {
                skip_without!($server);
                archive::a_rerun_fills(|| Box::new($new));
            }

            #[test]
            fn two_reruns_fill_it() {
                skip_without!($server);
                archive::two_runs_fill(|| Box::new($new));
            }
        })*
    };
}

engines! {
    on_sqlite: InFile::new(), Ok::<(), String>(());
    on_postgres: OnPostgres::new(), Server::shared_postgres();
    on_clickhouse: OnClickhouse::new(), Server::shared_clickhouse();
}

#[test]
fn months_of_postgres_without_rows_are_loaded() {
    skip_without!(Server::shared_postgres());
    commands::months_without_rows_are_loaded(&OnPostgres::new());
}

#[test]
#[cfg(all(debug_assertions, unix))]
fn commands_that_are_killed_over_sqlite() {
    failpoints::commands_that_are_killed(|| Box::new(InFile::new()));
}

#[test]
#[cfg(all(debug_assertions, unix))]
fn commands_that_are_killed_over_postgres() {
    skip_without!(Server::shared_postgres());
    failpoints::commands_that_are_killed(|| Box::new(OnPostgres::new()));
}

#[test]
#[cfg(all(debug_assertions, unix))]
#[ignore = "takes minutes on the engine of chdb; clickhouse_killed.rs of ooni-store kills every change"]
fn commands_that_are_killed_over_clickhouse() {
    skip_without!(Server::shared_clickhouse());
    failpoints::commands_that_are_killed(|| Box::new(OnClickhouse::new()));
}

#[test]
fn a_store_is_copied_from_any_engine_to_any() {
    skip_without!(Server::shared_postgres());
    skip_without!(Server::shared_clickhouse());
    for from in ENGINES {
        for to in ENGINES {
            commands::copies(&*from(), &*to());
        }
    }
}
