//! The job `fingerprints`: replaces the fingerprint lists in the state directory, and sends them to the scorer.
//!
//! The two files have the names of the published lists, so that `fastpath --fingerprints` reads the same directory. They are
//! replaced one after the other. A crash in between leaves two lists that are valid, each by itself, and the next run replaces
//! the second one.

use super::jobs::Run;
use super::metrics::int;
use super::{Report, check_size, durable, required, settings};
use crate::fetch::Source;
use anyhow::Context;
use ooni_archive::download::Version;
use ooni_archive::fingerprints::{DNS, HTTP, built_in, from_folder, list_sha256};
use ooni_core::fingerprint::Fingerprints;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// The names of the published lists.
const NAMES: [&str; 2] = ["fingerprints_dns.csv", "fingerprints_http.csv"];

/// Maximum bytes of a list. The published ones have less than half a megabyte.
const LONGEST: u64 = 20 << 20;

/// How often to look whether another process has replaced the lists.
const REFRESH: Duration = Duration::from_secs(30);

/// The files of the lists: DNS, HTTP.
pub fn paths(state_dir: &Path) -> [PathBuf; 2] {
    NAMES.map(|name| state_dir.join("fingerprints").join(name))
}

/// The lists in the state directory; the built-in ones if there are none or they cannot be used, which is logged.
///
/// # Errors
/// None, unless this was built with broken lists.
pub fn load(state_dir: &Path) -> Result<Fingerprints, ooni_archive::fingerprints::Error> {
    let folder = state_dir.join("fingerprints");
    if !folder.exists() {
        return built_in();
    }
    from_folder(&folder).or_else(|error| {
        tracing::warn!(%error, "the fingerprint lists cannot be used; the built-in ones are used instead");
        built_in()
    })
}

/// The texts of the lists with this hash, DNS and HTTP: those in the state directory, or the built-in ones. `None` if neither has
/// it, as at the moment when they are replaced. Blocks.
pub(crate) fn texts(state_dir: &Path, sha256: &str) -> Option<[Vec<u8>; 2]> {
    let [dns, http] = paths(state_dir).map(|path| fs::read(path).ok());
    let of_state = dns.zip(http).map(<[Vec<u8>; 2]>::from);
    of_state.into_iter().chain([[DNS.to_vec(), HTTP.to_vec()]]).find(|[dns, http]| list_sha256(dns, http) == sha256)
}

/// Sends the lists in the state directory whenever another process, such as `ooni-api job`, has replaced them. Lists that
/// cannot be used are logged, and the last ones stay in use.
pub(crate) async fn follow(state_dir: PathBuf, sender: watch::Sender<Arc<Fingerprints>>) {
    let mut seen = identity(&state_dir);
    loop {
        sleep(REFRESH).await;
        let found = identity(&state_dir);
        if found == seen || found.iter().any(Option::is_none) {
            continue;
        }
        seen = found;
        let folder = state_dir.join("fingerprints");
        match spawn_blocking(move || from_folder(&folder)).await {
            Ok(Ok(lists)) => {
                if send(&sender, lists) {
                    tracing::info!("the fingerprint lists of another process are in use");
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "the new fingerprint lists cannot be used"),
            Err(error) => tracing::error!(%error, "the fingerprint lists cannot be read"),
        }
    }
}

/// What differs when the files are replaced.
fn identity(state_dir: &Path) -> [Option<(u64, SystemTime)>; 2] {
    paths(state_dir).map(|path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.modified().ok()?))
    })
}

/// Sends lists, unless they are those in use.
fn send(sender: &watch::Sender<Arc<Fingerprints>>, lists: Fingerprints) -> bool {
    sender.send_if_modified(|current| {
        let is_new = current.list_sha256() != lists.list_sha256();
        if is_new {
            *current = Arc::new(lists);
        }
        is_new
    })
}

/// Two lists as they are published.
struct Lists {
    dns: Vec<u8>,
    http: Vec<u8>,
}

pub(super) async fn run(run: &Run<'_>) -> anyhow::Result<Report> {
    let source = Source::parse(required(&settings(run).fingerprints, "fingerprints")?);
    let paths = paths(run.state_dir());
    let old = [read(&paths[0]), read(&paths[1])];
    let mut lists = Vec::new();
    let mut downloads = Vec::new();
    for (name, old) in NAMES.into_iter().zip(old.clone()) {
        let (new, version) = fetch(run, &source.join(name), old).await?;
        downloads.push((source.join(name), version, hash(&new)));
        lists.push(new);
    }
    let Ok([dns, http]) = <[Vec<u8>; 2]>::try_from(lists) else { anyhow::bail!("two lists were expected") };
    let is_changed = old != [Some(dns.clone()), Some(http.clone())];
    let limits = (settings(run).fingerprints_more_than, settings(run).fingerprints_fewer_than);
    let (lists, parsed) = spawn_blocking(move || parse(Lists { dns, http }, limits)).await??;
    let sentence = format!("{} DNS and {} HTTP fingerprints", parsed.dns().len(), parsed.http().len());
    if run.is_dry {
        return Ok(match is_changed {
            true => Report::changed(format!("{sentence} would replace the current ones")),
            false => Report::unchanged(format!("{sentence}, unchanged")),
        });
    }
    if is_changed {
        let failed = || format!("{}: cannot be replaced", paths[0].display());
        let targets = paths.clone();
        spawn_blocking(move || install(&targets, &lists)).await?.with_context(failed)?;
    }
    run.memory().remember(
        downloads
            .iter()
            .filter_map(|(source, version, content)| Some((source.url()?, version.clone(), content.clone()))),
    );
    run.metrics().fingerprints_dns_len.set(int(parsed.dns().len()));
    run.metrics().fingerprints_http_len.set(int(parsed.http().len()));
    // Another process may have replaced the files, so they may be new to this one.
    send(run.fingerprints(), parsed);
    Ok(match is_changed {
        true => Report::changed(sentence),
        false => Report::unchanged(format!("{sentence}, unchanged")),
    })
}

/// A list, and its version at the server. If it is not modified, that is the old list.
async fn fetch(run: &Run<'_>, source: &Source, old: Option<Vec<u8>>) -> anyhow::Result<(Vec<u8>, Option<Version>)> {
    let known = old.as_deref().and_then(|old| run.memory().known(source.url()?, &hash(old)));
    let (new, version) = run.fetcher().fetch_bytes(source, LONGEST, known.as_ref()).await?;
    match (new, old) {
        (Some(new), _) => Ok((new, version)),
        (None, Some(old)) => Ok((old, known)),
        (None, None) => anyhow::bail!("the list is not modified, but it is lost"),
    }
}

fn parse(lists: Lists, limits: (usize, usize)) -> anyhow::Result<(Lists, Fingerprints)> {
    let parsed = Fingerprints::from_csv(&lists.dns, &lists.http, list_sha256(&lists.dns, &lists.http))?;
    check_size("DNS fingerprints", parsed.dns().len(), limits, "fingerprints")?;
    check_size("HTTP fingerprints", parsed.http().len(), limits, "fingerprints")?;
    Ok((lists, parsed))
}

fn install(paths: &[PathBuf; 2], lists: &Lists) -> std::io::Result<()> {
    if let Some(folder) = paths[0].parent() {
        fs::create_dir_all(folder)?;
    }
    durable::replace(&paths[0], &lists.dns)?;
    durable::replace(&paths[1], &lists.http)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

fn hash(list: &[u8]) -> String {
    list_sha256(list, b"")
}
