//! Position bytes are kept under keys: a folder, or a bucket of an S3 server. What the keys mean is not known here.
//!
//! What waits for a server is a future of the tokio runtime that [`source::archive`](crate::source::archive) keeps to
//! itself; nothing else of the crate is asynchronous.

mod directory;
mod download;
mod retry;
mod s3;

pub(crate) use self::directory::Directory;
pub(crate) use self::download::{copy, is_copy, part_path};
pub use self::retry::RetryPolicy;
pub(crate) use self::s3::{Bucket, Credentials, S3};

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something kept under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// The key, without the prefix of the place.
    pub(crate) key: String,
    /// Bytes.
    pub(crate) size: u64,
    /// What a server calls this version of it, quotes included.
    pub(crate) etag: Option<String>,
}

/// Which keys are listed.
pub(crate) struct Listing<'l> {
    /// What they begin with.
    pub(crate) prefix: &'l str,
    /// Whether it is worth looking into a folder, named by its key and a `/`.
    pub(crate) enter: &'l (dyn Fn(&str) -> bool + Sync),
    /// What is done with each.
    pub(crate) found: &'l mut (dyn FnMut(Blob) + Send),
}

/// A place where things are kept.
#[derive(Debug)]
pub(crate) enum Blobs {
    /// A folder.
    Directory(Directory),
    /// A bucket.
    S3(S3),
}

/// What has been done so far, for whoever shows it.
#[derive(Debug, Default)]
pub struct Counters {
    /// Days of which it is known what there is.
    pub days_listed: AtomicU64,
    /// Cans that were found on them, finished ones left out.
    pub cans_listed: AtomicU64,
    /// Bytes of these cans.
    pub bytes_listed: AtomicU64,
    /// Bytes that came over the network, those of broken downloads included.
    pub bytes_downloaded: AtomicU64,
    /// Requests that had to be made once more.
    pub retries: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

/// Makes what was written to a file last and gives the file its name.
fn finish(file: std::fs::File, part: &Path, target: &Path) -> std::io::Result<()> {
    file.sync_all()?;
    drop(file);
    std::fs::rename(part, target)?;
    // The name lasts when the folder does. Not every system can open a folder.
    if let Some(folder) = target.parent().and_then(|folder| std::fs::File::open(folder).ok()) {
        folder.sync_all()?;
    }
    Ok(())
}
