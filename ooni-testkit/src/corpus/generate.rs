//! Generates measurements one after another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::bodies::{Bodies, Script};
use super::calendar::{DAY, HOUR, Moment, SECOND};
use super::envelope::{Stored, envelope};
use super::error::Error;
use super::fingerprints::{Fingerprints, with_fingerprint};
use super::hashes;
use super::hostile::{odd, with_wrong_type};
use super::json::{Value, escape, float};
use super::made::{Kind, Made};
use super::options::Options;
use super::rng::{Rng, Weighted, exp};
use super::templates::{self, Group, Part, Placeholder, Template, WEB_CONNECTIVITY};
use super::urls::Urls;

/// The measurements of a corpus, in the order of receive times.
pub struct Corpus {
    options: Options,
    next: u64,
    rng: Rng,
    templates: Templates,
    bodies: Bodies,
    countries: Weighted,
    /// The networks of each country.
    networks: Vec<Vec<u64>>,
    urls: Urls,
    fingerprints: Fingerprints,
    /// The body of the current measurement; the buffer is reused.
    body: String,
    other_body: String,
}

impl Corpus {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let mut rng = Rng::new(options.seed);
        let templates = Templates::load(options)?;
        let bodies = Bodies::new(&mut rng);
        let networks = CCS.iter().map(|_| (0..12).map(|_| rng.range(1000, 64000)).collect()).collect();
        let urls = Urls::new(&mut rng, templates.inputs(), &CCS);
        Ok(Self {
            options: options.clone(),
            next: 0,
            rng,
            templates,
            bodies,
            countries: Weighted::zipf(CCS.len(), 0.9),
            networks,
            urls,
            fingerprints: Fingerprints::load(&options.fingerprints)?,
            body: String::new(),
            other_body: String::new(),
        })
    }

    /// A legacy report, started on this day.
    pub(super) fn report(&mut self, day: u64) -> Report {
        let rng = &mut self.rng;
        let test = self.templates.pick(rng, self.options.wc_share).test.clone();
        let country = self.countries.draw(rng);
        let network = *rng.pick(&self.networks[country]);
        let start = day + rng.below(DAY - 2 * HOUR) / SECOND * SECOND;
        let mut id = format!("{}_AS{network}_", Moment::new(start).report());
        id.extend((0..50).map(|_| char::from(*rng.pick(&REPORT_ALPHABET[..62]))));
        Report { test, country, network, start, id }
    }

    /// A measurement received in the `width` microseconds after `slot`, in a report if one is given.
    pub(super) fn make(&mut self, slot: u64, width: u64, report: Option<&Report>) -> Made {
        let (rng, options) = (&mut self.rng, &self.options);
        let mut country = report.map_or_else(|| self.countries.draw(rng), |report| report.country);
        let template = match report {
            Some(report) => self.templates.of(rng, &report.test),
            None => self.templates.pick(rng, options.wc_share),
        };
        let is_wc = template.test == WEB_CONNECTIVITY;

        let mut kind = Kind::Plain;
        let mut fingerprint = None;
        let mut changed = None;
        let roll = rng.unit();
        if is_wc && roll < options.blocked {
            if let Some(found) = self.fingerprints.pick(rng, template) {
                kind = Kind::Fingerprint;
                changed = Some(with_fingerprint(template, found, rng));
                let expected = found.countries(&CCS);
                if report.is_none() && !expected.is_empty() && rng.chance(0.7) {
                    country = *rng.pick(&expected);
                }
                fingerprint = Some(found);
            }
        } else if roll > 1.0 - options.malformed * 0.5 {
            kind = Kind::WrongType;
            changed = Some(with_wrong_type(template, rng));
        }
        let changed = changed.map(|value| templates::split(&value));
        let parts = changed.as_deref().unwrap_or(&template.parts);

        let received = slot + rng.below(width);
        let cc = CCS[country];
        let values = match report {
            Some(report) => PlaceholderValues::in_report(rng, received, report),
            None => {
                let asn = *rng.pick(&self.networks[country]);
                PlaceholderValues::new(rng, received, cc, asn, &template.test)
            }
        };
        let url = self.urls.pick(rng, country);
        if template.bodies > 0 {
            let size = exp(rng.gauss(9.0, 0.85)).min(131_072.0) as usize;
            self.body.clear();
            self.bodies.write(&mut self.body, rng, Script::of_country(cc), size, &url.host);
            if let Some(found) = fingerprint.filter(|found| found.is_in_body()) {
                self.body.insert_str(self.bodies.place(&self.body), &escape(&found.pattern));
            }
        }
        if template.bodies > 1 {
            self.other_body.clear();
            self.bodies.write(&mut self.other_body, rng, Script::Latin, 300, &url.host);
        }

        let mut text = String::with_capacity(self.body.len() + 16_384);
        for part in parts {
            text.push_str(match part {
                Part::Text(text) => text,
                Part::Placeholder(Placeholder::Url) => &url.url,
                Part::Placeholder(Placeholder::Host) => &url.host,
                Part::Placeholder(Placeholder::Body) => &self.body,
                Part::Placeholder(Placeholder::OtherBody) => &self.other_body,
                Part::Placeholder(Placeholder::Country) => cc,
                Part::Placeholder(Placeholder::ReportId) => &values.report_id,
                Part::Placeholder(Placeholder::Network) => &values.network,
                Part::Placeholder(Placeholder::Id) => &values.id,
                Part::Placeholder(Placeholder::MeasurementStart) => &values.measurement_start,
                Part::Placeholder(Placeholder::TestStart) => &values.test_start,
                Part::Placeholder(Placeholder::Runtime) => &values.runtime,
                Part::Placeholder(Placeholder::Address) => &values.address,
            });
        }

        let mut content = text.into_bytes();
        let mut stored = Stored::Same;
        if kind == Kind::Plain && roll > 1.0 - options.malformed {
            kind = Kind::Truncated;
            content.truncate(1 + rng.index(content.len() - 2));
            stored = Stored::AsSent;
        } else if kind == Kind::Plain && roll > 1.0 - options.malformed - options.odd {
            kind = Kind::Odd;
            (content, stored) = make_odd(rng, &content);
        }
        let post = envelope(&content, &stored);
        let received = Moment::new(received);
        let path_name = template.test.replace('_', "");
        Made {
            uid: format!("{}_{cc}_{path_name}_{}", received.uid(), hashes::of_post(&post)),
            hour: received.hour(),
            content,
            post,
            cc,
            test_name: template.test.clone(),
            kind,
            readable: !matches!(stored, Stored::AsSent),
            has_body: template.bodies > 0,
        }
    }
}

