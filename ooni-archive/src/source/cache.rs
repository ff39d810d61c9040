//! [`Cache`]: a folder for downloads of bounded size.
//!
//! `held + kept ≤ size`: held files are being downloaded or read; kept files can be evicted. The bound is exceeded in two
//! cases only: by a single can that is larger, and by the next can if the reader holds all others.

use ooni_core::hex::hex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::Notify;

const LOCK: &str = ".lock";
/// How names of temporary folders begin.
const TEMPORARY: &str = "fastpath-cache-";

/// A folder with files that can be downloaded again.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    temporary: bool,
    size: u64,
    state: Mutex<State>,
    /// Notified when space may have become free.
    freed: Notify,
    /// Locked as long as the folder is in use.
    _lock: File,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of files that are being downloaded or read.
    held: u64,
    /// Files that are not held and their sizes, least recently used first.
    kept: BTreeMap<u64, (String, u64)>,
    kept_bytes: u64,
    /// The key of a file in `kept`.
    places: HashMap<String, u64>,
    /// The key of the next file in `kept`.
    next: u64,
    /// Files that are held and not yet delivered.
    ahead: u64,
    /// Whether the reader is waiting for the next file.
    awaited: bool,
}

impl Cache {
    /// A folder given by the user, or a temporary one.
    ///
    /// # Errors
    /// A sentence that names the folder.
    pub(super) fn open(folder: Option<&Path>, size: u64) -> Result<Cache, String> {
        let (folder, lock) = match folder {
            Some(folder) => {
                let failed =
                    |error: io::Error| format!("{}: the folder cannot be used as a cache: {error}", folder.display());
                fs::create_dir_all(folder).map_err(failed)?;
                let lock = lock(folder).map_err(failed)?;
                (
                    folder.to_owned(),
                    lock.ok_or_else(|| format!("{}: the cache is in use by another process", folder.display()))?,
                )
            }
            None => temporary()
                .map_err(|error| format!("{}: no temporary folder: {error}", std::env::temp_dir().display()))?,
        };
        let cache = Cache {
            temporary: folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY)),
            folder,
            size,
            state: Mutex::default(),
            freed: Notify::new(),
            _lock: lock,
        };
        cache.find_existing();
        Ok(cache)
    }

    /// The file name of a version of a can, different for other places and other versions.
    pub(super) fn name(place: &str, key: &str, size: u64, etag: Option<&str>) -> String {
        let identity = format!("{place}\n{key}\n{size}\n{}", etag.unwrap_or_default());
        let sum = hex(Sha256::digest(identity).into_iter().take(8));
        let name = key.rsplit('/').next().unwrap_or_default();
        // File systems allow names of 255 bytes, and the name of the part is longer than this one.
        let start = name.char_indices().map(|(at, _)| at).find(|at| name.len() - at <= 200).unwrap_or(0);
        format!("{sum}-{}", &name[start..])
    }

    /// Waits until there is space for a file, and reserves it.
    pub(super) async fn hold(self: &Arc<Cache>, name: String, size: u64) -> Hold {
        loop {
            let freed = self.freed.notified();
            if let Some(there) = self.state().admit(self, &name, size) {
                return Hold { cache: Arc::clone(self), name, size, there };
            }
            freed.await;
        }
    }

    /// Records that the reader received the next file.
    pub(super) fn delivered(&self) {
        let mut state = self.state();
        state.ahead = state.ahead.saturating_sub(1);
    }

    /// Records whether the reader is waiting for the next file.
    fn awaited(&self, awaited: bool) {
        self.state().awaited = awaited;
        if awaited {
            self.freed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The guarded numbers are consistent even after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the files of earlier runs.
    fn find_existing(&self) {
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(metadata) = entry.metadata() else { continue };
            let part = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part"));
            if part.is_some_and(is_ours) {
                let _ = fs::remove_file(entry.path()); // it does no harm
            } else if metadata.is_file() && is_ours(&name) {
                left.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), name, metadata.len()));
            }
        }
        left.sort();
        let mut state = self.state();
        for (_, name, size) in left {
            state.keep(name, size);
        }
        state.make_room(self);
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.folder); // an error cannot be reported here
        }
    }
}

