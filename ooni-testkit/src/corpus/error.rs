//! [`Error`]: why a corpus cannot be generated.

use std::io;
use std::path::{Path, PathBuf};

/// Why a corpus cannot be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot read or write {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A fingerprint list is not valid CSV.
    #[error("cannot read the fingerprints of {}", path.display())]
    Csv {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: csv::Error,
    },
    /// The folder has too few templates: web_connectivity with and without bodies and another test are required.
    #[error("too few template measurements in {}", path.display())]
    Templates {
        /// The folder.
        path: PathBuf,
    },
}

impl Error {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
