//! A folder: keys are the paths below it.

use super::blob::{Blob, Listing};
use super::failure::Failure;
use super::upload::{Stored, Upload, stored};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

/// Size of the read buffers for comparing files.
const BUFFER: usize = 256 << 10;
/// Folders that are entered below one another, so that a cycle of links ends.
const DEEPEST: usize = 16;

/// A folder of the local disk.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Files below this folder.
    pub(crate) fn new(root: PathBuf) -> Directory {
        Directory { root }
    }

    /// The file of a key that was listed or checked.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// The file of a key from an untrusted source; `None` if it is not below the folder.
    pub(crate) fn checked_path(&self, key: &str) -> Option<PathBuf> {
        is_below(key).then(|| self.path(key))
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
                let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
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

    /// The keys that begin with a prefix, without those of files that are being written.
    ///
    /// # Errors
    /// As [`Directory::list`].
    pub(crate) fn keys(&self, prefix: &str) -> Result<Vec<String>, String> {
        let (folder, _) = prefix.rsplit_once('/').unwrap_or_default();
        let enter = |folder: &str| {
            let may_contain = folder.starts_with(prefix) || prefix.starts_with(folder);
            may_contain && folder.matches('/').count() <= DEEPEST
        };
        let mut keys = Vec::new();
        let mut found = |blob: Blob| {
            let name = blob.key.rsplit('/').next().unwrap_or_default();
            if blob.key.starts_with(prefix) && !(name.starts_with('.') && name.ends_with(".part")) {
                keys.push(blob.key);
            }
        };
        self.list(Listing { prefix: folder, enter: &enter, found: &mut found })?;
        Ok(keys)
    }

    /// Creates the folder, unless it exists.
    pub(crate) fn create(&self) -> io::Result<()> {
        let new = self.root.ancestors().take_while(|folder| !folder.exists()).count();
        fs::create_dir_all(&self.root)?;
        self.root.ancestors().skip(1).take(new).try_for_each(sync)
    }

    /// Copies a file below the folder, whatever there is. Afterwards the copy and its name are durable.
    pub(crate) fn put(&self, key: &str, upload: &Upload) -> Result<(), Failure> {
        let path = self.path(key);
        let failed = |error: io::Error| Failure::of_file("cannot be written", &error);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(failed)?;
        let mut source = upload.file()?;
        let part = part_of(&path);
        let mut file = File::create(&part).map_err(failed)?;
        let copied = io::copy(&mut source, &mut file).map_err(failed)?;
        if copied != upload.content.size {
            return Err(Failure::permanent(format!("{}: changed while it was copied", upload.path.display())));
        }
        finish(file, &part, &path).map_err(failed)?;
        // A process that created the folders may have been killed before their names were durable.
        let mut above = folder.ancestors().skip(1).take_while(|above| above.starts_with(&self.root));
        above.try_for_each(sync).map_err(failed)
    }

    /// Reads a file for its size and checksum.
    pub(crate) fn stored(&self, key: &str) -> Result<Stored, Failure> {
        File::open(self.path(key)).and_then(stored).map_err(|error| Failure::of_file("cannot be read", &error))
    }

    /// The size of a file; `None` if it does not exist.
    pub(crate) fn size(&self, key: &str) -> Result<Option<u64>, Failure> {
        match fs::metadata(self.path(key)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::of_file("cannot be read", &error)),
        }
    }

    /// Removes a file, if it exists.
    pub(crate) fn delete(&self, key: &str) -> Result<(), Failure> {
        match fs::remove_file(self.path(key)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::of_file("cannot be removed", &error)),
            _ => Ok(()),
        }
    }
}

/// Whether a key is that of a file below a folder.
pub(crate) fn is_below(key: &str) -> bool {
    let is_below = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
    is_below && !key.is_empty() && !key.contains('\0')
}

/// Makes the names in a folder durable. Not every system can open a folder.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}

/// Where a file is written before it gets its name.
fn part_of(target: &Path) -> PathBuf {
    let name = target.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    target.with_file_name(format!(".{name}.part"))
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
    let part = part_of(target);
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
    // The name is durable when the folder is.
    target.parent().map_or(Ok(()), sync)
}
