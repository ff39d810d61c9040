//! The reference's spool directory: `incoming/YYYYmmddHH_CC_testname/UID.post` (formats spec §4.2), to import and export.

use super::record::Record;
use crate::clock::Hour;
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The UID: the name of the file.
    pub uid: String,
    /// The country in the name of its directory.
    pub probe_cc: String,
    /// The test name in the name of its directory.
    pub test_name: String,
    /// The file.
    pub path: PathBuf,
}

/// Something in a spool directory that is not imported.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct Skipped {
    /// The file or directory.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why something is not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// A directory is not named as an hour, a country and a test.
    #[error("the name of the directory is not YYYYmmddHH_CC_testname")]
    DirectoryName,
    /// A file is not named as a UID.
    #[error("the name is not UID.post")]
    FileName,
    /// The parts of the UID are not those of the directory.
    #[error("the UID has another hour, country or test than the directory")]
    Mismatch,
    /// A link, device or other special file.
    #[error("it is neither a file nor a directory")]
    Special,
    /// The system reported an error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The files of a spool directory, in the order of their names: one that contains `incoming`, or that directory itself.
/// Unfinished files (`.tmp`) are passed over, links are not followed.
pub fn import(directory: &Path) -> Import {
    let incoming = directory.join("incoming");
    let is_directory = std::fs::symlink_metadata(&incoming).is_ok_and(|metadata| metadata.is_dir());
    let root = if is_directory { incoming } else { directory.to_owned() };
    let (mut hours, mut failed) = (Vec::new(), Vec::new());
    list(&root, &mut hours, &mut failed);
    Import { hours: hours.into_iter(), directory: None, files: Vec::new().into_iter(), failed }
}

/// Goes through a spool directory.
#[derive(Debug)]
pub struct Import {
    hours: std::vec::IntoIter<PathBuf>,
    directory: Option<Directory>,
    files: std::vec::IntoIter<PathBuf>,
    failed: Vec<Skipped>,
}

#[derive(Debug)]
struct Directory {
    hour: Hour,
    probe_cc: String,
    test_name: String,
}

impl Iterator for Import {
    type Item = Result<Post, Skipped>;

    fn next(&mut self) -> Option<Result<Post, Skipped>> {
        loop {
            if let Some(skipped) = self.failed.pop() {
                return Some(Err(skipped));
            }
            if let Some(path) = self.files.next() {
                let Some(directory) = &self.directory else { continue };
                return Some(directory.post(&path).map_err(|reason| Skipped { path, reason }));
            }
            let path = self.hours.next()?;
            match Directory::parse(&path) {
                Ok(directory) => {
                    let mut files = Vec::new();
                    list(&path, &mut files, &mut self.failed);
                    self.directory = Some(directory);
                    self.files = files.into_iter();
                }
                Err(reason) => return Some(Err(Skipped { path, reason })),
            }
        }
    }
}

/// The entries of a directory but unfinished ones, sorted.
fn list(directory: &Path, entries: &mut Vec<PathBuf>, failed: &mut Vec<Skipped>) {
    let mut skip = |error: io::Error| failed.push(Skipped { path: directory.to_owned(), reason: error.into() });
    match std::fs::read_dir(directory) {
        Ok(found) => {
            for entry in found {
                match entry {
                    Ok(entry) => entries.push(entry.path()),
                    Err(error) => skip(error),
                }
            }
        }
        Err(error) => skip(error),
    }
    entries.retain(|path| path.extension().is_none_or(|extension| extension != "tmp"));
    entries.sort();
}

