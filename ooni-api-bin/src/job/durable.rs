//! Files that are replaced as a whole: a reader sees the old or the new content, also after a crash.

use ooni_store::files::sync_folder;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Replaces the content of a file that every user may read.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(folder(path))?;
    file.write_all(content)?;
    install(file, path)
}

/// Replaces the content of a file that only its owner may read.
pub(super) fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(folder(path))?;
    file.write_all(content)?;
    persist(file, path)
}

/// Gives a file its name, and makes it readable for every user. It has to be in the same file system.
pub(super) fn install(file: NamedTempFile, path: &Path) -> io::Result<()> {
    make_readable(file.as_file())?;
    persist(file, path)
}

fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(path)
}

/// Temporary files are readable by their owner only.
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
