//! Locations of bodies that are set after the rows are written, on every engine.

use crate::rollups::rollups_are_right;
use crate::server::{OnClickhouse, OnPostgres};
use crate::support::{Engine, Fields, InFile, Open, SOUND, location, measured, message, migrated, new, of_day, sound};
use ooni_core::error::{Code, Error};
use ooni_store::query::filter::Window;
use ooni_store::{
    BatchInput, BodyLocation, LocationsSet, OnExisting, Rejection, RemoveOutcome, ScoredRow, StoredMeasurement,
    UidStatus,
};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::sync::Arc;

const VPN: Fields<'static> = Fields { test: "openvpn", keys: r#"{"bootstrap_time":"1"}"#, ..SOUND };
const REFUSED: Fields<'static> = Fields { version: "5", ..SOUND };

/// A row whose body is not archived yet.
fn live(uid: &str, fields: &Fields<'_>) -> ScoredRow {
    let mut row = ScoredRow { body: None, ..new("x", fields) };
    row.row.measurement_uid = uid.to_owned();
    row
}

fn set(store: &Open, bodies: &[(&str, &BodyLocation)]) -> LocationsSet {
    let bodies = bodies.iter().map(|&(uid, body)| (uid.to_owned(), body.clone())).collect();
    store.0.wait(store.0.store.set_body_locations(bodies)).unwrap()
}

fn found(store: &Open, uid: &str) -> Option<BodyLocation> {
    store.0.wait(store.0.store.body_location(uid)).unwrap()
}

/// The uids of bodies without a row.
fn archived(store: &Open) -> Vec<String> {
    store.0.archived().map(|archived| archived.unwrap().0).collect()
}

/// The locations in `refused`, by uid.
fn refused(store: &Open) -> Vec<(String, Option<BodyLocation>)> {
    store.0.refusals().map(Result::unwrap).map(|refusal| (refusal.uid, refusal.body)).collect()
}

fn in_rows(store: &Open) -> Vec<Option<BodyLocation>> {
    store.0.measurements(None).map(Result::unwrap).map(|StoredMeasurement { body, .. }| body).collect()
}

fn reject(store: &Open, uid: &str) {
    let error = Error::new(Code::Type, "/test_keys", "a list where text is needed");
    let input = BatchInput::<ScoredRow>::of_rejections(vec![Rejection::new("can", 0, Some(uid), &error)]);
    store.0.wait(store.0.store.write(Arc::new(input), OnExisting::Keep)).unwrap();
}

/// When each location was written.
fn times(engine: &dyn Engine) -> Vec<Vec<String>> {
    let of = |table: &str| engine.query(&format!("SELECT measurement_uid, update_time FROM {table} ORDER BY 1"));
    ["jsonl", "archived", "refused"].into_iter().flat_map(of).collect()
}

pub(crate) fn measurements_that_are_not_archived(engine: &dyn Engine) {
    let store = engine.open();
    let days = Window::new(of_day(31), of_day(60));
    let count = |window| store.0.wait(store.0.store.unarchived(window)).unwrap();
    assert_eq!(count(days), 0);
    let starts = [of_day(31).plus_seconds(-1).unwrap(), of_day(31), of_day(60).plus_seconds(-1).unwrap(), of_day(60)];
    let rows = (1..).zip(starts).map(|(number, start)| {
        let mut row = live(&number.to_string(), &SOUND);
        row.row.measurement_start_time = start;
        row
    });
    let rows: Vec<_> = rows.collect();
    store.write(&rows, OnExisting::Keep).unwrap();
    assert_eq!((count(days), count(Window::default())), (2, 4));
    set(&store, &[("3", &location(1, "first"))]);
    assert_eq!((count(days), count(Window::default())), (1, 3));
    set(&store, &[("2", &location(1, "first")), ("1", &location(2, "first"))]);
    assert_eq!((count(days), count(Window::default())), (0, 1));
}

