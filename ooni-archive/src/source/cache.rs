//! [`Cache`]: a folder for downloads that never holds more than it may.
//!
//! `held + kept ≤ size`, where held is what is being downloaded or in somebody's hands, and kept is what could be thrown
//! away. Only two things pass the bound: a single can that is larger, and one that somebody waits for who holds all others.

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

/// A folder with files that can be had again.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    temporary: bool,
    size: u64,
    state: Mutex<State>,
    /// There may be room now.
    freed: Notify,
    /// Locked as long as the folder is in use.
    _lock: File,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of what is being downloaded or in somebody's hands.
    held: u64,
    /// Files that nobody holds and their bytes, the least recently used first.
    kept: BTreeMap<u64, (String, u64)>,
    kept_bytes: u64,
    /// Position in `kept` a file is.
    places: HashMap<String, u64>,
    /// The place of the next one.
    next: u64,
    /// Files that are held and not yet in anybody's hands.
    ahead: u64,
    /// Whether somebody waits.
    awaited: bool,
}

impl Cache {
    /// A folder of the user's, or a temporary one.
    ///
    /// # Errors
    /// A sentence that names the folder.
    pub(super) fn open(folder: Option<&Path>, size: u64) -> Result<Cache, String> {
        let (folder, lock) = match folder {
            Some(folder) => {
                let failed = |error: io::Error| format!("{}: no folder for a cache: {error}", folder.display());
                fs::create_dir_all(folder).map_err(failed)?;
                let lock = lock(folder).map_err(failed)?;
                (folder.to_owned(), lock.ok_or_else(|| format!("{}: in use by another run", folder.display()))?)
            }
            None => temporary()
                .map_err(|error| format!("{}: no folder for a cache: {error}", std::env::temp_dir().display()))?,
        };
        let cache = Cache {
            temporary: folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY)),
            folder,
            size,
            state: Mutex::default(),
            freed: Notify::new(),
            _lock: lock,
        };
        cache.look_around();
        Ok(cache)
    }

    /// The name of a version of a can. What comes from other places, or has changed, has another.
    pub(super) fn name(place: &str, key: &str, size: u64, etag: Option<&str>) -> String {
        let identity = format!("{place}\n{key}\n{size}\n{}", etag.unwrap_or_default());
        let sum: String = Sha256::digest(identity).into_iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = key.rsplit('/').next().unwrap_or_default();
        // File systems take names of 255 bytes, and the part's is longer than this one.
        let start = name.char_indices().map(|(at, _)| at).find(|at| name.len() - at <= 200).unwrap_or(0);
        format!("{sum}-{}", &name[start..])
    }

    /// Takes room for a file, when there is some.
    pub(super) async fn hold(self: &Arc<Cache>, name: String, size: u64) -> Hold {
        loop {
            let freed = self.freed.notified();
            if let Some(there) = self.state().admit(self, &name, size) {
                return Hold { cache: Arc::clone(self), name, size, there };
            }
            freed.await;
        }
    }

    /// Somebody has the next file in hands.
    pub(super) fn delivered(&self) {
        let mut state = self.state();
        state.ahead = state.ahead.saturating_sub(1);
    }

    /// Somebody waits for the next file, or no longer.
    pub(super) fn awaited(&self, awaited: bool) {
        self.state().awaited = awaited;
        if awaited {
            self.freed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is guarded are numbers, which are right at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds what other runs have left.
    fn look_around(&self) {
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(metadata) = entry.metadata() else { continue };
            let part = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part"));
            if part.is_some_and(is_ours) {
                let _ = fs::remove_file(entry.path()); // in the worst case it stays
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
            let _ = fs::remove_dir_all(&self.folder); // nobody left to tell
        }
    }
}

impl State {
    /// Makes room for a file, if it may; tells whether the file is there.
    fn admit(&mut self, cache: &Cache, name: &str, size: u64) -> Option<bool> {
        let there = self.places.contains_key(name);
        let room = self.held == 0 || self.held.saturating_add(size) <= cache.size;
        let starved = self.awaited && self.ahead == 0;
        if !(there || room || starved) {
            return None;
        }
        if let Some((_, bytes)) = self.places.remove(name).and_then(|place| self.kept.remove(&place)) {
            self.kept_bytes -= bytes;
            // The least recently used goes first, in the next run too.
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

    /// Throws away what was not used for the longest time.
    fn make_room(&mut self, cache: &Cache) {
        while self.held.saturating_add(self.kept_bytes) > cache.size {
            let Some((_, (name, size))) = self.kept.pop_first() else { break };
            self.places.remove(&name);
            self.kept_bytes -= size;
            let _ = fs::remove_file(cache.folder.join(name)); // somebody else may have done so
        }
    }
}

/// Room for a file, and the file as soon as it is there.
#[derive(Debug)]
pub(super) struct Hold {
    cache: Arc<Cache>,
    name: String,
    size: u64,
    /// Whether the file is there.
    pub(super) there: bool,
}

impl Hold {
    /// Position the file is, or will be.
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
            let _ = fs::remove_file(self.cache.folder.join(&self.name)); // it may never have come
        }
        drop(state);
        self.cache.freed.notify_one();
    }
}

/// Whether a name is one that [`Cache::name`] gives: others are not touched.
fn is_ours(name: &str) -> bool {
    let digits = |sum: &str| sum.len() == 16 && sum.bytes().all(|digit| digit.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(sum, _)| digits(sum))
}

/// Locks a folder, if nobody else has.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let file = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(_)) => Ok(Some(file)), // not every file system has locks
    }
}

/// A new folder that nobody else can read, and those of runs that were killed removed.
fn temporary() -> io::Result<(PathBuf, File)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let root = std::env::temp_dir();
    for entry in fs::read_dir(&root)?.flatten() {
        let is_one = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        let path = entry.path();
        let is_one = is_one && entry.file_type().is_ok_and(|kind| kind.is_dir()) && path.join(LOCK).is_file();
        if is_one && let Ok(Some(_lock)) = lock(&path) {
            let _ = fs::remove_dir_all(path); // somebody else may be doing so
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
        // Another run may have taken it for a left one in between.
        if let Ok(Some(lock)) = lock(&folder) {
            return Ok((folder, lock));
        }
    }
}
