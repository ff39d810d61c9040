//! [`Options`], and [`Place`]: a folder or bucket that has been opened.

use crate::blobs::{Blobs, RetryPolicy};
use crate::layout::Layout;
use std::path::PathBuf;

/// How the archive is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder in which downloads stay; `None` for a temporary one.
    pub cache: Option<PathBuf>,
    /// Bytes of downloads that may be there at once.
    pub cache_size: u64,
    /// Downloads at once.
    pub parallel: usize,
    /// How long servers are waited for.
    pub retry: RetryPolicy,
    /// Whether what was downloaded is held against its MD5, where the server's ETag looks like one.
    pub checksums: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { cache: None, cache_size: 2 << 30, parallel: 4, retry: RetryPolicy::default(), checksums: true }
    }
}

/// One of the places.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) blobs: Blobs,
    /// The only layout that is kept there, if that is known.
    pub(crate) only: Option<Layout>,
}

impl Place {
    /// What is wrong with a folder that has no part of the archive in it.
    pub(super) fn without_layout(&self) -> Option<String> {
        let Blobs::Directory(directory) = &self.blobs else { return None };
        let has_none = Layout::ALL.into_iter().all(|layout| !directory.path(layout.top()).is_dir());
        has_none.then(|| format!("there is neither raw/ nor canned/ in {}", directory.path("").display()))
    }
}