impl Directory {
    fn parse(path: &Path) -> Result<Directory, Reason> {
        let kind = std::fs::symlink_metadata(path)?.file_type();
        if !kind.is_dir() {
            return Err(if kind.is_file() { Reason::DirectoryName } else { Reason::Special });
        }
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(Reason::DirectoryName)?;
        let parts: Vec<&str> = name.split('_').collect();
        let [hour, probe_cc, test_name] = parts[..] else { return Err(Reason::DirectoryName) };
        let hour = Hour::parse(hour).filter(|_| is_country(probe_cc) && is_test_name(test_name));
        let hour = hour.ok_or(Reason::DirectoryName)?;
        Ok(Directory { hour, probe_cc: probe_cc.to_owned(), test_name: test_name.to_owned() })
    }

    fn post(&self, path: &Path) -> Result<Post, Reason> {
        let kind = std::fs::symlink_metadata(path)?.file_type();
        if !kind.is_file() {
            return Err(Reason::Special);
        }
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(Reason::FileName)?;
        let uid = name.strip_suffix(".post").ok_or(Reason::FileName)?;
        if !is_trivial(uid) {
            let parts = parts(uid).ok_or(Reason::FileName)?;
            if parts != (self.hour, &self.probe_cc, &self.test_name) {
                return Err(Reason::Mismatch);
            }
        }
        let (probe_cc, test_name) = (self.probe_cc.clone(), self.test_name.clone());
        Ok(Post { uid: uid.to_owned(), probe_cc, test_name, path: path.to_owned() })
    }
}

/// Hour, country and test name of a UID `YYYYmmddHHMMSS.ffffff_CC_testname_hash`.
fn parts(uid: &str) -> Option<(Hour, &str, &str)> {
    let parts: Vec<&str> = uid.split('_').collect();
    let [time, probe_cc, test_name, hash] = parts[..] else { return None };
    let is_time = time.len() == 21
        && time.bytes().enumerate().all(|(place, byte)| if place == 14 { byte == b'.' } else { byte.is_ascii_digit() });
    let is_whole = is_time && is_country(probe_cc) && is_test_name(test_name) && hash.len() == 16 && is_hex(hash);
    Some((Hour::parse(time.get(..10)?).filter(|_| is_whole)?, probe_cc, test_name))
}

/// Whether this is the UID of a measurement without one (formats spec §1.1).
fn is_trivial(uid: &str) -> bool {
    uid.len() == 40 && uid.starts_with("01") && is_hex(uid)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_test_name(text: &str) -> bool {
    (2..=29).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Writes records to a spool directory.
#[derive(Debug)]
pub struct Export {
    incoming: PathBuf,
}

impl Export {
    /// Exports to a directory, which is created.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn new(directory: &Path) -> io::Result<Export> {
        let incoming = directory.join("incoming");
        std::fs::create_dir_all(&incoming)?;
        Ok(Export { incoming })
    }

    /// Writes a record under a temporary name and renames it. A file of the same name is replaced. This blocks.
    ///
    /// The directory is that of the UID; for a UID without a time, that of the receive time.
    ///
    /// # Errors
    /// The record has no country or test name that the layout allows, or it cannot be read or written.
    pub fn write(&self, record: &Record) -> io::Result<PathBuf> {
        let uid = &record.uid;
        let (hour, probe_cc, test_name) =
            parts(uid).unwrap_or((record.received.hour(), &record.probe_cc, &record.test_name));
        if !is_country(probe_cc) || !is_test_name(test_name) || uid.contains('/') {
            return Err(io::Error::new(io::ErrorKind::InvalidData, NotExportable(uid.clone())));
        }
        let directory = self.incoming.join(format!("{hour}_{probe_cc}_{test_name}"));
        std::fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{uid}.post"));
        let temporary = directory.join(format!("{uid}.post.tmp"));
        let mut file = File::create(&temporary)?;
        record.body.for_each_piece(|piece| file.write_all(piece))?;
        std::fs::rename(&temporary, &path)?;
        Ok(path)
    }
}

#[derive(Debug)]
struct NotExportable(String);

impl fmt::Display for NotExportable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no country or test name for the name of a directory", self.0)
    }
}

impl std::error::Error for NotExportable {}
