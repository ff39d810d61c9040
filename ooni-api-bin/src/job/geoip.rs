//! The job `geoip`: replaces the geolocation files in the state directory (operations spec §3.2). The server notices that
//! they were replaced.
//!
//! A new file is opened, all of its records are read, and the addresses of `jobs.geoip_known` are looked up, before it
//! replaces the old one. A file with the same content is not written.

mod check;

use self::check::{Checked, check};
use super::jobs::Run;
use super::metrics::int;
use super::{Report, durable, settings};
use crate::config::Config;
use crate::fetch::{Fetched, Source, is_missing};
use anyhow::{Context, ensure};
use flate2::read::MultiGzDecoder;
use ooni_archive::download::Version;
use ooni_core::hex::hex;
use ooni_core::time::DateTime;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

/// Maximum bytes of a file, as it is downloaded and decompressed.
const LONGEST: u64 = 512 << 20;

/// The month in a source.
const MONTH: &str = "{YYYY-MM}";

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Networks.
    Asn,
    /// Countries.
    Cc,
}

/// The sources as one text; empty if there are none.
pub(super) fn sources_text(config: &Config) -> String {
    format!("{} {}", config.jobs.geoip_asn, config.jobs.geoip_cc).trim().to_owned()
}

/// A source, and the files that come from it.
struct Target {
    source: String,
    files: Vec<(Role, PathBuf)>,
}

pub(super) async fn run(run: &Run<'_>) -> anyhow::Result<Report> {
    let known: Result<Vec<IpAddr>, _> = settings(run).geoip_known.iter().map(|address| address.parse()).collect();
    let known = known.context("jobs.geoip_known: not a list of addresses")?;
    let targets = targets(run);
    ensure!(
        !targets.is_empty(),
        "the settings jobs.geoip_asn and jobs.geoip_cc are empty; they say where the files come from"
    );
    let folder = run.state_dir().join("geoip");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let (mut sentences, mut downloads, mut is_changed) = (Vec::new(), Vec::new(), false);
    for target in targets {
        let installed = install(run, &target, &folder, &known).await?;
        is_changed |= installed.is_changed;
        sentences.push(installed.sentence);
        downloads.extend(installed.download);
    }
    if !run.is_dry {
        run.memory()
            .remember(downloads.iter().map(|(url, version, content)| (&**url, version.clone(), content.clone())));
    }
    Ok(Report { is_changed, sentence: sentences.join("; ") })
}

fn targets(run: &Run<'_>) -> Vec<Target> {
    let [asn, cc] = run.config().kept_geoip_files();
    let mut targets: Vec<Target> = Vec::new();
    for (source, role, path) in [(&settings(run).geoip_asn, Role::Asn, asn), (&settings(run).geoip_cc, Role::Cc, cc)] {
        match targets.iter_mut().find(|target| target.source == *source) {
            _ if source.is_empty() => {}
            Some(same) => same.files.push((role, path)),
            None => targets.push(Target { source: source.clone(), files: vec![(role, path)] }),
        }
    }
    targets
}

/// What became of a target.
struct Installed {
    is_changed: bool,
    sentence: String,
    download: Option<(String, Option<Version>, String)>,
}

