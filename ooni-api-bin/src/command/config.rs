//! `ooni-api config`.

use super::output::{Failure, Output, settings};
use crate::cli::config::ConfigCommand;
use crate::config::Config;

pub(super) fn run(command: &ConfigCommand) -> Result<Output, Failure> {
    match command {
        ConfigCommand::Show { defaults: true, .. } => Ok(Config::default().to_toml().into_bytes()),
        ConfigCommand::Show { settings: given, .. } => {
            Ok(settings(given.state.config.as_deref(), &given.flags())?.to_toml().into_bytes())
        }
        ConfigCommand::Check { settings: given } => {
            settings(given.state.config.as_deref(), &given.flags())?;
            Ok(b"The settings can be used.\n".to_vec())
        }
    }
}
