//! [`Archive`]: the cans of a day, out of folders and buckets.
//!
//! Whatever waits for a server runs on a small runtime in here; outside, everything is an ordinary call.

mod listing;
mod location;
mod survey;

pub use self::listing::ArchiveCan;
use self::listing::Listed;
pub use self::location::Location;
pub use self::survey::Survey;
pub use crate::blobs::{Counters, RetryPolicy};

use crate::blobs::{Blobs, copy, is_copy};
use crate::day::Day;
use crate::layout::Layout;
use crate::selection::Selection;
use ooni_core::error::{Code, Error};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

/// Threads that wait for servers and write what comes of them.
const THREADS: usize = 2;
/// Pages that are asked for at once.
const LISTINGS: usize = 8;

/// How the archive is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder in which downloads stay; `None` for a temporary one.
    pub cache: Option<PathBuf>,
    /// Bytes of downloads that may be there at once.
    pub cache_size: u64,
    /// Downloads at once.
    pub parallel: usize,
    /// How long servers are waited for.
    pub retry: RetryPolicy,
    /// Whether what was downloaded is held against its MD5, where the server's ETag looks like one.
    pub checksums: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { cache: None, cache_size: 2 << 30, parallel: 4, retry: RetryPolicy::default(), checksums: true }
    }
}

/// A part of OONI's archive. Clones share everything.
#[derive(Clone, Debug)]
pub struct Archive {
    pub(super) core: Arc<Core>,
    pub(super) runtime: Arc<Runtime>,
}

/// What tasks of the runtime need; they must not own it.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) places: Vec<Place>,
    pub(super) wanted: Selection,
    pub(super) options: Options,
    pub(super) counters: Arc<Counters>,
    listings: Semaphore,
    /// What all listings have found.
    survey: Mutex<Survey>,
}

/// One of the places.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) blobs: Blobs,
    /// The only layout that is kept there, if that is known.
    only: Option<Layout>,
}

/// What became of a can that was to be brought somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It was there already, and right.
    Already,
    /// It is there now.
    Now,
}

impl Archive {
    /// Asks nothing of servers yet.
    ///
    /// # Errors
    /// A sentence, for folders that are not there, addresses and credentials that cannot be right.
    pub fn open(locations: Vec<Location>, wanted: Selection, options: Options) -> Result<Archive, String> {
        let places = locations.into_iter().map(|location| location.open(&options)).collect::<Result<_, _>>()?;
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("archive").enable_all().build();
        let runtime = runtime.map_err(|error| format!("no threads for the archive: {error}"))?;
        let listings = Semaphore::new(LISTINGS);
        let core = Core { places, wanted, options, counters: Arc::default(), listings, survey: Mutex::default() };
        Ok(Archive { core: Arc::new(core), runtime: Arc::new(runtime) })
    }

    /// What is asked for.
    pub fn wanted(&self) -> &Selection {
        &self.core.wanted
    }

    /// What has been done so far.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.core.counters)
    }

    /// The cans of a day, by key.
    ///
    /// # Errors
    /// The first place that could not be listed, after all attempts.
    pub fn day(&self, day: Day) -> Result<Vec<ArchiveCan>, Error> {
        let (cans, errors) = self.day_in_part(day);
        errors.into_iter().next().map_or(Ok(cans), Err)
    }

    /// The cans of a day that could be listed, by key, and the places that could not.
    pub fn day_in_part(&self, day: Day) -> (Vec<ArchiveCan>, Vec<Error>) {
        let Listed { cans, errors } = self.runtime.block_on(Arc::clone(&self.core).day(day));
        (cans, errors)
    }

    /// Brings a can below a folder, under its key, unless it is there.
    ///
    /// # Errors
    /// What failed, after all attempts.
    pub fn bring(&self, can: &ArchiveCan, folder: &Path) -> Result<Brought, Error> {
        let blob = can.blob();
        let target = folder.join(&can.key);
        let failed = |error: std::io::Error| trouble(format!("{}: {error}", target.display()));
        match is_copy(&blob, &target, self.core.options.checksums) {
            Ok(true) => return Ok(Brought::Already),
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        target.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        match &self.core.places[can.at].blobs {
            Blobs::Directory(directory) => copy(&directory.path(&can.key), &target),
            Blobs::S3(s3) => self.runtime.block_on(s3.download(&blob, &target, &self.core.counters)),
        }
        .map_err(trouble)?;
        Ok(Brought::Now)
    }
}

/// An error of a container, or of a place with containers.
pub(super) fn trouble(sentence: impl Into<String>) -> Error {
    Error::new(Code::Can, "", sentence)
}