pub(crate) fn locations_are_set(engine: &dyn Engine) {
    let store = engine.open();
    let rows =
        [live("a", &SOUND), new("b", &SOUND), live("odd\0'\\", &SOUND), live("refused", &REFUSED), live("vpn", &VPN)];
    store.write(&rows, OnExisting::Keep).unwrap();
    reject(&store, "rejected");
    store.0.wait(store.0.store.remove("removed", "asked for", true)).unwrap();
    let [first, other] = [location(1, "first"), location(9, "other")];
    let whole = BodyLocation { member: None, ..location(5, "whole") };
    let (uids, odd) = (["a", "b", "discarded", "refused", "rejected", "removed", "vpn"], "odd\0'\\");
    for uid in uids {
        assert_eq!(found(&store, uid), (uid == "b").then(|| location(7, "2024")), "{uid}");
    }
    let (before, written) = (engine.table("fastpath"), engine.update_times());

    let long = "x".repeat(601);
    let all: Vec<_> = uids.map(|uid| (uid, &first)).into_iter().chain([(&*long, &first), (odd, &whole)]).collect();
    // Of two locations of a uid, the last one is set.
    let with_duplicate = [&[("a", &other)], &all[..]].concat();
    assert_eq!(set(&store, &with_duplicate), LocationsSet { with_row: 4, without_row: 4, removed: 1 });
    for uid in uids {
        assert_eq!(found(&store, uid), (uid != "removed").then(|| first.clone()), "{uid}");
    }
    assert_eq!((found(&store, odd), found(&store, &long)), (Some(whole.clone()), None));
    assert_eq!(in_rows(&store), [&first, &first, &whole, &first].map(|body| Some(body.clone())));
    let both = ["refused", "vpn"].map(|uid| (uid.to_owned(), Some(first.clone())));
    assert_eq!(refused(&store), both);
    assert_eq!(archived(&store), ["discarded", "refused", "rejected"]);

    // The same again changes nothing.
    let before_again = times(engine);
    assert_eq!(set(&store, &all), LocationsSet { with_row: 4, without_row: 4, removed: 1 });
    assert_eq!(times(engine), before_again);
    // A location is replaced by another, and by one without a gzip member.
    assert_eq!(
        set(&store, &[("a", &other), ("discarded", &whole), ("vpn", &whole)]),
        LocationsSet { with_row: 2, without_row: 1, removed: 0 }
    );
    assert_eq!(["a", "discarded", "vpn"].map(|uid| found(&store, uid).unwrap()), [other, whole.clone(), whole]);
    assert_eq!(set(&store, &[]), LocationsSet::default());

    assert_eq!((engine.table("fastpath"), engine.update_times()), (before, written));
    rollups_are_right(&store);
}

pub(crate) fn a_known_location_is_kept(engine: &dyn Engine) {
    let store = engine.open();
    let [first, other] = [location(1, "first"), location(9, "other")];
    let moved = |uid: &str| {
        let mut row = live(uid, &SOUND);
        row.row.measurement_start_time = of_day(70);
        row
    };
    let replace = |rows: &[ScoredRow]| drop(store.write(rows, OnExisting::Replace).unwrap());
    store.write(&[live("a", &SOUND), live("refused", &REFUSED)], OnExisting::Keep).unwrap();
    for uid in ["rejected", "late"] {
        reject(&store, uid);
    }
    set(&store, &["a", "refused", "rejected", "late"].map(|uid| (uid, &first)));

    // Scored again: with another start, refused, and accepted.
    replace(&[moved("a"), live("refused", &REFUSED)]);
    assert_eq!((found(&store, "a"), found(&store, "refused")), (Some(first.clone()), Some(first.clone())));
    replace(&[live("a", &REFUSED), live("refused", &SOUND)]);
    assert_eq!((found(&store, "a"), found(&store, "refused")), (Some(first.clone()), Some(first.clone())));
    // The row of `a` is still there, and its refusal has the same location.
    assert_eq!(
        (in_rows(&store), refused(&store)),
        (vec![Some(first.clone()); 2], vec![("a".to_owned(), Some(first.clone()))])
    );
    // The rules accept what they rejected before, and rows come after their locations.
    replace(&[live("rejected", &SOUND)]);
    store.write(&[live("late", &SOUND), live("late", &SOUND)], OnExisting::Keep).unwrap();
    assert_eq!(in_rows(&store), vec![Some(first.clone()); 4]);
    assert_eq!(archived(&store), [""; 0]);
    // A row that comes with a location replaces it.
    let with_other = |uid: &str| ScoredRow { body: Some(other.clone()), ..live(uid, &SOUND) };
    replace(&[with_other("a"), with_other("refused")]);
    store.write(&[with_other("late")], OnExisting::Keep).unwrap();
    let expected = [other.clone(), first.clone(), other, first].map(Some);
    assert_eq!(in_rows(&store), expected);
    rollups_are_right(&store);
}

pub(crate) fn locations_are_removed(engine: &dyn Engine) {
    let store = engine.open();
    store.write(&[live("a", &SOUND)], OnExisting::Keep).unwrap();
    let body = location(1, "first");
    set(&store, &[("a", &body), ("discarded", &body), ("other", &body)]);
    let status = |uid: &str| store.0.wait(store.0.store.uid_status(uid)).unwrap();
    assert_eq!(status("discarded"), UidStatus { is_archived: true, ..UidStatus::default() });
    for uid in ["a", "discarded"] {
        assert_eq!(status(uid).outcome(false), RemoveOutcome::Removed);
        assert_eq!(store.0.wait(store.0.store.remove(uid, "asked for", false)).unwrap(), RemoveOutcome::Removed);
        assert_eq!(found(&store, uid), None);
    }
    assert_eq!(
        set(&store, &[("a", &body), ("discarded", &body)]),
        LocationsSet { removed: 2, ..LocationsSet::default() }
    );
    assert_eq!(archived(&store), ["other"]);
    // After it was restored, the location can be set.
    assert!(store.0.wait(store.0.store.restore("discarded")).unwrap());
    set(&store, &[("discarded", &body)]);
    assert_eq!((found(&store, "discarded"), archived(&store).len()), (Some(body), 2));
}

