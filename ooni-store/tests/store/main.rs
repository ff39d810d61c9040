//! Stores: tests that every engine must pass, and tests of single engines.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy does not count test helpers as tests

mod application;
mod bulk;
#[cfg(all(debug_assertions, unix))] // failpoints need both
mod bulk_killed;
mod charts;
mod clickhouse;
#[cfg(all(debug_assertions, unix))] // failpoints need both
mod clickhouse_killed;
mod deadlines;
mod environment;
mod explain;
mod file;
mod history;
mod interrupted;
mod killed;
mod limits;
mod lists;
mod locations;
#[cfg(unix)]
mod locks;
mod long_texts;
mod parquet;
mod postgres;
mod postgres_bulk;
mod postgres_drop;
mod postgres_limits;
mod postgres_messages;
mod postgres_restart;
mod postgres_snapshots;
mod proxy;
#[cfg(target_os = "linux")]
mod read_only;
mod rejections;
mod results;
mod rollup_log;
mod rollups;
mod rows;
mod secrets;
mod server;
mod support;
mod tls;
mod tracing_spans;

use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use server::{OnClickhouse, OnPostgres};
use support::{Engine, InFile};

/// Runs the tests that every engine must pass.
fn behaves(new: fn() -> Box<dyn Engine>) {
    let tests: [fn(&dyn Engine); 30] = [
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
        locations::locations_are_set,
        locations::a_known_location_is_kept,
        locations::locations_are_removed,
        locations::many_locations,
        locations::measurements_that_are_not_archived,
        charts::distinct_values_are_counted,
        charts::runtimes_of_tests,
        charts::listed_urls_are_counted,
        charts::groups_have_their_days,
        charts::groups_are_ranked,
        charts::listed_domains_are_counted,
        application::inputs_are_counted_by_network,
        lists::pages_have_all_rows_in_order,
        lists::filters_with_many_values,
        lists::changed_test_lists_update_the_rollup,
        long_texts::a_very_long_text_leaves_the_others_alone,
        bulk::a_uid_is_loaded_once,
        bulk::months_with_rows_are_written_the_usual_way,
        bulk::dates_without_partitions,
        bulk::unfinished_months_are_not_read,
    ];
    for test in tests {
        test(&*new());
    }
    rejections::identities_distinguish_stores(&*new(), &*new());
    long_texts::texts_of_any_length(&*new(), &*new());
    bulk::a_load_leaves_what_usual_writes_leave(&*new(), &*new());
}

/// Runs the property tests that every engine must pass, with so many cases. They are tests of their own, so that they run
/// beside the others.
fn keeps_any_history(new: fn() -> Box<dyn Engine>, cases: u32) {
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
    behaves(|| Box::new(InFile::new()));
}

#[test]
fn sqlite_keeps_any_history() {
    keeps_any_history(|| Box::new(InFile::new()), 12);
}

#[test]
fn postgres_behaves() {
    skip_without!(Server::shared_postgres());
    behaves(|| Box::new(OnPostgres::new()));
}

#[test]
fn postgres_keeps_any_history() {
    skip_without!(Server::shared_postgres());
    keeps_any_history(|| Box::new(OnPostgres::new()), 12);
}

#[test]
fn clickhouse_behaves() {
    skip_without!(Server::shared_clickhouse());
    behaves(|| Box::new(OnClickhouse::new()));
}

#[test]
fn clickhouse_keeps_any_history() {
    skip_without!(Server::shared_clickhouse());
    keeps_any_history(|| Box::new(OnClickhouse::new()), 2);
}
