//! A state directory, the jobs that work in it, and sources.

use flate2::Compression;
use flate2::write::GzEncoder;
use ooni_api::clock::{Clock, Timestamp};
use ooni_api::config::Config;
use ooni_api::job::{Job, Jobs, Outcome, Parts, Report, fingerprints};
use ooni_api::metrics::Metrics;
use ooni_api::stores::Stores;
use ooni_archive::blobs::RetryPolicy;
use ooni_core::fingerprint::Fingerprints;
use ooni_store::{Store, StoreOptions};
use ooni_testkit::http_server::{HttpServer, answer, serve};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

/// 2026-03-01 12:00:00 UTC, in microseconds.
pub(crate) const NOW: u64 = 1_772_366_400_000_000;

/// A state directory and settings.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) config: Config,
}

/// The jobs of a place, and what they change.
pub(crate) struct Running {
    pub(crate) jobs: Jobs,
    pub(crate) metrics: Metrics,
    pub(crate) fingerprints: watch::Receiver<Arc<Fingerprints>>,
}

impl Place {
    pub(crate) fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { state_dir: folder.path().join("state"), ..Config::default() };
        fs::create_dir(&config.state_dir).unwrap();
        let jobs = &mut config.jobs;
        (jobs.test_lists_more_than, jobs.test_lists_fewer_than) = (2, 10);
        (jobs.asnmeta_more_than, jobs.asnmeta_fewer_than) = (2, 10);
        (jobs.fingerprints_more_than, jobs.fingerprints_fewer_than) = (1, 10);
        jobs.geoip_known = vec!["89.160.20.112".to_owned()];
        Place { folder, config }
    }

    /// The same in another store.
    pub(crate) fn in_store(url: &str) -> Place {
        let mut place = Place::new();
        url.clone_into(&mut place.config.store.uri);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the folder, and creates its directories.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        text(&path)
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_at(Clock::new(|| Timestamp::from_micros(NOW))).await
    }

    pub(crate) async fn start_at(&self, clock: Clock) -> Running {
        let wait = Duration::from_millis(5);
        let retry = RetryPolicy { attempts: 2, first_wait: wait, longest_wait: wait, ..RetryPolicy::default() };
        let (sender, fingerprints) = watch::channel(Arc::new(fingerprints::load(&self.config.state_dir).unwrap()));
        let metrics = Metrics::default();
        let parts = Parts {
            config: self.config.clone(),
            clock,
            stores: Stores::open(&self.config).await.unwrap(),
            metrics: metrics.clone(),
            fingerprints: sender,
            retry,
        };
        Running { jobs: Jobs::new(parts).unwrap(), metrics, fingerprints }
    }

    /// Runs a job of a new process.
    pub(crate) async fn run(&self, name: &str) -> Result<Report, String> {
        self.start().await.run(name).await
    }
}

impl Running {
    pub(crate) async fn run(&self, name: &str) -> Result<Report, String> {
        self.run_with(name, false).await
    }

    pub(crate) async fn run_with(&self, name: &str, is_dry: bool) -> Result<Report, String> {
        match self.jobs.run(Job::named(name).unwrap(), is_dry).await {
            Ok(Outcome::Done(report)) => Ok(report),
            Ok(Outcome::Busy) => Err("busy".to_owned()),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    pub(crate) fn store(&self) -> Store {
        self.jobs.stores().application().unwrap()
    }

    /// The value of a metric.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = String::from_utf8(self.metrics.text(&Default::default()).unwrap()).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

/// Creates the tables of a store.
pub(crate) async fn migrated(url: &str) {
    Store::migrate(url, &StoreOptions::default()).await.unwrap();
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A server whose response a test can change.
pub(crate) struct Faulty {
    server: HttpServer,
    response: Arc<Mutex<Vec<u8>>>,
}

impl Faulty {
    pub(crate) fn new() -> Faulty {
        let response = Arc::new(Mutex::new(answer("404 Not Found", "", b"")));
        let current = Arc::clone(&response);
        Faulty { server: serve(move |_| current.lock().unwrap().clone()), response }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/file", self.server.address)
    }

    pub(crate) fn answers(&self, response: Vec<u8>) {
        *self.response.lock().unwrap() = response;
    }

    /// Responses without a usable file, each with what the error says.
    pub(crate) fn faults(content: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
        let mut cut = answer("200 OK", "", content);
        cut.truncate(cut.len() - content.len() / 2 - 1);
        vec![
            (answer("500 Internal Server Error", "", b""), "HTTP 500"),
            (answer("404 Not Found", "", b""), "HTTP 404"),
            (answer("302 Found", "Location: /file\r\n", b""), "too many redirects"),
            (cut, "the connection failed"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\nConnection: close\r\n\r\n".to_vec(), "has more than"),
        ]
    }
}

/// A server that has one file, with an ETag.
pub(crate) fn with_etag(content: Vec<u8>) -> HttpServer {
    serve(move |head| match head.to_ascii_lowercase().contains("if-none-match: \"1\"") {
        true => answer("304 Not Modified", "", b""),
        false => answer("200 OK", "ETag: \"1\"\r\n", &content),
    })
}

/// An archive of these files.
pub(crate) fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}
