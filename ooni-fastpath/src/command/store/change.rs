//! Opening a store to change it.

use ooni_store::{BlockingStore, Error};
use std::fmt::Display;

/// Opens an existing store for writing.
pub(crate) fn open(url: &str) -> Result<BlockingStore, String> {
    // Opening for writing would create a store if the name is misspelt.
    BlockingStore::open_to_read(url).and_then(|_| BlockingStore::open(url)).map_err(|error| error.to_string())
}

/// Changes a store, and updates the rollups.
pub(super) fn change<T>(url: &str, change: impl FnOnce(&BlockingStore) -> Result<T, Error>) -> Result<T, String> {
    let store = open(url)?;
    let changed = change(&store).and_then(|outcome| store.wait(store.store.refresh_rollups()).map(|()| outcome));
    changed.map_err(|error| error.to_string())
}

/// The result of a command that prints one line.
pub(super) fn done(what: &(impl Display + ?Sized)) -> (String, bool) {
    (format!("{what}\n"), true)
}
