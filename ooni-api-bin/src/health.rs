//! [`Health`]: whether submissions are accepted, and what is missing or fails (API spec §12).
//!
//! Each part of the server has a structure here with what it reports. [`Parts::of`] asks them, and [`Health::new`] judges:
//! `fail` only if submissions cannot be accepted, `degraded` if they can but something else does not work.

use crate::app::App;
use crate::archiver::{self, Archived};
use crate::clock::Timestamp;
use crate::geo::Geo;
use crate::intake::{Counters, Intake, Position};
use crate::job::{JOBS, Job};
use crate::scoring::{self, Outcomes};
use crate::version::{BUILD_LABEL, VERSION};
use ooni_store::Deadline;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the store may take to answer.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// What `GET /health` returns.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// The judgement.
    pub status: Status,
    /// A code for each error.
    pub errors: Vec<&'static str>,
    /// What is not configured or empty, without being an error.
    pub missing: Vec<&'static str>,
    /// Version of the program.
    pub version: &'static str,
    /// Name of the build.
    pub build_label: Option<&'static str>,
    /// What the parts report.
    #[serde(flatten)]
    pub parts: Parts,
}

/// The judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything works.
    Ok,
    /// Submissions are accepted; something else does not work.
    Degraded,
    /// Submissions are not accepted.
    Fail,
}

/// What the parts report.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Parts {
    /// The intake log.
    pub intake: IntakeHealth,
    /// Live scoring.
    pub scoring: ScoringHealth,
    /// The archiver.
    pub archive: ArchiveHealth,
    /// The store.
    pub store: StoreHealth,
    /// Number of URLs in the global test list; `None` if it is not known, as when the store cannot be reached.
    pub test_lists: Option<usize>,
    /// The geolocation files.
    pub geolocation: GeolocationHealth,
    /// Whether probes get a Psiphon configuration.
    pub psiphon_config: bool,
    /// Whether probes get Tor targets.
    pub tor_targets: bool,
    /// Anonymous credentials.
    pub credentials: &'static str,
    /// The jobs that run by the schedule, and when each last succeeded, in seconds since 1970.
    pub jobs: BTreeMap<&'static str, Option<u64>>,
}

/// The intake log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IntakeHealth {
    /// Measurements accepted ever.
    pub accepted: u64,
    /// Repeated submissions since the start of the process.
    pub repeated: u64,
    /// Submissions that wait for the disk.
    pub waiting: usize,
    /// Bytes of the bodies accepted since the start of the process.
    pub bytes: u64,
    /// Syncs since the start of the process.
    pub syncs: u64,
    /// Writes and syncs that failed since the start of the process.
    pub failures: u64,
    /// Whether submissions cannot be stored: the last attempt failed.
    pub failing: bool,
    /// Segments that are not released.
    pub segments: usize,
    /// Their length in bytes.
    pub segment_bytes: u64,
    /// Accepted measurements that cannot be read. They are neither scored nor archived.
    pub damaged: u64,
    /// Free bytes of the disk.
    pub free_bytes: u64,
    /// Whether there are fewer than configured, and submissions are refused.
    pub low_disk: bool,
}

/// Live scoring: `accepted = stored + discarded + rejected + refused + damaged + pending`, at any time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ScoringHealth {
    /// Age of the oldest measurement that is not scored, in seconds; 0 if there is none.
    pub lag_seconds: f64,
    /// What became of measurements.
    #[serde(flatten)]
    pub outcomes: Outcomes,
    /// Measurements that wait.
    pub pending: u64,
    /// Whether the last attempt failed, or scoring has ended.
    pub failing: bool,
}

/// The archiver.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ArchiveHealth {
    /// Age of the oldest measurement that is not archived, in seconds; 0 if there is none. It exceeds an hour, because hours
    /// are archived when they are over.
    pub lag_seconds: f64,
    /// What was archived.
    #[serde(flatten)]
    pub archived: Archived,
    /// Measurements that wait.
    pub pending: u64,
    /// When the last can was archived by this process, in seconds since 1970.
    pub last_success: Option<u64>,
    /// Whether the last attempt failed, or the archiver has ended.
    pub failing: bool,
}

/// The store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreHealth {
    /// Whether it answers.
    pub reachable: bool,
}

