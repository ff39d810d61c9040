//! Points at which a test can kill the process, to check what it leaves behind. Active only in builds with debug
//! assertions.
//!
//! `OONI_API_FAILPOINT=intake-after-write` kills the process when it first reaches that point, `intake-after-write:5` the
//! fifth time.

/// A step between two durable changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    /// Records have their receive times; nothing of them is written.
    IntakeBeforeWrite,
    /// A part of a record is written.
    IntakeHalfRecord,
    /// Records are written and not synced.
    IntakeAfterWrite,
    /// Records are durable; no submission has been answered.
    IntakeAfterSync,
    /// Not a kill: the sync fails.
    IntakeSyncError,
    /// Not a kill: the sync of the last segment fails when the log is opened.
    RecoverySyncError,
    /// A new segment is complete under its temporary name.
    SegmentWritten,
    /// A new segment has its name; its directory is not synced.
    SegmentRenamed,
    /// A segment is about to be deleted.
    SegmentReleasing,
    /// A segment is deleted; its directory is not synced.
    SegmentReleased,
    /// A cursor is complete under its temporary name.
    CursorWritten,
    /// A cursor has its name; its directory is not synced.
    CursorRenamed,
    /// A batch is scored; nothing of it is stored.
    ScoreBatch,
    /// The rows of a batch are durable; the cursor is not.
    ScoreStored,
    /// A can has a number in the durable plan; nothing is in the archive.
    ArchivePlanned,
    /// The plan says that files of a can will be put; nothing of it is in the archive.
    ArchivePutting,
    /// A file of a can is in the archive, and not read back.
    ArchivePut,
    /// A file of a can was read back.
    ArchiveVerified,
    /// Locations of bodies are durable; the plan does not say that the can is done.
    ArchiveIndexed,
    /// The plan says that a can is done.
    ArchiveDone,
    /// The cursor is past a segment; its plan is still there.
    ArchiveCursor,
}

impl Failpoint {
    /// The points of the intake log that kill the process.
    pub const INTAKE: [Failpoint; 10] = [
        Failpoint::IntakeBeforeWrite,
        Failpoint::IntakeHalfRecord,
        Failpoint::IntakeAfterWrite,
        Failpoint::IntakeAfterSync,
        Failpoint::SegmentWritten,
        Failpoint::SegmentRenamed,
        Failpoint::SegmentReleasing,
        Failpoint::SegmentReleased,
        Failpoint::CursorWritten,
        Failpoint::CursorRenamed,
    ];

    /// The points of scoring and of the archiver.
    pub const PIPELINE: [Failpoint; 9] = [
        Failpoint::ScoreBatch,
        Failpoint::ScoreStored,
        Failpoint::ArchivePlanned,
        Failpoint::ArchivePutting,
        Failpoint::ArchivePut,
        Failpoint::ArchiveVerified,
        Failpoint::ArchiveIndexed,
        Failpoint::ArchiveDone,
        Failpoint::ArchiveCursor,
    ];

    /// Its name in `OONI_API_FAILPOINT`.
    pub const fn name(self) -> &'static str {
        match self {
            Failpoint::IntakeBeforeWrite => "intake-before-write",
            Failpoint::IntakeHalfRecord => "intake-half-record",
            Failpoint::IntakeAfterWrite => "intake-after-write",
            Failpoint::IntakeAfterSync => "intake-after-sync",
            Failpoint::IntakeSyncError => "intake-sync-error",
            Failpoint::RecoverySyncError => "recovery-sync-error",
            Failpoint::SegmentWritten => "segment-written",
            Failpoint::SegmentRenamed => "segment-renamed",
            Failpoint::SegmentReleasing => "segment-releasing",
            Failpoint::SegmentReleased => "segment-released",
            Failpoint::CursorWritten => "cursor-written",
            Failpoint::CursorRenamed => "cursor-renamed",
            Failpoint::ScoreBatch => "score-batch",
            Failpoint::ScoreStored => "score-stored",
            Failpoint::ArchivePlanned => "archive-planned",
            Failpoint::ArchivePutting => "archive-putting",
            Failpoint::ArchivePut => "archive-put",
            Failpoint::ArchiveVerified => "archive-verified",
            Failpoint::ArchiveIndexed => "archive-indexed",
            Failpoint::ArchiveDone => "archive-done",
            Failpoint::ArchiveCursor => "archive-cursor",
        }
    }
}

/// Marks that the process has reached a point; kills the process if that was requested.
pub fn reach(point: Failpoint) {
    if is_due(point) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Marks that the process has reached a point.
///
/// # Errors
/// An error at this point was requested.
pub fn fail(point: Failpoint) -> std::io::Result<()> {
    if is_due(point) { Err(std::io::Error::other("requested by OONI_API_FAILPOINT")) } else { Ok(()) }
}

/// Whether something was requested for this point.
#[cfg(debug_assertions)]
pub fn is_armed(point: Failpoint) -> bool {
    requested().is_some_and(|(name, _)| name == point.name())
}

/// Whether something was requested for this point.
#[cfg(not(debug_assertions))]
pub fn is_armed(_point: Failpoint) -> bool {
    false
}

/// Counts the times that a requested point is reached.
fn is_due(point: Failpoint) -> bool {
    use std::sync::atomic::{AtomicU64, Ordering};
    static TIMES: AtomicU64 = AtomicU64::new(0);
    is_armed(point) && requested().is_some_and(|(_, times)| TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *times)
}

/// The point that the environment names, and which time it counts.
fn requested() -> Option<&'static (String, u64)> {
    use std::sync::OnceLock;
    static REQUESTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    let read = || {
        let text = std::env::var("OONI_API_FAILPOINT").ok()?;
        let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), times.parse().ok()?))
    };
    REQUESTED.get_or_init(read).as_ref()
}
