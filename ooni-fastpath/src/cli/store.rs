//! Arguments of the commands that maintain a store: `fastpath store`, `rollup` and `migrate`.

use super::archive::NO_DAYS;
use super::values::{SummaryFormat, parse_month, parse_rollup};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use ooni_archive::day::Day;
use ooni_core::error::Code;
use ooni_core::time::DateTime;
use ooni_store::rollup::Rollup;
use std::path::PathBuf;

/// Which store.
#[derive(Args, Debug)]
pub struct StoreArguments {
    /// Existing store: sqlite:PATH, postgres://… or clickhouse://…
    #[arg(long, value_name = "URL", default_value = "sqlite:ooni-data/ooni.db")]
    pub db_uri: String,
}

/// Create or migrate the tables of a store, and print what was done
///
/// For SQLite, commands that can create a store also migrate it: rerun, store copy and store import. The tables of a
/// server are only changed by this command.
#[derive(Args, Debug)]
#[command(after_help = "Exit code: 0 when the tables are up to date, 2 when they could not be migrated.")]
pub struct Migrate {
    /// Store: sqlite:PATH, postgres://… or clickhouse://…
    #[arg(long, value_name = "URL", default_value = "sqlite:ooni-data/ooni.db")]
    pub db_uri: String,
}

/// Rebuild or check rollups, the tables of counts in a store
#[derive(Args, Debug)]
#[command(
    after_help = "Exit code: 0 when nothing differs, 1 when something differs, 2 for invalid arguments or a store \
                        that cannot be used."
)]
pub struct Rollups {
    /// What to do.
    #[command(subcommand)]
    pub what: RollupCommand,
}

