//! [`Options`], and [`Place`]: a folder or bucket that has been opened.

use crate::blobs::{Blobs, RetryPolicy};
use crate::body::BodyMemory;
use crate::layout::Layout;
use std::path::PathBuf;

/// How the archive is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder that keeps downloads; `None` for a temporary one.
    pub cache: Option<PathBuf>,
    /// Maximum size of the downloads on disk, in bytes.
    pub cache_size: u64,
    /// Number of parallel downloads.
    pub parallel: usize,
    /// Timeouts and retries.
    pub retry: RetryPolicy,
    /// Whether downloads are verified against ETags that look like MD5 sums.
    pub checksums: bool,
    /// Memory for large bodies; `None` for no limit.
    pub memory: Option<BodyMemory>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            cache: None,
            cache_size: 2 << 30,
            parallel: 4,
            retry: RetryPolicy::default(),
            checksums: true,
            memory: None,
        }
    }
}

/// A folder or bucket with a part of the archive.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) blobs: Blobs,
    /// The only layout that is kept there, if that is known.
    pub(crate) only: Option<Layout>,
}

impl Place {
    /// Describes a folder that contains no part of the archive.
    pub(super) fn without_layout(&self) -> Option<String> {
        let Blobs::Directory(directory) = &self.blobs else { return None };
        let has_none = Layout::ALL.into_iter().all(|layout| !directory.path(layout.top()).is_dir());
        has_none.then(|| format!("there is neither raw/ nor canned/ in {}", directory.path("").display()))
    }
}
