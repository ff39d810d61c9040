//! Free space of the disk.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer of the system is used.
const CACHED: Duration = Duration::from_secs(1);

/// The disk has less free space than configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the disk has {free} bytes free, less than {required}")]
pub struct LowDisk {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that must be free.
    pub required: u64,
}

/// Watches the free space of the disk with a directory.
#[derive(Debug)]
pub(crate) struct Disk {
    directory: PathBuf,
    required: u64,
    last: Mutex<Option<(Instant, u64)>>,
}

impl Disk {
    pub(crate) fn new(directory: PathBuf, required: u64) -> Disk {
        Disk { directory, required, last: Mutex::new(None) }
    }

    /// Whether there is enough space. If the system does not say, there is: writing will show.
    pub(crate) fn has_room(&self) -> Result<(), LowDisk> {
        if self.required == 0 {
            return Ok(());
        }
        let free = self.free();
        if free < self.required { Err(LowDisk { free, required: self.required }) } else { Ok(()) }
    }

    /// Free bytes; `u64::MAX` if the system does not say.
    pub(crate) fn free(&self) -> u64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((asked, free)) if asked.elapsed() < CACHED => free,
            _ => {
                let free = rustix::fs::statvfs(&self.directory).map_or(u64::MAX, |disk| disk.f_bavail * disk.f_frsize);
                *last = Some((Instant::now(), free));
                free
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room() {
        let directory = tempfile::tempdir().unwrap();
        let disk = |required| Disk::new(directory.path().to_owned(), required).has_room();
        assert_eq!(disk(0), Ok(()));
        assert_eq!(disk(1), Ok(()));
        let error = disk(u64::MAX - 1).unwrap_err();
        assert!(error.free > 0 && error.free < error.required, "{error}");
    }
}
