//! Arguments of `fastpath rerun`, those of the reference's runbooks among them.

use super::archive::{ArchiveArguments, Caching, Sources};
use super::scoring::ScoringArguments;
use clap::Args;
use std::path::PathBuf;

/// Score the archive again.
///
/// Reads the cans of some days, countries and tests from OONI's buckets, other S3 servers or folders, and writes a row of
/// each measurement to a store, to a file, or to both. A run that was stopped goes on with --resume. The word "rerun" may
/// be left out.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Rerun {
    /// What to score.
    #[command(flatten)]
    pub selection: ArchiveArguments,
    /// From where.
    #[command(flatten)]
    pub sources: Sources,
    /// Position downloads are kept.
    #[command(flatten)]
    pub caching: Caching,

    /// Store that gets the rows: sqlite:PATH, postgres://… or clickhouse://…
    #[arg(long, value_name = "URL", default_value = "sqlite:ooni-data/ooni.db")]
    pub db_uri: String,

    /// The reference's name for --db-uri
    #[arg(long, value_name = "URL", conflicts_with = "db_uri")]
    pub clickhouse_url: Option<String>,

    /// Put new rows in the place of those that the store has; else these are left alone
    #[arg(long)]
    pub update: bool,

    /// Leave the store alone. Rows are derived and refused as with one
    #[arg(long)]
    pub no_write_to_db: bool,

    /// File that gets what became of each measurement: .jsonl or .csv as "score" writes them, or rows as .parquet; - is
    /// standard output, as jsonl. A row that a store refuses is in jsonl and csv all the same
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Go on where a run with the same arguments was stopped; else output and journal begin anew
    #[arg(long)]
    pub resume: bool,

    /// Say what would be read, by day and test, and read nothing
    #[arg(long)]
    pub dry_run: bool,

    /// File that gets the numbers of the table at the end, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Measurements after which to end; scores with one thread
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub stop_after: Option<u64>,

    /// Write POST bodies out of postcans to a spool, as the collector's: --spool-dir
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
    /// What has no effect.
    #[command(flatten)]
    pub idle: Idle,
}

/// What has no effect here, and why.
#[derive(Args, Debug)]
#[command(next_help_heading = "Accepted for runbooks of the reference, without effect")]
pub struct Idle {
    /// Results are always in the order of the archive
    #[arg(long)]
    pub ordered: bool,
    /// A rerun listens to nothing
    #[arg(long)]
    pub noapi: bool,
    /// Downloads are kept with --cache
    #[arg(long)]
    pub keep_s3_cache: bool,
    /// Measurements are not written to the disk but with --write-to-disk
    #[arg(long, conflicts_with = "write_to_disk")]
    pub no_write_msmt: bool,
    /// No paths of a development tree are used
    #[arg(long)]
    pub devel: bool,
    /// Every rejection is told anyway, the first of them by line
    #[arg(long)]
    pub debug: bool,
}

const EXIT_CODES: &str = "Exit code: 0 when all was read and nothing rejected or refused, 1 when something was not or the \
                          run was stopped, 2 for wrong arguments, lists, stores or outputs.";

impl Rerun {
    /// What is wrong with arguments that are right one by one.
    pub(super) fn conflict(&self) -> Option<String> {
        let to_stdout = self.out.as_deref().is_some_and(|out| out.as_os_str() == "-");
        let no_journal = self.no_write_to_db && (self.out.is_none() || to_stdout);
        if let Some(conflict) = self.selection.conflict() {
            Some(conflict.to_owned())
        } else if let Some(url) = &self.clickhouse_url {
            let (_, server) = url.split_once("://").unwrap_or(("", url));
            let server = ooni_store::without_password(&format!("clickhouse://{server}"));
            Some(format!(
                "--clickhouse-url: its protocol is not spoken here, that of HTTP is: --db-uri {server} (port 8123)"
            ))
        } else if self.stdout && to_stdout {
            Some("--stdout and --out - both want standard output".to_owned())
        } else if self.resume && no_journal {
            Some("--resume wants a store or a file for --out, beside which the journal is".to_owned())
        } else if self.resume && self.stop_after.is_some() {
            Some("--resume and --stop-after: how many there were before is not known".to_owned())
        } else if self.resume && to_stdout {
            Some("--resume cannot take back what went to standard output: use --out FILE".to_owned())
        } else {
            None
        }
    }
}

impl Idle {
    /// A line for each of those that were given.
    pub fn lines(&self) -> impl Iterator<Item = &'static str> {
        [
            (self.ordered, "--ordered: results are always in the order of the archive"),
            (self.noapi, "--noapi: nothing to do, a rerun listens to nothing"),
            (self.keep_s3_cache, "--keep-s3-cache: nothing to do, downloads are kept with --cache DIR"),
            (self.no_write_msmt, "--no-write-msmt: nothing to do, that is so without --write-to-disk"),
            (self.devel, "--devel: nothing to do, no paths of a development tree are used"),
            (self.debug, "--debug: nothing to do, rejections are told anyway"),
        ]
        .into_iter()
        .filter_map(|(given, line)| given.then_some(line))
    }
}
