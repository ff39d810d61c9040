//! `fastpath store remove` and `restore`: removes a measurement permanently, and allows it to be stored again.

use super::change::{change, done};
use crate::command::result::CommandResult;
use ooni_store::{BlockingStore, RemoveOutcome};

/// Removes a measurement permanently.
pub(super) fn remove(uid: &str, reason: &str, ban: bool, url: &str) -> CommandResult {
    let outcome = change(url, |store| store.wait(store.store.remove(uid, reason, ban)))?;
    Ok(message(outcome, "removed", "not in the store; the uid is now banned"))
}

/// Reports what [`remove`] would do.
pub(super) fn dry_run(uid: &str, ban: bool, url: &str) -> CommandResult {
    let store = BlockingStore::open_to_read(url).map_err(|error| error.to_string())?;
    let status = store.wait(store.store.uid_status(uid)).map_err(|error| error.to_string())?;
    Ok(message(status.outcome(ban), "would be removed", "not in the store; the uid would be banned"))
}

fn message(outcome: RemoveOutcome, removed: &str, banned: &str) -> (String, bool) {
    match outcome {
        RemoveOutcome::Removed => done(removed),
        RemoveOutcome::Banned => done(banned),
        RemoveOutcome::Already => done("already removed; the first reason is kept"),
        RemoveOutcome::Unknown => (
            "the store has no such measurement, nothing was changed; use --ban to ban the uid anyway\n".to_owned(),
            false,
        ),
    }
}

/// Lifts the ban of a measurement.
pub(super) fn restore(uid: &str, url: &str) -> CommandResult {
    match change(url, |store| store.wait(store.store.restore(uid)))? {
        true => Ok(done("restored; the next rerun of its day stores it again")),
        false => Ok(("it was not removed\n".to_owned(), false)),
    }
}
