//! Arguments of the commands that look after a store: `fastpath store`, `rollup` and `migrate`.

use super::archive::NO_DAYS;
use super::{Shape, parse_month, parse_rollup};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use ooni_archive::day::Day;
use ooni_core::error::Code;
use ooni_core::time::DateTime;
use ooni_store::rollup::Rollup;
use std::path::PathBuf;

/// Which store.
#[derive(Args, Debug)]
pub struct At {
    /// The store, which has to exist: sqlite:PATH, postgres://… or clickhouse://…
    #[arg(long, value_name = "URL", default_value = "sqlite:ooni-data/ooni.db")]
    pub db_uri: String,
}

/// Create the tables of a store or bring them up to date, and say what was done
///
/// Commands that write do this themselves for SQLite. The tables of a server are changed by this command only.
#[derive(Args, Debug)]
#[command(after_help = "Exit code: 0 when the tables are up to date, 2 when they could not be brought up to date.")]
pub struct Migrate {
    /// The store: sqlite:PATH, postgres://… or clickhouse://…
    #[arg(long, value_name = "URL", default_value = "sqlite:ooni-data/ooni.db")]
    pub db_uri: String,
}

/// Rollups: the counts that a store keeps beside its rows
#[derive(Args, Debug)]
#[command(after_help = "Exit code: 0 when it is done and nothing differs, 1 when something differs, 2 for wrong \
                        arguments or a store that cannot be used.")]
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
        at: At,
    },
    /// Count all rows again and show where rollups differ from the result
    Check {
        /// Rollups, such as day_test [default: all]
        #[arg(value_name = "NAME", value_parser = parse_rollup)]
        names: Vec<&'static Rollup>,
        /// Differences to show of each rollup
        #[arg(long, value_name = "N", default_value_t = 20)]
        examples: u32,
        /// Which store.
        #[command(flatten)]
        at: At,
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
    /// Lines for people, at most 80 columns wide
    Table,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

/// What can be done with a store.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a sentence here would take the place of the long help of the arguments")]
pub enum StoreCommand {
    /// Show what is in a store
    Stats {
        /// Format of the output
        #[arg(long, value_enum, default_value = "table")]
        format: Shape,
        #[command(flatten)]
        at: At,
    },
    /// Replace the test lists
    ///
    /// Reads global.csv and the lists of countries, such as it.csv, from the folder "lists" of a checkout of
    /// github.com/citizenlab/test-lists; files of other names are ignored. From then on the categories of all measurements,
    /// old ones included, are those of these lists. A row without a valid url and category_code is skipped and reported
    /// with its line. A file with more than 100 such rows is refused: the store keeps the list that it has of that country.
    #[command(
        after_help = "Exit code: 0 when all files are loaded, 1 when a file is refused and the others are loaded, 2 \
                            when no file can be loaded; nothing is changed then."
    )]
    LoadTestLists {
        /// Folder with the lists
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Remove a measurement for good
    ///
    /// It is deleted from all tables and counts, and is not stored again. Its uid and the reason are kept: see "fastpath
    /// store removed". Its body is not in the store and stays where it is.
    #[command(
        after_help = "Exit code: 0 when the measurement is removed or was removed before, 1 when the store has no \
                            such measurement, 2 for wrong arguments or a store that cannot be used."
    )]
    Remove {
        /// Its measurement_uid
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        uid: String,
        /// Why; an earlier reason stays
        #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        /// Ban the uid even if the store has no such measurement
        #[arg(long)]
        ban: bool,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        at: At,
    },
    /// List the measurements that were removed: uid, time and reason
    Removed {
        #[command(flatten)]
        list: List,
        #[command(flatten)]
        at: At,
    },
    /// Allow a removed measurement to be stored again
    ///
    /// The measurement itself comes back with the next rerun of its day.
    #[command(
        after_help = "Exit code: 0 when it may be stored again, 1 when it was not removed, 2 for wrong arguments or \
                            a store that cannot be used."
    )]
    Restore {
        /// Its measurement_uid
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        uid: String,
        #[command(flatten)]
        at: At,
    },
    /// List the measurements that reruns rejected
    ///
    /// Each with its can, its position in the can (from 0; empty for a part of a can that cannot be read), its uid if one is
    /// known, the error code, and where and what the error is. A rerun of the can replaces its rejections; storing the
    /// measurement deletes them.
    Rejected {
        /// Only of this can, by its key
        #[arg(long, value_name = "KEY")]
        can: Option<String>,
        /// Only with this error code, such as E-TYPE
        #[arg(long, value_name = "CODE", value_parser = parse_code)]
        code: Option<&'static str>,
        #[command(flatten)]
        list: List,
        #[command(flatten)]
        at: At,
    },
    /// Delete all measurements that started in a month; a rerun can store them again
    DropMonth {
        /// The month, UTC
        #[arg(value_name = "YYYY-MM", value_parser = parse_month)]
        month: DateTime,
        /// Only say how many there are
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        at: At,
    },
    /// Copy a store into another one, of any engine
    ///
    /// Copies measurements, with those that were refused, rejected or removed, and, if there are any, test lists, which
    /// replace those of the other store. Measurements that the other store has are left alone, so a copy that was stopped
    /// is completed by the same command; with --after it starts later. Rollups are built in the other store. The time of
    /// update becomes the time of the copy. Afterwards "fastpath compare FROM TO" shows differences.
    Copy {
        /// The store to read
        #[arg(value_name = "FROM")]
        from: String,
        /// The store to write; an SQLite store is created if it does not exist
        #[arg(value_name = "TO")]
        to: String,
        /// Leave out measurements up to this uid, which were copied before
        #[arg(long, value_name = "UID")]
        after: Option<String>,
    },
    /// Import the rows of a database of the reference, OONI's own backend
    ///
    /// Reads the tables fastpath and, where they exist, jsonl, obs_openvpn and citizenlab of a PostgreSQL or ClickHouse
    /// server, of any age. A row whose columns the store does not take is set aside with the reason. Imported rows have
    /// "reference" as their rules; the hash of their bodies is not known. Measurements that the store has are left alone,
    /// so an import that was stopped is completed by the same command; with --after it starts later.
    ///
    /// From a file, reads a dump: JSON, one row per line, {"table": …, "row": {column: value}}, with the same tables and
    /// url_priorities, asnmeta, msmt_feedback, faulty_measurements and counters_asn_test_list, which need a store on SQLite
    /// or PostgreSQL. Lines that cannot be used are reported by their numbers and counted; the exit code is 1 then.
    Import {
        /// The database to read, postgres://… or clickhouse://…, or the file of a dump
        #[arg(value_name = "FROM")]
        from: String,
        /// The store to write; an SQLite store is created if it does not exist
        #[arg(value_name = "TO")]
        to: String,
        /// Leave out measurements up to this one, which were imported before. Measurements are read in the order of their
        /// uids from PostgreSQL, and in the order of their start times from ClickHouse
        #[arg(long, value_name = "UID")]
        after: Option<String>,
    },
    /// Write rows to Parquet files, one per day and test
    ///
    /// A file is named after the UTC day on which its measurements started and their test, such as 2021-06-14_dash.parquet;
    /// in names of tests all but a to z, 0 to 9 and _ is written %XX. It holds the 26 columns of the table "fastpath" in the
    /// order of measurement_start_time and measurement_uid, compressed with zstd. Existing files of these days are replaced,
    /// and removed where the store has no such measurements; each file is complete at any time.
    Export {
        #[command(flatten)]
        days: Days,
        /// Folder for the files, which is created if it does not exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        at: At,
    },
}

/// How a list is printed.
#[derive(Args, Debug)]
pub struct List {
    /// Entries to print [default: all]
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

    /// The day after the last, YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    pub end_day: Day,
}

impl Store {
    /// What is wrong with arguments that are right one by one.
    pub(super) fn conflict(&self) -> Option<&'static str> {
        match &self.what {
            StoreCommand::Export { days, .. } if days.start_day >= days.end_day => Some(NO_DAYS),
            StoreCommand::Copy { from, to, .. } if from == to => Some("FROM and TO are the same store"),
            _ => None,
        }
    }
}

/// Reads the code of an error.
fn parse_code(text: &str) -> Result<&'static str, String> {
    let codes = Code::ALL.map(Code::as_str);
    let code = codes.iter().find(|code| code.eq_ignore_ascii_case(text));
    code.copied().ok_or_else(|| format!("not an error code: expected one of {}", codes.join(", ")))
}

const EXIT_CODES: &str = "Exit code: 0 when it is done; 1 when it is done in part: the other store of a copy or import refuses \
                          measurements, a test list is refused, or a uid is not found; 2 for wrong arguments or a store \
                          that cannot be used.";
