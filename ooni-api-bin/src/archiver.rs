//! The archiver: each hour of the intake log, as postcans and lines by country and test, in the archive.
//!
//! Steps for each can: it is built in a local file; its line in the plan is made durable; its files are put into the
//! archive, read back and compared; the locations of its bodies are committed to the store; the plan says that it is done.
//! When all cans of a segment are done, the cursor `archive` advances past it, and the segment can be released.
//!
//! A crash at any step is followed by the same step with the same bytes: the plan says which measurements a number was
//! given to, and cans are written without anything that changes from one run to the next. An object that is there before
//! the first put of a can is not replaced: it is of another server with the same collector id, and the can gets another
//! number.

mod can;
mod groups;
mod plan;
mod publish;
mod task;

pub(crate) use self::task::has_ended;
pub use self::task::{Archiver, Progress, Settings};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::AddAssign;

/// What became of the measurements of the log up to the cursor `archive`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Archived {
    /// Measurements in postcans.
    pub postcans: u64,
    /// Bodies that are not JSON, in quarantine cans.
    pub quarantined: u64,
    /// Cans of both kinds.
    pub cans: u64,
}

impl AddAssign for Archived {
    fn add_assign(&mut self, other: Archived) {
        self.postcans += other.postcans;
        self.quarantined += other.quarantined;
        self.cans += other.cans;
    }
}

impl fmt::Display for Archived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Archived { postcans, quarantined, cans } = self;
        write!(f, "{postcans} measurements archived in {cans} cans, {quarantined} in quarantine")
    }
}
