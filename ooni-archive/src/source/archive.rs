//! [`Archive`]: the cans of a day, out of folders and buckets.
//!
//! Asynchronous, on the tokio runtime of the caller; [`blocking`](crate::blocking) has the same for callers without one.

mod listing;
mod location;
mod survey;

pub use self::listing::ArchiveCan;
use self::listing::Listed;
pub use self::location::Location;
pub use self::survey::Survey;
pub use crate::blobs::{Counters, RetryPolicy};

use crate::blobs::{Blobs, HttpClient, copy, is_copy};
use crate::day::Day;
use crate::layout::Layout;
use crate::selection::Selection;
use ooni_core::error::{Code, Error};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

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
    pub(crate) core: Arc<Core>,
}

/// What clones share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) places: Vec<Place>,
    pub(super) wanted: Selection,
    pub(super) options: Options,
    pub(crate) counters: Arc<Counters>,
    listings: Semaphore,
    /// What all listings have found.
    survey: Mutex<Survey>,
}

/// One of the places.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) blobs: Blobs,
    /// The only layout that is kept there, if that is known.
    pub(crate) only: Option<Layout>,
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
    /// Sends nothing to servers yet.
    ///
    /// # Errors
    /// A sentence, for folders that do not exist, and for addresses, credentials and variables of the environment that
    /// are invalid.
    pub fn open(locations: Vec<Location>, wanted: Selection, options: Options) -> Result<Archive, String> {
        let is_remote = locations.iter().any(|location| matches!(location, Location::S3 { .. }));
        let http = if is_remote { Some(HttpClient::new(&options.retry)?) } else { None };
        let places = locations.into_iter().map(|location| location.open(&options, http.as_ref()));
        let places = places.collect::<Result<_, _>>()?;
        let listings = Semaphore::new(LISTINGS);
        let core = Core { places, wanted, options, counters: Arc::default(), listings, survey: Mutex::default() };
        Ok(Archive { core: Arc::new(core) })
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
    pub async fn day(&self, day: Day) -> Result<Vec<ArchiveCan>, Error> {
        let (cans, errors) = self.day_in_part(day).await;
        errors.into_iter().next().map_or(Ok(cans), Err)
    }

    /// The cans of a day that could be listed, by key, and the places that could not.
    pub async fn day_in_part(&self, day: Day) -> (Vec<ArchiveCan>, Vec<Error>) {
        let Listed { cans, errors } = Arc::clone(&self.core).day(day).await;
        (cans, errors)
    }

    /// Copies a can below a folder, under its key, unless it is there with the same content.
    ///
    /// # Errors
    /// What failed, after all attempts.
    pub async fn bring(&self, can: &ArchiveCan, folder: &Path) -> Result<Brought, Error> {
        let target = folder.join(&can.key);
        let failed = |error: std::io::Error| trouble(format!("{}: {error}", target.display()));
        target.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        let blob = can.blob();
        match &self.core.places[can.at].blobs {
            Blobs::Directory(directory) => {
                let (from, target) = (directory.path(&can.key), target.clone());
                let copied = spawn_blocking(move || copy(&from, &target)).await.map_err(|e| trouble(e.to_string()))?;
                Ok(if copied.map_err(trouble)? { Brought::Now } else { Brought::Already })
            }
            Blobs::S3(s3) => {
                let (listed, copy, checksums) = (blob.clone(), target.clone(), self.core.options.checksums);
                let there = spawn_blocking(move || is_copy(&listed, &copy, checksums));
                match there.await.map_err(|error| trouble(error.to_string()))? {
                    Ok(true) => return Ok(Brought::Already),
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                    _ => {}
                }
                s3.download(&blob, &target, &self.core.counters).await.map_err(trouble)?;
                Ok(Brought::Now)
            }
        }
    }
}

/// An error of a container, or of a place with containers.
pub(super) fn trouble(sentence: impl Into<String>) -> Error {
    Error::new(Code::Can, "", sentence)
}
