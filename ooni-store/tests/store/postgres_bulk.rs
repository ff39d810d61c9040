//! Bulk loads on PostgreSQL by several loaders at once, in batches that are written on two connections.

use crate::bulk::{begin, finish, load, unfinished};
use crate::rollups::{answers_are_those_of_the_rows, rollups_are_right};
use crate::server::OnPostgres;
use crate::support::{Engine as _, of_day, sound};
use ooni_store::{ErrorKind, OnExisting, ScoredRow};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::ops::Range;
use std::thread;

/// Measurements of January to March.
fn rows(uids: Range<u32>) -> Vec<ScoredRow> {
    let mut rows = sound(uids.clone());
    for (row, uid) in rows.iter_mut().zip(uids) {
        row.row.measurement_start_time = of_day(i64::from(uid % 75));
    }
    rows
}

#[test]
fn loaders_of_the_same_rows() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    drop(engine.open());
    // Each loader shares rows with the others. Meanwhile, another process makes changes, for which batches wait.
    let loaded: Vec<(u64, u64)> = thread::scope(|scope| {
        let loader = |loader: u32| {
            let store = engine.open();
            let load_of = begin(&store, &format!("loader {loader}"));
            let (mut inserted, mut already) = (0, 0);
            for batch in 0..4 {
                let first = loader * 1000 + batch * 2000;
                let written = load(&store, &load_of, rows(first..first + 3000)).written;
                inserted += written.inserted;
                already += written.already;
            }
            (inserted, already)
        };
        let loaders: Vec<_> = (0..3).map(|number| scope.spawn(move || loader(number))).collect();
        let store = engine.open();
        let mut bans = 0;
        while loaders.iter().any(|loader| !loader.is_finished()) {
            let waiting = &store.0;
            waiting.wait(waiting.store.remove(&format!("banned {bans}"), "a reason", true)).unwrap();
            bans += 1;
        }
        assert!(bans > 0);
        loaders.into_iter().map(|loader| loader.join().unwrap()).collect()
    });
    // The last batch of the last loader ends at 2000 + 3 * 2000 + 3000.
    assert_eq!(loaded.iter().map(|(inserted, _)| inserted).sum::<u64>(), 11_000);
    assert_eq!(loaded.iter().map(|(_, already)| already).sum::<u64>(), 3 * 4 * 3000 - 11_000);
    let store = engine.open();
    assert_eq!(unfinished(&store).len(), 3);
    for loader in 0..2 {
        let others = store.0.wait(begin(&store, &format!("loader {loader}")).end()).unwrap();
        assert_eq!(others, 2 - loader);
    }
    let finished = finish(&store, &begin(&store, "loader 2"));
    assert_eq!(finished.iter().map(|month| month.rows).sum::<u64>(), 11_000);
    assert_eq!(store.count().unwrap(), 11_000);
    assert_eq!(engine.table("jsonl").len(), 11_000);
    rollups_are_right(&store);
    answers_are_those_of_the_rows(&engine, &store);
    // What the months have is what usual partitions have: the indexes, the key, and no other constraint.
    let indexes = |table: &str| {
        let definitions =
            engine.query(&format!("SELECT indexdef FROM pg_indexes WHERE tablename = '{table}'")).concat();
        let mut kinds: Vec<String> =
            definitions.iter().map(|text| text.split_once(" USING ").unwrap().1.to_owned()).collect();
        kinds.sort();
        kinds
    };
    store.write(&rows_of_april(), OnExisting::Keep).unwrap();
    assert_eq!(indexes("fastpath_2024_02"), indexes("fastpath_2024_04"));
    let constraints =
        "SELECT contype::text, conislocal::text FROM pg_constraint WHERE conrelid = 'NAME'::regclass ORDER BY 1";
    let of = |table: &str| {
        engine.query(&constraints.replace("NAME", table)).iter().map(|row| row[0].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("fastpath_2024_02"), of("fastpath_2024_04"));
}

/// Indexes of tables other than those of the months.
fn indexes(engine: &OnPostgres) -> Vec<Vec<String>> {
    engine.query("SELECT indexdef FROM pg_indexes WHERE tablename !~ '^fastpath_....' ORDER BY 1")
}

