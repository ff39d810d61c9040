//! `fastpath store copy`: copies everything in a store into another one.
//!
//! Measurements that the target already has are kept, so a stopped copy can be completed by repeating the command.

use crate::command::bulk::BulkLoad;
use crate::command::result::{CommandResult, eprint_line};
use crate::sink::plain;
use ooni_store::{
    BatchInput, BatchResult, BlockingStore, Error, Incoming, ListedUrl, OnExisting, Rejection, RowBatch, ScoredRow,
    without_password,
};
use std::collections::HashSet;
use std::sync::Arc;

/// Measurements per batch.
const BATCH: usize = 10_000;

/// Copies a store; with `bulk` in a bulk load even if the target has rows.
pub(super) fn run(from: &str, to: &str, after: Option<String>, bulk: bool) -> CommandResult {
    let loader = format!("store copy {}", without_password(from));
    let from = BlockingStore::open_to_read(from).map_err(|error| error.to_string())?;
    let to = BlockingStore::open(to).map_err(|error| error.to_string())?;
    refuse_same(&from, &to)?;
    let mut target = Target::of(to, &loader, bulk).map_err(|error| error.to_string())?;
    let beside = copy_beside(&from, &mut target).map_err(|error| error.to_string())?;
    let (text, is_good) = measurements(&mut target, from.measurements(after.clone()), after, "copied")?;
    let to = target.store;
    let rejected = rejections(&from, &to).map_err(|error| error.to_string())?;
    archived(&from, &to).map_err(|error| error.to_string())?;
    let Beside { refused, removed, listed } = beside;
    let beside =
        format!("{refused} refused before, {rejected} rejected, {removed} removed, {listed} entries of test lists");
    Ok((format!("{text}{beside}\n"), is_good))
}

/// Refuses to copy a store onto itself, however its URLs are spelled.
fn refuse_same(from: &BlockingStore, to: &BlockingStore) -> Result<(), String> {
    let identity = |store: &BlockingStore| store.wait(store.store.identity());
    match (identity(from), identity(to)) {
        (Ok(from), Ok(to)) if from == to => Err("FROM and TO are the same store".to_owned()),
        // A server may not report its identity. Then a copy onto itself changes nothing.
        _ => Ok(()),
    }
}

/// The target of a copy or import.
pub(super) struct Target {
    pub(super) store: BlockingStore,
    /// The load in which it is written, if that is not the usual way.
    bulk: Option<BulkLoad>,
}

impl Target {
    /// Begins a bulk load if `bulk` says so or the store has no rows.
    pub(super) fn of(store: BlockingStore, loader: &str, bulk: bool) -> Result<Target, Error> {
        let bulk = match bulk {
            true => Some(BulkLoad::begin(&store, loader)?),
            false => BulkLoad::into_empty(&store, loader)?,
        };
        Ok(Target { store, bulk })
    }

    fn write(&mut self, rows: Arc<dyn RowBatch>) -> Result<BatchResult, Error> {
        match &mut self.bulk {
            Some(bulk) => bulk.write(&self.store, rows),
            None => self.store.wait(self.store.store.write(rows, OnExisting::Keep)),
        }
    }
}

/// Writes measurements, and reports progress and the result.
pub(super) fn measurements<T: Incoming + 'static>(
    to: &mut Target,
    all: impl Iterator<Item = Result<T, Error>>,
    after: Option<String>,
    written: &str,
) -> CommandResult {
    let mut last = after;
    let copied = write_all(to, all, |all, uid| {
        last = Some(uid.to_owned());
        eprint_line(&format!("{all} measurements, up to {}", plain(uid)));
    });
    let Copied { written: BatchResult { inserted, already, .. }, refused } = copied.map_err(|error| match &last {
        Some(uid) => format!("{error}; to continue, repeat the command with --after {uid}"),
        None => error.to_string(),
    })?;
    if let Some(bulk) = &to.bulk {
        bulk.end(&to.store, eprint_line).map_err(|error| error.to_string())?;
    }
    to.store.wait(to.store.store.refresh_rollups()).map_err(|error| error.to_string())?;
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

/// Copies removals, test lists and refused rows. Removals come first, so that no removed measurement is stored.
fn copy_beside(from: &BlockingStore, target: &mut Target) -> Result<Beside, Error> {
    let to = &target.store;
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
    let refused = write_all(target, from.refusals(), |_, _| {})?.refused;
    Ok(Beside { refused, removed, listed })
}

/// Copies rejections, except for measurements of which only the target has a row; returns their number. They are copied
/// last, because storing a measurement deletes its rejections.
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

/// Copies the locations of bodies without a row, except those that the target has.
fn archived(from: &BlockingStore, to: &BlockingStore) -> Result<(), Error> {
    let mut all = from.archived();
    loop {
        let batch = all.by_ref().take(BATCH).collect::<Result<Vec<_>, _>>()?;
        if batch.is_empty() {
            return Ok(());
        }
        let mut missing = Vec::new();
        for (uid, body) in batch {
            if to.wait(to.store.body_location(&uid))?.is_none() {
                missing.push((uid, body));
            }
        }
        to.wait(to.store.set_body_locations(missing))?;
    }
}

/// Replaces test lists, if there are any; returns the number of entries.
pub(super) fn lists(to: &BlockingStore, lists: Vec<ListedUrl>) -> Result<usize, Error> {
    let listed = lists.len();
    if listed > 0 && lists != to.wait(to.store.test_lists(&[]))? {
        to.wait(to.store.replace_test_lists(lists))?;
    }
    Ok(listed)
}

/// The total of all batches.
#[derive(Default)]
struct Copied {
    written: BatchResult,
    refused: u64,
}

/// Writes in batches, and calls `batch_done` after each with the number of measurements so far and the last uid.
fn write_all<T: Incoming + 'static>(
    to: &mut Target,
    mut all: impl Iterator<Item = Result<T, Error>>,
    mut batch_done: impl FnMut(u64, &str),
) -> Result<Copied, Error> {
    let (mut copied, mut number) = (Copied::default(), 0);
    loop {
        let batch = Arc::new(all.by_ref().take(BATCH).collect::<Result<Vec<_>, _>>()?);
        let Some(last) = batch.last() else { return Ok(copied) };
        let written = to.write(batch.clone())?;
        copied.written.inserted += written.inserted;
        copied.written.already += written.already;
        copied.refused += written.refused.len() as u64;
        number += batch.len() as u64;
        if batch.len() == BATCH {
            batch_done(number, last.uid());
        }
    }
}