async fn install(run: &Run<'_>, target: &Target, folder: &Path, known: &[IpAddr]) -> anyhow::Result<Installed> {
    let paths: Vec<PathBuf> = target.files.iter().map(|(_, path)| path.clone()).collect();
    let old: Vec<Option<String>> = spawn_blocking(move || paths.iter().map(|path| hash(path).ok()).collect()).await?;
    let first = old.first().cloned().flatten().filter(|first| old.iter().all(|old| old.as_ref() == Some(first)));
    let (source, fetched) = fetch(run, &target.source, first.as_deref()).await?;
    let names: Vec<_> = target.files.iter().map(|(role, _)| role.name()).collect();
    let names = names.join(" and ");
    let version = match &fetched {
        Fetched::NotModified => source.url().zip(first.as_deref()).and_then(|(url, old)| run.memory().known(url, old)),
        fetched => fetched.version(),
    };
    let Some(path) = fetched.path().map(Path::to_owned) else {
        for (role, path) in &target.files {
            let (role, path, known) = (*role, path.clone(), known.to_vec());
            run.checked(role, &spawn_blocking(move || check(&path, role, &known)).await??);
        }
        let download = source.url().zip(first).map(|(url, content)| (url.to_owned(), version, content));
        return Ok(Installed { is_changed: false, sentence: format!("{names}: not modified"), download });
    };
    let temporary = folder.to_owned();
    let new = spawn_blocking(move || decompress(&path, &temporary)).await?;
    let mut new = new.with_context(|| format!("the file of {names}"))?;
    drop(fetched);
    let path = new.path().to_owned();
    let content = spawn_blocking(move || hash(&path)).await??;
    let (mut is_changed, mut built) = (false, 0);
    for (number, (role, path)) in target.files.iter().enumerate() {
        let (role, candidate, known) = (*role, new.path().to_owned(), known.to_vec());
        let checked = spawn_blocking(move || check(&candidate, role, &known)).await?;
        let checked = checked.inspect_err(|_| run.metrics().geoip_checkfail.inc());
        let checked = checked.with_context(|| format!("the file of {names} cannot be used"))?;
        built = checked.epoch;
        let is_new = old.get(number).is_none_or(|old| old.as_ref() != Some(&content));
        is_changed |= is_new;
        if run.is_dry {
            continue;
        }
        if is_new {
            let path = path.clone();
            // A file of the same content for the next target.
            let copied = spawn_blocking(move || {
                let copy = copy(&new)?;
                durable::install(new, &path)?;
                io::Result::Ok(copy)
            });
            new = copied.await?.with_context(|| format!("{}: cannot be replaced", folder.display()))?;
            run.metrics().geoip_updated.inc();
        }
        run.checked(role, &checked);
    }
    let built = DateTime::from_timestamp(int(built)).unwrap_or(DateTime::MIN).date_text();
    let would = match (is_changed, run.is_dry) {
        (true, true) => "would be replaced by the file of",
        (true, false) => "replaced by the file of",
        (false, _) => "unchanged, the file of",
    };
    let download = source.url().map(|url| (url.to_owned(), version, content));
    Ok(Installed { is_changed, sentence: format!("{names}: {would} {built}"), download })
}

/// Gets a source. At the start of a month its file may not be published yet; then that of the month before is used.
async fn fetch(run: &Run<'_>, source: &str, old: Option<&str>) -> anyhow::Result<(Source, Fetched)> {
    let this = run.now().date_time().start_of_month();
    let before = this.plus_seconds(-1).unwrap_or(this);
    let of = |month: DateTime| Source::parse(&source.replace(MONTH, month.date_text().get(..7).unwrap_or_default()));
    let get = async |source: Source| {
        let known = source.url().zip(old).and_then(|(url, old)| run.memory().known(url, old));
        let fetched = run.fetcher().fetch(&source, LONGEST, known.as_ref()).await?;
        anyhow::Ok((source, fetched))
    };
    match get(of(this)).await {
        Err(error) if is_missing(&error) && source.contains(MONTH) => get(of(before)).await,
        result => result,
    }
}

/// Copies a file, decompressed if it is compressed with gzip.
#[allow(clippy::disallowed_methods)] // what it decompresses is limited
fn decompress(path: &Path, folder: &Path) -> anyhow::Result<NamedTempFile> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = [0; 2];
    let is_gzip = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    file.rewind()?;
    let mut new = NamedTempFile::new_in(folder)?;
    let bytes = match is_gzip {
        true => io::copy(&mut MultiGzDecoder::new(file).take(LONGEST + 1), &mut new),
        false => io::copy(&mut file.take(LONGEST + 1), &mut new),
    };
    ensure!(bytes.context("the file cannot be decompressed")? <= LONGEST, "the file has more than {LONGEST} bytes");
    Ok(new)
}

fn copy(file: &NamedTempFile) -> io::Result<NamedTempFile> {
    let folder = file.path().parent().unwrap_or(Path::new("."));
    let mut copy = NamedTempFile::new_in(folder)?;
    io::copy(&mut file.reopen()?, &mut copy)?;
    Ok(copy)
}

/// The SHA-256 of a file.
fn hash(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(hash.finalize())),
            bytes => hash.update(&buffer[..bytes]),
        }
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Asn => "networks",
            Role::Cc => "countries",
        }
    }
}

impl Run<'_> {
    fn checked(&self, role: Role, checked: &Checked) {
        if !self.is_dry {
            self.metrics().geoip_nodes[role as usize].set(int(checked.nodes));
            self.metrics().geoip_epochs[role as usize].set(int(checked.epoch));
        }
    }
}
