//! `ooni-api config`.

use super::output::{Failure, settings};
use crate::cli::config::ConfigCommand;
use crate::config::Config;
use std::io::Write;

pub(super) fn run(command: &ConfigCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let text = match command {
        ConfigCommand::Show { defaults: true, .. } => Config::default().to_toml(),
        ConfigCommand::Show { settings: given, .. } => {
            settings(given.state.config.as_deref(), &given.flags())?.to_toml()
        }
        ConfigCommand::Check { settings: given } => {
            settings(given.state.config.as_deref(), &given.flags())?;
            "the settings can be used\n".to_owned()
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::Output)
}
