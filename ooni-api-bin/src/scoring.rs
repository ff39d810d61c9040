//! Live scoring: from the intake log through `ooni-core` into the store, in batches.
//!
//! The cursor `score` says up to where the log is scored. It advances after the rows of a batch are durable, together with
//! the counters of what became of the measurements. A batch that is repeated after a crash finds its rows already there.
//! A store that is down, slow or full delays scoring and loses nothing.

mod batch;
mod mismatch;
mod read;
mod task;

pub use self::task::{Progress, Scoring, Settings};

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// What became of the measurements of the log up to the cursor.
///
/// Accepted measurements = all of these + those that are pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcomes {
    /// They have a row.
    pub stored: u64,
    /// They were discarded on purpose.
    pub discarded: u64,
    /// They cannot be parsed or scored; the store has the reason.
    pub rejected: u64,
    /// Their row was refused by the store, which has the reason.
    pub refused: u64,
    /// Their records in the log are damaged, and were skipped.
    pub damaged: u64,
}

impl Outcomes {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.stored + self.discarded + self.rejected + self.refused + self.damaged
    }
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, other: Outcomes) {
        self.stored += other.stored;
        self.discarded += other.discarded;
        self.rejected += other.rejected;
        self.refused += other.refused;
        self.damaged += other.damaged;
    }
}
