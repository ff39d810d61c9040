//! Arguments of the commands that look after a store: `fastpath store`, `rollup` and `migrate`.

use super::archive::NO_DAYS;
use super::{Shape, parse_month, parse_rollup};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use ooni_archive::day::Day;
use ooni_core::time::DateTime;
use ooni_store::rollup::Rollup;
use std::path::PathBuf;

/// Which store.
#[derive(Args, Debug)]
pub struct At {
    /// The store, which has to be there: sqlite:PATH, postgres://… or clickhouse://…
    #[arg(long, value_name = "URL", default_value = "sqlite:ooni-data/ooni.db")]
    pub db_uri: String,
}

/// Bring the tables of a store up to date
///
/// Makes them in a database that has none. Commands that write do this themselves to SQLite; a server is left alone until
/// it is asked for.
#[derive(Args, Debug)]
#[command(after_help = "Exit code: 0 when it is done, 2 when it could not be.")]
pub struct Migrate {
    /// The store: sqlite:PATH, postgres://… or clickhouse://…
    #[arg(long, value_name = "URL", default_value = "sqlite:ooni-data/ooni.db")]
    pub db_uri: String,
}

/// Rollups: the counts that a store keeps beside its rows
#[derive(Args, Debug)]
#[command(
    after_help = "Exit code: 0 when it is done and nothing differs, 1 when something differs, 2 when it could not \
                        be done."
)]
pub struct Rollups {
    /// What to do.
    #[command(subcommand)]
    pub what: RollupCommand,
}

/// What can be done with rollups.
#[derive(Debug, Subcommand)]
pub enum RollupCommand {
    /// Make rollups anew from the rows
    Rebuild {
        /// Rollups, such as day_test [default: all]
        #[arg(value_name = "NAME", value_parser = parse_rollup)]
        names: Vec<&'static Rollup>,
        /// Which store.
        #[command(flatten)]
        at: At,
    },
    /// Count all rows again, and say where rollups differ from that
    Check {
        /// Rollups, such as day_test [default: all]
        #[arg(value_name = "NAME", value_parser = parse_rollup)]
        names: Vec<&'static Rollup>,
        /// Differences that are shown of each rollup
        #[arg(long, value_name = "N", default_value_t = 20)]
        examples: u32,
        /// Which store.
        #[command(flatten)]
        at: At,
    },
}

/// Look after a store
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Store {
    /// What to do.
    #[command(subcommand)]
    pub what: StoreCommand,
}

/// What can be done with a store.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a sentence here would take the place of the long help of the arguments")]
pub enum StoreCommand {
    /// Say what is in a store
    Stats {
        /// Form of the output
        #[arg(long, value_enum, default_value = "table")]
        format: Shape,
        #[command(flatten)]
        at: At,
    },
    /// Put test lists in the place of those there are
    ///
    /// Reads global.csv and the lists of countries, such as it.csv, out of the folder "lists" of a checkout of
    /// github.com/citizenlab/test-lists; files of other names are passed over. Categories of measurements are those of
    /// these lists from then on, of old measurements too.
    LoadTestLists {
        /// Folder with the lists
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Take a measurement out for good
    ///
    /// It goes out of all tables and all counts, and is not taken in again. Its uid and the reason are kept. Its body is
    /// not in the store and stays where it is.
    Remove {
        /// Its measurement_uid
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        uid: String,
        /// Why, for those who ask later
        #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        #[command(flatten)]
        at: At,
    },
    /// Take out all measurements that started in a month; a rerun can store them again
    DropMonth {
        /// The month, UTC
        #[arg(value_name = "YYYY-MM", value_parser = parse_month)]
        month: DateTime,
        #[command(flatten)]
        at: At,
    },
    /// Put what a store has into another one, of whatever engine
    ///
    /// Copies measurements, those that were refused, those that were removed, and, if there are any, test lists in the place
    /// of those there. Measurements that the other store has are left alone, so to go on after it was stopped, give the
    /// command again; with --after it need not begin anew. Rollups are made there. The time of update becomes that of the
    /// copy. Afterwards "fastpath compare FROM TO" says what differs.
    Copy {
        /// The store that is read
        #[arg(value_name = "FROM")]
        from: String,
        /// The store that is written to; an SQLite store is made if it is not there
        #[arg(value_name = "TO")]
        to: String,
        /// Measurements up to this uid were copied before: leave them out
        #[arg(long, value_name = "UID")]
        after: Option<String>,
    },
    /// Put the rows of a database of the reference, OONI's own backend, into a store
    ///
    /// Reads the tables fastpath and, where they are there, jsonl, obs_openvpn and citizenlab of a PostgreSQL or ClickHouse
    /// server, of whatever age. A row whose columns the store does not take is set aside with the reason. Imported rows name
    /// "reference" as their rules; the hash of their bodies is not known. Measurements that the store has are left alone,
    /// so to go on after it was stopped, give the command again; with --after it need not begin anew.
    ///
    /// Of a file, reads a dump: JSON, one row a line, {"table": …, "row": {column: value}}, with the same tables and
    /// url_priorities, asnmeta, msmt_feedback, faulty_measurements and counters_asn_test_list, which need a store on SQLite
    /// or PostgreSQL. Lines that cannot be used are reported by their numbers and counted; the exit code is 1 then.
    Import {
        /// The database that is read, postgres://… or clickhouse://…, or the file of a dump
        #[arg(value_name = "FROM")]
        from: String,
        /// The store that is written to; an SQLite store is made if it is not there
        #[arg(value_name = "TO")]
        to: String,
        /// Measurements up to this one were imported before, in the order in which they are read: on PostgreSQL that of uids,
        /// on ClickHouse that of the starts of measurements. Leave them out
        #[arg(long, value_name = "UID")]
        after: Option<String>,
    },
    /// Write rows to Parquet files, one a day and test
    ///
    /// A file is named after the UTC day on which its measurements started and their test, such as 2021-06-14_dash.parquet;
    /// in names of tests all but a to z, 0 to 9 and _ is written %XX. It holds the 26 columns of the table "fastpath" in the
    /// order of measurement_start_time and measurement_uid, compressed with zstd. Files of these days that are there are
    /// replaced, and removed where the store has no such measurements; each is whole at any time.
    Export {
        #[command(flatten)]
        days: Days,
        /// Folder for the files, which is made if it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        at: At,
    },
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

const EXIT_CODES: &str = "Exit code: 0 when it is done, 1 when the other store of a copy or import refuses measurements, 2 when it could not be \
                          done.";
