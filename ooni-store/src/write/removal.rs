//! [`Removal`]: a measurement that was taken out for good, and what becomes of one that is to be.

use serde::Serialize;

/// A measurement that was removed and is not stored again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// Its uid.
    pub uid: String,
    /// Why, in the words of the one who removed it.
    pub reason: String,
    /// When, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub time: String,
}

/// What `remove` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// The measurement was in a table and is in none now.
    Removed,
    /// It was in no table. It is not stored from now on.
    Banned,
    /// It had been removed before. The first reason stays.
    Already,
    /// It is in no table, and a ban was not asked for. Nothing was changed.
    Unknown,
}

impl RemoveOutcome {
    /// The outcome, when it is known whether the measurement was removed before and whether it is in a table.
    pub(crate) fn of(was_removed: bool, is_there: bool, ban: bool) -> RemoveOutcome {
        match (was_removed, is_there) {
            (true, _) => RemoveOutcome::Already,
            (_, true) => RemoveOutcome::Removed,
            _ if ban => RemoveOutcome::Banned,
            _ => RemoveOutcome::Unknown,
        }
    }
}

/// Where a uid is.
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
}

impl UidStatus {
    /// What [`Store::remove`](crate::Store::remove) would do.
    pub fn outcome(&self, ban: bool) -> RemoveOutcome {
        RemoveOutcome::of(self.is_removed, self.is_stored || self.is_refused || self.is_rejected, ban)
    }
}