impl Iterator for Corpus {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        if self.next >= self.options.n {
            return None;
        }
        let per_hour = self.options.per_hour.clamp(1, HOUR);
        let width = HOUR / per_hour;
        let slot = self.options.first_hour
            + self.next / per_hour * self.options.hours_apart * HOUR
            + self.next % per_hour * width;
        self.next += 1;
        Some(self.make(slot, width, None))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.options.n - self.next).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

/// A report from the years before 2020: measurements of one probe in one run.
pub(super) struct Report {
    /// Name of the test, with underscores.
    pub(super) test: String,
    country: usize,
    pub(super) network: u64,
    /// Microseconds from 1970, in whole seconds.
    pub(super) start: u64,
    pub(super) id: String,
}

impl Report {
    pub(super) fn cc(&self) -> &'static str {
        CCS[self.country]
    }
}

/// The templates, grouped for drawing.
struct Templates {
    /// web_connectivity with HTTP bodies, and without.
    with_bodies: Group,
    without: Group,
    /// Every other test.
    rest: Vec<Group>,
    tests: Weighted,
}

impl Templates {
    fn load(options: &Options) -> Result<Self, Error> {
        let (wc, rest): (Vec<_>, Vec<_>) =
            templates::load(&options.templates)?.into_iter().partition(|t| t.test == WEB_CONNECTIVITY);
        let (with_bodies, without): (Vec<_>, Vec<_>) = wc.into_iter().partition(|t| t.bodies > 0);
        let mut tests: BTreeMap<String, Vec<Template>> = BTreeMap::new();
        for template in rest {
            tests.entry(template.test.clone()).or_default().push(template);
        }
        if with_bodies.is_empty() || without.is_empty() || tests.is_empty() {
            return Err(Error::Templates { path: options.templates.clone() });
        }
        Ok(Self {
            with_bodies: Group::new(with_bodies),
            without: Group::new(without),
            tests: Weighted::new(tests.keys().map(|test| share(test))),
            rest: tests.into_values().map(Group::new).collect(),
        })
    }

    fn pick(&self, rng: &mut Rng, wc_share: f64) -> &Template {
        if rng.chance(wc_share) { self.web_connectivity(rng) } else { self.rest[self.tests.draw(rng)].pick(rng) }
    }

    /// A template of a test that exists.
    fn of(&self, rng: &mut Rng, test: &str) -> &Template {
        let of_test = |group: &&Group| group.templates().iter().any(|template| template.test == test);
        match self.rest.iter().find(of_test) {
            Some(group) => group.pick(rng),
            None => self.web_connectivity(rng),
        }
    }

