//! [`Spool`]: POST bodies in files, as the collector leaves them for the uploader (formats spec §4.2).

use crate::worker;
use ooni_core::uid;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder `incoming/<YYYYmmddHH>_<CC>_<testname>/<uid>.post` below another.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    kept: AtomicU64,
    failed: AtomicU64,
    /// The first error.
    first: Mutex<Option<String>>,
}

impl Spool {
    /// A spool in this folder, which is created when it is needed.
    pub fn new(folder: &Path) -> Spool {
        let (kept, failed) = (AtomicU64::new(0), AtomicU64::new(0));
        Spool { folder: folder.to_owned(), kept, failed, first: Mutex::new(None) }
    }

    /// How many bodies were kept, in a sentence.
    pub fn summary(&self) -> String {
        let kept = self.kept.load(Ordering::Relaxed);
        let why = self.first.lock().ok().and_then(|first| first.clone());
        match (self.failed.load(Ordering::Relaxed), why) {
            (0, _) | (_, None) => format!("{kept} POST bodies spooled"),
            (failed, Some(why)) => format!("{kept} POST bodies spooled, {failed} not; the first: {why}"),
        }
    }

    fn write(&self, id: &str, body: &[u8]) -> io::Result<()> {
        let wrong = || io::Error::other(format!("{id}: not a uid of a collector"));
        let mut parts = id.split('_');
        let parts = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(time), Some(cc), Some(testname), Some(_), None) = parts else { return Err(wrong()) };
        if !uid::is_current(id) {
            return Err(wrong());
        }
        let hour = time.get(..10).ok_or_else(wrong)?;
        let folder = self.folder.join("incoming").join(format!("{hour}_{cc}_{testname}"));
        fs::create_dir_all(&folder)?;
        let part = folder.join(format!("{id}.post.tmp"));
        fs::write(&part, body)?;
        fs::rename(&part, folder.join(format!("{id}.post")))
    }
}

impl worker::Spool for Spool {
    /// Keeps a body. An error is noted and the run goes on, as in the reference.
    fn keep(&self, uid: &str, body: &[u8]) {
        match self.write(uid, body) {
            Ok(()) => drop(self.kept.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut first) = self.first.lock() {
                    first.get_or_insert_with(|| format!("{}: {error}", self.folder.display()));
                }
            }
        }
    }
}
