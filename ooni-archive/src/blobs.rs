//! Objects by key, in a folder or in a bucket of an S3 server. The meaning of keys is not known here.
//!
//! Requests are futures for the tokio runtime of the caller. Nothing here starts a runtime.

mod blob;
mod checksum;
mod counters;
mod directory;
mod download;
mod failure;
mod http;
mod retry;
mod s3;
mod upload;
mod write;

pub(crate) use self::blob::{Blob, Listing};
pub use self::counters::Counters;
pub(crate) use self::directory::{Directory, copy, is_below};
pub(crate) use self::download::{is_copy, part_path};
pub(crate) use self::failure::{Failure, FailureKind};
pub(crate) use self::http::{HttpClient, HttpResponse, RequestBody};
pub(crate) use self::retry::Retries;
pub use self::retry::RetryPolicy;
pub(crate) use self::s3::{Bucket, Credentials, Received, S3};
pub use self::upload::Stored;
pub(crate) use self::upload::Upload;

/// A place where blobs are kept.
#[derive(Debug)]
pub(crate) enum Blobs {
    /// A folder.
    Directory(Directory),
    /// A bucket.
    S3(Box<S3>),
}
