//! Values that follow from the state directory if they are not set.

use super::{Config, Geoip};
use std::path::{Path, PathBuf};

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

    /// The geolocation files: those of the settings, else those that the job `geoip` keeps in the state directory.
    pub fn geoip_files(&self) -> Geoip {
        let [asn, cc] = self.kept_geoip_files();
        let or_kept = |set: &Path, source: &str, kept| match set.as_os_str().is_empty() && !source.is_empty() {
            true => kept,
            false => set.to_owned(),
        };
        Geoip {
            asn: or_kept(&self.geoip.asn, &self.jobs.geoip_asn, asn),
            cc: or_kept(&self.geoip.cc, &self.jobs.geoip_cc, cc),
        }
    }

    /// The files of the job `geoip`: networks, countries.
    pub fn kept_geoip_files(&self) -> [PathBuf; 2] {
        ["asn.mmdb", "cc.mmdb"].map(|name| self.state_dir.join("geoip").join(name))
    }

    fn or_in_state(&self, set: &str, scheme: &str, name: &str) -> String {
        match set {
            "" => format!("{scheme}{}", self.state_dir.join(name).display()),
            set => set.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geolocation_files() {
        let mut config = Config::default();
        assert_eq!(config.geoip_files(), Geoip::default());
        config.jobs.geoip_asn = "https://example.org/asn.mmdb".to_owned();
        config.geoip.cc = PathBuf::from("/srv/cc.mmdb");
        let expected = |asn: &str| Geoip { asn: PathBuf::from(asn), cc: PathBuf::from("/srv/cc.mmdb") };
        assert_eq!(config.geoip_files(), expected("ooni-data/geoip/asn.mmdb"));
        config.jobs.geoip_cc = "https://example.org/cc.mmdb".to_owned();
        config.geoip.asn = PathBuf::from("/srv/asn.mmdb");
        assert_eq!(config.geoip_files(), expected("/srv/asn.mmdb"));
    }
}
