//! [`Spool`]: writes POST bodies to files in the layout of the collector (formats spec §4.2).

use crate::worker;
use ooni_core::uid;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder with files `incoming/<YYYYmmddHH>_<CC>_<testname>/<uid>.post`.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    written: AtomicU64,
    failed: AtomicU64,
    first_error: Mutex<Option<String>>,
}

impl Spool {
    /// A spool in this folder, which is created when it is first needed.
    pub fn new(folder: &Path) -> Spool {
        let (written, failed) = (AtomicU64::new(0), AtomicU64::new(0));
        Spool { folder: folder.to_owned(), written, failed, first_error: Mutex::new(None) }
    }

    /// A sentence with the number of bodies written.
    pub fn summary(&self) -> String {
        let written = self.written.load(Ordering::Relaxed);
        let why = self.first_error.lock().ok().and_then(|first| first.clone());
        match (self.failed.load(Ordering::Relaxed), why) {
            (0, _) | (_, None) => format!("{written} POST bodies spooled"),
            (failed, Some(why)) => format!("{written} POST bodies spooled, {failed} failed; the first error: {why}"),
        }
    }

    fn write(&self, id: &str, body: &[u8]) -> io::Result<()> {
        let invalid = || io::Error::other(format!("{id}: not a uid made by a collector"));
        let mut parts = id.split('_');
        let parts = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(time), Some(cc), Some(testname), Some(_), None) = parts else { return Err(invalid()) };
        if !uid::is_current(id) {
            return Err(invalid());
        }
        let hour = time.get(..10).ok_or_else(invalid)?;
        let folder = self.folder.join("incoming").join(format!("{hour}_{cc}_{testname}"));
        fs::create_dir_all(&folder)?;
        let part = folder.join(format!("{id}.post.tmp"));
        fs::write(&part, body)?;
        fs::rename(&part, folder.join(format!("{id}.post")))
    }
}

impl worker::PostBodyWriter for Spool {
    /// Writes a body. An error is recorded and the run continues, as in the reference.
    fn save(&self, uid: &str, body: &[u8]) {
        match self.write(uid, body) {
            Ok(()) => drop(self.written.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut first) = self.first_error.lock() {
                    first.get_or_insert_with(|| format!("{}: {error}", self.folder.display()));
                }
            }
        }
    }
}
