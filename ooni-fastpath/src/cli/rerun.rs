//! Arguments of `fastpath rerun`, including those used by runbooks of the reference.

use super::archive::{ArchiveArguments, Caching, ENVIRONMENT, Sources};
use super::scoring::ScoringArguments;
use clap::Args;
use std::path::PathBuf;

/// Score the archive again
///
/// Reads the cans (files of the archive) of some days, countries and tests from OONI's buckets, other S3 servers or
/// folders, and writes a row for each measurement to a store, to a file, or to both. A run that was stopped can be
/// resumed with --resume. The word "rerun" can be omitted.
#[derive(Args, Debug)]
#[command(after_help = format!("{ENVIRONMENT}\n{EXIT_CODES}"))]
pub struct Rerun {
    /// What to score.
    #[command(flatten)]
    pub selection: ArchiveArguments,
    /// Where the archive is.
    #[command(flatten)]
    pub sources: Sources,
    /// Where downloads are kept.
    #[command(flatten)]
    pub caching: Caching,

    /// Store to write rows to: sqlite:PATH, postgres://… or clickhouse://…
    #[arg(long, value_name = "URL", default_value = "sqlite:ooni-data/ooni.db")]
    pub db_uri: String,

    /// Not supported: use --db-uri clickhouse://HOST:8123/DATABASE, which is reached over HTTP
    #[arg(long, value_name = "URL", conflicts_with = "db_uri")]
    pub clickhouse_url: Option<String>,

    /// Replace rows that are already in the store; by default they are kept
    #[arg(long)]
    pub update: bool,

    /// Load a store that does not serve yet
    ///
    /// Rows are written without indexes and rollups, which are built at the end. The store takes rows two to three
    /// times as fast; a rerun gains less, because it also scores. Only months without rows are loaded this way (on
    /// SQLite: only a store without rows). Other rows are written as usual. Until a month is finished, queries that
    /// read it (on SQLite: all queries) fail. Several runs, with different days, can load a store at once; the last one
    /// finishes the months. After a kill, --resume continues the load, and "fastpath store finish" finishes what killed
    /// runs have loaded. On ClickHouse, all rows are written as usual.
    #[arg(long, conflicts_with_all = ["update", "no_write_to_db"])]
    pub bulk: bool,

    /// Do not write to a store. Rows are still checked, and counted as refused if a store would not accept them
    #[arg(long)]
    pub no_write_to_db: bool,

    /// File for the results: .jsonl or .csv as "score" writes them, or .parquet for rows alone; - is standard output, as
    /// jsonl. Rows that a store refuses are included in jsonl and csv
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Resume a stopped run that had the same arguments
    ///
    /// A journal beside the output, or beside the store if there is no --out, records which cans are finished. If it
    /// belongs to an unfinished run, either --resume or --restart is required.
    #[arg(long)]
    pub resume: bool,

    /// File that records which cans are finished [default: beside --out, or beside the store, with .journal appended]
    ///
    /// Runs on one machine that write to the same server at once need a journal each.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// Discard the output of an unfinished run and start again
    #[arg(long, conflicts_with = "resume")]
    pub restart: bool,

    /// List what would be read, by day and test, without reading it
    #[arg(long)]
    pub dry_run: bool,

    /// File for a report as JSON: the counts of the final table; - is standard output
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Stop after this many measurements; uses one thread
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub stop_after: Option<u64>,

    /// Write the POST bodies of postcans to --spool-dir, in the layout of the collector's spool
    #[arg(long)]
    pub write_to_disk: bool,

    /// Folder for the POST bodies of --write-to-disk
    #[arg(long, value_name = "DIR", default_value = "/var/lib/ooniapi/measurements", requires = "write_to_disk")]
    pub spool_dir: PathBuf,

    /// Log to standard output instead of standard error
    #[arg(long)]
    pub stdout: bool,

    /// How to score.
    #[command(flatten)]
    pub scoring: ScoringArguments,
    /// Arguments that are ignored.
    #[command(flatten)]
    pub ignored: IgnoredArguments,
}

/// Arguments that are accepted and ignored, and why.
#[derive(Args, Debug)]
#[command(next_help_heading = "Ignored; accepted for runbooks of the reference")]
pub struct IgnoredArguments {
    /// Results are always in the order of the archive
    #[arg(long)]
    pub ordered: bool,
    /// A rerun does not listen on a port
    #[arg(long)]
    pub noapi: bool,
    /// Use --cache to keep downloads
    #[arg(long)]
    pub keep_s3_cache: bool,
    /// Measurements are written to disk only with --write-to-disk
    #[arg(long, conflicts_with = "write_to_disk")]
    pub no_write_msmt: bool,
    /// There are no special paths for a development tree
    #[arg(long)]
    pub devel: bool,
    /// Rejections are always reported
    #[arg(long)]
    pub debug: bool,
}

const EXIT_CODES: &str = "Exit code: 0 when everything was read and nothing was rejected or refused; 1 when something \
                          could not be read, was rejected or was refused, when nothing was found, or when the run was \
                          stopped; 2 for invalid arguments, lists, stores or outputs, including an output that is in \
                          use or belongs to an unfinished run, and for unknown countries and tests under which \
                          nothing was found: what was found under the other names is kept.";

impl Rerun {
    /// What is wrong with a combination of arguments.
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
            Some("--resume needs a store or --out FILE: the journal is beside it".to_owned())
        } else if self.resume && self.stop_after.is_some() {
            Some("--resume cannot be used with --stop-after: a run that stops early cannot be resumed".to_owned())
        } else if self.resume && to_stdout {
            Some("--resume cannot truncate standard output: use --out FILE".to_owned())
        } else if self.journal.is_some() && (no_journal || to_stdout || self.stop_after.is_some()) {
            Some(
                "--journal: a run without --out FILE or a store, with --out -, or with --stop-after has no journal"
                    .to_owned(),
            )
        } else {
            None
        }
    }
}

impl IgnoredArguments {
    /// A message for each of those that were given.
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
