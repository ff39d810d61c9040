//! YAML reports from the years before JSON: a header and measurements, each between `---` and `...` (formats spec §11).
//!
//! This module writes the entries and determines their expected outcomes; `keys` writes the test keys, and `broken` the
//! entries that cannot be read.

mod broken;
mod keys;
mod probe_tests;
mod text;

use super::calendar::{DAY, HOUR, Moment, SECOND};
use super::generate::CCS;
use super::hashes;
use super::json::Value;
use super::rng::Rng;
use super::truth::{Entry, Expected, Identity};
use super::urls::Urls;
use probe_tests::{KeyKind, TESTS, Test};
use text::single;

/// Generates reports.
pub(super) struct Reports {
    pub(super) rng: Rng,
    urls: Urls,
    networks: Vec<u64>,
    /// Share of entries that cannot be read.
    malformed: f64,
    /// Numbers the entries, so that no two are equal.
    serial: u64,
}

impl Reports {
    pub(super) fn new(seed: u64, malformed: f64) -> Self {
        let mut rng = Rng::new(seed);
        let urls = Urls::new(&mut rng, std::iter::empty(), &[]);
        let networks = (0..200).map(|_| rng.range(1000, 64000)).collect();
        Self { rng, urls, networks, malformed, serial: 0 }
    }

    /// Starts a report on a day. Its header is the first frame.
    pub(super) fn begin(&mut self, day: u64) -> Report {
        let rng = &mut self.rng;
        let test = rng.pick(TESTS);
        let spelled = *rng.pick(test.spelled);
        let start = day + rng.below(DAY - 2 * HOUR) / SECOND * SECOND;
        let (cc, network) = (*rng.pick(&CCS), format!("AS{}", rng.pick(&self.networks)));
        let version = *rng.pick(&["1.0.0-rc3", "1.2.3", "1.3.1", "1.4.2", "0.0.12"]);
        // The text that is written, and the text that the id of a report without one is derived from.
        let (city_line, city) = *rng.pick(&[
            ("", "None"),
            ("probe_city: null\n", ""),
            ("probe_city: null\n", ""),
            ("probe_city: Roma\n", "Roma"),
            ("probe_city: !!binary |\n  TcO8bmNoZW4=\n", "M\u{fc}nchen"),
            ("probe_city: !!binary |\n  UGFy/2lz\n", "Paris"),
        ]);
        let named = rng.chance(0.85);
        let id: String = if named {
            (0..64).map(|_| char::from(*rng.pick(ALPHANUMERIC))).collect()
        } else {
            hashes::of_report(start, [cc, &network, spelled, version, city])
        };
        let url = plain(&self.urls.pick(rng, 0).url);
        let (options, option_url) = match rng.below(6) {
            0 => ("[-f, citizenlab-urls-global.txt]".to_owned(), None),
            1 => (format!("[-u, {}]", single(&url)), Some(url)),
            2 => (format!("{{collector: null, subargs: [--url, {}]}}", single(&url)), Some(url)),
            _ => ("[]".to_owned(), None),
        };
        let timed = rng.chance(0.15);
        let mut header = String::from("---\n");
        if rng.chance(0.3) {
            header.push_str("data_format_version: 0.1.0\n");
        }
        header.push_str(&format!(
            "input_hashes: []\noptions: {options}\nprobe_asn: {network}\nprobe_cc: {cc}\n{city_line}probe_ip: 127.0.0.1\n"
        ));
        match (named, rng.chance(0.5)) {
            (true, _) => header.push_str(&format!("report_id: {id}\n")),
            (false, true) => header.push_str("report_id: null\n"),
            (false, false) => {}
        }
        header.push_str(&format!(
            "software_name: ooniprobe\nsoftware_version: {version}\nstart_time: {}.0\n",
            start / SECOND
        ));
        if rng.chance(0.4) {
            header.push_str("test_helpers: {backend: 37.218.247.110}\n");
        }
        header.push_str(&format!("test_name: {spelled}\n"));
        if timed {
            header.push_str(&format!("test_start_time: {}\n", single(&Moment::new(start).spaced())));
        }
        header.push_str("test_version: 0.6.0\n...\n");
        Report { test, header, start, cc, network, id, named, option_url, timed, entries: 0 }
    }

