//! Points at which a test can kill the process, to check what it leaves behind. Active only in builds with debug
//! assertions.
//!
//! `FASTPATH_FAILPOINT=3` kills the process at the third point of [`Failpoint::ALL`], `3:5` the fifth time it reaches
//! that point. If `FASTPATH_CHECKPOINTS` is set, everything is made durable after every can instead of at intervals, since
//! a test has few cans and little time. The tests of killed runs cover all points.

use std::time::Duration;

/// A step between two durable changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    /// The old journal is removed; the old output still exists.
    Begun = 1,
    /// The output is empty, and there is no journal.
    OutputBegun,
    /// The journal describes the run.
    JournalBegun,
    /// A part of a can is in the output; its rows are not yet in the store.
    PieceWritten,
    /// The end of a can was reached and is not recorded yet.
    CanEnded,
    /// Rows are about to be stored.
    RowsComing,
    /// Rows are stored.
    RowsStored,
    /// The output is about to be made durable.
    OutputComing,
    /// The output is durable; the journal does not record it yet.
    OutputDurable,
    /// The journal records what is durable.
    CheckpointDone,
    /// All cans are done; the output is not finished.
    Finishing,
    /// The output is finished; the journal does not record it yet.
    Finished,
    /// Everything is done except the report.
    Complete,
    /// In a store: the rows are written, the rollups are not.
    RowsWritten,
    /// A row is deleted; its replacement is not written yet.
    RowDeleted,
    /// One rollup is updated, others are not.
    RollupFollowed,
    /// Everything is written but not committed.
    Committing,
    /// The change is committed; the call has not returned yet.
    Committed,
    /// Test lists are replaced; their rollup is not updated yet.
    ListsReplaced,
    /// A rollup was emptied and is not refilled yet.
    RollupEmptied,
    /// A bulk load has begun in a month: it has no indexes.
    MonthBegun,
    /// An index of a loaded month is built.
    IndexBuilt,
    /// Rows of a loaded month are counted in the rollups.
    MonthCounted,
    /// A loaded month is about to be finished.
    MonthFinishing,
    /// A statement that changes data is about to be sent to an engine without transactions.
    StatementComing,
    /// Rows of the log of rollups are read, and no rollup counts them yet.
    LogRead,
    /// The rollups count the rows, which are deleted from the log. It is not committed.
    LogFolded,
}

impl Failpoint {
    /// The points of a run, numbered from 1.
    pub const ALL: [Failpoint; 13] = [
        Failpoint::Begun,
        Failpoint::OutputBegun,
        Failpoint::JournalBegun,
        Failpoint::PieceWritten,
        Failpoint::CanEnded,
        Failpoint::RowsComing,
        Failpoint::RowsStored,
        Failpoint::OutputComing,
        Failpoint::OutputDurable,
        Failpoint::CheckpointDone,
        Failpoint::Finishing,
        Failpoint::Finished,
        Failpoint::Complete,
    ];

    /// The points of a bulk load, beside those of every change. All are reached before the step is committed, except
    /// [`IndexBuilt`](Failpoint::IndexBuilt) on PostgreSQL.
    pub const BULK: [Failpoint; 4] =
        [Failpoint::MonthBegun, Failpoint::IndexBuilt, Failpoint::MonthCounted, Failpoint::MonthFinishing];

    /// The points of a store.
    pub const STORE: [Failpoint; 9] = [
        Failpoint::RowsWritten,
        Failpoint::RowDeleted,
        Failpoint::RollupFollowed,
        Failpoint::Committing,
        Failpoint::Committed,
        Failpoint::ListsReplaced,
        Failpoint::RollupEmptied,
        Failpoint::LogRead,
        Failpoint::LogFolded,
    ];
}

/// The interval at which data is made durable, given the usual one.
#[cfg(not(debug_assertions))]
pub fn interval(usual: Duration) -> Duration {
    usual
}

/// The interval at which data is made durable, given the usual one.
#[cfg(debug_assertions)]
pub fn interval(usual: Duration) -> Duration {
    if std::env::var_os("FASTPATH_CHECKPOINTS").is_some() { Duration::ZERO } else { usual }
}

/// Marks that the process has reached a point.
#[cfg(not(debug_assertions))]
pub fn reach(_point: Failpoint) {}

/// Marks that the process has reached a point; kills the process if that was requested.
#[cfg(debug_assertions)]
pub fn reach(point: Failpoint) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static WANTED: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    static TIMES: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("FASTPATH_FAILPOINT").ok()?;
        let (number, times) = text.split_once(':').unwrap_or((&text, "1"));
        Some((number.parse().ok()?, times.parse().ok()?))
    });
    if let Some((number, times)) = wanted
        && *number == point as u64
        && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
    }
}
