//! A PostgreSQL server that is restarted.

use crate::support::{Open, migrated, open, sound};
use ooni_store::OnExisting;
use ooni_store::query::list::List;
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::thread;

/// Checks that a read of each kind succeeds.
fn read(store: &Open, rows: u64) {
    let db = &store.0.store;
    assert!(store.0.wait(db.find("u000001")).unwrap().is_some());
    assert_eq!(store.0.wait(db.list(&List { limit: 100, ..List::default() })).unwrap().len() as u64, rows);
    assert_eq!(store.count().unwrap(), rows);
    store.0.wait(db.ping()).unwrap();
}

/// Leaves several idle connections in both pools.
fn fill_pools(store: &Open) {
    let db = &store.0.store;
    let (a, b, c, d) = store.0.wait(async { tokio::join!(db.find("u000001"), db.ping(), db.count(), db.count()) });
    assert!(a.unwrap().is_some() && b.is_ok() && c.is_ok() && d.is_ok());
}

#[test]
fn reads_and_writes_succeed_after_a_restart() {
    skip_without!(Server::shared_postgres());
    let server = Server::postgres(false).unwrap();
    let url = server.postgres_url("postgres");
    migrated(&url).unwrap();
    let store = open(&url).unwrap();
    store.write(&sound(1..11), OnExisting::Keep).unwrap();
    fill_pools(&store);
    server.restart().unwrap();
    read(&store, 10);
    server.restart().unwrap();
    assert_eq!(store.write(&sound(11..21), OnExisting::Keep).unwrap().inserted, 10);
    fill_pools(&store);
    // Reads also succeed while the server is down.
    thread::scope(|scope| {
        let restarting = scope.spawn(|| server.restart().unwrap());
        while !restarting.is_finished() {
            read(&store, 20);
        }
    });
    read(&store, 20);
}
