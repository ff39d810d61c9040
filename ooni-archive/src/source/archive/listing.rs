//! [`ArchiveCan`], and how the cans of a day are found.

use super::{Core, trouble};
use crate::blobs::{Blob, Blobs, Counters, Listing, S3};
use crate::can::Format;
use crate::day::Day;
use crate::layout::{self, Layout};
use ooni_core::error::Error;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use tokio::task::{JoinSet, spawn_blocking};

/// Prefixes into which the listing of a day may be cut. A day of all countries has about a hundred pages, which come one
/// after the other; requests for prefixes are made side by side.
const MOST_PREFIXES: usize = 200;

/// A can, as listings tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveCan {
    /// The key from `raw/` or `canned/` on.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// What it is by its name.
    pub format: Format,
    /// The day of upload.
    pub day: Day,
    /// The country, if the key tells.
    pub cc: Option<String>,
    /// The test in lower case without underscores, if the key tells.
    pub testname: Option<String>,
    /// What rows of the table `jsonl` name: the lines of the same stem where there are some, else the can itself.
    pub body_key: String,
    /// Which place it is at.
    pub(in crate::source) at: usize,
    etag: Option<String>,
    /// The lines of the same stem.
    lines: Option<Box<ArchiveCan>>,
}

impl ArchiveCan {
    /// The lines of the same stem, which hold the same as this postcan and are not read.
    pub fn lines(&self) -> Option<&ArchiveCan> {
        self.lines.as_deref()
    }

    /// What the place knows it as.
    pub(in crate::source) fn blob(&self) -> Blob {
        Blob { key: self.key.clone(), size: self.size, etag: self.etag.clone() }
    }
}

/// What was found of a day.
#[derive(Debug, Default)]
pub(in crate::source) struct Listed {
    /// By key.
    pub(in crate::source) cans: Vec<ArchiveCan>,
    /// What could not be listed.
    pub(in crate::source) errors: Vec<Error>,
}

impl Core {
    /// Lists a day at all places.
    pub(in crate::source) async fn day(self: Arc<Core>, day: Day) -> Listed {
        let mut tasks = JoinSet::new();
        for (at, place) in self.places.iter().enumerate() {
            for layout in Layout::ALL.into_iter().filter(|layout| place.only.is_none_or(|only| only == *layout)) {
                let core = Arc::clone(&self);
                tasks.spawn(async move { (at, core.layout(at, layout, day).await) });
            }
        }
        let mut parts = tasks.join_all().await;
        parts.sort_by_key(|(at, _)| *at);
        let mut errors = Vec::new();
        let mut cans = BTreeMap::new();
        for (_, part) in parts {
            match part {
                Ok(part) => part.into_iter().for_each(|can: ArchiveCan| {
                    // Of several places with the same can, the first one has it.
                    if let Entry::Vacant(entry) = cans.entry(can.key.clone()) {
                        entry.insert(can);
                    }
                }),
                Err(why) => errors.push(trouble(why)),
            }
        }
        Counters::add(&self.counters.days_listed, 1);
        Listed { cans: without_twins(cans), errors }
    }

    /// Lists a day of one layout at one place.
    async fn layout(self: Arc<Core>, at: usize, layout: Layout, day: Day) -> Result<Vec<ArchiveCan>, String> {
        let prefix = layout.prefix(day);
        let s3 = match &self.places[at].blobs {
            Blobs::S3(s3) => s3,
            Blobs::Directory(_) => {
                return spawn_blocking(move || self.folder(at, &prefix)).await.map_err(|e| e.to_string())?;
            }
        };
        let prefixes = match layout {
            // The name begins with what no filter tells: the time or the test's name with its underscores.
            Layout::Canned => vec![prefix],
            Layout::Raw => self.prefixes(s3, prefix).await?,
        };
        let mut tasks = JoinSet::new();
        for prefix in prefixes {
            let core = Arc::clone(&self);
            tasks.spawn(async move { core.bucket(at, &prefix).await });
        }
        let mut cans = Vec::new();
        for part in tasks.join_all().await {
            cans.extend(part?);
        }
        Ok(cans)
    }

    /// What to list of a day below `raw/`. Hours come before countries in keys, and countries before tests: prefixes for
    /// few countries, and few tests in them, are worth while; those for tests in all countries would be too many.
    async fn prefixes(&self, s3: &S3, day: String) -> Result<Vec<String>, String> {
        let (ccs, testnames) = (&self.wanted.ccs, &self.wanted.testnames);
        if ccs.is_empty() || ccs.len() * 24 > MOST_PREFIXES {
            return Ok(vec![day]);
        }
        let hours = s3.folders(&day, &self.counters).await?;
        if hours.len() * ccs.len() > MOST_PREFIXES {
            return Ok(vec![day]);
        }
        let by_cc = hours.iter().flat_map(|hour| ccs.iter().map(move |cc| format!("{hour}{cc}/")));
        if testnames.is_empty() || hours.len() * ccs.len() * testnames.len() > MOST_PREFIXES {
            return Ok(by_cc.collect());
        }
        Ok(by_cc.flat_map(|cc| testnames.iter().map(move |test| format!("{cc}{test}/"))).collect())
    }

    async fn bucket(&self, at: usize, prefix: &str) -> Result<Vec<ArchiveCan>, String> {
        let Blobs::S3(s3) = &self.places[at].blobs else { return Ok(Vec::new()) };
        // Nothing closes the semaphore.
        let _turn = self.listings.acquire().await.map_err(|error| error.to_string())?;
        let mut cans = Vec::new();
        let mut found = |blob| cans.extend(self.can(at, blob));
        s3.list(Listing { prefix, enter: &|_| true, found: &mut found }, &self.counters).await?;
        Ok(cans)
    }

    fn folder(&self, at: usize, prefix: &str) -> Result<Vec<ArchiveCan>, String> {
        let Blobs::Directory(directory) = &self.places[at].blobs else { return Ok(Vec::new()) };
        let mut cans = Vec::new();
        let mut found = |blob| cans.extend(self.can(at, blob));
        let enter = |folder: &str| layout::may_hold(folder, |cc, test| self.wanted.takes(cc, test));
        directory.list(Listing { prefix, enter: &enter, found: &mut found })?;
        Ok(cans)
    }

    /// What was found, if it is a can that may hold something wanted.
    fn can(&self, at: usize, blob: Blob) -> Option<ArchiveCan> {
        let layout::Place { layout, day, format, cc, testname } = layout::place(&blob.key)?;
        // An upload that failed has left an empty postcan (formats spec §8.2); a legacy can that is empty is a loss.
        if (blob.size == 0 && layout == Layout::Raw)
            || self.wanted.takes(cc.as_deref(), testname.as_deref()) == Some(false)
        {
            return None;
        }
        let Blob { key, size, etag } = blob;
        let body_key = key.clone();
        Some(ArchiveCan { key, size, format, day, cc, testname, body_key, at, etag, lines: None })
    }
}

/// Leaves out lines whose postcan is there, and notes them with it.
fn without_twins(mut cans: BTreeMap<String, ArchiveCan>) -> Vec<ArchiveCan> {
    let twins: Vec<_> = cans
        .keys()
        .filter_map(|key| Some((layout::lines_key(key).filter(|lines| cans.contains_key(lines))?, key.clone())))
        .collect();
    for (lines, postcan) in twins {
        let lines = cans.remove(&lines).map(Box::new);
        if let Some(can) = cans.get_mut(&postcan) {
            can.body_key = lines.as_ref().map_or_else(|| can.key.clone(), |lines| lines.key.clone());
            can.lines = lines;
        }
    }
    cans.into_values().collect()
}