/// The geolocation files: when their data were built, in seconds since 1970; `None` for a file that is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GeolocationHealth {
    /// The file with networks.
    pub asn: Option<u64>,
    /// The file with countries.
    pub cc: Option<u64>,
}

impl Parts {
    /// Asks the parts of a server.
    pub async fn of(app: &App) -> Parts {
        // The counters of the log are read last: no part is ahead of them.
        let (scored, archived) = (app.scoring.borrow().clone(), app.archiver.borrow().clone());
        let counters = app.intake.counters();
        let reachable = is_store_reachable(app).await;
        let test_lists = if reachable { app.probe.urls.global_count().await } else { None };
        Parts {
            intake: intake(&app.intake, &counters),
            scoring: scoring(app, scored, counters.accepted).await,
            archive: archive(app, archived, counters.accepted).await,
            store: StoreHealth { reachable },
            test_lists,
            geolocation: geolocation(&app.geo),
            psiphon_config: app.probe.psiphon_config.value().is_some(),
            tor_targets: app.probe.tor_targets.value().is_some(),
            credentials: "not_configured",
            jobs: jobs(app),
        }
    }
}

fn jobs(app: &App) -> BTreeMap<&'static str, Option<u64>> {
    let is_scheduled = |job: &&Job| job.interval.is_some() && job.is_configured(&app.config);
    let scheduled = JOBS.iter().filter(is_scheduled).filter(|_| app.config.jobs.schedule);
    scheduled.map(|job| (job.name, app.jobs.last_success(job).map(Timestamp::seconds))).collect()
}

fn geolocation(geo: &Geo) -> GeolocationHealth {
    let mut health = GeolocationHealth::default();
    for file in geo.files() {
        if file.role.contains("asn") {
            health.asn = file.built;
        }
        if file.role.contains("cc") {
            health.cc = file.built;
        }
    }
    health
}

fn intake(intake: &Intake, counters: &Counters) -> IntakeHealth {
    IntakeHealth {
        accepted: counters.accepted,
        repeated: counters.repeated,
        waiting: counters.waiting,
        bytes: counters.bytes,
        syncs: counters.syncs,
        failures: counters.failures,
        failing: counters.failing,
        segments: counters.segments,
        segment_bytes: counters.segment_bytes,
        damaged: counters.damaged,
        free_bytes: intake.free_bytes(),
        low_disk: intake.has_room().is_err(),
    }
}

async fn scoring(app: &App, progress: scoring::Progress, accepted: u64) -> ScoringHealth {
    let (pending, lag_seconds) = behind(app, progress.position, accepted).await;
    let failing = progress.error.is_some() || app.scoring.has_changed().is_err();
    ScoringHealth { lag_seconds, outcomes: progress.outcomes, pending, failing }
}

async fn archive(app: &App, progress: archiver::Progress, accepted: u64) -> ArchiveHealth {
    let (pending, lag_seconds) = behind(app, progress.position, accepted).await;
    ArchiveHealth {
        lag_seconds,
        archived: progress.archived,
        pending,
        last_success: progress.last_success.map(Timestamp::seconds),
        failing: progress.error.is_some() || app.archiver.has_changed().is_err(),
    }
}

/// How many of the accepted measurements are in the log after a position, and the age of the first of them.
async fn behind(app: &App, position: Position, accepted: u64) -> (u64, f64) {
    let pending = accepted.saturating_sub(position.sequence);
    if pending == 0 {
        return (0, 0.0);
    }
    // The first of them may be damaged, or was released a moment ago.
    let received = app.intake.received_after(position).await.ok().flatten().unwrap_or(position.received);
    (pending, app.clock.now().seconds_since(received))
}

async fn is_store_reachable(app: &App) -> bool {
    let Ok(store) = app.stores.measurements_for_services() else { return false };
    store.with_deadline(Deadline::after(STORE_TIMEOUT)).ping().await.is_ok()
}

impl Health {
    /// The health of a server.
    pub async fn of(app: &App) -> Health {
        Health::new(Parts::of(app).await, app.config.store.uri.starts_with("clickhouse"))
    }