    fn web_connectivity(&self, rng: &mut Rng) -> &Template {
        if rng.chance(0.55) { self.with_bodies.pick(rng) } else { self.without.pick(rng) }
    }

    /// The inputs of web_connectivity, escaped.
    fn inputs(&self) -> impl Iterator<Item = String> + '_ {
        let all = self.with_bodies.templates().iter().chain(self.without.templates());
        all.filter_map(|template| template.input.clone())
    }
}

/// Values for the smaller placeholders of a measurement.
struct PlaceholderValues {
    report_id: String,
    network: String,
    id: String,
    measurement_start: String,
    test_start: String,
    runtime: String,
    address: String,
}

impl PlaceholderValues {
    /// Most measurements are sent within two minutes, 3 % up to 90 days late.
    fn new(rng: &mut Rng, received: u64, cc: &str, asn: u64, test: &str) -> Self {
        let late = if rng.chance(0.97) { 5 + rng.below(90) } else { rng.range(87 * DAY / SECOND, 90 * DAY / SECOND) };
        let started = received - late * SECOND;
        let report_started = Moment::new(started - rng.below(300) * SECOND);
        let mut report_id = format!("{}_{}_{cc}_{asn}_n1_", report_started.report(), test.replace('_', ""));
        report_id.extend((0..16).map(|_| char::from(*rng.pick(REPORT_ALPHABET))));
        Self::rest(rng, report_id, asn, started, &report_started)
    }

    fn in_report(rng: &mut Rng, started: u64, report: &Report) -> Self {
        Self::rest(rng, report.id.clone(), report.network, started, &Moment::new(report.start))
    }

    fn rest(rng: &mut Rng, report_id: String, asn: u64, started: u64, report_started: &Moment) -> Self {
        let address = address(rng);
        Self {
            report_id,
            network: format!("AS{asn}"),
            id: format!("{:08x}-0000-4000-8000-{:012x}", rng.bits() >> 32, rng.bits() >> 16),
            measurement_start: Moment::new(started).spaced(),
            test_start: report_started.spaced(),
            runtime: float(rng.range(1_000_000, 30_000_000_000) as f64 / 1e9),
            address,
        }
    }
}

/// An IPv4 address.
pub(super) fn address(rng: &mut Rng) -> String {
    let mut address = rng.range(1, 223).to_string();
    for part in [rng.below(256), rng.below(256), rng.range(1, 254)] {
        let _ = write!(address, ".{part}"); // a String takes everything
    }
    address
}

fn make_odd(rng: &mut Rng, content: &[u8]) -> (Vec<u8>, Stored) {
    let odd = odd(rng);
    let (start, rest) = content.split_at(1); // the opening brace
    let stored = odd.read_as.and_then(|read_as| {
        let text = [start, read_as.as_bytes(), rest].concat();
        Some(Value::parse(std::str::from_utf8(&text).ok()?)?.dump())
    });
    let sent = [start, &odd.sent, rest].concat();
    (sent, stored.map_or(Stored::AsSent, Stored::As))
}

/// Share of a test among all tests except web_connectivity.
fn share(test: &str) -> f64 {
    OTHER_TESTS.iter().find(|(name, _)| *name == test).map_or(0.3, |(_, share)| *share)
}

/// Countries, most frequent first.
pub(super) const CCS: [&str; 40] = [
    "US", "RU", "IT", "DE", "IR", "GB", "BR", "IN", "FR", "ID", "TR", "VE", "MY", "ES", "CA", "UA", "EG", "NL", "MX",
    "CN", "PK", "BY", "KZ", "TH", "MM", "VN", "SA", "AE", "ET", "NG", "AU", "PL", "SE", "CH", "JP", "AR", "CO", "KE",
    "BD", "LK",
];

const OTHER_TESTS: [(&str, f64); 22] = [
    ("signal", 12.0),
    ("telegram", 12.0),
    ("whatsapp", 12.0),
    ("facebook_messenger", 12.0),
    ("tor", 8.0),
    ("psiphon", 8.0),
    ("http_header_field_manipulation", 8.0),
    ("http_invalid_request_line", 8.0),
    ("ndt", 5.0),
    ("dash", 4.0),
    ("dnscheck", 4.0),
    ("openvpn", 4.0),
    ("stunreachability", 3.0),
    ("torsf", 3.0),
    ("riseupvpn", 3.0),
    ("vanilla_tor", 2.0),
    ("urlgetter", 2.0),
    ("echcheck", 2.0),
    ("browser_web", 1.0),
    ("http_requests", 1.0),
    ("meek_fronted_requests_test", 0.5),
    ("dns_consistency", 0.5),
];

