//! The settings by section. `section!` makes the structure, its defaults and its documentation from one list.

use super::value::{Raw, Value};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A setting, for documentation.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the section.
    pub name: &'static str,
    /// Its unit; empty if it has none.
    pub unit: &'static str,
    /// What it is.
    pub about: &'static str,
}

/// A section of the file, for documentation.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its name; empty for the settings before the first section.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Its settings.
    pub keys: &'static [Key],
}

macro_rules! section {
    (#[doc = $about:literal] $name:ident $section:literal {
        $(#[doc = $doc:literal] $key:ident: $type:ty = $default:expr, $unit:literal;)*
    }) => {
        #[doc = $about]
        #[derive(Clone, PartialEq)]
        pub struct $name {
            $(#[doc = $doc] pub $key: $type,)*
        }

        /// Without passwords.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut shown = f.debug_struct(stringify!($name));
                $(shown.field(stringify!($key), &format_args!("{}", super::show::shown(&Value::show(&self.$key))));)*
                shown.finish()
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $($key: $default,)* }
            }
        }

        impl $name {
            /// Documentation of the section.
            pub const SECTION: Section = Section {
                name: $section,
                about: $about,
                keys: &[$(Key { name: stringify!($key), unit: $unit, about: $doc }),*],
            };

            fn set(&mut self, key: &str, raw: &Raw<'_>) -> Result<(), String> {
                match key {
                    $(stringify!($key) => self.$key = Value::read(raw, $unit)?,)*
                    _ => return Err(UNKNOWN.to_owned()),
                }
                Ok(())
            }

            fn get(&self, key: &str) -> Option<toml::Value> {
                match key {
                    $(stringify!($key) => Some(Value::show(&self.$key)),)*
                    _ => None,
                }
            }
        }
    };
}

