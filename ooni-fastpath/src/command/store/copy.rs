//! `fastpath store copy`: what a store has, put into another one.
//!
//! All that is written leaves alone what is there, so a copy that was stopped is made whole by another.

use crate::command::{Said, tell};
use crate::sink::plain;
use ooni_store::{BatchResult, BlockingStore, Error, Incoming, ListedUrl, OnExisting};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Measurements that are written at once.
const BATCH: usize = 10_000;

/// Copies a store.
pub(super) fn run(from: &str, to: &str, after: Option<String>) -> Said {
    let from = BlockingStore::open_to_read(from).map_err(|error| error.to_string())?;
    let to = BlockingStore::open(to).map_err(|error| error.to_string())?;
    let beside = copy_beside(&from, &to).map_err(|error| error.to_string())?;
    let (text, is_good) = measurements(&to, from.measurements(after.clone()), after, "copied")?;
    let Beside { refused, removed, listed } = beside;
    Ok((format!("{text}{refused} refused before, {removed} removed, {listed} entries of test lists\n"), is_good))
}

/// Writes measurements, and says how far it is and what became of them.
pub(super) fn measurements<T: Incoming + 'static>(
    to: &BlockingStore,
    all: impl Iterator<Item = Result<T, Error>>,
    after: Option<String>,
    written: &str,
) -> Said {
    let mut last = after;
    let copied = write_all(to, all, |all, uid| {
        last = Some(uid.to_owned());
        tell(&format!("{all} measurements, up to {}", plain(uid)));
    });
    let Copied { written: BatchResult { inserted, already, .. }, refused } = copied.map_err(|error| match &last {
        Some(uid) => format!("{error}; the same command goes on with --after {uid}"),
        None => error.to_string(),
    })?;
    to.wait(to.store.refresh_rollups()).map_err(|error| error.to_string())?;
    let all = inserted + already + refused;
    let text = format!("{all} measurements: {inserted} {written}, {already} already there, {refused} refused\n");
    Ok((text, refused == 0))
}

/// What was copied besides measurements.
struct Beside {
    refused: u64,
    removed: u64,
    listed: usize,
}

/// Copies what measurements hang on. First, so that none is taken in that was removed.
fn copy_beside(from: &BlockingStore, to: &BlockingStore) -> Result<Beside, Error> {
    let (there, mut removed) = (to.removals().collect::<Result<BTreeMap<_, _>, _>>()?, 0);
    for removal in from.removals() {
        let (uid, reason) = removal?;
        if !there.contains_key(&uid) {
            to.wait(to.store.remove(&uid, &reason))?;
        }
        removed += 1;
    }
    let listed = lists(to, from.wait(from.store.test_lists(&[]))?)?;
    let refused = write_all(to, from.refusals(), |_, _| {})?.refused;
    Ok(Beside { refused, removed, listed })
}

/// Puts test lists, if there are any, in the place of those there; how many entries they have.
pub(super) fn lists(to: &BlockingStore, lists: Vec<ListedUrl>) -> Result<usize, Error> {
    let listed = lists.len();
    if listed > 0 && lists != to.wait(to.store.test_lists(&[]))? {
        to.wait(to.store.replace_test_lists(lists))?;
    }
    Ok(listed)
}

/// What became of what was written.
#[derive(Default)]
struct Copied {
    written: BatchResult,
    refused: u64,
}

/// Writes batch by batch; after each it is told how many there are, and the last uid.
fn write_all<T: Incoming + 'static>(
    to: &BlockingStore,
    mut all: impl Iterator<Item = Result<T, Error>>,
    mut batch_done: impl FnMut(u64, &str),
) -> Result<Copied, Error> {
    let (mut copied, mut number) = (Copied::default(), 0);
    loop {
        let batch = Arc::new(all.by_ref().take(BATCH).collect::<Result<Vec<_>, _>>()?);
        let Some(last) = batch.last() else { return Ok(copied) };
        let written = to.wait(to.store.write(batch.clone(), OnExisting::Keep))?;
        copied.written.inserted += written.inserted;
        copied.written.already += written.already;
        copied.refused += written.refused.len() as u64;
        number += batch.len() as u64;
        if batch.len() == BATCH {
            batch_done(number, last.uid());
        }
    }
}
