//! When the log of rollups is folded, for engines that have one.
//!
//! A write appends the rows that it adds to the log, which costs little, instead of updating thirteen rollups, in which
//! each row touches pages of its own. A background task folds the log: it moves many rows at a time into the rollups,
//! in the order in which they were written. Queries add what is in the log, so an answer does not depend on how far it
//! is folded.

use std::time::Duration;

/// Maximum rows that are folded at once. The more they are, the fewer pages of the rollups are written for each.
pub(crate) const PIECE_ROWS: usize = 50_000;

/// Maximum bytes of their texts, of which one more row may exceed the rest.
pub(crate) const PIECE_BYTES: usize = 64 << 20;

/// Rows in the log at which it is folded.
pub(crate) const LARGE: u64 = PIECE_ROWS as u64;

/// How long after rows were appended the log is folded at the latest, however few they are.
pub(crate) const DELAY: Duration = Duration::from_secs(1);

/// The pause after the log could not be folded.
pub(crate) const PAUSE: Duration = Duration::from_secs(2);
