//! The job `test-lists`: replaces the test lists (operations spec §3.3).
//!
//! The source is a directory of CSV files, one that has them in `lists`, or an archive of such a directory, as GitHub makes of
//! <https://github.com/citizenlab/test-lists>. A file that cannot be used leaves the list that the store has.

use super::jobs::Run;
use super::metrics::int;
use super::{Report, check_size, required, settings};
use crate::fetch::{Fetched, Source};
use anyhow::{Context, ensure};
use ooni_archive::can::tar_gz_files;
use ooni_core::hex::hex;
use ooni_store::test_lists::{self, ListFile};
use ooni_store::{ListedUrl, Store};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

/// Maximum bytes of an archive. That of the published lists has about six million.
const LONGEST_ARCHIVE: u64 = 64 << 20;

/// Maximum bytes of an archive, decompressed.
const LONGEST_DECOMPRESSED: u64 = 256 << 20;

/// All lists of a store, in order.
type Lists = BTreeSet<ListedUrl>;

pub(super) async fn run(run: &Run<'_>) -> anyhow::Result<Report> {
    let source = Source::parse(required(&settings(run).test_lists, "test_lists")?);
    let mut stores = Vec::new();
    for store in run.all_stores()? {
        let lists: Lists = store.test_lists(&[]).await?.into_iter().collect();
        stores.push((store, lists));
    }
    // The same lists, unless an earlier run failed between the databases.
    let (_, old) = stores.first().context("no database")?;
    let is_same = stores.iter().all(|(_, lists)| lists == old);
    let known = source.url().filter(|_| is_same).and_then(|url| run.memory().known(url, &hash(old)));
    let (files, version) = match source.directory() {
        Some(directory) => (read_directory(directory.to_owned()).await?, None),
        None => {
            let fetched = run.fetcher().fetch(&source, LONGEST_ARCHIVE, known.as_ref()).await?;
            if fetched.path().is_none() {
                run.metrics().test_list_len.set(int(old.len()));
                return Ok(Report::unchanged(format!("{} URLs, not modified", old.len())));
            }
            let version = fetched.version();
            (read_archive(fetched).await?, version)
        }
    };
    let (new, countries) = merge(files, old)?;
    check_size(
        "URLs",
        new.len(),
        (settings(run).test_lists_more_than, settings(run).test_lists_fewer_than),
        "test_lists",
    )?;
    let (added, removed) = (new.difference(old).count(), old.difference(&new).count());
    let is_changed = stores.iter().any(|(_, lists)| *lists != new);
    let total = format!("{} URLs in {countries} lists", new.len());
    let changes = format!("{added} added, {removed} removed");
    if run.is_dry {
        return Ok(match is_changed {
            true => Report::changed(format!("{total} would replace the current ones: {changes}")),
            false => Report::unchanged(format!("{total}, unchanged")),
        });
    }
    for (store, lists) in &stores {
        replace(store, lists, &new).await?;
    }
    // Without rules, no URL has a priority, and probes would get no URLs.
    let is_seeded = run.application()?.seed_url_priorities().await?;
    run.memory().remember(source.url().map(|url| (url, version, hash(&new))));
    run.metrics().test_list_len.set(int(new.len()));
    let seeded = if is_seeded { "; the default priorities were written" } else { "" };
    Ok(match is_changed {
        true => Report::changed(format!("{total}: {changes}{seeded}")),
        false => Report { is_changed: is_seeded, sentence: format!("{total}, unchanged{seeded}") },
    })
}

async fn replace(store: &Store, old: &Lists, new: &Lists) -> anyhow::Result<()> {
    if old != new {
        store.replace_test_lists(new.iter().cloned().collect()).await?;
    }
    Ok(())
}

async fn read_directory(directory: PathBuf) -> anyhow::Result<Vec<ListFile>> {
    let lists = directory.join("lists");
    let directory = if lists.is_dir() { lists } else { directory };
    spawn_blocking(move || test_lists::read(&directory)).await?.map_err(anyhow::Error::msg)
}

async fn read_archive(fetched: Fetched) -> anyhow::Result<Vec<ListFile>> {
    let read = spawn_blocking(move || {
        let path = fetched.path().unwrap_or(Path::new(""));
        let file = File::open(path).with_context(|| path.display().to_string())?;
        lists_of(file)
    });
    read.await?
}

/// The lists of an archive: those in folders named `lists`, or all if there is no such folder.
fn lists_of(archive: File) -> anyhow::Result<Vec<ListFile>> {
    let files = tar_gz_files(archive, LONGEST_DECOMPRESSED, |path| path.ends_with(".csv"));
    let files = files.map_err(anyhow::Error::msg)?;
    let is_in_lists = |path: &str| path.rsplit('/').nth(1) == Some("lists");
    let has_folder = files.iter().any(|file| is_in_lists(&file.path));
    let wanted = files.iter().filter(|file| !has_folder || is_in_lists(&file.path));
    let name = |path: &'_ str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let lists: Vec<_> = wanted.filter_map(|file| ListFile::parse(&name(&file.path), &file.content)).collect();
    ensure!(!lists.is_empty(), "the archive contains no test list (lists/global.csv, lists/it.csv, …)");
    Ok(lists)
}

/// The URLs of all files, and the number of lists. A file that cannot be used leaves the old list of its country.
fn merge(files: Vec<ListFile>, old: &Lists) -> anyhow::Result<(Lists, usize)> {
    let mut new = Lists::new();
    let countries = files.len();
    for ListFile { name, cc, content } in files {
        match content {
            Ok(content) => {
                if !content.skipped.is_empty() {
                    tracing::info!(list = name, rows = content.skipped.len(), "rows of a test list were skipped");
                }
                new.extend(content.urls);
            }
            Err(error) => {
                tracing::warn!(list = name, error, "a test list cannot be used and stays as it is");
                new.extend(old.iter().filter(|entry| entry.cc == cc).cloned());
            }
        }
    }
    Ok((new, countries))
}

/// A text that identifies the lists.
fn hash(lists: &Lists) -> String {
    let mut hash = Sha256::new();
    for ListedUrl { url, domain, cc, category_code } in lists {
        for part in [url, domain, cc, category_code] {
            hash.update(part);
            hash.update([0]);
        }
    }
    hex(hash.finalize())
}
