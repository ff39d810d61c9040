//! Files for the unit tests, which include this module by its path: the library itself opens none.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder, named relative to the crate, in the order of their names.
pub(crate) fn in_folder(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}