/// The base64 alphabet, with `+` and `/` replaced as in report ids.
const REPORT_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789oo";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::envelope::VERIFIED;
    use super::*;

    fn corpus(n: u64, seed: u64) -> Vec<Made> {
        Corpus::new(&Options { n, seed, ..Options::default() }).unwrap().collect()
    }

    #[test]
    fn same_seed_same_bytes() {
        assert!(corpus(300, 5) == corpus(300, 5));
        assert!(corpus(300, 5) != corpus(300, 6));
        assert!(corpus(300, 5)[..100] == corpus(100, 5)[..]);
    }

    #[test]
    fn whole_ones_parse_and_are_spelled_as_stored() {
        let mut broken_posts = 0;
        for made in corpus(3000, 1) {
            let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&made.content);
            assert!(!made.content.contains(&b'\n'));
            match made.kind {
                Kind::Plain | Kind::Fingerprint => {
                    let msm = parsed.unwrap();
                    assert_eq!(msm["probe_cc"], made.cc);
                    assert_eq!(msm["test_name"], *made.test_name);
                    assert!(!made.content.windows(2).any(|w| w == b"@@"), "{}", made.uid);
                }
                Kind::WrongType => drop(parsed.unwrap()),
                Kind::Truncated => assert!(parsed.is_err()),
                Kind::Odd => {}
            }
            match serde_json::from_slice::<serde_json::Value>(&made.post) {
                Ok(post) => assert!(made.post.is_ascii() && post["format"] == "json"),
                Err(_) => broken_posts += 1,
            }
            if made.kind != Kind::Odd {
                let text = std::str::from_utf8(&made.content).unwrap();
                if let Some(value) = Value::parse(text) {
                    assert!(value.dump() == text, "{}", made.uid);
                }
            }
        }
        assert!((1..40).contains(&broken_posts), "{broken_posts}");
    }

    #[test]
    fn shares_and_sizes() {
        let made = corpus(4000, 2);
        let share = |test: &dyn Fn(&Made) -> bool| made.iter().filter(|m| test(m)).count() as f64 / made.len() as f64;
        assert!((share(&|m| m.test_name == WEB_CONNECTIVITY) - 0.85).abs() < 0.02);
        assert!((share(&|m| m.has_body) - 0.85 * 0.55).abs() < 0.03);
        assert!((share(&|m| m.kind == Kind::Fingerprint) - 0.85 * 0.03).abs() < 0.008);
        assert!((share(&|m| matches!(m.kind, Kind::Truncated | Kind::WrongType)) - 0.005).abs() < 0.004);
        assert!((share(&|m| m.test_name == "signal") - 0.15 * 0.11).abs() < 0.007);
        let mean = made.iter().map(|m| m.content.len()).sum::<usize>() / made.len();
        assert!((10_500..13_500).contains(&mean), "{mean}");
    }

    #[test]
    fn uids_increase() {
        let made = corpus(1000, 3);
        assert!(made.windows(2).all(|pair| pair[0].uid[..21] <= pair[1].uid[..21]));
        assert_eq!(made.iter().map(|m| &m.uid).collect::<BTreeSet<_>>().len(), 1000);
        let hours: BTreeSet<_> =
            Corpus::new(&Options { n: 30, per_hour: 10, ..Options::default() }).unwrap().map(|m| m.hour).collect();
        assert_eq!(hours.into_iter().collect::<Vec<_>>(), ["2024030100", "2024030101", "2024030102"]);
    }

    #[test]
    fn odd_text_is_stored_as_the_collector_reads_it() {
        let options = Options { n: 400, odd: 1.0, malformed: 0.0, blocked: 0.0, ..Options::default() };
        let (mut read, mut kept) = (0, 0);
        for made in Corpus::new(&options).unwrap() {
            assert_eq!(made.kind, Kind::Odd);
            if made.post.ends_with(VERIFIED) {
                assert!(made.post.is_ascii());
                read += 1;
            } else {
                assert!(made.post.windows(made.content.len()).any(|w| w == made.content));
                kept += 1;
            }
        }
        assert!(read > 200 && kept > 80, "{read} {kept}");
    }

    #[test]
    fn fingerprint_is_in_the_text() {
        let options = Options { n: 60, blocked: 1.0, wc_share: 1.0, malformed: 0.0, odd: 0.0, ..Options::default() };
        for made in Corpus::new(&options).unwrap() {
            let text = String::from_utf8(made.content).unwrap();
            assert!(text.contains("\"blocking\":\"dns\"") || text.contains("\"blocking\":\"http-diff\""));
        }
    }
}