/// What can be done with rollups.
#[derive(Debug, Subcommand)]
pub enum RollupCommand {
    /// Rebuild rollups from the rows
    Rebuild {
        /// Rollups, such as day_test [default: all]
        #[arg(value_name = "NAME", value_parser = parse_rollup)]
        names: Vec<&'static Rollup>,
        /// Which store.
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Count all rows and show where rollups differ
    Check {
        /// Rollups, such as day_test [default: all]
        #[arg(value_name = "NAME", value_parser = parse_rollup)]
        names: Vec<&'static Rollup>,
        /// Maximum number of differences to show for each rollup
        #[arg(long, value_name = "N", default_value_t = 20)]
        examples: u32,
        /// Which store.
        #[command(flatten)]
        store: StoreArguments,
    },
}

/// Inspect and change a store
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Store {
    /// What to do.
    #[command(subcommand)]
    pub what: StoreCommand,
}

/// Formats of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Human-readable, at most 80 columns wide
    Table,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

/// What can be done with a store.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
pub enum StoreCommand {
    /// Show what is in a store
    Stats {
        /// Format of the output
        #[arg(long, value_enum, default_value = "table")]
        format: SummaryFormat,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Replace the test lists
    ///
    /// Reads global.csv and the lists of countries, such as it.csv, from the folder "lists" of a checkout of
    /// github.com/citizenlab/test-lists; other files are ignored. The categories of all measurements, old ones included,
    /// are then taken from these lists. A row without a valid url and category_code is skipped and reported with its line
    /// number. A file with more than 100 such rows is refused, and the store keeps its current list of that country.
    #[command(
        after_help = "Exit code: 0 when all files are loaded, 1 when a file is refused and the others are loaded, 2 \
                            when no file can be loaded and nothing is changed."
    )]
    LoadTestLists {
        /// Folder with the lists
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Remove a measurement permanently
    ///
    /// The measurement is deleted from all tables and counts, and is not stored again. Its uid and the reason are kept; see
    /// "fastpath store removed". Its body is in the archive and is not deleted.
    #[command(
        after_help = "Exit code: 0 when the measurement is removed or was already removed, 1 when the store has no \
                            such measurement, 2 for invalid arguments or a store that cannot be used."
    )]
    Remove {
        /// Its measurement_uid
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        uid: String,
        /// Reason for the removal; an earlier reason is kept
        #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        /// Ban the uid even if the store has no such measurement
        #[arg(long)]
        ban: bool,
        /// Only print what would be done
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// List the measurements that were removed: uid, time and reason
    Removed {
        #[command(flatten)]
        list: List,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Allow a removed measurement to be stored again
    ///
    /// The measurement is stored again by the next rerun of its day.
    #[command(
        after_help = "Exit code: 0 when it can be stored again, 1 when it was not removed, 2 for invalid arguments or \
                            a store that cannot be used."
    )]
    Restore {
        /// Its measurement_uid
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        uid: String,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// List the measurements that reruns rejected
    ///
    /// Prints the can (a file of the archive), the position in it (from 0; empty for a part that cannot be read), the uid
    /// if it is known, and the code, location and message of the error. A rerun of the can replaces its rejections;
    /// storing the measurement deletes them.
    Rejected {
        /// Only rejections in the can with this key
        #[arg(long, value_name = "KEY")]
        can: Option<String>,
        /// Only rejections with this error code, such as E-TYPE
        #[arg(long, value_name = "CODE", value_parser = parse_code)]
        code: Option<&'static str>,
        #[command(flatten)]
        list: List,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Delete all measurements that started in a month; reruns can store them again
    DropMonth {
        /// Month in which the measurements started, in UTC
        #[arg(value_name = "YYYY-MM", value_parser = parse_month)]
        month: DateTime,
        /// Only print how many there are
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Copy a store into another one, of any engine
    ///
    /// Copies measurements, including those that were refused, rejected or removed, and test lists, which replace those of
    /// the target. Measurements that the target already has are kept, so a stopped copy can be completed by repeating the
    /// command, with --after to skip what was copied. A target without rows is loaded in bulk: indexes and rollups are
    /// built at the end, and until then queries on the target fail. The column update_time gets the time of the copy.
    /// "fastpath compare FROM TO" shows differences afterwards.
    Copy {
        /// The store to read
        #[arg(value_name = "FROM")]
        from: String,
        /// The store to write; a SQLite store is created if it does not exist
        #[arg(value_name = "TO")]
        to: String,
        /// Skip measurements up to this uid, which were copied before
        #[arg(long, value_name = "UID")]
        after: Option<String>,
        /// Load months without rows in bulk even if the target has other rows. For a target that does not serve yet
        #[arg(long)]
        bulk: bool,
    },
    /// Import the database of the reference, OONI's own backend
    ///
    /// Reads the table fastpath and, if they exist, jsonl, obs_openvpn and citizenlab from PostgreSQL or ClickHouse, in any
    /// version of the schema. Rows that the store refuses are recorded with the reason. Imported rows have "reference" as
    /// their rules, and no hash of their bodies. Measurements that the store already has are kept, so a stopped import can
    /// be completed by repeating the command, with --after to skip what was imported.
    ///
    /// From a file, reads a dump: JSON, one row per line, {"table": …, "row": {column: value}}, with the same tables and
    /// url_priorities, asnmeta, msmt_feedback, faulty_measurements and counters_asn_test_list, which need a store on SQLite
    /// or PostgreSQL. Invalid lines are reported with their numbers and counted; the exit code is then 1.
    Import {
        /// The database to read, postgres://… or clickhouse://…, or a dump file
        #[arg(value_name = "FROM")]
        from: String,
        /// The store to write; a SQLite store is created if it does not exist
        #[arg(value_name = "TO")]
        to: String,
        /// Skip measurements up to this one, which were imported before. PostgreSQL is read in the order of uids, ClickHouse
        /// in the order of start times
        #[arg(long, value_name = "UID")]
        after: Option<String>,
    },
    /// Finish the months of bulk loads that were interrupted
    ///
    /// Builds the indexes and rollups that are missing. Continues where an earlier call was interrupted. Within a
    /// minute after a load was killed, it reports that a loader is still writing, and has to be repeated then.
    Finish {
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Write rows to Parquet files, one per day and test
    ///
    /// A file is named after the UTC day on which its measurements started and their test, such as 2021-06-14_dash.parquet;
    /// in names of tests, characters other than a to z, 0 to 9 and _ are written as %XX. It has the 26 columns of the table
    /// "fastpath" in the order of measurement_start_time and measurement_uid, compressed with zstd. Existing files of these
    /// days are replaced, or removed if the store has no such measurements. Files are replaced atomically.
    Export {
        #[command(flatten)]
        days: Days,
        /// Folder for the files; created if it does not exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        store: StoreArguments,
    },
}

/// How a list is printed.
#[derive(Args, Debug)]
pub struct List {
    /// Maximum number of entries to print [default: all]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Format of the output
    #[arg(long, value_enum, default_value = "table")]
    pub format: ListFormat,
}

/// Days on which measurements started.
#[derive(Args, Debug)]
pub struct Days {
    /// First day, YYYY-MM-DD, in UTC
    #[arg(long, value_name = "DAY")]
    pub start_day: Day,

    /// Day after the last one, YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    pub end_day: Day,
}

impl Store {
    /// What is wrong with a combination of arguments.
    pub(super) fn conflict(&self) -> Option<&'static str> {
        match &self.what {
            StoreCommand::Export { days, .. } if days.start_day >= days.end_day => Some(NO_DAYS),
            StoreCommand::Copy { from, to, .. } if from == to => Some("FROM and TO are the same store"),
            _ => None,
        }
    }
}

/// Reads an error code.
fn parse_code(text: &str) -> Result<&'static str, String> {
    let codes = Code::ALL.map(Code::as_str);
    let code = codes.iter().find(|code| code.eq_ignore_ascii_case(text));
    code.copied().ok_or_else(|| format!("not an error code: expected one of {}", codes.join(", ")))
}

const EXIT_CODES: &str = "Exit code: 0 on success; 1 on partial success: the target of a copy or import refused measurements, \
                          a test list was refused, or a uid was not found; 2 for invalid arguments or a store that \
                          cannot be used.";
