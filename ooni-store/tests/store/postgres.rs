//! Errors and concurrency on a PostgreSQL server.

use crate::rollups::{entries, rollups_are_right};
use crate::server::OnPostgres;
use crate::support::{Engine, SOUND, measured, message, migrated, new, open, open_to_read, sound, uids};
use ooni_core::json::Json;
use ooni_core::time::DateTime;
use ooni_store::query::list::List;
use ooni_store::rollup::ROLLUPS;
use ooni_store::{BlockingStore, Deadline, ErrorKind, OnExisting};
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn migrations_are_idempotent_and_refuse_other_databases() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::empty();
    assert_eq!(message(open(&engine.url())), "has no tables yet; `fastpath migrate` creates them");
    migrated(&engine.url()).unwrap();
    engine.open().write(&sound([1]), OnExisting::Keep).unwrap();
    migrated(&engine.url()).unwrap();
    assert_eq!(open_to_read(&engine.url()).unwrap().count().unwrap(), 1);
    engine.query("UPDATE schema_version SET version = 99");
    for said in [message(open(&engine.url())), message(open_to_read(&engine.url())), message(migrated(&engine.url()))] {
        assert!(said.starts_with("was created by a newer fastpath: its tables have version 99; "), "{said}");
    }

    let others = OnPostgres::empty();
    others.query("CREATE TABLE fastpath (notes text)");
    for said in [message(open(&others.url())), message(migrated(&others.url()))] {
        assert_eq!(said, "has a table fastpath of another program; use a separate database or schema");
    }
}

#[test]
fn concurrent_migrations() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::empty();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| migrated(&engine.url()).unwrap());
        }
    });
    // The result is that of a single migration.
    let alone = OnPostgres::new().query("SELECT version FROM schema_version");
    assert_eq!(engine.query("SELECT version FROM schema_version"), alone);
}

#[test]
fn connection_errors_are_reported() {
    skip_without!(Server::shared_postgres());
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (url, said) in [
        (format!("postgres://me:secret@127.0.0.1:{closed_port}/x"), "error connecting to server: Connection refused"),
        (format!("{}_none", OnPostgres::empty().url()), "does not exist (PostgreSQL error 3D000)"),
        ("postgres://me:secret@host:x/db".to_owned(), "invalid URL of a PostgreSQL database: invalid port: "),
        ("postgres://me:secret@host/db?sslmode=maybe".to_owned(), "invalid value `maybe` for `sslmode`: "),
        ("postgres://me:secret@none.invalid/db".to_owned(), "failed to lookup address information"),
        ("postgres://me:secret@host/db?sslrootcert=/nowhere".to_owned(), "sslrootcert /nowhere: "),
    ] {
        let error = open(&url).err().unwrap();
        assert!(error.message().contains(said), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn a_read_only_store_is_not_written() {
    skip_without!(Server::shared_postgres());
    let store = open_to_read(&OnPostgres::new().url()).unwrap();
    assert_eq!(message(store.write(&sound([2]), OnExisting::Keep)), "the store was opened for reading only");
}

/// Sets a flag when it is dropped, even if the test fails.
pub(crate) struct Done<'a>(pub(crate) &'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn lost_connections_are_retried() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    let done = AtomicBool::new(false);
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'fastpath' AND datname = current_database()";
    let mut lost = 0;
    std::thread::scope(|scope| {
        let done = Done(&done);
        let killer = scope.spawn(|| {
            let mut killed = 0;
            while !done.0.load(Ordering::Relaxed) {
                killed += engine.query(kill)[0][0].parse::<u32>().unwrap();
                engine.query("SELECT pg_sleep(random() / 2)");
            }
            killed
        });
        for batch in 0..20_u8 {
            let rows: Vec<_> = (0..250_u8)
                .map(|uid| {
                    let mut row = measured(uid, u16::from(batch) * 250 + u16::from(uid));
                    row.row.measurement_uid = format!("b{batch}-{uid}");
                    row
                })
                .collect();
            let written = store.write(&rows, OnExisting::Keep).unwrap();
            // A batch that was committed before its answer was lost is reported as inserted.
            assert_eq!((written.inserted, written.already), (250, 0), "batch {batch}");
            assert_eq!(store.count().unwrap(), (u64::from(batch) + 1) * 250);
        }
        done.0.store(true, Ordering::Relaxed);
        lost = killer.join().unwrap();
    });
    assert!(lost > 0, "no connection was lost");
    assert_eq!(engine.table("jsonl").len(), 5000);
    rollups_are_right(&store);
}

fn everything() -> List {
    List { descending: true, limit: 10, ..List::default() }
}

/// The number of the store's queries that the server is executing, or that wait for a lock.
fn running(engine: &OnPostgres) -> usize {
    let sql = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'fastpath' AND datname = current_database() AND state = 'active'";
    engine.query(sql)[0][0].parse().unwrap()
}

#[test]
fn queries_that_time_out_or_are_dropped_are_cancelled() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    store.write(&sound([1, 2]), OnExisting::Keep).unwrap();
    let BlockingStore { store: postgres, .. } = &store.0;
    std::thread::scope(|scope| {
        let locked = scope.spawn(|| engine.query("BEGIN; LOCK TABLE fastpath; SELECT pg_sleep(2); COMMIT"));
        let is_locked =
            || engine.locks("relation = 'fastpath'::regclass AND mode = 'AccessExclusiveLock' AND granted") > 0;
        while !is_locked() {}
        let limit = Duration::from_millis(50);
        let error = store.0.wait(postgres.with_deadline(Deadline::after(limit)).list(&everything())).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "the query timed out or was cancelled"));
        let dropped = store.0.wait(async { tokio::time::timeout(limit, postgres.list(&everything())).await });
        assert!(dropped.is_err());
        // While the table is locked, only a cancellation ends the queries.
        while running(&engine) > 0 {}
        assert!(is_locked() && !locked.is_finished(), "the lock ended too early for this test");
        locked.join().unwrap();
    });
    assert_eq!(store.0.wait(postgres.list(&everything())).unwrap().len(), 2);
}

