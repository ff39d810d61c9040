//! A folder: keys are the paths below it.

use super::blob::{Blob, Listing};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

/// Size of the read buffers for comparing files.
const BUFFER: usize = 256 << 10;

/// A folder of the local disk.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Files below this folder.
    pub(crate) fn new(root: PathBuf) -> Directory {
        Directory { root }
    }

    /// The file of a key that was listed.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// The file of a key from an untrusted source; `None` if it is not below the folder.
    pub(crate) fn checked_path(&self, key: &str) -> Option<PathBuf> {
        let is_below = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
        (is_below && !key.is_empty() && !key.contains('\0')).then(|| self.path(key))
    }

    /// Lists files. Links are followed; `enter` bounds the depth, so a cycle of links ends.
    ///
    /// # Errors
    /// A sentence that names the first folder that cannot be read; all others are listed nevertheless. A folder that does
    /// not exist is not an error, but a link to one is.
    pub(crate) fn list(&self, listing: Listing<'_>) -> Result<(), String> {
        let Listing { prefix, enter, found } = listing;
        let mut open = vec![prefix.trim_end_matches('/').to_owned()];
        let mut first_error = None;
        while let Some(folder) = open.pop() {
            let path = self.root.join(&folder);
            let failed = |error: io::Error| format!("{}: cannot be listed: {error}", path.display());
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
                // A broken link is listed as itself; a file that was removed meanwhile is not listed.
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

/// Copies a file unless the target has the same content; returns whether it was copied.
///
/// # Errors
/// A sentence that names one of the files.
pub(crate) fn copy(from: &Path, target: &Path) -> Result<bool, String> {
    let in_target = |error: io::Error| format!("{}: {error}", target.display());
    let in_source = |error: io::Error| format!("{}: cannot be copied: {error}", from.display());
    let source = File::open(from).map_err(in_source)?;
    match File::open(target).and_then(|file| same(source, file)) {
        Ok(true) => return Ok(false),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(in_target(error)),
        _ => {}
    }
    let name = target.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let part = target.with_file_name(format!(".{name}.part"));
    let mut source = File::open(from).map_err(in_source)?;
    let mut file = File::create(&part).map_err(|error| format!("{}: {error}", part.display()))?;
    io::copy(&mut source, &mut file).map_err(in_source)?;
    file.flush().and_then(|()| finish(file, &part, target)).map_err(in_target)?;
    Ok(true)
}

/// Whether two files have the same content.
fn same(one: File, other: File) -> io::Result<bool> {
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let mut one = BufReader::with_capacity(BUFFER, one);
    let mut other = BufReader::with_capacity(BUFFER, other);
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let common = left.len().min(right.len());
        if common == 0 {
            return Ok(left.len() == right.len());
        }
        if left[..common] != right[..common] {
            return Ok(false);
        }
        one.consume(common);
        other.consume(common);
    }
}

/// Makes what was written to a file durable and gives the file its name.
pub(super) fn finish(file: File, part: &Path, target: &Path) -> io::Result<()> {
    file.sync_all()?;
    drop(file);
    std::fs::rename(part, target)?;
    // The name is durable when the folder is. Not every system can open a folder.
    if let Some(folder) = target.parent().and_then(|folder| std::fs::File::open(folder).ok()) {
        folder.sync_all()?;
    }
    Ok(())
}
