//! Flags for settings that several commands have.

use crate::config::Flag;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the settings are, and where the state is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub struct StateSettings {
    /// TOML file with settings. Variables of the environment, OONI_API_SECTION_KEY, override it, and flags override both
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Directory of the server's own data: intake log, secrets, and the default store and archive [default: ooni-data]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<OsString>,
}

/// Flags for the settings that are changed most often.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    #[command(flatten)]
    pub(crate) state: StateSettings,

    /// Store: sqlite:PATH, postgres://… or clickhouse://… [default: sqlite:STATE_DIR/ooni.db]
    #[arg(long, value_name = "URL")]
    pub(crate) db_uri: Option<OsString>,

    /// Store of the application tables, if the store is on ClickHouse [default: sqlite:STATE_DIR/ooni.db]
    #[arg(long, value_name = "URL")]
    pub(crate) app_db_uri: Option<OsString>,

    /// Archive: file:DIR or s3://BUCKET[/PREFIX] [default: file:STATE_DIR/archive]
    #[arg(long, value_name = "LOCATION")]
    pub(crate) archive: Option<OsString>,

    /// File of MaxMind's format with networks
    #[arg(long, value_name = "FILE")]
    pub(crate) geoip_asn: Option<OsString>,

    /// File of MaxMind's format with countries; may be the same file
    #[arg(long, value_name = "FILE")]
    pub(crate) geoip_cc: Option<OsString>,

    /// Format of the log: text, json, or auto, which is text on a terminal and else json [default: auto]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<OsString>,

    /// Level of the log: error, warn, info, debug, trace or off [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<OsString>,
}

impl StateSettings {
    /// The flags that were given.
    pub fn flags(&self) -> Vec<Flag> {
        flag("--state-dir", "", "state_dir", &self.state_dir).into_iter().collect()
    }
}

impl Settings {
    /// The flags that were given.
    pub fn flags(&self) -> Vec<Flag> {
        let mut flags = self.state.flags();
        let given = [
            flag("--db-uri", "store", "uri", &self.db_uri),
            flag("--app-db-uri", "store", "app_uri", &self.app_db_uri),
            flag("--archive", "archive", "location", &self.archive),
            flag("--geoip-asn", "geoip", "asn", &self.geoip_asn),
            flag("--geoip-cc", "geoip", "cc", &self.geoip_cc),
            flag("--log-format", "log", "format", &self.log_format),
            flag("--log-level", "log", "level", &self.log_level),
        ];
        flags.extend(given.into_iter().flatten());
        flags
    }
}

/// A flag, if it was given.
pub(super) fn flag(
    name: &'static str,
    section: &'static str,
    key: &'static str,
    value: &Option<OsString>,
) -> Option<Flag> {
    value.as_ref().map(|value| Flag { name, section, key, value: value.clone() })
}
