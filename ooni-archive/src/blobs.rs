//! Bytes kept under keys: in a folder, or in a bucket of an S3 server. The meaning of keys is not known here.
//!
//! Requests are futures for the tokio runtime of the caller. Nothing here starts a runtime.

mod checksum;
mod directory;
mod download;
mod failure;
mod http;
mod retry;
mod s3;

pub(crate) use self::directory::{Directory, copy};
pub(crate) use self::download::{is_copy, part_path};
pub(crate) use self::failure::{Failure, FailureKind};
pub(crate) use self::http::HttpClient;
pub(crate) use self::retry::Retries;
pub use self::retry::RetryPolicy;
pub(crate) use self::s3::{Bucket, Credentials, Received, S3};

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something kept under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// The key, without the prefix of the place.
    pub(crate) key: String,
    /// Bytes.
    pub(crate) size: u64,
    /// The version of it that the server has, quotes included.
    pub(crate) etag: Option<String>,
}

/// Which keys are listed.
pub(crate) struct Listing<'l> {
    /// How they begin.
    pub(crate) prefix: &'l str,
    /// Whether to look into a folder, named by its key and a `/`.
    pub(crate) enter: &'l (dyn Fn(&str) -> bool + Sync),
    /// Receives each.
    pub(crate) found: &'l mut (dyn FnMut(Blob) + Send),
}

/// A place where blobs are kept.
#[derive(Debug)]
pub(crate) enum Blobs {
    /// A folder.
    Directory(Directory),
    /// A bucket.
    S3(Box<S3>),
}

/// Progress so far, for display.
#[derive(Debug, Default)]
pub struct Counters {
    /// Days that were listed.
    pub days_listed: AtomicU64,
    /// Cans that were found on them, without finished ones.
    pub cans_listed: AtomicU64,
    /// Bytes of these cans.
    pub bytes_listed: AtomicU64,
    /// Bytes received over the network, those of failed downloads included.
    pub bytes_downloaded: AtomicU64,
    /// Requests that were retried.
    pub retries: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

/// Makes what was written to a file durable and gives the file its name.
fn finish(file: std::fs::File, part: &Path, target: &Path) -> std::io::Result<()> {
    file.sync_all()?;
    drop(file);
    std::fs::rename(part, target)?;
    // The name is durable when the folder is. Not every system can open a folder.
    if let Some(folder) = target.parent().and_then(|folder| std::fs::File::open(folder).ok()) {
        folder.sync_all()?;
    }
    Ok(())
}
