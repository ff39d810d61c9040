//! Stores: tests that every engine must pass, and tests of single engines.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy does not count test helpers as tests

#[path = "store/application.rs"]
mod application;
#[path = "store/charts.rs"]
mod charts;
#[path = "store/clickhouse.rs"]
mod clickhouse;
#[path = "store/deadlines.rs"]
mod deadlines;
#[path = "store/environment.rs"]
mod environment;
#[path = "store/explain.rs"]
mod explain;
#[path = "store/file.rs"]
mod file;
#[path = "store/history.rs"]
mod history;
#[path = "store/killed.rs"]
mod killed;
#[path = "store/limits.rs"]
mod limits;
#[path = "store/lists.rs"]
mod lists;
#[path = "store/postgres.rs"]
mod postgres;
#[path = "store/postgres_limits.rs"]
mod postgres_limits;
#[path = "store/proxy.rs"]
mod proxy;
#[cfg(target_os = "linux")]
#[path = "store/read_only.rs"]
mod read_only;
#[path = "store/rejections.rs"]
mod rejections;
#[path = "store/results.rs"]
mod results;
#[path = "store/rollups.rs"]
mod rollups;
#[path = "store/rows.rs"]
mod rows;
#[path = "store/secrets.rs"]
mod secrets;
#[path = "store/server.rs"]
mod server;
#[path = "store/statements.rs"]
mod statements;
#[path = "store/support.rs"]
mod support;
#[path = "store/tls.rs"]
mod tls;

use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use server::{OnClickhouse, OnPostgres};
use support::{Engine, InFile};

/// Runs the tests that every engine must pass, with so many cases of each property.
fn behaves(new: fn() -> Box<dyn Engine>, cases: u32) {
    let tests: [fn(&dyn Engine); 15] = [
        rows::rows_read_back,
        rows::a_row_is_written_once,
        rows::replacing_replaces_all,
        rows::refused_rows_are_set_aside,
        rows::a_refused_openvpn_row_does_not_refuse_the_measurement,
        rows::pages_are_ordered_by_uid,
        rows::odd_values_read_back,
        rejections::rejections_are_kept_by_can,
        rejections::what_is_stored_is_not_rejected,
        rejections::removed_measurements_are_not_stored_until_restored,
        charts::distinct_values_are_counted,
        charts::runtimes_of_tests,
        lists::pages_have_all_rows_in_order,
        lists::filters_with_many_values,
        lists::changed_test_lists_update_the_rollup,
    ];
    for test in tests {
        test(&*new());
    }
    rejections::identities_distinguish_stores(&*new(), &*new());
    history::any_history(new, 2 * cases);
    rollups::any_history_leaves_rollups_right(new, cases);
}

/// Fails if PostgreSQL cannot be installed; the other tests that need it are skipped then.
#[test]
fn postgres_starts() {
    Server::shared_postgres().unwrap();
}

/// Fails if the engine of ClickHouse cannot be installed; the other tests that need it are skipped then.
#[test]
fn clickhouse_starts() {
    Server::shared_clickhouse().unwrap();
}

#[test]
fn sqlite_behaves() {
    behaves(|| Box::new(InFile::new()), 12);
}

#[test]
fn postgres_behaves() {
    skip_without!(Server::shared_postgres());
    behaves(|| Box::new(OnPostgres::new()), 12);
}

#[test]
fn clickhouse_behaves() {
    skip_without!(Server::shared_clickhouse());
    behaves(|| Box::new(OnClickhouse::new()), 2);
}
