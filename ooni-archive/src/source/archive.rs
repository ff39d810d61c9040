//! [`Archive`]: lists and copies the cans of a day, from folders and buckets.
//!
//! Futures run on the tokio runtime of the caller; [`blocking`](crate::blocking) is for callers without one.

mod listing;
mod location;
mod place;
mod state;
mod survey;

pub use self::listing::ArchiveCan;
use self::listing::Listed;
pub use self::location::Location;
pub use self::place::Options;
use self::place::Place;
pub(crate) use self::state::Core;
pub(super) use self::state::can_error;
pub use self::survey::Survey;
pub use crate::blobs::{Counters, RetryPolicy};

use crate::blobs::{Blobs, HttpClient, copy, is_copy};
use crate::day::Day;
use crate::selection::Selection;
use ooni_core::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// A part of OONI's archive. Clones share everything.
#[derive(Clone, Debug)]
pub struct Archive {
    pub(crate) core: Arc<Core>,
}

/// The result of copying a can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyOutcome {
    /// It was already there with the same content.
    AlreadyThere,
    /// It was copied.
    Copied,
}

impl Archive {
    /// Opens the places of the archive. No request is sent yet.
    ///
    /// # Errors
    /// A sentence, for folders that do not exist, and for addresses, credentials and variables of the environment that
    /// are invalid.
    pub fn open(locations: Vec<Location>, wanted: Selection, options: Options) -> Result<Archive, String> {
        let is_remote = locations.iter().any(|location| matches!(location, Location::S3 { .. }));
        let http = if is_remote { Some(HttpClient::new(&options.retry)?) } else { None };
        let places = locations.into_iter().map(|location| location.open(&options, http.as_ref()));
        let places = places.collect::<Result<_, _>>()?;
        Ok(Archive { core: Arc::new(Core::new(places, wanted, options)) })
    }

    /// The selection.
    pub fn wanted(&self) -> &Selection {
        &self.core.wanted
    }

    /// The progress so far.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.core.counters)
    }

    /// What listings have found so far.
    pub fn survey(&self) -> Survey {
        self.core.survey().clone()
    }

    /// What was found instead if no can was selected, as parts of a sentence; empty if the places are empty.
    pub fn found_instead(&self) -> Vec<String> {
        let mut found: Vec<_> = self.core.places.iter().filter_map(Place::without_layout).collect();
        found.extend(self.core.survey().instead_of(&self.core.wanted));
        found
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

    /// Copies a can below a folder, under its key, unless it is already there with the same content.
    ///
    /// # Errors
    /// The last error, after all attempts.
    pub async fn copy_can(&self, can: &ArchiveCan, folder: &Path) -> Result<CopyOutcome, Error> {
        let target = folder.join(&can.key);
        let failed = |error: std::io::Error| can_error(format!("{}: {error}", target.display()));
        target.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        let blob = can.blob();
        match &self.core.places[can.at].blobs {
            Blobs::Directory(directory) => {
                let (from, target) = (directory.path(&can.key), target.clone());
                let copied =
                    spawn_blocking(move || copy(&from, &target)).await.map_err(|e| can_error(e.to_string()))?;
                Ok(if copied.map_err(can_error)? { CopyOutcome::Copied } else { CopyOutcome::AlreadyThere })
            }
            Blobs::S3(s3) => {
                let (listed, copy, checksums) = (blob.clone(), target.clone(), self.core.options.checksums);
                let there = spawn_blocking(move || is_copy(&listed, &copy, checksums));
                match there.await.map_err(|error| can_error(error.to_string()))? {
                    Ok(true) => return Ok(CopyOutcome::AlreadyThere),
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                    _ => {}
                }
                s3.download(&blob, &target, &self.core.counters).await.map_err(can_error)?;
                Ok(CopyOutcome::Copied)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::DayRange;
    use crate::layout::Layout;
    use std::fs;
    use tempfile::TempDir;

    fn folder(keys: &[&str]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for key in keys {
            let path = root.path().join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    /// An archive in a folder, listed.
    fn listed(root: &TempDir, ccs: &[&str], testnames: &[&str], days: [&str; 2]) -> Archive {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let days = DayRange { start: days[0].parse().unwrap(), end: days[1].parse().unwrap() };
        let selection = Selection { days, ccs: set(ccs), testnames: set(testnames) };
        let locations = vec![Location::Directory(root.path().to_owned())];
        let archive = Archive::open(locations, selection, Options::default()).unwrap();
        for day in days {
            for layout in Layout::ALL {
                assert_eq!(archive.core.folder(0, &layout.prefix(day)).errors, []);
            }
        }
        archive
    }

    const DAY: [&str; 2] = ["2021-06-14", "2021-06-15"];
    const SIGNAL: &str = "raw/20210614/00/JO/signal/2021061400_JO_signal.n1.0.tar.gz";

    #[test]
    fn what_was_found_instead_is_reported() {
        let root = folder(&[SIGNAL, "raw/20210614/00/JO/signal/2021061400_JO_signal.tar"]);
        let found = |ccs: &[&str], names: &[&str], days| listed(&root, ccs, names, days).found_instead();
        assert_eq!(found(&["IT"], &["ndt", "tor"], ["2021-06-14", "2021-06-17"]), ["countries there: JO"]);
        assert_eq!(found(&["JO"], &["ndt"], DAY), ["tests there: signal"]);
        assert_eq!(found(&[], &[], ["2021-06-15", "2021-06-16"]), Vec::<String>::new());
        let survey = listed(&root, &[], &[], DAY).survey();
        assert_eq!((survey.selected, survey.others, survey.unknown_keys), (1, 0, 1));
        assert_eq!((survey.without_cc, survey.without_testname), (0, 0));
        // Keys that do not show the country, or neither country nor test.
        let root = folder(&["canned/2021-06-14/ndt.0.tar.lz4", "canned/2021-06-14/x.json.lz4"]);
        let survey = listed(&root, &["IT"], &["ndt"], DAY).survey();
        assert_eq!((survey.selected, survey.without_cc, survey.without_testname), (2, 2, 1));
        // Files of the day that are not laid out as in the archive, and no layout at all.
        let root = folder(&["raw/20210614/2021061400_JO_signal.n1.0.tar.gz"]);
        let key = r#""raw/20210614/2021061400_JO_signal.n1.0.tar.gz""#;
        let expected = format!("a file there is not named like a can: {key}");
        assert_eq!(listed(&root, &[], &[], DAY).found_instead(), [expected]);
        let root = folder(&["20210614/00/x"]);
        let expected = format!("there is neither raw/ nor canned/ in {}/", root.path().display());
        assert_eq!(listed(&root, &[], &[], DAY).found_instead(), [expected]);
    }
}
