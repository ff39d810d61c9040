//! Arguments of `ooni-api config`.

use super::EXIT_CODES;
use super::settings::Settings;
use clap::{Args, Subcommand};

/// Show or check the settings
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct Config {
    /// What to do.
    #[command(subcommand)]
    pub what: ConfigCommand,
}

/// What can be done with the settings.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
pub enum ConfigCommand {
    /// Print all settings as a TOML file, with the meaning, unit and default of each
    ///
    /// The settings are those of the file, the environment and the flags together. Passwords in URLs are not printed.
    #[command(after_help = EXIT_CODES)]
    Show {
        /// Print the defaults instead, whatever the file and the environment say
        #[arg(long)]
        defaults: bool,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Report everything that is wrong with the settings
    #[command(after_help = "Exit code: 0 when the settings can be used, 2 when they cannot.")]
    Check {
        #[command(flatten)]
        settings: Box<Settings>,
    },
}
