//! Ranges of settings, and settings that depend on each other.

use super::load::qualified;
use super::section::{Config, SECTIONS};
use crate::http::limits::Rate;
use crate::http::network::Networks;
use crate::log;
use ooni_archive::source::archive::Location;
use ooni_core::rules::Rules;
use std::net::{IpAddr, SocketAddr};
use std::slice;

/// The longest duration. The standard library panics when a time overflows.
const MAX_SECONDS: i64 = 10 * 366 * 86_400;

/// Smallest buffer for headers that hyper accepts, in bytes.
const MIN_HEADER_BYTES: usize = 8192;

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    /// What was expected.
    pub(super) message: String,
}

impl Config {
    /// Checks ranges, formats, and combinations.
    ///
    /// # Errors
    /// All settings that cannot be used, a line for each.
    pub fn check(&self) -> Result<(), super::Errors> {
        let line = |problem: Problem| format!("{}: {}", qualified(problem.section, problem.key), problem.message);
        let lines: Vec<String> = self.problems().into_iter().map(line).collect();
        if lines.is_empty() { Ok(()) } else { Err(super::Errors(lines)) }
    }

    /// The settings that cannot be used, in the order of the file.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut require = |section, key, is_good: bool, message: &str| {
            if !is_good {
                problems.push(Problem { section, key, message: message.to_owned() });
            }
        };
        require("", "state_dir", !self.state_dir.as_os_str().is_empty(), "expected a directory");

        let server = &self.server;
        require("server", "base_url", is_http_url_or_empty(&server.base_url), HTTP_URL);
        let is_plain =
            |id: &str| !id.is_empty() && id.len() <= 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        require("server", "collector_id", is_plain(&server.collector_id), "expected 1 to 16 letters and digits");
        let (certificate, key) = (server.tls_certificate.as_os_str(), server.tls_key.as_os_str());
        require("server", "tls_certificate", !certificate.is_empty() || key.is_empty(), "required with server.tls_key");
        require("server", "tls_key", !key.is_empty() || certificate.is_empty(), "required with server.tls_certificate");
        for proxy in &server.trusted_proxies {
            if let Err(message) = Networks::parse(slice::from_ref(proxy)) {
                require("server", "trusted_proxies", false, &message);
            }
        }
        require("server", "max_connections", server.max_connections > 0, POSITIVE);
        require("server", "header_timeout", server.header_timeout > 0, POSITIVE);
        require("server", "body_timeout", server.body_timeout > 0, POSITIVE);
        let message = format!("expected at least {MIN_HEADER_BYTES}");
        require("server", "max_header_bytes", server.max_header_bytes >= MIN_HEADER_BYTES, &message);
        require("server", "max_headers", server.max_headers > 0, POSITIVE);
        require("server", "max_body_bytes", server.max_body_bytes > 0, POSITIVE);
        let is_enough = server.max_spilled_bytes >= server.max_body_bytes;
        require("server", "max_spilled_bytes", is_enough, "expected at least server.max_body_bytes");
        let for_large = server.max_bytes_in_flight - server.max_bytes_in_flight / 4;
        let is_enough = for_large >= server.max_body_bytes.max(server.spill_above_bytes);
        let message = "expected a third more than server.max_body_bytes and server.spill_above_bytes";
        require("server", "max_bytes_in_flight", is_enough, message);

        require("metrics", "listen", is_address_or_empty(&self.metrics.listen), ADDRESS);
        require("store", "uri", is_store_or_empty(&self.store.uri), STORE_URL);
        let app_uri = &self.store.app_uri;
        let is_app_store = is_store_or_empty(app_uri) && !app_uri.starts_with("clickhouse://");
        require("store", "app_uri", is_app_store, "expected sqlite:PATH or postgres://…");

        let location = &self.archive.location;
        let directory = location.strip_prefix("file:").unwrap_or(location);
        if let Err(message) = Location::parse(if location.is_empty() { "archive" } else { directory }, None) {
            require("archive", "location", false, &message);
        }
        require("archive", "endpoint", is_http_url_or_empty(&self.archive.endpoint), HTTP_URL);
        require("archive", "can_bytes", self.archive.can_bytes > 0, POSITIVE);
        require("scoring", "batch", (1..=10_000).contains(&self.scoring.batch), "expected a number from 1 to 10000");
        require("scoring", "threads", self.scoring.threads <= 1024, "expected at most 1024");
        require("scoring", "rules", Rules::named(&self.scoring.rules).is_some(), "expected \"fixed\" or \"compat\"");
        require("reads", "timeout", self.reads.timeout > 0, POSITIVE);
        require("reads", "stream_timeout", self.reads.stream_timeout > 0, POSITIVE);
        require("reads", "max_unsent_bytes", self.reads.max_unsent_bytes >= 1 << 20, "expected at least 1 MiB");
        if let Err(message) = Rate::parse(&self.limits.rate) {
            require("limits", "rate", false, &message);
        }
        for exempt in &self.limits.exempt {
            if let Err(message) = Networks::parse(slice::from_ref(exempt)) {
                require("limits", "exempt", false, &message);
            }
        }
        require("limits", "max_clients", self.limits.max_clients > 0, POSITIVE);
        let jobs = &self.jobs;
        for (key, more_than, fewer_than) in [
            ("test_lists_fewer_than", jobs.test_lists_more_than, jobs.test_lists_fewer_than),
            ("fingerprints_fewer_than", jobs.fingerprints_more_than, jobs.fingerprints_fewer_than),
            ("asnmeta_fewer_than", jobs.asnmeta_more_than, jobs.asnmeta_fewer_than),
        ] {
            let message = format!("expected more than {}", more_than.saturating_add(1));
            require("jobs", key, fewer_than > more_than.saturating_add(1), &message);
        }
        for address in jobs.geoip_known.iter().filter(|address| address.parse::<IpAddr>().is_err()) {
            require("jobs", "geoip_known", false, &format!("{address:?}: expected an address"));
        }
        require("feed", "listen", is_address_or_empty(&self.feed.listen), ADDRESS);
        let is_format = matches!(&*self.log.format, "text" | "json" | "auto");
        require("log", "format", is_format, "expected \"text\", \"json\" or \"auto\"");
        if let Err(message) = log::targets(&self.log.level) {
            require("log", "level", false, &message);
        }

        for (section, key) in SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| (section.name, key))) {
            let limit = match key.unit {
                "seconds" => MAX_SECONDS,
                "milliseconds" => MAX_SECONDS * 1000,
                _ => continue,
            };
            let is_short =
                self.get(section, key.name).and_then(|value| value.as_integer()).is_none_or(|value| value <= limit);
            require(section, key.name, is_short, &format!("expected at most {limit} {}", key.unit));
        }
        problems
    }
}