    /// The next entry of a report, with any text before it, and its expected outcome.
    pub(super) fn entry(&mut self, report: &mut Report) -> (Vec<u8>, Entry) {
        let rng = &mut self.rng;
        self.serial += 1;
        let url = self.urls.pick(rng, 0);
        let (url, host) = (plain(&url.url), plain(&url.host));
        let started = report.start + 10 * report.entries * SECOND + rng.below(40) * (SECOND / 4);
        report.entries += 1;

        let (input_line, mut input) = match report.test.key_kind {
            // These have no input, or that of the options.
            KeyKind::InvalidRequestLine | KeyKind::Tcp => (String::from("input: null\n"), None),
            KeyKind::Http if report.option_url.is_some() && rng.chance(0.8) => (String::from("input: null\n"), None),
            KeyKind::Http | KeyKind::WebsiteProbe => (format!("input: {}\n", single(&url)), Some(url.clone())),
            _ => (format!("input: {host}\n"), Some(host.clone())),
        };
        if input.is_none() && report.test.key_kind.takes_options() {
            input.clone_from(&report.option_url);
        }

        let (times, moment) = match rng.below(10) {
            0 if !report.timed => (String::new(), report.start),
            // The header has the time of the test, the entry has its own.
            0..4 if report.timed => {
                (format!("measurement_start_time: {}\n", single(&Moment::new(started).spaced())), started)
            }
            _ => {
                let (seconds, micros) = (started / SECOND, started % SECOND);
                (format!("test_start_time: {seconds}.{micros:06}\n"), started)
            }
        };

        let mut text = input_line;
        keys::write(&mut text, rng, report.test.key_kind, &url, &host);
        text.push_str(&times);
        text.push_str(&format!(
            "test_runtime: {}.{:06}\nserial: {}\n",
            rng.range(1, 20),
            rng.below(1_000_000),
            self.serial
        ));

        let mut bytes = match rng.below(20) {
            0 => b"# a comment line\n".to_vec(),
            1 => b"...\n".to_vec(),
            _ => Vec::new(),
        };
        let before = bytes.len();
        bytes.extend_from_slice(b"---\n");
        bytes.extend_from_slice(text.as_bytes());
        let broken =
            rng.chance(self.malformed).then(|| broken::break_entry(&mut bytes, before, rng, report.test.key_kind));
        bytes.extend_from_slice(b"...\n");
        // The header loses its time permanently to the first parsable entry that has its own.
        let parsed = broken.as_ref().is_none_or(|broken| broken.parsed);
        report.timed &= !(parsed && bytes.windows(OWN_TIME.len()).any(|window| window == OWN_TIME));

        let expected = match (broken, report.test.supported) {
            (Some(broken), _) => Expected::Rejected(broken.why),
            (None, false) => Expected::Rejected("a test without normalization"),
            (None, true) => Expected::Read(report.identity(moment, input.as_deref())),
        };
        let uid = expected.uid(&bytes[before..]);
        (bytes, Entry { uid, expected })
    }
}

const OWN_TIME: &[u8] = b"\ntest_start_time: ";

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A JSON-escaped text whose only escapes are slashes.
fn plain(escaped: &str) -> String {
    escaped.replace("\\/", "/")
}

/// A report being written.
pub(super) struct Report {
    test: &'static Test,
    /// The first frame.
    pub(super) header: String,
    /// Microseconds from 1970, in whole seconds.
    pub(super) start: u64,
    cc: &'static str,
    network: String,
    id: String,
    /// Whether the header contains the id.
    named: bool,
    /// The URL in the options.
    option_url: Option<String>,
    /// Whether the header still has the time of the test.
    timed: bool,
    entries: u64,
}

impl Report {
    /// The test name as in the names of cans.
    pub(super) fn test(&self) -> &'static str {
        self.test.name
    }

    /// The name of its file.
    pub(super) fn file_name(&self) -> String {
        let id = if self.named { &self.id } else { "no_report_id" };
        let start = Moment::new(self.start).report();
        format!("{start}-{}-{}-{}-{id}-0.1.0-probe.yaml", self.cc, self.network, self.test.name)
    }

    fn identity(&self, moment: u64, input: Option<&str>) -> Identity {
        let text = |text: &str| Value::text(text).dump();
        Identity {
            fields: [
                text(self.test.normalized()),
                text(self.cc),
                text(&self.network),
                text(&Moment::new(moment).spaced()),
                text(&self.id),
                input.map_or_else(|| "null".into(), text),
            ],
        }
    }
}
