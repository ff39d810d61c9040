//! Changes that are killed at a step of their transaction: no change is partial, and repeating it completes it. The tests of
//! `fastpath` kill the changes that its commands make.

#![cfg(all(debug_assertions, unix))] // failpoints need both

use crate::server::OnPostgres;
use crate::support::{Engine, InFile, Open, location, open, sound};
use ooni_store::OnExisting;
use ooni_store::app::row::AsnName;
use ooni_store::failpoint::Failpoint;
use ooni_testkit::server::Server;
use ooni_testkit::skip_without;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

const SIGKILL: Option<i32> = Some(9);

/// The steps, and whether the change is durable then.
const STEPS: [(Failpoint, bool); 3] =
    [(Failpoint::RowsWritten, false), (Failpoint::Committing, false), (Failpoint::Committed, true)];

/// Makes the `number`th change.
fn change(store: &Open, change: &str, number: u32) {
    let Open(waiting) = store;
    match change {
        "locations" => {
            // One of a row, and one without.
            let bodies = ["u000001", "discarded"].map(|uid| (uid.to_owned(), location(number, "archived")));
            waiting.wait(waiting.store.set_body_locations(bodies.to_vec())).map(drop).unwrap();
        }
        _ => waiting.wait(waiting.store.replace_asn_names((number..number + 100).map(name).collect())).unwrap(),
    }
}

fn name(asn: u32) -> AsnName {
    AsnName {
        asn,
        org_name: format!("name {asn}"),
        cc: String::new(),
        changed: "2024-01-02".to_owned(),
        aut_name: String::new(),
        source: String::new(),
    }
}

/// The child process of [`changes_are_whole`]: makes a change.
#[test]
#[ignore = "a child process of another test"]
fn changer() {
    let store = open(&std::env::var("STORE").unwrap()).unwrap();
    change(&store, &std::env::var("CHANGE").unwrap(), std::env::var("NUMBER").unwrap().parse().unwrap());
}

fn changes_are_whole(engine: &dyn Engine) {
    let store = engine.open();
    store.write(&sound(0..3), OnExisting::Keep).unwrap();
    let content = || {
        let body = |uid| store.0.wait(store.0.store.body_location(uid)).unwrap();
        (["u000001", "discarded"].map(body), store.0.wait(store.0.store.asn_names(&[])).unwrap())
    };
    for name in ["locations", "names"] {
        for ((point, is_durable), number) in STEPS.into_iter().zip(1..) {
            let before = content();
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "interrupted::changer", "--ignored", "--test-threads", "1"])
                .envs([("STORE", &*engine.url()), ("CHANGE", name), ("NUMBER", &number.to_string())])
                .env("FASTPATH_FAILPOINT", (point as u32).to_string())
                .output()
                .unwrap();
            assert_eq!(child.status.signal(), SIGKILL, "{name}, {point:?}");
            let left = content();
            change(&store, name, number);
            let whole = content();
            assert_ne!(before, whole, "{name}, {point:?}");
            assert!(left == if is_durable { whole } else { before }, "{name}, {point:?}: half of it is there");
        }
    }
}

#[test]
fn sqlite_changes_are_whole() {
    changes_are_whole(&InFile::new());
}

#[test]
fn postgres_changes_are_whole() {
    skip_without!(Server::shared_postgres());
    changes_are_whole(&OnPostgres::new());
}