const POSITIVE: &str = "expected at least 1";
const ADDRESS: &str = "expected an address and port, such as \"127.0.0.1:9090\"";
const HTTP_URL: &str = "expected a URL that starts with http:// or https://";
const STORE_URL: &str = "expected sqlite:PATH, postgres://… or clickhouse://…";

fn is_address_or_empty(text: &str) -> bool {
    text.is_empty() || text.parse::<SocketAddr>().is_ok()
}

fn is_http_url_or_empty(text: &str) -> bool {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    text.is_empty() || host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace))
}

fn is_store_or_empty(text: &str) -> bool {
    text.is_empty() || ooni_store::is_url(text) && ooni_store::local_path(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_refused() {
        let refused: &[(&str, &str)] = &[
            ("state_dir", "\"\""),
            ("server.base_url", "\"example.org\""),
            ("server.collector_id", "\"a/b\""),
            ("server.tls_certificate", "\"a.pem\""),
            ("server.tls_key", "\"a.key\""),
            ("server.trusted_proxies", "[\"10.0.0.0/33\"]"),
            ("server.trusted_proxies", "[\"proxy\"]"),
            ("server.max_connections", "0"),
            ("server.header_timeout", "0"),
            ("server.max_header_bytes", "100"),
            ("server.max_bytes_in_flight", "1"),
            ("server.max_spilled_bytes", "1"),
            ("server.shutdown_timeout", "9223372036854775807"),
            ("metrics.listen", "\"9090\""),
            ("store.uri", "\"ooni.db\""),
            ("store.uri", "\"mysql://localhost/ooni\""),
            ("store.app_uri", "\"clickhouse://localhost/ooni\""),
            ("archive.location", "\"s3://\""),
            ("archive.location", "\"gs://bucket\""),
            ("archive.location", "\"file:\""),
            ("archive.endpoint", "\"localhost:9000\""),
            ("scoring.batch", "0"),
            ("scoring.rules", "\"strict\""),
            ("reads.timeout", "0"),
            ("reads.stream_timeout", "0"),
            ("reads.max_unsent_bytes", "1000"),
            ("limits.rate", "\"4000\""),
            ("limits.rate", "\"4000/fortnight\""),
            ("limits.exempt", "[\"10.0.0.0/33\"]"),
            ("limits.max_clients", "0"),
            ("feed.listen", "\"localhost\""),
            ("jobs.test_lists_fewer_than", "20001"),
            ("jobs.geoip_known", "[\"example.org\"]"),
            ("log.format", "\"xml\""),
            ("log.level", "\"loud\""),
        ];
        for (name, value) in refused {
            let errors = Config::parse("a.toml", &format!("{name} = {value}\n")).unwrap_err();
            assert_eq!(errors.0.len(), 1, "{name} = {value}: {errors}");
        }
    }

    #[test]
    fn values_in_range_are_accepted() {
        let text = r#"
            server.base_url = "https://api.example.org"
            server.tls_certificate = "a.pem"
            server.tls_key = "a.key"
            server.trusted_proxies = ["127.0.0.1", "2001:db8::/32"]
            metrics.listen = "[::1]:9090"
            store.uri = "clickhouse://localhost/ooni"
            store.app_uri = "postgres://localhost/ooni"
            archive.location = "s3://bucket/prefix"
            archive.endpoint = "http://127.0.0.1:9000"
            limits.rate = "10/minute; 200000/7day"
            limits.exempt = ["127.0.0.1", "2001:db8::/32"]
            log.level = "warn,ooni_api=debug"
        "#;
        Config::parse("a.toml", text).unwrap().check().unwrap();
        for location in ["file:archive", "file:/srv/archive", "s3://bucket"] {
            Config::parse("a.toml", &format!("archive.location = {location:?}")).unwrap();
        }
    }
}
