//! Arguments of `ooni-api spool`.

use super::EXIT_CODES;
use super::settings::{Settings, StateSettings};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Inspect and fill the intake log
///
/// The intake log in the state directory has every accepted measurement until it is scored and archived.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Spool {
    /// What to do.
    #[command(subcommand)]
    pub what: SpoolCommand,
}

/// Formats of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Human-readable
    Table,
    /// One JSON object per line
    Jsonl,
}

/// What can be done with the intake log.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
pub enum SpoolCommand {
    /// List measurements in the order in which they were received
    ///
    /// Prints the uid, the size of the body in bytes, and the state: pending, scored, archived, or done, which is scored and
    /// archived. The server may be running.
    #[command(after_help = EXIT_CODES)]
    Ls {
        /// Maximum number of measurements to print [default: all]
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Format of the output
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
        #[command(flatten)]
        state: StateSettings,
    },
    /// Print the body of a measurement, byte for byte
    #[command(
        after_help = "Exit code: 0 when it is printed, 1 when the intake log does not have it, 2 for invalid arguments or settings."
    )]
    Show {
        /// Its measurement_uid
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        uid: String,
        /// Print the record as JSON instead of the body: route, time, selected headers, and what the server added
        #[arg(long)]
        record: bool,
        #[command(flatten)]
        state: StateSettings,
    },
    /// Write measurements to a folder, in the layout of the reference's spool
    ///
    /// The layout is incoming/YYYYmmddHH_CC_TEST/UID.post. Existing files of the same name are replaced. The intake log does
    /// not change. The server may be running.
    #[command(after_help = EXIT_CODES)]
    Export {
        /// The folder; created if it does not exist
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        state: StateSettings,
    },
    /// Add the .post files of a folder to the intake log
    ///
    /// Reads the reference's spool: files YYYYmmddHH_CC_TEST/UID.post, whose names are the uids, in the folder or in its folder
    /// "incoming". The server must not be running. Measurements that the intake log or the store already has are skipped, so
    /// a stopped import can be completed by repeating the command.
    #[command(
        after_help = "Exit code: 0 when all files are imported, 1 when some cannot be, 2 for invalid arguments or settings."
    )]
    Import {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        #[command(flatten)]
        settings: Box<Settings>,
    },
}
