//! `fastpath store copy`: everything of a store, copied into another one.
//!
//! What the other store has is left alone, so a copy that was stopped is completed by the same command.

use crate::command::{Said, tell};
use crate::sink::plain;
use ooni_store::{
    BatchInput, BatchResult, BlockingStore, Error, Incoming, ListedUrl, OnExisting, Rejection, ScoredRow,
};
use std::collections::HashSet;
use std::sync::Arc;

/// Measurements that are written at once.
const BATCH: usize = 10_000;

/// Copies a store.
pub(super) fn run(from: &str, to: &str, after: Option<String>) -> Said {
    let from = BlockingStore::open_to_read(from).map_err(|error| error.to_string())?;
    let to = BlockingStore::open(to).map_err(|error| error.to_string())?;
    refuse_same(&from, &to)?;
    let beside = copy_beside(&from, &to).map_err(|error| error.to_string())?;
    let (text, is_good) = measurements(&to, from.measurements(after.clone()), after, "copied")?;
    let rejected = rejections(&from, &to).map_err(|error| error.to_string())?;
    let Beside { refused, removed, listed } = beside;
    let beside =
        format!("{refused} refused before, {rejected} rejected, {removed} removed, {listed} entries of test lists");
    Ok((format!("{text}{beside}\n"), is_good))
}

/// Refuses a store and itself, whatever the URLs.
fn refuse_same(from: &BlockingStore, to: &BlockingStore) -> Result<(), String> {
    let identity = |store: &BlockingStore| store.wait(store.store.identity());
    match (identity(from), identity(to)) {
        (Ok(from), Ok(to)) if from == to => Err("FROM and TO are the same store".to_owned()),
        // A server that does not tell: a copy onto itself changes nothing.
        _ => Ok(()),
    }
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

/// Copies what measurements depend on. First, so that none is stored that was removed.
fn copy_beside(from: &BlockingStore, to: &BlockingStore) -> Result<Beside, Error> {
    let there = to.removals().map(|removal| Ok(removal?.uid)).collect::<Result<HashSet<_>, Error>>()?;
    let mut removed = 0;
    for removal in from.removals() {
        let removal = removal?;
        if !there.contains(&removal.uid) {
            to.wait(to.store.remove(&removal.uid, &removal.reason, true))?;
        }
        removed += 1;
    }
    let listed = lists(to, from.wait(from.store.test_lists(&[]))?)?;
    let refused = write_all(to, from.refusals(), |_, _| {})?.refused;
    Ok(Beside { refused, removed, listed })
}

/// Copies rejections, but none of a measurement that the other store alone has a row of; how many there are. Last, since
/// a measurement that is stored clears its rejections.
fn rejections(from: &BlockingStore, to: &BlockingStore) -> Result<u64, Error> {
    let has = |store: &BlockingStore, uid: &str| store.wait(store.store.find(uid)).map(|row| row.is_some());
    let is_outdated = |rejection: &Rejection| match &rejection.uid {
        Some(uid) => Ok(has(to, uid)? && !has(from, uid)?),
        None => Ok(false),
    };
    let (mut all, mut number) = (from.rejections(None, None), 0);
    loop {
        let batch = all.by_ref().take(BATCH).collect::<Result<Vec<_>, _>>()?;
        if batch.is_empty() {
            return Ok(number);
        }
        let mut kept = Vec::new();
        for rejection in batch {
            if !is_outdated(&rejection)? {
                kept.push(rejection);
            }
        }
        number += kept.len() as u64;
        let input = Arc::new(BatchInput::<ScoredRow>::of_rejections(kept));
        to.wait(to.store.write(input, OnExisting::Keep))?;
    }
}

/// Replaces test lists, if there are any; how many entries they have.
pub(super) fn lists(to: &BlockingStore, lists: Vec<ListedUrl>) -> Result<usize, Error> {
    let listed = lists.len();
    if listed > 0 && lists != to.wait(to.store.test_lists(&[]))? {
        to.wait(to.store.replace_test_lists(lists))?;
    }
    Ok(listed)
}

/// The result of what was written.
#[derive(Default)]
struct Copied {
    written: BatchResult,
    refused: u64,
}

/// Writes batch by batch, and calls a function after each with the number of measurements and the last uid.
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
