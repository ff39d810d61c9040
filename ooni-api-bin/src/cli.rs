//! The command line: arguments and their help. What the commands do is in [`command`](crate::command).
//!
//! The arguments of a command are in the file of that name. Settings are not parsed here: a flag for a setting is text that
//! [`Config::load`](crate::config::Config::load) reads, as it reads the environment.

pub mod config;
pub mod job;
pub mod serve;
mod settings;
pub mod spool;
pub mod verify;

pub use self::settings::{Settings, StateSettings};

use crate::version;
use clap::{Parser, Subcommand};

/// The OONI backend: collects, scores, archives and publishes measurements
#[derive(Debug, Parser)]
#[command(name = "ooni-api", version, long_version = version::text(), after_help = EXAMPLES, max_term_width = 80)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
pub enum Command {
    Serve(Box<serve::Serve>),
    Config(config::Config),
    Spool(spool::Spool),
    Job(job::Job),
    Verify(verify::Verify),
}

/// The exit codes of commands that do not say otherwise.
const EXIT_CODES: &str = "Exit code: 0 on success, 1 on failure, 2 for invalid arguments or settings.";

const EXAMPLES: &str = "\
Examples:
  ooni-api serve
      serve on 127.0.0.1:8080, with all data in ooni-data
  ooni-api serve --import examples/data
      the same, with some measurements submitted
  ooni-api config show --defaults > ooni-api.toml
      write a file with all settings
  ooni-api job archive --dry-run
      show what would be archived";

/// Reads the arguments. Ends the process for help, version and invalid arguments.
pub fn parse() -> Cli {
    Cli::parse()
}
