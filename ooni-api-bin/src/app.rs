//! [`App`]: everything that a handler or a job may use. There are no globals.

use crate::archive::Archives;
use crate::archiver::{self, Archived, Archiver};
use crate::bodies::Bodies;
use crate::clock::Clock;
use crate::config::Config;
use crate::geo::Geo;
use crate::intake::{self, Cursor, Intake, Recovery};
use crate::job::{self, Jobs};
use crate::metrics::Metrics;
use crate::openapi::Documentation;
use crate::probe::Probe;
use crate::reload::Reload;
use crate::scoring::{self, Outcomes, Scoring};
use crate::secrets::Secrets;
use crate::stores::Stores;
use crate::tasks::{Release, Tasks};
use anyhow::{Context, Error};
use ooni_archive::blobs::RetryPolicy;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::rules::Rules;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The parts of a running server.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The databases.
    pub stores: Stores,
    /// Metrics.
    pub metrics: Metrics,
    /// Requests to read files again.
    pub reload: Reload,
    /// The intake log.
    pub intake: Intake,
    /// The archive.
    pub archive: Archives,
    /// What reading bodies may use.
    pub bodies: Bodies,
    /// The fingerprint lists; what is sent here is used from the next batch on.
    pub fingerprints: watch::Sender<Arc<Fingerprints>>,
    /// The keys that sign tokens.
    pub secrets: Secrets,
    /// Geolocation.
    pub geo: Geo,
    /// Probe services.
    pub probe: Probe,
    /// The jobs.
    pub jobs: Arc<Jobs>,
    /// The description of the routes.
    pub documentation: Documentation,
    /// How far scoring is.
    pub scoring: watch::Receiver<scoring::Progress>,
    /// How far the archiver is.
    pub archiver: watch::Receiver<archiver::Progress>,
}

impl App {
    /// Opens everything that the configuration names, and creates what an empty state directory lacks.
    ///
    /// # Errors
    /// A part cannot be opened.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<(App, Tasks)> {
        let state = &config.state_dir;
        intake::create_directory(state).with_context(|| format!("{}: cannot be created", state.display()))?;
        let secrets = Secrets::open(state)?;
        let folder = config.intake_directory();
        let options = intake::Options {
            min_free_bytes: config.intake.min_free_bytes,
            repeat_window: Duration::from_secs(config.intake.repeat_window),
            max_repeats: config.intake.max_repeats,
            ..intake::Options::new(&folder)
        };
        let (intake, recovery) = Intake::open(options, clock.clone()).await?;
        report(&recovery);
        let stores = Stores::open(&config).await?;
        let bodies = Bodies::default();
        let archive = Archives::open(&config, bodies.memory()).map_err(Error::msg)?;
        let (fingerprints, watched) = watch::channel(Arc::new(job::fingerprints::load(state)?));
        let (scoring_task, scoring) = Scoring::new(
            intake.clone(),
            stores.clone(),
            watched,
            scoring_settings(&config)?,
            Cursor::<Outcomes>::open(&folder, "score")?,
        );
        let (archiver_task, archiver) = Archiver::new(
            intake.clone(),
            stores.clone(),
            archive.writer().clone(),
            clock.clone(),
            archiver_settings(&config),
            Cursor::<Archived>::open(&folder, "archive")?,
        )?;
        let release = Release { intake: intake.clone(), scoring: scoring.clone(), archiver: archiver.clone() };
        let metrics = Metrics::default();
        let reload = Reload::default();
        let geo = Geo::open(&config.geoip_files());
        let probe = Probe::open(&config.probe, &stores, &clock, &metrics)?;
        let jobs = Arc::new(Jobs::new(job::Parts {
            config: config.clone(),
            clock: clock.clone(),
            stores: stores.clone(),
            metrics: metrics.clone(),
            fingerprints: fingerprints.clone(),
            retry: RetryPolicy::default(),
        })?);
        let schedule = Arc::clone(&jobs);
        let app = App {
            documentation: Documentation::new(&config),
            config,
            clock,
            stores,
            metrics,
            reload,
            intake,
            archive,
            bodies,
            fingerprints,
            secrets,
            geo,
            probe,
            jobs,
            scoring,
            archiver,
        };
        Ok((app, Tasks { scoring: scoring_task, archiver: archiver_task, release, jobs: schedule }))
    }
}

fn scoring_settings(config: &Config) -> anyhow::Result<scoring::Settings> {
    let settings = &config.scoring;
    let rules = Rules::named(&settings.rules)
        .with_context(|| format!("scoring.rules: expected fixed or compat, found {:?}", settings.rules))?;
    let threads = match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let delay = Duration::from_millis(settings.batch_delay);
    let collector = config.server.collector_id.as_str().into();
    Ok(scoring::Settings { collector, batch: settings.batch, delay, threads, rules })
}

fn archiver_settings(config: &Config) -> archiver::Settings {
    archiver::Settings {
        collector: config.server.collector_id.clone(),
        can_bytes: config.archive.can_bytes,
        delay: Duration::from_secs(config.archive.delay),
        folder: config.state_dir.join("archiver"),
    }
}

/// Logs what was repaired when the intake log was opened.
fn report(recovery: &Recovery) {
    if let Some(cut) = &recovery.cut {
        let (file, size_bytes) = (cut.path.display(), cut.bytes);
        tracing::warn!(%file, size_bytes, "an unfinished record at the end of the intake log was cut off");
    }
    for damaged in &recovery.damaged {
        let (file, records) = (damaged.path.display(), damaged.records);
        tracing::error!(%file, damaged.offset, records, "a part of the intake log is damaged");
    }
    for path in &recovery.unreadable {
        tracing::error!(file = %path.display(), "a segment of the intake log cannot be read");
    }
    tracing::info!(segments = recovery.segments, records = recovery.records, "intake log");
}