/// The migrations before texts in keys could have any length.
const OLD_MIGRATIONS: [&str; 4] = [
    include_str!("../../migrations/postgres/0001_measurements.sql"),
    include_str!("../../migrations/postgres/0002_links.sql"),
    include_str!("../../migrations/postgres/0003_application.sql"),
    include_str!("../../migrations/postgres/0004_rejected.sql"),
];

#[test]
fn a_store_with_short_keys_is_migrated() {
    skip_without!(Server::shared_postgres());
    let (new, old) = (OnPostgres::new(), OnPostgres::empty());
    let rows: Vec<_> = (0..40).map(|uid| measured(uid, u16::from(uid) * 139)).collect();
    let store = new.open();
    store.write(&rows, OnExisting::Keep).unwrap();
    store.0.wait(store.0.store.replace_test_lists(entries(&[0, 1, 5, 20]))).unwrap();
    OLD_MIGRATIONS.iter().for_each(|migration| drop(old.query(migration)));
    old.query("UPDATE schema_version SET version = 4");
    for month in 1..=3 {
        old.query(&format!(
            "CREATE TABLE fastpath_2024_{month:02} (LIKE fastpath INCLUDING ALL);
             ALTER TABLE fastpath ATTACH PARTITION fastpath_2024_{month:02}
                FOR VALUES FROM ('2024-{month:02}-01') TO ('2024-{:02}-01')",
            month + 1
        ));
    }
    let newer = ["network", "country_day"];
    let rollups = ROLLUPS.iter().filter(|rollup| !newer.contains(&rollup.name)).map(|rollup| rollup.table());
    for table in ["fastpath", "jsonl", "citizenlab"].map(str::to_owned).into_iter().chain(rollups) {
        let rows = &new.query(&format!("SELECT coalesce(json_agg(t), '[]') FROM {table} AS t"))[0][0];
        old.query(&format!(
            "INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, $json${rows}$json$)"
        ));
    }
    let indexes = |engine: &OnPostgres| {
        engine.query(
            "SELECT tablename, regexp_replace(indexdef, '_pkey|_idx[0-9]*|fastpath_2024_[0-9]*_[a-z0-9_]*', '')
             FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'fastpath_2024_04' ORDER BY 1, 2",
        )
    };
    assert_ne!(indexes(&old), indexes(&new));
    assert_eq!(message(open(&old.url())), "was created by an older fastpath; `fastpath migrate` brings it up to date");
    migrated(&old.url()).unwrap();
    assert_eq!(indexes(&old), indexes(&new));

    let store = old.open();
    assert_eq!(old.table("fastpath"), new.table("fastpath"));
    rollups_are_right(&store);
    let mut long = measured(100, 7);
    long.row.domain = Json::Text("long".repeat(1000).into_bytes());
    assert_eq!(store.write(&[long], OnExisting::Keep).unwrap().inserted, 1);
    assert_eq!(store.write(&rows, OnExisting::Replace).unwrap().replaced, 40);
    rollups_are_right(&store);
}

