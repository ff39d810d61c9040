//! Places at which a test has the process killed, to see what is left. Only in builds with debug assertions.
//!
//! `FASTPATH_FAILPOINT=3` kills it at the third of [`Failpoint::ALL`], `3:5` when it gets there for the fifth time. With
//! `FASTPATH_CHECKPOINTS` set, everything is made durable after every can and not only now and then: a test has few cans
//! and little time. The test of killed runs goes through all of them.

use std::time::Duration;

/// A step between two things that become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    /// The old journal is gone, the old output still there.
    Begun = 1,
    /// The output is empty, and there is no journal.
    OutputBegun,
    /// The journal says what the run is.
    JournalBegun,
    /// A piece of a can is in the output, its rows not yet.
    PieceWritten,
    /// A can is at its end, which nothing says yet.
    CanEnded,
    /// Rows are about to be stored.
    RowsComing,
    /// Rows are stored.
    RowsStored,
    /// The output is about to be made durable.
    OutputComing,
    /// The output is durable, the journal does not say so.
    OutputDurable,
    /// The journal says what is durable.
    CheckpointDone,
    /// All cans are done, the output is not finished.
    Finishing,
    /// The output is finished, the journal does not say so.
    Finished,
    /// All is done but for the report.
    Complete,
    /// Of a store: its rows are written, rollups not.
    RowsWritten,
    /// A row went, what takes its place did not come.
    RowDeleted,
    /// A rollup has followed the rows, others not.
    RollupFollowed,
    /// All is written and not committed.
    Committing,
    /// It is committed, and nobody knows.
    Committed,
    /// Test lists are new, the rollup of them is not.
    ListsReplaced,
    /// A rollup is empty.
    RollupEmptied,
    /// A statement that changes something is about to be sent to an engine without transactions.
    StatementComing,
}

impl Failpoint {
    /// All of a run, by number from 1.
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

    /// All of a store.
    pub const STORE: [Failpoint; 7] = [
        Failpoint::RowsWritten,
        Failpoint::RowDeleted,
        Failpoint::RollupFollowed,
        Failpoint::Committing,
        Failpoint::Committed,
        Failpoint::ListsReplaced,
        Failpoint::RollupEmptied,
    ];
}

/// How often something is made durable where that is usually done so often.
#[cfg(not(debug_assertions))]
pub fn interval(usual: Duration) -> Duration {
    usual
}

/// How often something is made durable where that is usually done so often.
#[cfg(debug_assertions)]
pub fn interval(usual: Duration) -> Duration {
    if std::env::var_os("FASTPATH_CHECKPOINTS").is_some() { Duration::ZERO } else { usual }
}

/// The process gets here.
#[cfg(not(debug_assertions))]
pub fn reach(_point: Failpoint) {}

/// The process gets here, and no further if that was asked for.
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