/// Some indexes of tables that were empty are missing until all months are finished.
#[test]
fn indexes_are_built_after_the_last_month() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    let indexes = || indexes(&engine);
    let before = indexes();
    for first in [0, 20_000] {
        let load_of = begin(&store, "a loader");
        // The second load is of other months, and no table is empty.
        let mut rows = rows(first..first + 2000);
        rows.iter_mut().for_each(|row| {
            let time = &mut row.row.measurement_start_time;
            *time = time.plus_days(i64::from(first) / 100).unwrap();
        });
        load(&store, &load_of, rows);
        assert_eq!(before.len() - indexes().len(), if first == 0 { 4 } else { 0 });
        let months = unfinished(&store);
        store.0.wait(store.0.store.finish_month(months[0])).unwrap();
        assert_eq!(before.len() - indexes().len(), if first == 0 { 4 } else { 0 });
        finish(&store, &load_of);
        assert_eq!(indexes(), before);
        assert_eq!(engine.query("SELECT name FROM bulk_index"), Vec::<Vec<String>>::new());
    }
    rollups_are_right(&store);
}

/// One that was killed while or after it built an index.
#[test]
fn indexes_whose_build_was_interrupted() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    let before = indexes(&engine);
    load(&store, &begin(&store, "a loader"), rows(0..2000));
    for month in unfinished(&store) {
        store.0.wait(store.0.store.finish_month(month)).unwrap();
    }
    // The store can be read without them.
    assert_eq!(store.count().unwrap(), 2000);
    let dropped = engine.query("SELECT name, definition FROM bulk_index ORDER BY name");
    assert_eq!(before.len() - indexes(&engine).len(), dropped.len());
    for index in &dropped[..2] {
        engine.query(&index[1]);
    }
    let incomplete = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'NAME'::regclass";
    engine.query(&incomplete.replace("NAME", &dropped[0][0]));
    assert_eq!(store.0.wait(store.0.store.finish_months(drop)).unwrap(), 4);
    assert_eq!(indexes(&engine), before);
    let incomplete = engine.query("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid");
    assert_eq!(incomplete, Vec::<Vec<String>>::new());
}

/// Rollups that have cells of a month that has no rows, as no write leaves them.
#[test]
fn cells_of_a_month_without_rows() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    let uids = 0..2000;
    store.write(&rows(uids.clone()), OnExisting::Keep).unwrap();
    store.0.wait(store.0.store.refresh_rollups()).unwrap();
    let january = of_day(0);
    let cells = ["day_test", "hour_country", "country_network", "month_country", "week_input"].map(|rollup| {
        engine.query(&format!("CREATE TABLE kept_{rollup} AS SELECT * FROM rollup_{rollup}"));
        rollup
    });
    store.0.wait(store.0.store.drop_month(january)).unwrap();
    for rollup in cells {
        let time = ooni_store::rollup::Rollup::named(rollup).unwrap().time().unwrap().column();
        // The last week of January has days of February.
        let whole = "BETWEEN '2024-01-01' AND '2024-01-24'";
        engine.query(&format!(
            "DELETE FROM rollup_{rollup} WHERE {time} {whole};
             INSERT INTO rollup_{rollup} SELECT * FROM kept_{rollup} WHERE {time} {whole}"
        ));
    }
    let load_of = begin(&store, "a loader");
    load(&store, &load_of, rows(uids));
    let finished = finish(&store, &load_of);
    assert_eq!(finished.iter().map(|month| month.month).collect::<Vec<_>>(), [january]);
    assert_eq!(store.count().unwrap(), 2000);
    rollups_are_right(&store);
    answers_are_those_of_the_rows(&engine, &store);
}

fn rows_of_april() -> Vec<ScoredRow> {
    let mut rows = sound(20_000..20_001);
    rows[0].row.measurement_start_time = of_day(100);
    rows
}

/// A month is finished while another loader writes to it: each batch is either in the month, or is written the usual way.
#[test]
fn a_month_that_is_finished_while_it_is_loaded() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    drop(engine.open());
    let first = engine.open();
    let load_of = begin(&first, "a loader");
    load(&first, &load_of, rows(0..2000));
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let store = engine.open();
            let other = begin(&store, "another loader");
            let mut steady = 0;
            for batch in 1..12 {
                steady += load(&store, &other, rows(batch * 2000..(batch + 1) * 2000)).steady.len();
            }
            steady
        });
        for month in unfinished(&first) {
            // Busy for a moment while the other loader writes.
            while let Err(error) = first.0.wait(first.0.store.finish_month(month)) {
                assert_eq!(error.kind(), ErrorKind::Busy);
            }
        }
        assert!(other.join().unwrap() > 0, "the load was over before the months were finished");
    });
    let store = engine.open();
    store.0.wait(store.0.store.finish_months(drop)).unwrap();
    assert_eq!(unfinished(&store), []);
    assert_eq!(store.count().unwrap(), 24_000);
    rollups_are_right(&store);
}
