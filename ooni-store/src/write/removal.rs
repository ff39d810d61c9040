//! [`Removal`]: a measurement that was removed permanently; [`RemoveOutcome`]: the outcome of removing one.

use serde::Serialize;

/// A measurement that was removed and is not stored again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// Its uid.
    pub uid: String,
    /// The reason, as the operator gave it.
    pub reason: String,
    /// The time, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub time: String,
}

/// The outcome of [`Store::remove`](crate::Store::remove).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// The measurement was stored and has been removed.
    Removed,
    /// It was not stored, and will be refused from now on.
    Banned,
    /// It had been removed before. The first reason is kept.
    Already,
    /// It is not stored, and no ban was requested. Nothing was changed.
    Unknown,
}

impl RemoveOutcome {
    /// The outcome, given whether the measurement was removed before and whether it is in a table.
    pub(crate) fn of(was_removed: bool, exists: bool, ban: bool) -> RemoveOutcome {
        match (was_removed, exists) {
            (true, _) => RemoveOutcome::Already,
            (_, true) => RemoveOutcome::Removed,
            _ if ban => RemoveOutcome::Banned,
            _ => RemoveOutcome::Unknown,
        }
    }
}

/// The tables that contain a uid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidStatus {
    /// Whether it has a row.
    pub is_stored: bool,
    /// Whether its row was refused by a table.
    pub is_refused: bool,
    /// Whether it was rejected by a rule.
    pub is_rejected: bool,
    /// Whether it was removed.
    pub is_removed: bool,
    /// Whether it has no row and the location of its body is known.
    pub is_archived: bool,
}

impl UidStatus {
    /// The outcome that [`Store::remove`](crate::Store::remove) would have.
    pub fn outcome(&self, ban: bool) -> RemoveOutcome {
        let exists = self.is_stored || self.is_refused || self.is_rejected || self.is_archived;
        RemoveOutcome::of(self.is_removed, exists, ban)
    }
}
