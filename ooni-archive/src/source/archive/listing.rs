//! [`ArchiveCan`], and listing the cans of a day.

use super::state::{Core, can_error};
use crate::blobs::{Blob, Blobs, Counters, Listing, S3};
use crate::can::{CanName, Expected};
use crate::day::Day;
use crate::layout::{self, CanKey, Layout, parse_key};
use crate::source::input_file::{InArchive, InputFile, Origin, Source, Twin};
use ooni_core::error::Error;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;
use tokio::task::{JoinSet, spawn_blocking};

/// Maximum number of prefixes that the listing of a day is split into. A day of all countries has about a hundred pages,
/// which are requested one after another; prefixes are listed in parallel.
const MOST_PREFIXES: usize = 200;

/// A can that was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveCan {
    /// The key from `raw/` or `canned/` on.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The day of upload.
    pub day: Day,
    /// The country, if the key shows it.
    pub cc: Option<String>,
    /// The test in lower case without underscores, if the key shows it.
    pub testname: Option<String>,
    /// The key that rows of the table `jsonl` name: that of the lines of the same stem where there are some, else its own.
    pub body_key: String,
    /// The place where it is kept.
    pub(in crate::source) at: usize,
    etag: Option<String>,
    /// The lines of the same stem.
    lines: Option<Box<ArchiveCan>>,
}

impl ArchiveCan {
    /// The lines of the same stem, which have the same measurements as this postcan and are only read if it has no entries.
    pub fn lines(&self) -> Option<&ArchiveCan> {
        self.lines.as_deref()
    }

    /// The can as a file to be read, which is there; `twin` finds its lines.
    pub fn into_input_file(self, origin: Origin, twin: Option<Twin>) -> InputFile {
        let date = Arc::from(self.day.to_string());
        let (key, bodies) = (Arc::from(&*self.key), Arc::from(&*self.body_key));
        let can = Some(InArchive { key, bodies, day: self.day, date, size: self.size });
        let (expected, can_name) = (Expected::of_name(&self.key), CanName::of_path(Path::new(&self.key)));
        let source = Source { name: self.key, cc: self.cc, testname: self.testname, can, ..Source::default() };
        InputFile { source, origin, expected, can_name, error: None, twin }
    }

    /// As its place knows it.
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

impl Listed {
    fn failed(why: String) -> Listed {
        Listed { cans: Vec::new(), errors: vec![can_error(why)] }
    }
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
            for can in part.cans {
                // If several places have the same can, the first one is used.
                if let Entry::Vacant(entry) = cans.entry(can.key.clone()) {
                    entry.insert(can);
                }
            }
            errors.extend(part.errors);
        }
        Counters::add(&self.counters.days_listed, 1);
        if errors.is_empty() {
            self.survey().days.insert(day);
        }
        Listed { cans: without_twins(cans), errors }
    }

    /// Lists a day of one layout at one place. If a part cannot be listed, the others are still listed.
    async fn layout(self: Arc<Core>, at: usize, layout: Layout, day: Day) -> Listed {
        let prefix = layout.prefix(day);
        let s3 = match &self.places[at].blobs {
            Blobs::S3(s3) => s3,
            Blobs::Directory(_) => {
                let listed = spawn_blocking(move || self.folder(at, &prefix)).await;
                return listed.unwrap_or_else(|error| Listed::failed(error.to_string()));
            }
        };
        let prefixes = match layout {
            // Names begin with the time or the name of the test with underscores, neither of which a filter can use.
            Layout::Canned => vec![prefix],
            Layout::Raw => match self.prefixes(s3, prefix).await {
                Ok(prefixes) => prefixes,
                Err(why) => return Listed::failed(why),
            },
        };
        let mut tasks = JoinSet::new();
        for prefix in prefixes {
            let core = Arc::clone(&self);
            tasks.spawn(async move { core.bucket(at, &prefix).await });
        }
        let mut listed = Listed::default();
        for part in tasks.join_all().await {
            match part {
                Ok(cans) => listed.cans.extend(cans),
                // The errors of the other parts are most likely the same.
                Err(why) if listed.errors.is_empty() => listed.errors.push(can_error(why)),
                Err(_) => {}
            }
        }
        listed
    }

    /// The prefixes to list of a day below `raw/`. Keys have the hour before the country, and the country before the test.
    /// So prefixes are useful for a few countries, and a few tests in them, but there are too many for tests in all countries.
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

    pub(super) fn folder(&self, at: usize, prefix: &str) -> Listed {
        let Blobs::Directory(directory) = &self.places[at].blobs else { return Listed::default() };
        let mut cans = Vec::new();
        let mut found = |blob| cans.extend(self.can(at, blob));
        let enter = |folder: &str| {
            if let ["raw", _, _, cc, rest @ ..] = &*folder.trim_end_matches('/').split('/').collect::<Vec<_>>() {
                self.survey().add_names(Some(cc), rest.first().copied(), &self.wanted);
            }
            layout::may_contain(folder, |cc, test| self.wanted.takes(cc, test))
        };
        let result = directory.list(Listing { prefix, enter: &enter, found: &mut found });
        Listed { cans, errors: result.err().map(can_error).into_iter().collect() }
    }

    /// The can with this key, if it may contain selected measurements.
    fn can(&self, at: usize, blob: Blob) -> Option<ArchiveCan> {
        let mut survey = self.survey();
        let Some(CanKey { layout, day, cc, testname }) = parse_key(&blob.key) else {
            survey.add_unknown(&blob.key);
            return None;
        };
        survey.add_names(cc.as_deref(), testname.as_deref(), &self.wanted);
        // Failed uploads leave empty postcans (formats spec §8.2). An empty legacy can is an error.
        if (blob.size == 0 && layout == Layout::Raw)
            || self.wanted.takes(cc.as_deref(), testname.as_deref()) == Some(false)
        {
            survey.others += 1;
            return None;
        }
        survey.selected += 1;
        survey.without_cc += u64::from(cc.is_none());
        survey.without_testname += u64::from(testname.is_none());
        let Blob { key, size, etag } = blob;
        let body_key = key.clone();
        Some(ArchiveCan { key, size, day, cc, testname, body_key, at, etag, lines: None })
    }
}

/// Moves JSONL files with a postcan of the same stem from the list to that postcan.
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
