//! The archive for callers without a tokio runtime: [`BlockingArchive`] and [`BlockingPrefetch`].
//!
//! This is the only module of the crate that starts a runtime. Its calls block the thread. They can be made, and values
//! dropped, on a thread of another runtime.

use crate::body::{Body, BodyError};
use crate::day::Day;
use crate::selection::Selection;
use crate::source::archive::{Archive, ArchiveCan, CopyOutcome, Counters, Location, Options, Survey};
use crate::source::prefetch::{Prefetch, Prefetched};
use ooni_core::error::{Code, Error};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use tokio::runtime::{Builder, Runtime};

/// Threads that wait for servers and write downloads.
const THREADS: usize = 2;

/// An [`Archive`] with a runtime of its own. Clones share everything.
#[derive(Clone, Debug)]
pub struct BlockingArchive {
    archive: Archive,
    runtime: Arc<OwnRuntime>,
}

/// A runtime that can be used and dropped anywhere, even inside another runtime.
#[derive(Debug)]
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    /// Waits for a future; `None` if it panicked.
    ///
    /// `Runtime::block_on` panics inside another runtime; a channel does not.
    fn wait<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (sender, receiver) = sync_channel(1);
        self.0.as_ref()?.spawn(async move {
            let _ = sender.send(future.await); // the receiver waits
        });
        receiver.recv().ok()
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn stopped() -> Error {
    Error::new(Code::Can, "", "reading the archive failed: a task ended without a result")
}

impl BlockingArchive {
    /// As [`Archive::open`].
    ///
    /// # Errors
    /// As [`Archive::open`], or threads cannot be started.
    pub fn open(locations: Vec<Location>, wanted: Selection, options: Options) -> Result<BlockingArchive, String> {
        let archive = Archive::open(locations, wanted, options)?;
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("archive").enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start threads for the archive: {error}"))?;
        Ok(BlockingArchive { archive, runtime: Arc::new(OwnRuntime(Some(runtime))) })
    }

    /// As [`Archive::wanted`].
    pub fn wanted(&self) -> &Selection {
        self.archive.wanted()
    }

    /// As [`Archive::counters`].
    pub fn counters(&self) -> Arc<Counters> {
        self.archive.counters()
    }

    /// As [`Archive::survey`].
    pub fn survey(&self) -> Survey {
        self.archive.survey()
    }

    /// As [`Archive::found_instead`].
    pub fn found_instead(&self) -> Vec<String> {
        self.archive.found_instead()
    }

    /// As [`Archive::day`].
    ///
    /// # Errors
    /// As [`Archive::day`].
    pub fn day(&self, day: Day) -> Result<Vec<ArchiveCan>, Error> {
        let archive = self.archive.clone();
        self.runtime.wait(async move { archive.day(day).await }).unwrap_or_else(|| Err(stopped()))
    }

    /// As [`Archive::day_in_part`].
    pub fn day_in_part(&self, day: Day) -> (Vec<ArchiveCan>, Vec<Error>) {
        let archive = self.archive.clone();
        let listed = self.runtime.wait(async move { archive.day_in_part(day).await });
        listed.unwrap_or_else(|| (Vec::new(), vec![stopped()]))
    }

    /// As [`Archive::copy_can`].
    ///
    /// # Errors
    /// As [`Archive::copy_can`].
    pub fn copy_can(&self, can: &ArchiveCan, folder: &Path) -> Result<CopyOutcome, Error> {
        let (archive, can, folder) = (self.archive.clone(), can.clone(), folder.to_owned());
        self.runtime.wait(async move { archive.copy_can(&can, &folder).await }).unwrap_or_else(|| Err(stopped()))
    }

    /// As [`Archive::body`].
    ///
    /// # Errors
    /// As [`Archive::body`].
    pub fn body(&self, key: &str, number: u64) -> Result<Body, BodyError> {
        let (archive, key) = (self.archive.clone(), key.to_owned());
        let body = self.runtime.wait(async move { archive.body(&key, number).await });
        body.unwrap_or_else(|| Err(BodyError::Unavailable(stopped().message)))
    }
}

/// A [`Prefetch`] as an iterator.
#[derive(Debug)]
pub struct BlockingPrefetch {
    /// `None` only while it is on the runtime.
    prefetch: Option<Prefetch>,
    runtime: Arc<OwnRuntime>,
}

impl BlockingPrefetch {
    /// As [`Prefetch::new`].
    ///
    /// # Errors
    /// A sentence, when the cache cannot be opened.
    pub fn new(
        archive: &BlockingArchive,
        skip: impl Fn(&ArchiveCan) -> bool + Send + 'static,
    ) -> Result<BlockingPrefetch, String> {
        let (inner, runtime) = (archive.archive.clone(), Arc::clone(&archive.runtime));
        let prefetch = runtime.wait(async move { Prefetch::new(&inner, skip) });
        Ok(BlockingPrefetch { prefetch: Some(prefetch.unwrap_or_else(|| Err(stopped().message))?), runtime })
    }
}

impl Iterator for BlockingPrefetch {
    type Item = Prefetched;

    fn next(&mut self) -> Option<Prefetched> {
        let mut prefetch = self.prefetch.take()?;
        let (next, prefetch) = self.runtime.wait(async move { (prefetch.next().await, prefetch) })?;
        self.prefetch = Some(prefetch);
        next
    }
}

impl Drop for BlockingPrefetch {
    /// Stops all downloads, so that a temporary cache is removed with this.
    fn drop(&mut self) {
        if let Some(prefetch) = self.prefetch.take() {
            let _ = self.runtime.wait(prefetch.close()); // errors do not matter here
        }
    }
}
