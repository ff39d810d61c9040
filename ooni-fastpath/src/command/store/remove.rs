//! `fastpath store remove` and `restore`: measurements that are not stored again, and those that may be.

use super::{change, done};
use crate::command::Said;
use ooni_store::{BlockingStore, RemoveOutcome};

/// Removes a measurement for good.
pub(super) fn remove(uid: &str, reason: &str, ban: bool, url: &str) -> Said {
    let outcome = change(url, |waiting| waiting.wait(waiting.store.remove(uid, reason, ban)))?;
    Ok(said(outcome, "removed", "not in the store; banned, so that it is not stored"))
}

/// Says what [`remove`] would do.
pub(super) fn dry_run(uid: &str, ban: bool, url: &str) -> Said {
    let waiting = BlockingStore::open_to_read(url).map_err(|error| error.to_string())?;
    let status = waiting.wait(waiting.store.uid_status(uid)).map_err(|error| error.to_string())?;
    Ok(said(status.outcome(ban), "would be removed", "not in the store; would be banned, so that it is not stored"))
}

fn said(outcome: RemoveOutcome, removed: &str, banned: &str) -> (String, bool) {
    match outcome {
        RemoveOutcome::Removed => done(removed),
        RemoveOutcome::Banned => done(banned),
        RemoveOutcome::Already => done("already removed; the first reason stays"),
        RemoveOutcome::Unknown => (
            "the store has no such measurement, nothing was changed; --ban bans the uid all the same\n".to_owned(),
            false,
        ),
    }
}

/// Lifts the ban of a measurement.
pub(super) fn restore(uid: &str, url: &str) -> Said {
    match change(url, |waiting| waiting.wait(waiting.store.restore(uid)))? {
        true => Ok(done("restored; the next rerun of its day stores it again")),
        false => Ok(("it was not removed\n".to_owned(), false)),
    }
}
