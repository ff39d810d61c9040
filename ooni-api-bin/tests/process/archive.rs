//! Reads an archive without the code that wrote it.

use ooni_archive::can::input::Input;
use ooni_archive::can::{Can, CanName, Expected};
use ooni_archive::chunk::{Chunk, Entry, Kind, ReadStatus};
use ooni_archive::limits::Limits;
use ooni_core::measurement::SideRecord;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A POST body in the archive.
#[derive(Debug)]
pub struct Archived {
    pub body: Vec<u8>,
    pub side: SideRecord<'static>,
    /// Whether it is in a quarantine can.
    pub is_in_quarantine: bool,
}

/// The bodies of an archive by their uids. Each is there once, and each can is whole.
pub fn bodies(root: &Path) -> BTreeMap<String, Archived> {
    let mut found = BTreeMap::new();
    for path in files(root, ".tar.gz") {
        for (uid, archived) in members(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
            let other = found.insert(uid.clone(), archived);
            assert!(other.is_none(), "{uid} is in the archive twice: {}", path.display());
        }
    }
    found
}

/// As [`bodies`], without the cans that are not whole, as those that a server stored only a part of.
pub fn whole_bodies(root: &Path) -> BTreeMap<String, Archived> {
    files(root, ".tar.gz").iter().filter_map(|path| members(path).ok()).flatten().collect()
}

/// The lines of an archive by their files: key and lines.
#[allow(clippy::disallowed_methods)] // the tests have written what they read
pub fn lines(root: &Path) -> BTreeMap<String, Vec<Vec<u8>>> {
    let read = |path: &PathBuf| {
        let mut text = Vec::new();
        let mut input = Input::gzip(Box::new(fs::File::open(path).unwrap()), u64::MAX);
        let mut buffer = vec![0; 64 << 10];
        while let read @ 1.. = input.read(&mut buffer).unwrap() {
            text.extend_from_slice(&buffer[..read]);
        }
        assert_eq!(text.pop(), Some(b'\n'), "{}", path.display());
        let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        (key, text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    };
    files(root, ".jsonl.gz").iter().map(read).collect()
}

/// The files below a folder whose names end so. None if there is no folder.
fn files(root: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false if path.to_str().unwrap().ends_with(suffix) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// How many lines the readers of the archive find in each file. Each can be read.
pub fn readable_lines(root: &Path) -> Vec<usize> {
    let count = |path: &PathBuf| {
        let mut count = 0;
        let read = read(path, |chunk, entry| match chunk.body(entry) {
            b"" => Err(format!("{entry:?}")),
            _ => {
                count += 1;
                Ok(())
            }
        });
        read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count
    };
    files(root, ".jsonl.gz").iter().map(count).collect()
}

/// The members of a can by their uids.
fn members(path: &Path) -> Result<Vec<(String, Archived)>, String> {
    let is_in_quarantine = path.components().any(|part| part.as_os_str() == "quarantine");
    let mut found = Vec::new();
    read(path, |chunk, entry| {
        if entry.kind != Kind::Post {
            return Err(format!("{entry:?}"));
        }
        let member = std::str::from_utf8(chunk.member(entry).unwrap()).unwrap();
        let uid = member.rsplit_once('/').unwrap().1.strip_suffix(".post").unwrap();
        let archived = Archived { body: chunk.body(entry).to_vec(), side: entry.side().clone(), is_in_quarantine };
        found.push((uid.to_owned(), archived));
        Ok(())
    })?;
    if found.is_empty() { Err("no members".to_owned()) } else { Ok(found) }
}

/// Reads a can to its end, with the limits of `fastpath rerun`.
fn read(path: &Path, mut each: impl FnMut(&Chunk, &Entry) -> Result<(), String>) -> Result<(), String> {
    let file = Box::new(fs::File::open(path).map_err(|error| error.to_string())?);
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut can = Can::open(Expected::of_name(name), file, &CanName::of_path(path), &Limits::default());
    let mut chunk = Chunk::new(4 << 20);
    loop {
        chunk.allow_growth();
        let status = can.fill(&mut chunk);
        for entry in chunk.entries() {
            if entry.error.is_some() {
                return Err(format!("{entry:?}"));
            }
            each(&chunk, entry)?;
        }
        if status == ReadStatus::End {
            return Ok(());
        }
        chunk.clear();
    }
}
