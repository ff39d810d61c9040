//! [`ArchiveWriter`]: stores files under keys, and reads them back.

use crate::blobs::{Blobs, Counters, Failure, FailureKind, RetryPolicy, Stored, Upload, is_below};
use crate::layout::HourlyCan;
use crate::source::archive::Location;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// What the methods return. It is boxed so that the clients of servers are compiled in this crate only.
pub type Boxed<'f, T> = Pin<Box<dyn Future<Output = Result<T, WriteError>> + Send + 'f>>;

/// Why something cannot be stored or verified. Messages name the object or file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The object or file does not exist.
    #[error("{0}")]
    NotFound(String),
    /// There is an object with other content under the key.
    #[error("{0}")]
    Conflict(String),
    /// What was read back is not what was stored.
    #[error("{0}")]
    Mismatch(String),
    /// The server cannot be reached or is overloaded, or the disk is full; retry later.
    #[error("{0}")]
    Unavailable(String),
    /// A retry fails in the same way.
    #[error("{0}")]
    Failed(String),
}

impl WriteError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, WriteError::Unavailable(_))
    }

    fn of_failure(name: &str, failure: Failure) -> WriteError {
        WriteError::of_sentence(Failure { why: format!("{name}: {}", failure.why), ..failure })
    }

    fn of_sentence(Failure { kind, why, .. }: Failure) -> WriteError {
        match kind {
            FailureKind::NotFound => WriteError::NotFound(why),
            FailureKind::Permanent => WriteError::Failed(why),
            FailureKind::InvalidResponse | FailureKind::Transient => WriteError::Unavailable(why),
        }
    }
}

/// A folder or bucket that cans are stored in. Clones share everything.
///
/// Futures run on the tokio runtime of the caller. Requests to servers are retried as the [`RetryPolicy`] says; credentials,
/// certificate authorities and proxies are those of the environment, as when the archive is read.
#[derive(Clone, Debug)]
pub struct ArchiveWriter {
    blobs: Arc<Blobs>,
    counters: Arc<Counters>,
}

impl ArchiveWriter {
    /// Opens a location. A folder is created; no request is sent to a server yet. Requests are signed if the environment has
    /// credentials, also for locations that are read without.
    ///
    /// # Errors
    /// A sentence, for a folder that cannot be created, and for addresses, credentials and variables of the environment that
    /// are invalid.
    pub fn open(location: Location, retry: RetryPolicy) -> Result<ArchiveWriter, String> {
        Ok(ArchiveWriter { blobs: Arc::new(location.open_for_writing(retry)?), counters: Arc::default() })
    }

    /// What was read back and retried so far.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Stores a local file under a key, durably. If there is an object with the same content, nothing is written.
    ///
    /// The answer of the server is not a proof: call [`ArchiveWriter::verify`] with what this returns.
    ///
    /// # Errors
    /// [`WriteError::Conflict`], if there is an object with other content.
    pub fn put<'a>(&'a self, key: &'a str, file: &'a Path) -> Boxed<'a, Stored> {
        Box::pin(self.store(key, file, false))
    }

    /// Stores a local file under a key, durably, whatever there is. For an own object that failed [`ArchiveWriter::verify`].
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn replace<'a>(&'a self, key: &'a str, file: &'a Path) -> Boxed<'a, Stored> {
        Box::pin(self.store(key, file, true))
    }

    async fn store(&self, key: &str, file: &Path, replace: bool) -> Result<Stored, WriteError> {
        let name = self.name(key)?;
        let path = file.to_owned();
        let upload = spawn_blocking(move || Upload::of_file(&path)).await;
        let upload = upload.unwrap_or_else(|error| Err(Failure::permanent(error.to_string())));
        let upload = upload.map_err(|failure| WriteError::of_failure(&name, failure))?;
        let content = upload.content;
        if !replace && self.is_stored(key, &name, content).await? {
            return Ok(content);
        }
        let put = self.blobs.put(key, &upload, &self.counters).await;
        put.map_err(|failure| WriteError::of_failure(&name, failure))?;
        Ok(content)
    }

    /// Whether there is an object with this content under the key.
    async fn is_stored(&self, key: &str, name: &str, content: Stored) -> Result<bool, WriteError> {
        let conflict = |why: &str| WriteError::Conflict(format!("{name}: there is another object: {why}"));
        match self.size(key).await? {
            None => Ok(false),
            Some(size) if size != content.size => {
                Err(conflict(&format!("it has {size} bytes instead of {}", content.size)))
            }
            Some(_) => match self.blobs.compare(key, content, &self.counters).await {
                Ok(()) => Ok(true),
                Err(failure) if failure.kind == FailureKind::InvalidResponse => Err(conflict(&failure.why)),
                Err(failure) => Err(WriteError::of_failure(name, failure)),
            },
        }
    }

    /// Reads an object back, and compares its size and checksum with what was stored.
    ///
    /// # Errors
    /// [`WriteError::Mismatch`], if it is something else; [`WriteError::NotFound`], if it does not exist.
    pub fn verify<'a>(&'a self, key: &'a str, wanted: &'a Stored) -> Boxed<'a, ()> {
        Box::pin(async move {
            let name = self.name(key)?;
            let compared = self.blobs.compare(key, *wanted, &self.counters).await;
            compared.map_err(|failure| match failure.kind {
                FailureKind::InvalidResponse => WriteError::Mismatch(format!("{name}: {}", failure.why)),
                _ => WriteError::of_failure(&name, failure),
            })
        })
    }

    /// The size of an object in bytes; `None` if it does not exist.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn size<'a>(&'a self, key: &'a str) -> Boxed<'a, Option<u64>> {
        Box::pin(async move {
            let name = self.name(key)?;
            let size = self.blobs.size(key, &self.counters).await;
            size.map_err(|failure| WriteError::of_failure(&name, failure))
        })
    }

    /// The keys that begin with a prefix, sorted. In a folder, those of files that are being written are not listed.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn list<'a>(&'a self, prefix: &'a str) -> Boxed<'a, Vec<String>> {
        Box::pin(async move {
            if !prefix.is_empty() {
                self.name(prefix)?;
            }
            let keys = self.blobs.keys(prefix, &self.counters).await;
            let mut keys = keys.map_err(WriteError::of_sentence)?;
            keys.sort_unstable();
            Ok(keys)
        })
    }

    /// The lowest number above all that are used by cans of the same hour, country, test and collector, quarantine cans
    /// included.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn next_number<'a>(&'a self, can: &'a HourlyCan) -> Boxed<'a, u32> {
        Box::pin(async move {
            let mut next = 0;
            for prefix in [can.prefix(), can.quarantine_prefix()] {
                let keys = self.list(&prefix).await?;
                let numbers = keys.iter().filter_map(|key| can.number_in(key));
                next = numbers.map(|number| number.saturating_add(1)).fold(next, u32::max);
            }
            Ok(next)
        })
    }

    /// Removes an object, if it exists.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn delete<'a>(&'a self, key: &'a str) -> Boxed<'a, ()> {
        Box::pin(async move {
            let name = self.name(key)?;
            let deleted = self.blobs.delete(key, &self.counters).await;
            deleted.map_err(|failure| WriteError::of_failure(&name, failure))
        })
    }

    /// The name of an object in messages, if its key is valid.
    fn name(&self, key: &str) -> Result<String, WriteError> {
        match is_below(key) {
            true => Ok(self.blobs.name_of(key)),
            false => Err(WriteError::Failed(format!("{key:?} is not a valid key"))),
        }
    }
}
