//! Arguments of `ooni-api job`.

use super::EXIT_CODES;
use super::settings::Settings;
use clap::{Args, ValueEnum};

/// Run a job now
///
/// The server runs jobs by a schedule of its own. A job that runs already, in any process, is not started a second time.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Job {
    /// The job
    #[arg(value_enum, value_name = "NAME")]
    pub name: JobName,

    /// Only show what would be done
    #[arg(long)]
    pub dry_run: bool,

    /// With archive: also the current hour, as before a machine is shut down
    #[arg(long)]
    pub current: bool,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// The jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum JobName {
    /// Archive the hours of the intake log that are over
    Archive,
    /// Replace the test lists by those of jobs.test_lists
    TestLists,
    /// Replace the fingerprints by those of jobs.fingerprints
    Fingerprints,
    /// Replace the names of networks by those of jobs.asnmeta
    Asnmeta,
    /// Replace the geolocation files by those of jobs.geoip
    Geoip,
    /// Update the counters for prioritization
    Counters,
    /// Remove measurements that are older than jobs.retention
    Retention,
}

impl JobName {
    /// The name as it is written on the command line and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            JobName::Archive => "archive",
            JobName::TestLists => "test-lists",
            JobName::Fingerprints => "fingerprints",
            JobName::Asnmeta => "asnmeta",
            JobName::Geoip => "geoip",
            JobName::Counters => "counters",
            JobName::Retention => "retention",
        }
    }
}