#[test]
fn months_have_partitions() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    let at = |uid: &str, year, month| {
        let mut new = new(uid, &SOUND);
        new.row.measurement_start_time = DateTime::new(year, month, 31, 23, 59, 59).unwrap();
        new
    };
    let rows = [at("a", 1980, 1), at("b", 2023, 12), at("c", 2024, 3), at("d", 2039, 12), at("e", 2100, 1)];
    store.write(&rows, OnExisting::Keep).unwrap();
    let partitions = || {
        let sql = "SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'fastpath'::regclass ORDER BY 1";
        engine.query(sql).concat()
    };
    let made = [
        "fastpath_2023_12",
        "fastpath_2024_01",
        "fastpath_2024_03",
        "fastpath_2024_04",
        "fastpath_2039_12",
        "fastpath_after",
        "fastpath_before",
    ];
    assert_eq!(partitions(), made);
    let BlockingStore { store: postgres, .. } = &store.0;
    for (year, month, rows) in [(2023, 12, 1), (2024, 1, 0), (2024, 2, 0), (1980, 1, 1), (2100, 1, 1)] {
        let month = DateTime::new(year, month, 1, 0, 0, 0).unwrap();
        assert_eq!(store.0.wait(postgres.drop_month(month)).unwrap(), rows, "{month:?}");
    }
    assert_eq!(
        partitions(),
        ["fastpath_2024_03", "fastpath_2024_04", "fastpath_2039_12", "fastpath_after", "fastpath_before"]
    );
    assert_eq!(uids(&store), ["c", "d"]);
    assert_eq!(engine.table("jsonl").len(), 2);
    // The rows can be stored again.
    assert_eq!(store.write(&rows, OnExisting::Keep).unwrap().inserted, 3);
    rollups_are_right(&store);
}

#[test]
fn a_uid_is_found_while_its_row_moves_between_partitions() {
    skip_without!(Server::shared_postgres());
    let engine = OnPostgres::new();
    let store = engine.open();
    let in_month = |month| {
        let mut new = new("u", &SOUND);
        new.row.measurement_start_time = DateTime::new(2024, month, 1, 0, 0, 0).unwrap();
        [new]
    };
    store.write(&in_month(1), OnExisting::Keep).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let done = Done(&done);
            for round in 0..240 {
                store.write(&in_month(1 + (round + 1) % 12), OnExisting::Replace).unwrap();
            }
            drop(done);
        });
        let reader = open_to_read(&engine.url()).unwrap();
        while !done.load(Ordering::Relaxed) {
            let found = reader.0.wait(reader.0.store.find("u")).unwrap();
            assert_eq!(found.unwrap().measurement_uid, "u");
            let found = reader.0.wait(reader.0.store.find_in_report("R-u", "http://x.org/u")).unwrap();
            assert_eq!(found.unwrap().measurement_uid, "u");
        }
    });
}