pub(crate) fn many_locations(engine: &dyn Engine) {
    let store = engine.open();
    let rows: Vec<_> = sound(0..3000).into_iter().map(|row| ScoredRow { body: None, ..row }).collect();
    store.write(&rows, OnExisting::Keep).unwrap();
    let uid = |number: u32| format!("u{number:06}");
    let bodies: Vec<_> = (0..6000).rev().map(|number| (uid(number), location(number, "2024"))).collect();
    let done = store.0.wait(store.0.store.set_body_locations(bodies)).unwrap();
    assert_eq!(done, LocationsSet { with_row: 3000, without_row: 3000, removed: 0 });
    // More than two pages, in order.
    let all: Vec<_> = store.0.archived().map(Result::unwrap).collect();
    assert!(
        all.iter().zip(3000..).all(|((name, body), number)| *name == uid(number) && *body == location(number, "2024"))
    );
    assert_eq!(all.len(), 3000);
    let all = in_rows(&store);
    assert!(all.iter().zip(0..).all(|(body, number)| *body == Some(location(number, "2024"))));
    assert_eq!(all.len(), 3000);
}

/// Undoes the migrations of a store from `version` on.
fn downgrade(engine: &dyn Engine, version: u32, set_version: &str) {
    for table in ["jsonl", "refused"] {
        for column in ["offset", "length", "line"] {
            engine.query(&format!("ALTER TABLE {table} DROP COLUMN member_{column}"));
        }
    }
    let newer = ["archived", "rollup_log", "rollup_log_folded", "bulk_load", "bulk_index", "bulk_month", "bulk_loader"];
    let rollups = ["rollup_network", "rollup_country_day", "rollup_network_next", "rollup_country_day_next"];
    if engine.url().starts_with("postgres:") {
        engine.query("DROP AGGREGATE total(bigint)");
    }
    for table in newer.into_iter().chain(rollups) {
        engine.query(&format!("DROP TABLE IF EXISTS {table}"));
    }
    if !engine.url().starts_with("clickhouse:") {
        engine.query("DROP INDEX IF EXISTS rollup_month_network_by_month");
        engine.query("DROP INDEX rollup_month_network_by_probe_cc");
    }
    engine.query(&set_version.replace("VERSION", &(version - 1).to_string()));
}

fn an_older_store_is_migrated(engine: &dyn Engine, version: u32, set_version: &str) {
    let store = engine.open();
    store.write(&[new("a", &SOUND), live("b", &SOUND), new("refused", &REFUSED)], OnExisting::Keep).unwrap();
    // Countries, networks and months of which the new rollups have several cells.
    let many: Vec<_> = (0..60).map(|uid| measured(uid, u16::from(uid) * 139)).collect();
    assert_eq!(store.write(&many, OnExisting::Keep).unwrap().inserted, 60);
    // Older versions have no log of rollups.
    store.0.wait(store.0.store.refresh_rollups()).unwrap();
    drop(store);
    downgrade(engine, version, set_version);
    let old = message(crate::support::open_to_read(&engine.url()));
    assert_eq!(old, "was created by an older fastpath; `fastpath migrate` brings it up to date");
    migrated(&engine.url()).unwrap();
    migrated(&engine.url()).unwrap();
    let store = engine.open();
    rollups_are_right(&store);
    let whole = BodyLocation { member: None, ..location(7, "2024") };
    assert_eq!(["a", "b", "refused"].map(|uid| found(&store, uid)), [Some(whole.clone()), None, Some(whole)]);
    let body = location(1, "first");
    set(&store, &["a", "b", "refused", "discarded"].map(|uid| (uid, &body)));
    assert_eq!(
        ["a", "b", "refused", "discarded"].map(|uid| found(&store, uid).unwrap()),
        [(); 4].map(|()| body.clone())
    );
    assert_eq!(store.write(&sound(0..2), OnExisting::Keep).unwrap().inserted, 2);
    rollups_are_right(&store);
}

#[test]
fn sqlite_is_migrated() {
    an_older_store_is_migrated(&InFile::new(), 5, "PRAGMA user_version = VERSION");
}

#[test]
fn postgres_is_migrated() {
    skip_without!(Server::shared_postgres());
    an_older_store_is_migrated(&OnPostgres::new(), 6, "UPDATE schema_version SET version = VERSION");
}

#[test]
fn clickhouse_is_migrated() {
    skip_without!(Server::shared_clickhouse());
    let engine = OnClickhouse::new();
    an_older_store_is_migrated(
        &engine,
        4,
        "ALTER TABLE schema_version DELETE WHERE version > VERSION SETTINGS mutations_sync = 2",
    );
}