/// While it exists, the reader is waiting.
#[derive(Debug)]
pub(super) struct Awaiting<'c>(&'c Cache);

impl<'c> Awaiting<'c> {
    pub(super) fn new(cache: &'c Cache) -> Awaiting<'c> {
        cache.awaited(true);
        Awaiting(cache)
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.awaited(false);
    }
}

impl State {
    /// Admits a file if there is space or the reader needs it; returns whether the file exists.
    fn admit(&mut self, cache: &Cache, name: &str, size: u64) -> Option<bool> {
        let there = self.places.contains_key(name);
        let room = self.held == 0 || self.held.saturating_add(size) <= cache.size;
        let starved = self.awaited && self.ahead == 0;
        if !(there || room || starved) {
            return None;
        }
        if let Some((_, bytes)) = self.places.remove(name).and_then(|place| self.kept.remove(&place)) {
            self.kept_bytes -= bytes;
            // The next run takes the order of use from modification times.
            let _ = File::open(cache.folder.join(name)).and_then(|file| file.set_modified(SystemTime::now()));
        }
        self.held = self.held.saturating_add(size);
        self.ahead += 1;
        self.make_room(cache);
        Some(there)
    }

    fn keep(&mut self, name: String, size: u64) {
        self.places.insert(name.clone(), self.next);
        self.kept.insert(self.next, (name, size));
        self.kept_bytes = self.kept_bytes.saturating_add(size);
        self.next += 1;
    }

    /// Removes the least recently used files.
    fn make_room(&mut self, cache: &Cache) {
        while self.held.saturating_add(self.kept_bytes) > cache.size {
            let Some((_, (name, size))) = self.kept.pop_first() else { break };
            self.places.remove(&name);
            self.kept_bytes -= size;
            let _ = fs::remove_file(cache.folder.join(name)); // it may be gone
        }
    }
}

/// Reserved space for a file, and the file once it is downloaded.
#[derive(Debug)]
pub(super) struct Hold {
    cache: Arc<Cache>,
    name: String,
    size: u64,
    /// Whether the file exists.
    pub(super) there: bool,
}

impl Hold {
    /// The path of the file.
    pub(super) fn path(&self) -> PathBuf {
        self.cache.folder.join(&self.name)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.cache.state();
        state.held = state.held.saturating_sub(self.size);
        if self.there && !self.cache.temporary {
            state.keep(std::mem::take(&mut self.name), self.size);
            state.make_room(&self.cache);
        } else {
            let _ = fs::remove_file(self.cache.folder.join(&self.name)); // it may not exist
        }
        drop(state);
        self.cache.freed.notify_one();
    }
}

/// Whether a name is one of [`Cache::name`]: other files are not touched.
fn is_ours(name: &str) -> bool {
    let digits = |sum: &str| sum.len() == 16 && sum.bytes().all(|digit| digit.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(sum, _)| digits(sum))
}

/// Locks a folder; `None` if another process has locked it.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let file = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(_)) => Ok(Some(file)), // not every file system has locks
    }
}

/// Creates a folder that other users cannot read, and removes those left by killed runs.
fn temporary() -> io::Result<(PathBuf, File)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let root = std::env::temp_dir();
    for entry in fs::read_dir(&root)?.flatten() {
        let is_one = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        let path = entry.path();
        let is_one = is_one && entry.file_type().is_ok_and(|kind| kind.is_dir()) && path.join(LOCK).is_file();
        if is_one && let Ok(Some(_lock)) = lock(&path) {
            let _ = fs::remove_dir_all(path); // another process may be doing so
        }
    }
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = root.join(format!("{TEMPORARY}{}-{number}", std::process::id()));
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            created => created?,
        }
        // Another process may have mistaken it for the folder of a killed run and removed it.
        if let Ok(Some(lock)) = lock(&folder) {
            return Ok((folder, lock));
        }
    }
}
