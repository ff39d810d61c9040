//! What the server does for probes (API spec §5): lists of URLs, services, tokens, report ids, and checks of submissions.
//!
//! [`Probe`] has the parts. What requests and responses look like is in [`handler::probe`](crate::handler::probe).

mod base64;
pub mod body;
mod cache;
pub mod check_in;
pub mod metrics;
pub mod nettests;
pub mod prioritize;
pub mod report_id;
pub mod services;
pub mod submit;
pub mod token;
pub mod urls;

use self::metrics::ProbeMetrics;
use self::services::Services;
use self::urls::Urls;
use crate::app::App;
use crate::clock::Clock;
use crate::config;
use crate::metrics::Metrics;
use crate::stores::Stores;
use crate::watched_file::WatchedFile;
use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How often files are looked at.
const WATCH: Duration = Duration::from_secs(5);

/// The parts of probe services.
#[derive(Debug)]
pub struct Probe {
    /// The URLs that probes measure.
    pub urls: Urls,
    /// Counters and gauges.
    pub metrics: ProbeMetrics,
    /// What psiphon-config returns.
    pub psiphon_config: WatchedFile<Bytes>,
    /// What tor-targets returns.
    pub tor_targets: WatchedFile<Bytes>,
    /// A permit to read a large submission into memory.
    pub large_submissions: Arc<Semaphore>,
    built_in: Arc<Services>,
    services: WatchedFile<Services>,
}

impl Probe {
    /// Reads the files and starts what runs in the background.
    ///
    /// # Errors
    /// The file with services is missing or not valid. The other files may be missing.
    pub fn open(config: &config::Probe, stores: &Stores, clock: &Clock, metrics: &Metrics) -> anyhow::Result<Probe> {
        let probe = Probe {
            urls: Urls::new(stores.clone(), clock.clone()),
            metrics: ProbeMetrics::new(metrics)?,
            psiphon_config: WatchedFile::new(&config.psiphon_config),
            tor_targets: WatchedFile::new(&config.tor_targets),
            large_submissions: Arc::new(Semaphore::new(1)),
            built_in: Arc::new(Services::built_in().map_err(|error| anyhow!("the built-in services: {error}"))?),
            services: WatchedFile::new(&config.services),
        };
        if probe.services.is_configured() {
            let path = probe.services.path();
            Services::read(path).map_err(anyhow::Error::msg).with_context(|| path.display().to_string())?;
        }
        probe.refresh();
        tokio::spawn(seed_rules(stores.clone()));
        Ok(probe)
    }

    /// Features, test helpers and collectors.
    pub fn services(&self) -> Arc<Services> {
        self.services.value().unwrap_or_else(|| Arc::clone(&self.built_in))
    }

    /// Reads the files that were replaced. This blocks.
    pub fn refresh(&self) {
        self.services.refresh(Services::read);
        self.psiphon_config.refresh(json_object);
        self.tor_targets.refresh(json_object);
    }
}

/// Looks at the files of a server from time to time, and when a reload is requested, until the server ends.
pub async fn watch_files(app: Weak<App>) {
    let Some(mut requests) = app.upgrade().map(|app| app.reload.requests()) else { return };
    loop {
        // An error means that the server ends, which `upgrade` sees.
        let _ = tokio::time::timeout(WATCH, requests.changed()).await;
        let Some(app) = app.upgrade() else { return };
        let refreshed = tokio::task::spawn_blocking(move || {
            app.geo.refresh();
            app.probe.refresh();
        });
        if let Err(error) = refreshed.await {
            tracing::error!(%error, "files cannot be looked at");
        }
    }
}

/// Writes the default priority rules into a store that has none, as soon as it can be reached.
async fn seed_rules(stores: Stores) {
    if let Some(store) = stores.wait_for_application().await {
        match store.seed_url_priorities().await {
            Ok(true) => tracing::info!("the default priority rules were written"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the default priority rules cannot be written"),
        }
    }
}

/// A file with a JSON object, unchanged.
fn json_object(path: &Path) -> Result<Bytes, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let _: HashMap<String, IgnoredAny> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    Ok(text.into())
}
