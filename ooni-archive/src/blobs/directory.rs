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
    /// A sentence that names the first folder which cannot be read, after all others were listed. A folder that does not
    /// exist is no error, a link to one is.
    pub(crate) fn list(&self, listing: Listing<'_>) -> Result<(), String> {
        let Listing { prefix, enter, found } = listing;
        let mut open = vec![prefix.trim_end_matches('/').to_owned()];
        let mut first_error = None;
        while let Some(folder) = open.pop() {
            let path = self.root.join(&folder);
            let failed = |error: std::io::Error| format!("{}: cannot be listed: {error}", path.display());
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => continue,
                Err(error) => {
                    first_error.get_or_insert(failed(error));
                    continue;
                }
            };
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        first_error.get_or_insert(failed(error));
                        break;
                    }
                };
                let Ok(name) = entry.file_name().into_string() else { continue };
                let key = format!("{folder}/{name}");
                // A link to something that does not exist is listed as itself; what was removed meanwhile is not listed.
                let Ok(metadata) = fs::metadata(entry.path()).or_else(|_| entry.metadata()) else { continue };
                let may_be_folder = metadata.is_dir() || metadata.is_symlink();
                if may_be_folder && enter(&format!("{key}/")) {
                    open.push(key);
                } else if metadata.is_file() || metadata.is_symlink() {
                    found(Blob { key, size: metadata.len(), etag: None });
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}
