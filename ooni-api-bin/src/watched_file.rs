//! [`WatchedFile`]: a file that is read again when it is replaced. After an error the last value stays.

use std::fmt::Display;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A file and its last valid value.
#[derive(Debug)]
pub struct WatchedFile<T> {
    path: PathBuf,
    value: RwLock<Option<Arc<T>>>,
    /// Which file was read last, whether it was valid or not.
    seen: Mutex<Option<Identity>>,
}

/// What differs between a file and the one that replaces it.
type Identity = (u64, u64, u64, i64, i64);

/// What a look at a file found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The file is the one that was read last, or is still missing.
    Unchanged,
    /// It was read.
    Replaced,
    /// It could not be read. The last value stays.
    Failed,
}

impl<T> WatchedFile<T> {
    /// A file that has not been read yet. An empty path is never read.
    pub fn new(path: impl Into<PathBuf>) -> WatchedFile<T> {
        WatchedFile { path: path.into(), value: RwLock::default(), seen: Mutex::default() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a file is configured.
    pub fn is_configured(&self) -> bool {
        !self.path.as_os_str().is_empty()
    }

    /// The last valid value.
    pub fn value(&self) -> Option<Arc<T>> {
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file if it was replaced, and logs what happened. This blocks.
    pub fn refresh<E: Display>(&self, read: impl FnOnce(&Path) -> Result<T, E>) -> Refreshed {
        if !self.is_configured() {
            return Refreshed::Unchanged;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.display();
        let found = match std::fs::metadata(&self.path) {
            Ok(metadata) => identity(&metadata),
            Err(error) => {
                // A file that is being replaced may be missing for a moment, so only the first time is logged.
                if seen.take().is_some() || error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%path, %error, "the file cannot be read; its last content stays in use");
                }
                return Refreshed::Unchanged;
            }
        };
        if seen.as_ref() == Some(&found) {
            return Refreshed::Unchanged;
        }
        let is_first = seen.replace(found).is_none();
        match read(&self.path) {
            Ok(value) => {
                *self.value.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(value));
                if !is_first {
                    tracing::info!(%path, "the file was replaced and read again");
                }
                Refreshed::Replaced
            }
            Err(error) => {
                tracing::warn!(%path, %error, "the file is not valid; its last content stays in use");
                Refreshed::Failed
            }
        }
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn number(path: &Path) -> Result<u32, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        text.trim().parse().map_err(|_| "not a number".to_owned())
    }

    #[test]
    fn replaced_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("number");
        let file = WatchedFile::new(&path);
        let refresh = || (file.refresh(number), file.value().as_deref().copied());
        let replace = |text: &str| {
            fs::write(dir.path().join("new"), text).unwrap();
            fs::rename(dir.path().join("new"), &path).unwrap();
        };
        assert_eq!(refresh(), (Refreshed::Unchanged, None));
        replace("1");
        assert_eq!(refresh(), (Refreshed::Replaced, Some(1)));
        assert_eq!(refresh(), (Refreshed::Unchanged, Some(1)));
        replace("2");
        assert_eq!(refresh(), (Refreshed::Replaced, Some(2)));
        replace("x");
        assert_eq!(refresh(), (Refreshed::Failed, Some(2)));
        assert_eq!(refresh(), (Refreshed::Unchanged, Some(2)));
        fs::remove_file(&path).unwrap();
        assert_eq!(refresh(), (Refreshed::Unchanged, Some(2)));
        replace("3");
        assert_eq!(refresh(), (Refreshed::Replaced, Some(3)));
        assert_eq!(WatchedFile::new("").refresh(number), Refreshed::Unchanged);
    }
}