macro_rules! config {
    ($(#[doc = $doc:literal] $section:ident: $type:ident;)*) => {
        /// All sections, in the order of the file.
        pub const SECTIONS: &[Section] = &[ROOT, $($type::SECTION),*];

        /// Every setting.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            #[doc = state_dir_about!()]
            pub state_dir: PathBuf,
            $(#[doc = $doc] pub $section: $type,)*
        }

        impl Default for Config {
            fn default() -> Config {
                Config { state_dir: PathBuf::from("ooni-data"), $($section: $type::default(),)* }
            }
        }

        impl Config {
            /// Sets a setting to a value of a source. The error says what was expected.
            pub(super) fn set(&mut self, section: &str, key: &str, raw: &Raw<'_>) -> Result<(), String> {
                match (section, key) {
                    ("", "state_dir") => self.state_dir = Value::read(raw, "")?,
                    $((stringify!($section), _) => self.$section.set(key, raw)?,)*
                    _ => return Err(UNKNOWN.to_owned()),
                }
                Ok(())
            }

            /// The value of a setting; `None` if there is none of this name.
            pub(super) fn get(&self, section: &str, key: &str) -> Option<toml::Value> {
                match (section, key) {
                    ("", "state_dir") => Some(Value::show(&self.state_dir)),
                    $((stringify!($section), _) => self.$section.get(key),)*
                    _ => None,
                }
            }
        }
    };
}

const UNKNOWN: &str = "unknown setting";

macro_rules! state_dir_about {
    () => {
        " The directory of the server's own data: intake log, secrets, and the default store and archive."
    };
}

/// The settings before the first section.
const ROOT: Section =
    Section { name: "", about: "", keys: &[Key { name: "state_dir", unit: "", about: state_dir_about!() }] };

config! {
    /// The HTTP server.
    server: Server;
    /// The listener for metrics.
    metrics: Metrics;
    /// The databases.
    store: Store;
    /// The archive.
    archive: Archive;
    /// The intake log.
    intake: Intake;
    /// Live scoring.
    scoring: Scoring;
    /// The listener for the reference's feed.
    feed: Feed;
    /// Geolocation.
    geoip: Geoip;
    /// What probes get.
    probe: Probe;
    /// Limits of reads.
    reads: Reads;
    /// Limits of requests by client.
    limits: Limits;
    /// The cache of responses.
    cache: Cache;
    /// Scheduled jobs.
    jobs: Jobs;
    /// The log.
    log: Log;
}

section! {
    /// The HTTP server.
    Server "server" {
        /// Address and port to listen on.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), "";
        /// Public URL of this server, the prefix of URLs in answers. Empty: `http://` and the address it listens on.
        base_url: String = String::new(), "";
        /// Number of this collector, in report ids and in names of cans. Each server of an archive needs its own.
        collector_id: String = "1".to_owned(), "";
        /// PEM file with the certificate chain. Empty: no TLS. Read again when it changes.
        tls_certificate: PathBuf = PathBuf::new(), "";
        /// PEM file with the private key of the certificate.
        tls_key: PathBuf = PathBuf::new(), "";
        /// Addresses and networks of proxies whose `X-Forwarded-For` and `X-Real-IP` are trusted.
        trusted_proxies: Vec<String> = Vec::new(), "";
        /// Connections that are open at the same time. Further ones wait.
        max_connections: usize = 4096, "";
        /// How long the headers of a request may take, and how long a connection may be idle.
        header_timeout: u64 = 30, "seconds";
        /// How long a body may make no progress, and how long it may take beyond 16 KiB per second.
        body_timeout: u64 = 30, "seconds";
        /// Size of the headers of a request.
        max_header_bytes: usize = 65_536, "bytes";
        /// Number of headers of a request.
        max_headers: usize = 100, "";
        /// Size of a measurement, decoded. A zstd window above 8 MiB, as of `zstd --ultra` and `--long`, may be refused.
        max_body_bytes: u64 = 200_000_000, "bytes";
        /// Bodies above this size are written to a temporary file.
        spill_above_bytes: u64 = 1 << 20, "bytes";
        /// Size of all temporary files of bodies at the same time. Beyond it, submissions are answered with 503.
        max_spilled_bytes: u64 = 4 << 30, "bytes";
        /// Size of all bodies in memory at the same time. Beyond it, submissions are answered with 503. A quarter is for small ones.
        max_bytes_in_flight: u64 = 256 << 20, "bytes";
        /// Responses below this size are not compressed.
        compress_above_bytes: usize = 1000, "bytes";
        /// How long requests may take to finish when the server stops.
        shutdown_timeout: u64 = 30, "seconds";
    }
}

section! {
    /// Metrics for Prometheus.
    Metrics "metrics" {
        /// Address and port of a listener for `/metrics` and `/health` alone. On a loopback address it asks for no password unless password_file is set. Empty: `/metrics` is on the main listener, with a password.
        listen: String = String::new(), "";
        /// File with the password of the user `prom`. Empty: `secrets/metrics_password` in the state directory, which is generated.
        password_file: PathBuf = PathBuf::new(), "";
    }
}

section! {
    /// The databases.
    Store "store" {
        /// URL of the store: `sqlite:PATH`, `postgres://…` or `clickhouse://…`. Empty: `ooni.db` in the state directory.
        uri: String = String::new(), "";
        /// URL of the application tables, if the store is on ClickHouse. Empty: `ooni.db` in the state directory.
        app_uri: String = String::new(), "";
    }
}

section! {
    /// The archive, to which each hour of the intake log goes.
    Archive "archive" {
        /// `file:DIRECTORY` or `s3://BUCKET[/PREFIX]`. Empty: `archive` in the state directory.
        location: String = String::new(), "";
        /// URL of an S3 server other than Amazon's.
        endpoint: String = String::new(), "";
        /// A can ends after the measurement with which it exceeds this size.
        can_bytes: u64 = 20_000_000, "bytes";
        /// How long after its end an hour is archived.
        delay: u64 = 600, "seconds";
    }
}

section! {
    /// The intake log, which has every accepted measurement until it is scored and archived.
    Intake "intake" {
        /// Free space on the disk below which submissions are answered with 503.
        min_free_bytes: u64 = 1 << 30, "bytes";
        /// How long a repeated submission gets the answer of the first one.
        repeat_window: u64 = 3600, "seconds";
        /// Number of submissions that are remembered to recognize repeats.
        max_repeats: usize = 200_000, "";
    }
}

section! {
    /// Live scoring.
    Scoring "scoring" {
        /// Measurements that are stored in one transaction.
        batch: usize = 1000, "";
        /// How long a measurement may wait for others of its batch.
        batch_delay: u64 = 500, "milliseconds";
        /// Threads that score. 0: one for each processor.
        threads: usize = 0, "";
        /// `fixed`, or `compat` for the exact results of the reference.
        rules: String = "fixed".to_owned(), "";
    }
}

section! {
    /// The reference's feed: `POST /UID` on a listener of its own.
    Feed "feed" {
        /// Address and port, such as `127.0.0.1:8472`. Empty: none.
        listen: String = String::new(), "";
    }
}

section! {
    /// Geolocation by files of MaxMind's format. They are read again when they change.
    Geoip "geoip" {
        /// File with networks. Empty: the file that the job geoip keeps, if jobs.geoip_asn is set.
        asn: PathBuf = PathBuf::new(), "";
        /// File with countries; may be the same. Empty: the file that the job geoip keeps, if jobs.geoip_cc is set.
        cc: PathBuf = PathBuf::new(), "";
    }
}

section! {
    /// What probes get.
    Probe "probe" {
        /// JSON file with the features, test helpers and collectors that differ from the built-in ones.
        services: PathBuf = PathBuf::new(), "";
        /// JSON file that `/api/v1/test-list/psiphon-config` returns.
        psiphon_config: PathBuf = PathBuf::new(), "";
        /// JSON file that `/api/v1/test-list/tor-targets` returns.
        tor_targets: PathBuf = PathBuf::new(), "";
        /// Directory with a JSON file for each provider that `/api/v2/ooniprobe/vpn-config/{provider}` returns, such as `riseupvpn.json`. Empty: none.
        vpn_config: PathBuf = PathBuf::new(), "";
    }
}

section! {
    /// Limits of reads: requests for measurements, charts and pages.
    Reads "reads" {
        /// Reads that are processed at the same time. Beyond them and the queue, reads are answered with 503. 0: eight for each processor.
        max_concurrent: usize = 0, "";
        /// Reads that may wait.
        max_queued: usize = 256, "";
        /// How long a read may take, from its first query to the first byte of its answer.
        timeout: u64 = 28, "seconds";
        /// How long a stream of measurements (`format=csv` or `ndjson`, or a large limit) may take.
        stream_timeout: u64 = 600, "seconds";
        /// Size of a stream of measurements. Beyond it, the stream ends and says that it is incomplete.
        max_stream_bytes: u64 = 4 << 30, "bytes";
        /// Size of all answers above 64 KiB that are being sent; a stream counts as 4 MiB. Beyond it, or beyond a quarter of it for one client, such answers are replaced by 503.
        max_unsent_bytes: u64 = 128 << 20, "bytes";
    }
}

section! {
    /// Limits of requests by client, for the routes of measurements.
    Limits "limits" {
        /// Units of 10 milliseconds of response time, at least one for each request, that a client may use in each period. Empty: no limits.
        rate: String = "4000/hour;400000/day;200000/7day".to_owned(), "";
        /// Addresses and networks that are not limited.
        exempt: Vec<String> = Vec::new(), "";
        /// Clients that are remembered.
        max_clients: usize = 100_000, "";
    }
}

section! {
    /// The cache of responses in memory.
    Cache "cache" {
        /// Size of all responses. 0: no cache.
        max_bytes: u64 = 64 << 20, "bytes";
        /// Responses above this size are not kept. The lists of all networks and of all domains have more than 2 MiB.
        max_response_bytes: u64 = 4 << 20, "bytes";
        /// How long an expired response may be used if a new one cannot be computed.
        stale_if_error: u64 = 86_400, "seconds";
    }
}

section! {
    /// Scheduled jobs. A source is a directory, a file or a URL.
    Jobs "jobs" {
        /// Whether jobs run by their schedule. They can always be run by `ooni-api job`.
        schedule: bool = true, "";
        /// Source of the test lists: a directory of CSV files, or an archive (tar.gz) of one. Empty: they are not replaced.
        test_lists: String = String::new(), "";
        /// Test lists are replaced only by lists of more URLs than this.
        test_lists_more_than: usize = 20_000, "";
        /// Test lists are replaced only by lists of fewer URLs than this.
        test_lists_fewer_than: usize = 1_000_000, "";
        /// Source of the fingerprints: the directory of the two CSV files, or its URL. Empty: they are not replaced.
        fingerprints: String = String::new(), "";
        /// Each list of fingerprints is replaced only by one of more fingerprints than this.
        fingerprints_more_than: usize = 100, "";
        /// Each list of fingerprints is replaced only by one of fewer fingerprints than this.
        fingerprints_fewer_than: usize = 50_000, "";
        /// Source of the names of networks: a JSON file. Empty: they are not replaced.
        asnmeta: String = String::new(), "";
        /// The names of networks are replaced only by more names than this.
        asnmeta_more_than: usize = 100_000, "";
        /// The names of networks are replaced only by fewer names than this.
        asnmeta_fewer_than: usize = 1_000_000, "";
        /// Source of the file with networks: `.mmdb` or `.mmdb.gz`. `{YYYY-MM}` in it is the month. Empty: it is not replaced.
        geoip_asn: String = String::new(), "";
        /// Source of the file with countries; may be the same.
        geoip_cc: String = String::new(), "";
        /// Addresses that a geolocation file must know.
        geoip_known: Vec<String> = vec!["8.8.8.8".to_owned()], "";
        /// Age at which measurements are removed from the store, in whole months. 0: never.
        retention: u32 = 0, "days";
    }
}

section! {
    /// The log on standard error.
    Log "log" {
        /// `text`, `json`, or `auto`: text on a terminal, else JSON.
        format: String = "auto".to_owned(), "";
        /// `error`, `warn`, `info`, `debug`, `trace` or `off`. Parts may differ, as in `info,ooni_api::http=debug`.
        level: String = "info".to_owned(), "";
    }
}
