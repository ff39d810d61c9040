//! Arguments of `fastpath rerun`, those of the reference's runbooks among them.

use super::archive::{ArchiveArguments, Caching, Sources};
use super::scoring::ScoringArguments;
use clap::Args;
use std::path::PathBuf;

/// Score the archive again
///
/// Reads the cans of some days, countries and tests from OONI's buckets, other S3 servers or folders, and writes a row
/// for each measurement to a store, to a file, or to both. A run that was stopped is continued with --resume. The word
/// "rerun" may be omitted.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Rerun {
    /// What to score.
    #[command(flatten)]
    pub selection: ArchiveArguments,
    /// From where.
    #[command(flatten)]
    pub sources: Sources,
    /// Where downloads are kept.
    #[command(flatten)]
    pub caching: Caching,

    /// Store that gets the rows: sqlite:PATH, postgres://… or clickhouse://…
    #[arg(long, value_name = "URL", default_value = "sqlite:ooni-data/ooni.db")]
    pub db_uri: String,

    /// The reference's name for --db-uri
    #[arg(long, value_name = "URL", conflicts_with = "db_uri")]
    pub clickhouse_url: Option<String>,

    /// Replace rows that the store already has; by default they are kept
    #[arg(long)]
    pub update: bool,

    /// Write to no store. Rows are derived and refused as if there were one
    #[arg(long)]
    pub no_write_to_db: bool,

    /// File for the result of each measurement: .jsonl or .csv as "score" writes them, or rows as .parquet; - is
    /// standard output, as jsonl. Rows that a store refuses are in jsonl and csv all the same
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Continue a run with the same arguments that was stopped
    ///
    /// The journal beside the output, or beside the store where there is no --out, says which cans are finished. Where it
    /// is that of a run that has not finished, either --resume or --restart is required.
    #[arg(long)]
    pub resume: bool,

    /// Discard the output of a run that has not finished, and begin again
    #[arg(long, conflicts_with = "resume")]
    pub restart: bool,

    /// List what would be read, by day and test, and read nothing
    #[arg(long)]
    pub dry_run: bool,

    /// File for the numbers of the final table, as JSON; - is standard output
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Stop after this many measurements; scores with one thread
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub stop_after: Option<u64>,

    /// Write POST bodies from postcans to a spool like that of the collector: --spool-dir
    #[arg(long)]
    pub write_to_disk: bool,

    /// Folder of that spool
    #[arg(long, value_name = "DIR", default_value = "/var/lib/ooniapi/measurements", requires = "write_to_disk")]
    pub spool_dir: PathBuf,

    /// Log to standard output
    #[arg(long)]
    pub stdout: bool,

    /// How to score.
    #[command(flatten)]
    pub scoring: ScoringArguments,
    /// Arguments without effect.
    #[command(flatten)]
    pub idle: Idle,
}

/// Arguments that have no effect here, and why.
#[derive(Args, Debug)]
#[command(next_help_heading = "Accepted for runbooks of the reference, without effect")]
pub struct Idle {
    /// Results are always in the order of the archive
    #[arg(long)]
    pub ordered: bool,
    /// A rerun does not listen on any port
    #[arg(long)]
    pub noapi: bool,
    /// Downloads are kept with --cache
    #[arg(long)]
    pub keep_s3_cache: bool,
    /// Measurements are written to disk only with --write-to-disk
    #[arg(long, conflicts_with = "write_to_disk")]
    pub no_write_msmt: bool,
    /// There are no special paths for a development tree
    #[arg(long)]
    pub devel: bool,
    /// Accepted for runbooks of the reference: every rejection is reported anyway
    #[arg(long)]
    pub debug: bool,
}

const EXIT_CODES: &str = "Exit code: 0 when everything was read and nothing was rejected or refused; 1 when something \
                          was, when nothing was found, or when the run was stopped; 2 for invalid arguments, lists, \
                          stores or outputs, among them an output that is in use or belongs to an unfinished run.";

impl Rerun {
    /// What is wrong with arguments that are valid one by one.
    pub(super) fn conflict(&self) -> Option<String> {
        let to_stdout = self.out.as_deref().is_some_and(|out| out.as_os_str() == "-");
        let report_to_stdout = self.report.as_deref().is_some_and(|report| report.as_os_str() == "-");
        let no_journal = self.no_write_to_db && (self.out.is_none() || to_stdout);
        if let Some(conflict) = self.selection.conflict() {
            Some(conflict.to_owned())
        } else if let Some(url) = &self.clickhouse_url {
            let (_, server) = url.split_once("://").unwrap_or(("", url));
            let server = ooni_store::without_password(&format!("clickhouse://{server}"));
            Some(format!(
                "--clickhouse-url: the native protocol is not supported; use HTTP: --db-uri {server} (port 8123)"
            ))
        } else if self.stdout && to_stdout {
            Some("--stdout and --out - both use standard output".to_owned())
        } else if report_to_stdout && to_stdout {
            Some("--out - and --report - both use standard output".to_owned())
        } else if report_to_stdout && self.stdout {
            Some("--stdout and --report - both use standard output".to_owned())
        } else if self.resume && no_journal {
            Some("--resume needs a store or a file for --out, beside which the journal is".to_owned())
        } else if self.resume && self.stop_after.is_some() {
            Some("--resume and --stop-after: the number of earlier measurements is unknown".to_owned())
        } else if self.resume && to_stdout {
            Some("--resume cannot undo what was written to standard output: use --out FILE".to_owned())
        } else {
            None
        }
    }
}

impl Idle {
    /// A line for each of those that were given.
    pub fn lines(&self) -> impl Iterator<Item = &'static str> {
        [
            (self.ordered, "--ordered: no effect, results are always in the order of the archive"),
            (self.noapi, "--noapi: no effect, a rerun does not listen on any port"),
            (self.keep_s3_cache, "--keep-s3-cache: no effect, downloads are kept with --cache DIR"),
            (self.no_write_msmt, "--no-write-msmt: no effect, that is the default without --write-to-disk"),
            (self.devel, "--devel: no effect, there are no special paths for a development tree"),
            (self.debug, "--debug: no effect, rejections are always reported"),
        ]
        .into_iter()
        .filter_map(|(given, line)| given.then_some(line))
    }
}
