//! What can go wrong in the intake log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the intake log did not do something. Errors of a batch are shared by all who submitted a part of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More submissions are waiting than the queue may hold. A later retry may succeed.
    #[error("too many submissions are waiting for the disk")]
    Busy,
    /// The log was shut down.
    #[error("the intake log is closed")]
    Closed,
    /// A submission that the log cannot hold.
    #[error("invalid submission: {0}")]
    Invalid(&'static str),
    /// The body or the metadata are too long.
    #[error("the submission has {length} bytes, more than {limit}")]
    TooLarge {
        /// Its length.
        length: u64,
        /// The limit that it exceeds.
        limit: u64,
    },
    /// The log has another body under the UID that the submission brings.
    #[error("another body is stored under the UID {0}")]
    Conflict(String),
    /// Another process uses the directory.
    #[error("{} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// A file of a later version of this program.
    #[error("{} has version {version}, which this program does not know", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A cursor that cannot be read.
    #[error("{} is not a cursor: {reason}", path.display())]
    Cursor {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system reported an error.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was done to the file, such as "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error.
        source: Arc<io::Error>,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Error {
        Error::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }

    /// Whether a file was missing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
