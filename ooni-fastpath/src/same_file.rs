//! [`refuse`]: checks that paths refer to different files.

use std::fs;
use std::path::{Path, PathBuf, absolute};

/// Maximum number of links that are followed from one path.
const MOST_LINKS: usize = 40;

/// Checks that paths refer to different files, considering spelling, symbolic links, hard links, and names that differ in
/// case only, which many file systems ignore. The files need not exist. Each path has a name for the error message.
///
/// # Errors
/// A sentence that names two paths to the same file.
pub fn refuse(files: &[(&str, PathBuf)]) -> Result<(), String> {
    let known: Vec<_> = files.iter().map(|(name, path)| (name, path, Identity::of(path))).collect();
    for (index, (name, path, identity)) in known.iter().enumerate() {
        if let Some((other, ..)) = known[..index].iter().find(|(_, _, other)| other.is_same(identity)) {
            return Err(format!("{}: {other} and {name} are the same file", path.display()));
        }
    }
    Ok(())
}

/// Identifies a file.
struct Identity {
    /// Device and inode number, if the file exists.
    inode: Option<(u64, u64)>,
    /// Its path without links and dots, in lower case.
    path: String,
}

impl Identity {
    fn of(path: &Path) -> Identity {
        let resolved = resolved(path, MOST_LINKS).unwrap_or_else(|| path.to_owned());
        Identity { inode: inode(path), path: resolved.to_string_lossy().to_lowercase() }
    }

    fn is_same(&self, other: &Identity) -> bool {
        self.path == other.path || self.inode.is_some() && self.inode == other.inode
    }
}

#[cfg(unix)]
fn inode(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn inode(_: &Path) -> Option<(u64, u64)> {
    None
}

/// The path without links and dots, also for a file that does not exist and for a link to one.
fn resolved(path: &Path, links: usize) -> Option<PathBuf> {
    let path = absolute(path).ok()?;
    if let Ok(path) = fs::canonicalize(&path) {
        return Some(path);
    }
    let folder = path.parent()?;
    match fs::read_link(&path) {
        Ok(target) if links > 0 => resolved(&folder.join(target), links - 1),
        _ => Some(resolved(folder, links)?.join(path.file_name()?)),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn other_spellings_and_links_are_recognized() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "").unwrap();
        fs::create_dir(at("sub")).unwrap();
        fs::hard_link(at("a"), at("hard")).unwrap();
        symlink("a", at("soft")).unwrap();
        symlink(folder.path(), at("sub/up")).unwrap();
        symlink("new", at("to-new")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (one, other, is_same) in [
            ("a", "a", true),
            ("a", "./sub/../a", true),
            ("a", "hard", true),
            ("a", "soft", true),
            ("a", "sub/up/a", true),
            ("a", "A", true),
            ("a", "b", false),
            ("new", "NEW", true),
            ("new", "sub/up/new", true),
            ("new", "to-new", true),
            ("to-new", "sub/up/to-new", true),
            ("new", "sub/new", false),
            ("none/new", "none/./new", true),
            ("loop", "a", false),
        ] {
            let refused = refuse(&[("one", at(one)), ("x", at("x")), ("other", at(other))]);
            assert_eq!(refused.is_err(), is_same, "{one} {other}");
            if let Err(why) = refused {
                assert!(why.ends_with(": one and other are the same file"), "{why}");
            }
        }
    }
}
