//! Locks on files that only one process at a time may write.
//!
//! The lock is on the inode and not on the name, so it also holds for other spellings of the path and for hard links. The
//! system releases it when the process ends, even if it is killed.

use ooni_archive::Day;
use ooni_core::time::DateTime;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A process, as recorded in a file that it has locked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// When it started to use the file, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub since: String,
}

impl Process {
    /// The current process, now.
    pub fn this() -> Process {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        let now = i64::try_from(seconds).ok().and_then(DateTime::from_timestamp).unwrap_or(Day::today().start());
        Process { pid: std::process::id(), since: now.to_string() }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} since {} UTC", described(self.pid), self.since)
    }
}

/// The result of an attempt to lock a file.
#[derive(Debug)]
pub enum Attempt {
    /// The file is locked until it is closed.
    Locked(File),
    /// Another process has locked it.
    InUse(File),
}

/// Opens a file, creates it if necessary, and locks it.
///
/// # Errors
/// The file cannot be opened or locked.
pub fn open(path: &Path) -> io::Result<Attempt> {
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(Attempt::InUse(file)),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) if is_at(&file, path)? => return Ok(Attempt::Locked(file)),
            Ok(()) => {} // it was removed before it was locked
        }
    }
}

/// Opens and locks a file as [`open`] does; a file that is in use is an error.
///
/// # Errors
/// The file cannot be opened or locked, or another process, which the error names, has locked it.
pub fn require(path: &Path) -> io::Result<File> {
    match open(path)? {
        Attempt::Locked(file) => Ok(file),
        Attempt::InUse(file) => Err(io::Error::new(io::ErrorKind::ResourceBusy, in_use(&file, None))),
    }
}

/// Names the process that has locked a file: the one recorded in the file, unless the system lists another one.
pub fn in_use(file: &File, process: Option<&Process>) -> String {
    match (holder(file), process) {
        (pid, Some(process)) if pid.is_none_or(|pid| pid == process.pid) => format!("in use by {process}"),
        (Some(pid), _) => format!("in use by {}", described(pid)),
        (None, _) => "in use by another process".to_owned(),
    }
}

/// Whether the path still refers to this file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (ours, there) = match (file.metadata(), fs::metadata(path)) {
            (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            (ours, there) => (ours?, there?),
        };
        Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(true)
    }
}

/// The process that has locked a file, where the system lists locks as Linux does.
#[cfg(unix)]
fn holder(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let inode = format!(":{}", file.metadata().ok()?.ino());
    // `1: FLOCK ADVISORY WRITE 4908 fe:00:5357620 0 EOF`
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let found = words.get(1) == Some(&"FLOCK") && words.get(5)?.ends_with(&inode);
        words.get(4)?.parse().ok().filter(|&pid| found && pid > 0)
    })
}

#[cfg(not(unix))]
fn holder(_: &File) -> Option<u32> {
    None
}

/// `process 4908 (fastpath)`, without the arguments, which may contain a password.
fn described(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match name.trim() {
        "" => format!("process {pid}"),
        name => format!("process {pid} ({name})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_holds_for_hard_links() {
        let folder = tempfile::tempdir().unwrap();
        let [path, link] = ["a", "b"].map(|name| folder.path().join(name));
        let file = require(&path).unwrap();
        fs::hard_link(&path, &link).unwrap();
        for name in [&path, &link] {
            let error = require(name).unwrap_err().to_string();
            assert!(error.starts_with("in use by "), "{error}");
            #[cfg(target_os = "linux")]
            assert!(error.starts_with(&format!("in use by process {} (", std::process::id())), "{error}");
        }
        drop(file);
        assert!(matches!(open(&link).unwrap(), Attempt::Locked(_)));
    }
}
