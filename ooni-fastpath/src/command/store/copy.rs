//! `fastpath store copy`: what a store has, put into another one.
//!
//! All that is written leaves alone what is there, so a copy that was stopped is made whole by another.

use crate::command::{Said, tell};
use crate::sink::plain;
use crate::store::{Incoming, MeasurementStore, OnExisting, StoreError, Waiting, Written};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Measurements that are written at once.
const BATCH: usize = 10_000;

/// Copies a store.
pub(super) fn run(from: &str, to: &str, after: Option<String>) -> Said {
    let from = Waiting::open_to_read(from).map_err(|error| error.to_string())?;
    let to = Waiting::open(to).map_err(|error| error.to_string())?;
    let beside = copy_beside(&from, &to).map_err(|error| error.to_string())?;
    let mut last = after.clone();
    let copied = write_all(&to, from.measurements(after), |all, uid| {
        last = Some(uid.to_owned());
        tell(&format!("{all} measurements, up to {}", plain(uid)));
    });
    let Copied { written, refused } = copied.map_err(|error| match &last {
        Some(uid) => format!("{error}; the same command goes on with --after {uid}"),
        None => error.to_string(),
    })?;
    to.wait(to.store.settle()).map_err(|error| error.to_string())?;
    let Written { inserted, already, .. } = written;
    let all = inserted + already + refused;
    let text = format!(
        "{all} measurements: {inserted} copied, {already} already there, {refused} refused\n\
         {} refused before, {} removed, {} entries of test lists\n",
        beside.refused, beside.removed, beside.listed
    );
    Ok((text, refused == 0))
}

/// What was copied besides measurements.
struct Beside {
    refused: u64,
    removed: u64,
    listed: usize,
}

/// Copies what measurements hang on. First, so that none is taken in that was removed.
fn copy_beside(from: &Waiting, to: &Waiting) -> Result<Beside, StoreError> {
    let (there, mut removed) = (to.removals().collect::<Result<BTreeMap<_, _>, _>>()?, 0);
    for removal in from.removals() {
        let (uid, reason) = removal?;
        if !there.contains_key(&uid) {
            to.wait(to.store.remove(&uid, &reason))?;
        }
        removed += 1;
    }
    let lists = from.wait(from.store.test_lists(&[]))?;
    let listed = lists.len();
    if listed > 0 && lists != to.wait(to.store.test_lists(&[]))? {
        to.wait(to.store.replace_test_lists(lists))?;
    }
    let refused = write_all(to, from.refusals(), |_, _| {})?.refused;
    Ok(Beside { refused, removed, listed })
}

/// What became of what was written.
#[derive(Default)]
struct Copied {
    written: Written,
    refused: u64,
}

/// Writes batch by batch; after each it is told how many there are, and the last uid.
fn write_all<T: Incoming + 'static>(
    to: &Waiting,
    mut all: impl Iterator<Item = Result<T, StoreError>>,
    mut batch_done: impl FnMut(u64, &str),
) -> Result<Copied, StoreError> {
    let (mut copied, mut number) = (Copied::default(), 0);
    loop {
        let batch = Arc::new(all.by_ref().take(BATCH).collect::<Result<Vec<_>, _>>()?);
        let Some(last) = batch.last() else { return Ok(copied) };
        let written = to.wait(to.store.write(Arc::clone(&batch), OnExisting::Keep))?;
        copied.written.inserted += written.inserted;
        copied.written.already += written.already;
        copied.refused += written.refused.len() as u64;
        number += batch.len() as u64;
        if batch.len() == BATCH {
            batch_done(number, last.uid());
        }
    }
}
