//! Writing to a place: the same for folders and buckets.

use super::counters::Counters;
use super::failure::Failure;
use super::upload::{Stored, Upload};
use super::{Blobs, Directory};
use tokio::task::spawn_blocking;

impl Blobs {
    /// The name of an object in messages.
    pub(crate) fn name_of(&self, key: &str) -> String {
        match self {
            Blobs::Directory(directory) => directory.path(key).display().to_string(),
            Blobs::S3(s3) => format!("{}/{key}", s3.name()),
        }
    }

    /// Stores a file under a key, durably, whatever there is.
    pub(crate) async fn put(&self, key: &str, upload: &Upload, counters: &Counters) -> Result<(), Failure> {
        let upload = upload.clone();
        match self {
            Blobs::Directory(directory) => in_folder(directory, key, move |folder, key| folder.put(key, &upload)).await,
            Blobs::S3(s3) => s3.put(key, &upload, counters).await,
        }
    }

    /// The size of an object; `None` if it does not exist.
    pub(crate) async fn size(&self, key: &str, counters: &Counters) -> Result<Option<u64>, Failure> {
        match self {
            Blobs::Directory(directory) => in_folder(directory, key, Directory::size).await,
            Blobs::S3(s3) => s3.size(key, counters).await,
        }
    }

    /// Reads an object and compares it. If it differs, the failure is
    /// [`InvalidResponse`](super::FailureKind::InvalidResponse).
    pub(crate) async fn compare(&self, key: &str, wanted: Stored, counters: &Counters) -> Result<(), Failure> {
        match self {
            Blobs::Directory(directory) => {
                in_folder(directory, key, move |folder, key| wanted.compare(folder.stored(key)?)).await
            }
            Blobs::S3(s3) => s3.compare(key, wanted, counters).await,
        }
    }

    /// The keys that begin with a prefix. A failure names the prefix.
    pub(crate) async fn keys(&self, prefix: &str, counters: &Counters) -> Result<Vec<String>, Failure> {
        match self {
            Blobs::Directory(directory) => {
                in_folder(directory, prefix, |folder, prefix| folder.keys(prefix).map_err(Failure::permanent)).await
            }
            Blobs::S3(s3) => s3.keys(prefix, counters).await,
        }
    }

    /// Removes an object, if it exists.
    pub(crate) async fn delete(&self, key: &str, counters: &Counters) -> Result<(), Failure> {
        match self {
            Blobs::Directory(directory) => in_folder(directory, key, Directory::delete).await,
            Blobs::S3(s3) => s3.delete(key, counters).await,
        }
    }
}

/// Does something on a thread for blocking work.
async fn in_folder<T: Send + 'static>(
    directory: &Directory,
    key: &str,
    work: impl FnOnce(&Directory, &str) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (directory, key) = (directory.clone(), key.to_owned());
    let done = spawn_blocking(move || work(&directory, &key)).await;
    done.unwrap_or_else(|error| Err(Failure::permanent(error.to_string())))
}
