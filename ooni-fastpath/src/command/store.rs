//! `fastpath store`: what is in a store, and what an operator changes in it.

mod copy;
mod export;
mod import;
mod stats;

use super::Said;
use crate::cli::store::{Store, StoreCommand};
use ooni_store::test_lists;
use ooni_store::{BlockingStore, Error};
use std::fmt::Display;

/// Does what was asked for.
pub(super) fn run(arguments: &Store) -> Said {
    match &arguments.what {
        StoreCommand::Stats { format, at } => stats::run(*format, &at.db_uri),
        StoreCommand::LoadTestLists { folder, at } => {
            let lists = test_lists::read(folder)?;
            let (urls, said) = (lists.urls.len(), lists.to_string());
            change(&at.db_uri, |waiting| waiting.wait(waiting.store.replace_test_lists(lists.urls)))
                .map(|()| done(&format!("{urls} entries of test lists; {said}")))
        }
        StoreCommand::Remove { uid, reason, at } => {
            let was_there = change(&at.db_uri, |waiting| waiting.wait(waiting.store.remove(uid, reason)))?;
            Ok(done(if was_there { "removed" } else { "it was not there; it will not be taken in" }))
        }
        StoreCommand::DropMonth { month, at } => {
            let rows = change(&at.db_uri, |waiting| waiting.wait(waiting.store.drop_month(*month)))?;
            Ok(done(&format!("{rows} measurements taken out")))
        }
        StoreCommand::Copy { from, to, after } => copy::run(from, to, after.clone()),
        StoreCommand::Import { from, to, after } => import::run(from, to, after.clone()),
        StoreCommand::Export { days, out, at } => export::run(days, out, &at.db_uri),
    }
}

/// Opens a store that is there, to write to.
pub(super) fn open(url: &str) -> Result<BlockingStore, String> {
    // Opening to write would make one of a name that is misspelt.
    BlockingStore::open_to_read(url).and_then(|_| BlockingStore::open(url)).map_err(|error| error.to_string())
}

/// Changes a store, and has the rollups follow.
fn change<T>(url: &str, change: impl FnOnce(&BlockingStore) -> Result<T, Error>) -> Result<T, String> {
    let waiting = open(url)?;
    let changed = change(&waiting).and_then(|outcome| waiting.wait(waiting.store.refresh_rollups()).map(|()| outcome));
    changed.map_err(|error| error.to_string())
}

fn done(what: &(impl Display + ?Sized)) -> (String, bool) {
    (format!("{what}\n"), true)
}
