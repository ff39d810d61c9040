//! Jobs: what they replace, what they refuse to replace, and when they run. Sources are directories, files and URLs of a
//! server with faults; databases are SQLite files, and PostgreSQL where the engine matters.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy does not treat helpers of tests as tests

mod asnmeta;
mod fingerprints;
mod geoip;
mod schedule;
mod store;
mod support;
mod test_lists;

use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use support::{Place, migrated};

/// The jobs that write to databases, one after the other in one database.
#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    let server = Server::shared_postgres();
    skip_without!(server);
    let url = server.unwrap().postgres_url("postgres");
    migrated(&url).await;
    let place = || Place::in_store(&url);
    test_lists::every_source(place()).await;
    test_lists::a_server_that_is_asked_for_changes(place()).await;
    test_lists::bad_sources_leave_the_lists(place()).await;
    test_lists::a_dry_run_changes_nothing(place()).await;
    test_lists::one_process_at_a_time(place()).await;
    asnmeta::names_are_replaced(place()).await;
    asnmeta::bad_sources_leave_the_names(place()).await;
    store::old_months_are_removed(place()).await;
}

macro_rules! on_sqlite {
    ($($module:ident::$test:ident;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            $module::$test(Place::new()).await;
        })*
    };
}

on_sqlite! {
    test_lists::every_source;
    test_lists::a_server_that_is_asked_for_changes;
    test_lists::bad_sources_leave_the_lists;
    test_lists::a_dry_run_changes_nothing;
    test_lists::one_process_at_a_time;
    asnmeta::names_are_replaced;
    asnmeta::bad_sources_leave_the_names;
    store::old_months_are_removed;
}
