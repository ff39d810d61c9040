//! Values that follow from the state directory if they are not set.

use super::Config;
use std::path::PathBuf;

impl Config {
    /// The directory of the intake log.
    pub fn intake_directory(&self) -> PathBuf {
        self.state_dir.join("intake")
    }

    /// The URL of the store.
    pub fn store_uri(&self) -> String {
        self.or_in_state(&self.store.uri, "sqlite:", "ooni.db")
    }

    /// The URL of the application tables, which are in the store unless that is on ClickHouse.
    pub fn app_store_uri(&self) -> String {
        match self.store_uri() {
            uri if uri.starts_with("clickhouse") => self.or_in_state(&self.store.app_uri, "sqlite:", "ooni.db"),
            uri => uri,
        }
    }

    /// The location of the archive: `file:DIRECTORY` or `s3://BUCKET[/PREFIX]`.
    pub fn archive_location(&self) -> String {
        self.or_in_state(&self.archive.location, "file:", "archive")
    }

    fn or_in_state(&self, set: &str, scheme: &str, name: &str) -> String {
        match set {
            "" => format!("{scheme}{}", self.state_dir.join(name).display()),
            set => set.to_owned(),
        }
    }
}
