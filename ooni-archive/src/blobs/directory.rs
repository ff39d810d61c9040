//! A folder: keys are the paths below it.

use super::{Blob, Listing};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// A folder of the local disk.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// What is below this folder.
    pub(crate) fn new(root: PathBuf) -> Directory {
        Directory { root }
    }

    /// The file of a key.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// Lists files. Links are followed; that a link leads in a circle ends where `enter` wants no deeper folder.
    ///
    /// # Errors
    /// A sentence that names the folder which cannot be read. That there is none is no error.
    pub(crate) fn list(&self, listing: Listing<'_>) -> Result<(), String> {
        let Listing { prefix, enter, found } = listing;
        let mut open = vec![prefix.trim_end_matches('/').to_owned()];
        while let Some(folder) = open.pop() {
            let path = self.root.join(&folder);
            let failed = |error: std::io::Error| format!("{}: cannot be listed: {error}", path.display());
            let entries = match fs::read_dir(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let key = format!("{folder}/{name}");
                // What is gone by now, or a link to nothing, is no file.
                let Ok(metadata) = fs::metadata(entry.path()) else { continue };
                if metadata.is_dir() {
                    if enter(&format!("{key}/")) {
                        open.push(key);
                    }
                } else if metadata.is_file() {
                    found(Blob { key, size: metadata.len(), etag: None });
                }
            }
        }
        Ok(())
    }
}