    /// Judges what the parts report.
    pub fn new(parts: Parts, is_clickhouse: bool) -> Health {
        let (low_disk, intake_fails) = (parts.intake.low_disk, parts.intake.failing);
        let errors = [
            (low_disk, "low_disk"),
            (intake_fails, "intake_error"),
            (parts.scoring.failing, "scoring_error"),
            (parts.archive.failing, "archive_error"),
            (!parts.store.reachable, if is_clickhouse { "clickhouse_error" } else { "db_error" }),
            (parts.test_lists == Some(0), "no_test_lists"),
        ];
        let errors: Vec<_> = errors.into_iter().filter_map(|(is_so, code)| is_so.then_some(code)).collect();
        let missing =
            MISSING.into_iter().filter(|(_, is_missing, _)| is_missing(&parts)).map(|(name, ..)| name).collect();
        let status = match errors.is_empty() {
            true => Status::Ok,
            false if low_disk || intake_fails => Status::Fail,
            false => Status::Degraded,
        };
        Health { status, errors, missing, version: VERSION, build_label: BUILD_LABEL, parts }
    }

    /// Logs a line for each thing that is missing.
    pub fn log_missing(&self) {
        for (name, _, sentence) in MISSING {
            if self.missing.contains(&name) {
                tracing::warn!(missing = name, "{sentence}");
            }
        }
    }
}

/// What may be missing: its name, whether it is, and what that means and what to do.
type Missing = (&'static str, fn(&Parts) -> bool, &'static str);

const MISSING: [Missing; 4] = [
    (
        "test_lists",
        |parts| parts.test_lists == Some(0),
        "there are no test lists, so probes have few URLs to test: set jobs.test_lists and run \"ooni-api job test-lists\"",
    ),
    (
        "geolocation",
        |parts| parts.geolocation.asn.is_none() || parts.geolocation.cc.is_none(),
        "addresses cannot be located: set geoip.asn and geoip.cc, or jobs.geoip_asn and jobs.geoip_cc",
    ),
    ("psiphon_config", |parts| !parts.psiphon_config, "probes get no Psiphon configuration: set probe.psiphon_config"),
    ("tor_targets", |parts| !parts.tor_targets, "probes get no Tor targets: set probe.tor_targets"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Parts {
        Parts {
            store: StoreHealth { reachable: true },
            test_lists: Some(1),
            geolocation: GeolocationHealth { asn: Some(1), cc: Some(1) },
            psiphon_config: true,
            tor_targets: true,
            ..Parts::default()
        }
    }

    #[test]
    fn only_what_keeps_submissions_from_being_stored_is_a_failure() {
        let check = |parts: Parts, status: Status, errors: &[&str]| {
            let health = Health::new(parts, false);
            assert_eq!((health.status, &*health.errors), (status, errors));
        };
        check(good(), Status::Ok, &[]);
        check(Parts { store: StoreHealth::default(), ..good() }, Status::Degraded, &["db_error"]);
        check(Parts { test_lists: Some(0), ..good() }, Status::Degraded, &["no_test_lists"]);
        check(Parts { test_lists: None, ..good() }, Status::Ok, &[]);
        check(Parts { geolocation: GeolocationHealth::default(), ..good() }, Status::Ok, &[]);
        check(
            Parts { archive: ArchiveHealth { failing: true, ..ArchiveHealth::default() }, ..good() },
            Status::Degraded,
            &["archive_error"],
        );
        let intake = IntakeHealth { failing: true, ..IntakeHealth::default() };
        check(Parts { intake, ..good() }, Status::Fail, &["intake_error"]);
        let intake = IntakeHealth { low_disk: true, ..IntakeHealth::default() };
        check(Parts { intake, store: StoreHealth::default(), ..good() }, Status::Fail, &["low_disk", "db_error"]);
    }

    #[test]
    fn what_is_missing_is_listed() {
        assert!(Health::new(good(), false).missing.is_empty());
        let nothing = Parts { test_lists: Some(0), ..Parts::default() };
        let health = Health::new(nothing, true);
        assert_eq!(health.missing, MISSING.map(|(name, ..)| name));
        assert_eq!(health.errors, ["clickhouse_error", "no_test_lists"]);
        let shown = serde_json::to_value(&health).unwrap();
        assert_eq!(shown["status"], "degraded");
        assert_eq!(shown["store"]["reachable"], false);
        assert_eq!(shown["scoring"]["stored"], 0);
    }
}
