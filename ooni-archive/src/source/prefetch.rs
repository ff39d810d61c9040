//! [`Prefetch`]: yields cans in order, each with its file, and downloads the next ones ahead of use.

use super::archive::{Archive, ArchiveCan, Core, can_error};
use super::cache::{Awaiting, Cache, Hold};
use crate::blobs::{Blobs, Counters, part_path};
use crate::day::Day;
use ooni_core::error::Error;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, spawn};

/// Maximum number of cans that are being downloaded or are ready. Their size is bounded by the cache.
const AHEAD: usize = 256;

/// The cans of the archive, by day and key.
#[derive(Debug)]
pub struct Prefetch {
    queue: mpsc::Receiver<Coming>,
    cache: Option<Arc<Cache>>,
    driver: Task<()>,
}

/// A can, or a part of the archive that could not be listed.
#[derive(Debug)]
pub enum Prefetched {
    /// A can, with its file or the last error after all attempts.
    Can {
        /// The can as listed.
        can: ArchiveCan,
        /// Its file.
        file: Result<CanFile, Error>,
    },
    /// A place could not be listed for a day. Cans of the day at other places follow.
    Unlisted {
        /// The day.
        day: Day,
        /// The error, which names the place.
        error: Error,
    },
}

/// The file of a can. Dropping it frees its space in the cache.
#[derive(Debug)]
pub struct CanFile(Inner);

#[derive(Debug)]
enum Inner {
    InPlace(PathBuf),
    Cached { path: PathBuf, _hold: Hold },
}

impl Deref for CanFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        match &self.0 {
            Inner::InPlace(path) | Inner::Cached { path, .. } => path,
        }
    }
}

/// Whether a can is not wanted.
type Skip = Box<dyn Fn(&ArchiveCan) -> bool + Send>;

/// A can that was listed, and where its file comes from.
#[derive(Debug)]
enum Coming {
    InPlace(ArchiveCan, PathBuf),
    Download(ArchiveCan, Task<Result<CanFile, Error>>),
    Unlisted(Day, Error),
}

impl Prefetch {
    /// All selected cans except for those to skip, which are not downloaded. Downloads start immediately, on the runtime of
    /// the caller.
    ///
    /// # Errors
    /// A sentence, when the cache cannot be opened, or when this is called outside of a tokio runtime.
    pub fn new(archive: &Archive, skip: impl Fn(&ArchiveCan) -> bool + Send + 'static) -> Result<Prefetch, String> {
        Prefetch::start(archive, Box::new(skip))
    }

    /// Not generic, so that no other crate compiles the downloads again.
    fn start(archive: &Archive, skip: Skip) -> Result<Prefetch, String> {
        Handle::try_current().map_err(|error| error.to_string())?;
        let core = &archive.core;
        let remote = core.places.iter().any(|place| matches!(place.blobs, Blobs::S3(_)));
        let cache = match remote {
            true => Some(Arc::new(Cache::open(core.options.cache.as_deref(), core.options.cache_size)?)),
            false => None,
        };
        let (sender, queue) = mpsc::channel(AHEAD);
        let turns = Arc::new(Semaphore::new(core.options.parallel.max(1)));
        let driver = Driver { core: Arc::clone(core), cache: cache.clone(), turns, sender };
        let driver = Task(spawn(driver.drive(skip)));
        Ok(Prefetch { queue, cache, driver })
    }

    /// Waits for the next can and its file; `None` at the end.
    pub async fn next(&mut self) -> Option<Prefetched> {
        let coming = match self.queue.try_recv() {
            Ok(coming) => coming,
            Err(_) => {
                let _awaiting = self.cache.as_deref().map(Awaiting::new);
                self.queue.recv().await?
            }
        };
        Some(match coming {
            Coming::InPlace(can, path) => Prefetched::Can { can, file: Ok(CanFile(Inner::InPlace(path))) },
            Coming::Unlisted(day, error) => Prefetched::Unlisted { day, error },
            Coming::Download(can, mut task) => {
                let file = (&mut task.0).await;
                self.cache.as_ref().inspect(|cache| cache.delivered());
                let file = file.unwrap_or_else(|error| Err(can_error(format!("{}: {error}", can.key))));
                Prefetched::Can { can, file }
            }
        })
    }

    /// Stops all downloads and waits until they have stopped, so that a temporary cache is removed with this.
    pub async fn close(mut self) {
        self.driver.stop().await;
        while let Ok(coming) = self.queue.try_recv() {
            if let Coming::Download(_, mut task) = coming {
                task.stop().await;
            }
        }
    }
}

/// Lists days and starts downloads.
struct Driver {
    core: Arc<Core>,
    cache: Option<Arc<Cache>>,
    turns: Arc<Semaphore>,
    sender: mpsc::Sender<Coming>,
}

impl Driver {
    async fn drive(self, skip: Skip) {
        let list = |day| (day, Task(spawn(Arc::clone(&self.core).day(day))));
        let mut days = self.core.wanted.days.into_iter();
        let mut next = days.next().map(list);
        while let Some((day, mut listing)) = next {
            let listed = (&mut listing.0).await;
            // The next day is listed while this one is downloaded.
            next = days.next().map(list);
            let Ok(listed) = listed else { return };
            for error in listed.errors {
                if self.sender.send(Coming::Unlisted(day, error)).await.is_err() {
                    return;
                }
            }
            let mut cans = listed.cans;
            cans.retain(|can| !skip(can));
            Counters::add(&self.core.counters.cans_listed, cans.len() as u64);
            Counters::add(
                &self.core.counters.bytes_listed,
                cans.iter().map(|can| can.size).fold(0, u64::saturating_add),
            );
            for can in cans {
                let Some(coming) = self.start(can).await else { return };
                if self.sender.send(coming).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Starts the download of a can, once the cache has space and the number of downloads allows it.
    async fn start(&self, can: ArchiveCan) -> Option<Coming> {
        let (place, cache) = match (&self.core.places[can.at].blobs, &self.cache) {
            (Blobs::Directory(directory), _) => {
                let path = directory.path(&can.key);
                return Some(Coming::InPlace(can, path));
            }
            (Blobs::S3(s3), Some(cache)) => (s3.name(), cache),
            (Blobs::S3(_), None) => return None,
        };
        let blob = can.blob();
        let name = Cache::name(place, &blob.key, blob.size, blob.etag.as_deref());
        let mut hold = cache.hold(name, blob.size).await;
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let (core, at) = (Arc::clone(&self.core), can.at);
        let download = spawn(async move {
            let _turn = turn;
            let path = hold.path();
            if let (false, Blobs::S3(s3)) = (hold.there, &core.places[at].blobs) {
                if let Err(why) = s3.download(&blob, &path, &core.counters).await {
                    let _ = fs::remove_file(part_path(&blob, &path)); // there may be none
                    return Err(can_error(why));
                }
                hold.there = true;
            }
            Ok(CanFile(Inner::Cached { path, _hold: hold }))
        });
        Some(Coming::Download(can, Task(download)))
    }
}

/// A task that is aborted when its handle is dropped.
#[derive(Debug)]
struct Task<T>(JoinHandle<T>);

impl<T> Task<T> {
    async fn stop(&mut self) {
        self.0.abort();
        let _ = (&mut self.0).await; // aborted, or a result that is not wanted
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
