//! Jobs: what keeps lists and files up to date and removes what is old. [`JOBS`] has an entry for each. The archiver is not
//! one of them: it is a task of the server ([`archiver`](crate::archiver)), and `ooni-api job archive` is
//! [`drain`](crate::drain::drain).
//!
//! [`Jobs::run`] runs one, in a single process at a time; [`schedule`](crate::schedule) runs them by their intervals. A job
//! fetches, checks and compares before it replaces anything, so a failure leaves the old data. It can be repeated or killed at
//! any step.

mod asnmeta;
mod counters;
mod durable;
pub mod fingerprints;
mod geoip;
mod jobs;
mod memory;
mod metrics;
mod retention;
mod test_lists;

pub use self::jobs::{Jobs, Outcome, Parts};

use self::jobs::Run;
use crate::config::{self, Config};
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

/// A job.
#[derive(Clone, Copy)]
pub struct Job {
    /// Its name on the command line and in metrics.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// How often it runs; `None` if it is not run by the schedule.
    pub interval: Option<Duration>,
    /// What it changes, and thereby where it is locked.
    pub scope: Scope,
    /// The settings that say what it does; empty if it has nothing to do. When they change, it is due.
    source: fn(&Config) -> String,
    run: Function,
}

/// The work of a job.
type Function = for<'r> fn(&'r Run<'r>) -> Pin<Box<dyn Future<Output = anyhow::Result<Report>> + Send + 'r>>;

/// What a job changes.
#[derive(Clone, Copy, Debug)]
pub enum Scope {
    /// These files of the state directory. The job runs once at a time for each state directory, and is due if all are missing.
    State(fn(&Config) -> Vec<PathBuf>),
    /// Databases. The job runs once at a time for the database of the application tables, whichever hosts use it.
    Store,
}

/// What a job did, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether anything was changed, or would be.
    pub is_changed: bool,
    /// The result in a sentence.
    pub sentence: String,
}

impl Report {
    fn unchanged(sentence: impl Into<String>) -> Report {
        Report { is_changed: false, sentence: sentence.into() }
    }

    fn changed(sentence: impl Into<String>) -> Report {
        Report { is_changed: true, sentence: sentence.into() }
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// All jobs, in the order in which they are listed.
pub const JOBS: &[Job] = &[
    Job {
        name: "test-lists",
        about: "Replace the test lists by those of jobs.test_lists",
        interval: Some(Duration::from_secs(30 * MINUTE)),
        scope: Scope::Store,
        source: |config| config.jobs.test_lists.clone(),
        run: |run| Box::pin(test_lists::run(run)),
    },
    Job {
        name: "fingerprints",
        about: "Replace the fingerprints by those of jobs.fingerprints",
        interval: Some(Duration::from_secs(HOUR)),
        scope: Scope::State(|config| fingerprints::paths(&config.state_dir).into()),
        source: |config| config.jobs.fingerprints.clone(),
        run: |run| Box::pin(fingerprints::run(run)),
    },
    Job {
        name: "asnmeta",
        about: "Replace the names of networks by those of jobs.asnmeta",
        interval: Some(Duration::from_secs(7 * DAY)),
        scope: Scope::Store,
        source: |config| config.jobs.asnmeta.clone(),
        run: |run| Box::pin(asnmeta::run(run)),
    },
    Job {
        name: "geoip",
        about: "Replace the geolocation files by those of jobs.geoip_asn and jobs.geoip_cc",
        interval: Some(Duration::from_secs(DAY)),
        scope: Scope::State(|config| config.kept_geoip_files().into()),
        source: geoip::sources_text,
        run: |run| Box::pin(geoip::run(run)),
    },
    Job {
        name: "counters",
        about: "Compare the counters of the store with its rows, and rebuild those that differ",
        // SQLite and PostgreSQL count rows in the transaction that writes them, and ClickHouse every minute while rows are
        // written. Only a database that was changed by other programs needs this, and comparing reads all rows.
        interval: None,
        scope: Scope::Store,
        source: |_| "store".to_owned(),
        run: |run| Box::pin(counters::run(run)),
    },
    Job {
        name: "retention",
        about: "Remove the archived measurements of months that are older than jobs.retention from the store",
        interval: Some(Duration::from_secs(DAY)),
        scope: Scope::Store,
        source: |config| match config.jobs.retention {
            0 => String::new(),
            days => format!("{days} days"),
        },
        run: |run| Box::pin(retention::run(run)),
    },
];

impl Job {
    /// The job with this name.
    pub fn named(name: &str) -> Option<&'static Job> {
        JOBS.iter().find(|job| job.name == name)
    }

    /// Whether its settings give it something to do.
    pub fn is_configured(&self, config: &Config) -> bool {
        !(self.source)(config).is_empty()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Refuses a number of rows that is not within the limits of the settings (operations spec §3.3). A source that is cut off or
/// broken does not replace good data in this way.
fn check_size(what: &str, rows: usize, limits: (usize, usize), settings: &str) -> anyhow::Result<()> {
    let (more_than, fewer_than) = limits;
    anyhow::ensure!(
        rows > more_than && rows < fewer_than,
        "{rows} {what}; expected more than {more_than} and fewer than {fewer_than} \
         (jobs.{settings}_more_than, jobs.{settings}_fewer_than)"
    );
    Ok(())
}

/// A setting of a source, if it is set.
fn required<'s>(source: &'s str, name: &str) -> anyhow::Result<&'s str> {
    anyhow::ensure!(!source.is_empty(), "the setting jobs.{name} is empty; it says where the data comes from");
    Ok(source)
}

/// The settings of jobs.
fn settings<'r>(run: &Run<'r>) -> &'r config::Jobs {
    &run.config().jobs
}
