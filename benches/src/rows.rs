//! Rows for a store with OONI's cardinalities: 240 countries, 10,000 networks, 3,000 domains with 5,000 inputs, and
//! twenty tests of which one has 85 % of the rows. Each is drawn as rank^-s. The rows have no bodies.

use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::Json;
use ooni_core::number::Int;
use ooni_core::process::{Outcome, process};
use ooni_core::row::FastpathRow;
use ooni_core::rules::Rules;
use ooni_core::time::{DateTime, SECONDS_PER_DAY, SECONDS_PER_HOUR};
use ooni_store::{BodyLocation, ListedUrl, ScoredRow};
use ooni_testkit::corpus::rng::{Rng, Weighted};

/// Countries, the most frequent first.
const CODES: &str = "RU US IN IT DE MY BR IR GB FR VE ID UA TR CA EG ES HK TH KE TZ PK NG MM VN CH NL PL AU BY SA AE KZ CN \
    UG ZA AR MX SE PH SG JP BD AT IQ GR RO PT BE CZ HU FI NO DK IE IL KR TW CL CO PE EC CU NI HN GT SV CR PA DO HT JM TT \
    PR BO PY UY GY SR MA DZ TN LY SD SS ET ER DJ SO RW BI CD CG CM GA GQ CF TD NE ML BF SN GM GW GN SL LR CI GH TG BJ AO \
    ZM ZW MW MZ BW NA SZ LS MG MU SC KM CV ST UZ TM KG TJ AF MN GE AM AZ SY LB JO PS YE OM QA BH KW LK NP BT MV LA KH BN \
    TL PG FJ SB VU NC PF WS TO KI NR TV PW MH FM GU MP AS CK NU NZ IS LU LI MC AD SM VA MT CY BG RS ME MK AL BA HR SI SK \
    EE LV LT MD FO GL AX GG JE IM GI SJ BM KY VG VI AI AG MS KN LC VC GD BB DM MQ GP MF BL AW CW SX BQ TC BS BZ FK GF PM \
    EH RE YT SH IO CX CC NF AQ TF HM";
/// Countries.
pub const COUNTRIES: usize = 240;
/// Networks, numbered from 1.
pub const NETWORKS: usize = 10_000;
const DOMAINS: usize = 3000;
/// Inputs.
pub const INPUTS: usize = 5000;
/// The first test has most of the rows.
const TESTS: [&str; 20] = [
    "web_connectivity",
    "facebook_messenger",
    "signal",
    "telegram",
    "whatsapp",
    "http_invalid_request_line",
    "http_header_field_manipulation",
    "ndt",
    "dash",
    "bridge_reachability",
    "vanilla_tor",
    "tcp_connect",
    "psiphon",
    "tor",
    "torsf",
    "riseupvpn",
    "http_requests",
    "urlgetter",
    "dnscheck",
    "stunreachability",
];
const CATEGORIES: [&str; 31] = [
    "NEWS", "POLR", "HUMR", "LGBT", "ANON", "COMT", "GRP", "MMED", "SRCH", "PUBH", "REL", "XED", "HOST", "ENV", "FILE",
    "CULTR", "IGO", "GOVT", "DATE", "HATE", "MILX", "PROV", "PORN", "GMB", "ALDR", "GAME", "MISC", "HACK", "ECON",
    "COMM", "CTRL",
];

/// 2023-01-01
pub const BEGIN: i64 = 1_672_531_200;

/// Rows per day: five million are 180 days. OONI has fifty times as many, which share rollup cells more often.
pub const PER_DAY: u64 = 27_778;

/// Generates rows in the order of time, as in an archive.
pub struct Rows {
    rng: Rng,
    template: FastpathRow,
    countries: Weighted,
    networks: Weighted,
    inputs: Weighted,
    codes: Vec<&'static str>,
    begin: i64,
    per_day: u64,
    made: u64,
}

impl Rows {
    /// Creates a generator that goes on after so many rows; it draws other numbers. Its days begin at [`BEGIN`].
    ///
    /// # Errors
    /// The template measurement is not stored.
    pub fn after(seed: u64, rows: u64, per_day: u64) -> anyhow::Result<Rows> {
        Ok(Rows { made: rows, ..Rows::from(seed.wrapping_add(rows), BEGIN, per_day)? })
    }

    /// Creates a generator whose rows begin at a Unix time, so many a day.
    ///
    /// # Errors
    /// The template measurement is not stored.
    pub fn from(seed: u64, begin: i64, per_day: u64) -> anyhow::Result<Rows> {
        let text = br#"{"report_id":"20240102T030400Z_webconnectivity_IT_30722_n1_Wx3jQh1Zl5uhXyHq","probe_cc":"IT",
            "probe_asn":"AS30722","test_name":"web_connectivity","test_version":"0.4.3","input":"https://example.org/",
            "measurement_start_time":"2024-01-02 03:04:05","test_start_time":"2024-01-02 03:04:00","test_runtime":1.25,
            "software_name":"ooniprobe-android-unattended","software_version":"3.8.5","annotations":{"platform":"android",
            "engine_name":"ooniprobe-engine","engine_version":"3.19.1","architecture":"arm64"},
            "test_keys":{"blocking":"dns","accessible":false}}"#;
        let Outcome::Stored { row, .. } = process(text, "uid", &Fingerprints::empty(), Rules::Fixed) else {
            anyhow::bail!("the template is not stored");
        };
        Ok(Rows {
            rng: Rng::new(seed),
            template: *row,
            countries: Weighted::zipf(COUNTRIES, 1.0),
            networks: Weighted::zipf(NETWORKS / COUNTRIES * 2, 1.1),
            inputs: Weighted::zipf(INPUTS, 0.6),
            codes: CODES.split_ascii_whitespace().collect(),
            begin,
            per_day: per_day.max(1),
            made: 0,
        })
    }

    /// Generates the next rows.
    pub fn batch(&mut self, rows: usize) -> Vec<ScoredRow> {
        (0..rows).map(|_| self.row()).collect()
    }

    fn row(&mut self) -> ScoredRow {
        let rng = &mut self.rng;
        let mut row = self.template.clone();
        let text = |text: String| Json::Text(text.into_bytes());
        let country = self.countries.draw(rng);
        let network = country * (NETWORKS / COUNTRIES) + self.networks.draw(rng);
        let cc = self.codes[country];
        let second = self.begin + (self.made * SECONDS_PER_DAY as u64 / self.per_day) as i64;
        let time =
            DateTime::from_timestamp(second + rng.below(SECONDS_PER_HOUR as u64) as i64).unwrap_or(DateTime::MAX);
        let test = if rng.chance(0.85) { 0 } else { 1 + rng.index(TESTS.len() - 1) };
        let name = TESTS[test].replace('_', "");
        let stamp: String = time.to_string().chars().filter(char::is_ascii_digit).collect();
        row.measurement_uid = format!("{stamp}.{:06}_{cc}_{name}_{:016x}", rng.below(1_000_000), rng.bits());
        let (day, clock) = stamp.split_at(8.min(stamp.len()));
        row.report_id = text(format!("{day}T{clock}Z_{name}_{cc}_{}_n1_{:016x}", 1 + network, self.made / 25));
        row.probe_cc = text(cc.to_owned());
        row.probe_asn = Int::Small(1 + network as i64);
        row.test_name = text(test_name(test));
        let (input, domain) = if test == 0 { site(self.inputs.draw(rng)) } else { Default::default() };
        row.input = text(input);
        row.domain = text(domain);
        row.measurement_start_time = time;
        row.test_start_time = time;
        row.anomaly = rng.chance(0.08);
        row.confirmed = row.anomaly && rng.chance(0.2);
        row.msm_failure = rng.chance(0.03);
        let kinds = ["dns", "tcp_ip", "http-failure", "http-diff"];
        row.blocking_type = text(if row.anomaly && test == 0 { rng.pick(&kinds).to_string() } else { String::new() });
        let linenum = (self.made % 10_000) as u32;
        let can = self.made / 10_000;
        self.made += 1;
        ScoredRow {
            row: Box::new(row),
            openvpn: None,
            body: Some(BodyLocation {
                s3path: format!("raw/can{can}.jsonl.gz").into(),
                linenum,
                date: "2024-01-02".into(),
                source: format!("raw/can{can}.tar.gz").into(),
                member: None,
            }),
            body_sha256: [7; 32],
        }
    }
}

/// A country code; low numbers are the most frequent.
pub fn cc(number: usize) -> String {
    CODES.split_ascii_whitespace().nth(number).unwrap_or("ZZ").to_owned()
}

/// Name of a test.
pub fn test_name(number: usize) -> String {
    TESTS[number % TESTS.len()].to_owned()
}

/// An input and its domain.
pub fn site(number: usize) -> (String, String) {
    let domain = format!("www.site{}.org", number % DOMAINS);
    (format!("https://{domain}/{}", if number < DOMAINS { "" } else { "page" }), domain)
}

/// The code of a category.
pub fn category(number: usize) -> String {
    CATEGORIES[number % CATEGORIES.len()].to_owned()
}

/// The test lists: every input is in one, every third also in that of a country.
pub fn lists() -> Vec<ListedUrl> {
    let entry = |number: usize, cc: &str| {
        let (url, domain) = site(number);
        ListedUrl { url, domain, cc: cc.to_owned(), category_code: category(number) }
    };
    let of_country = (0..INPUTS).step_by(3).map(|number| entry(number, &cc(number % 100).to_lowercase()));
    (0..INPUTS).map(|number| entry(number, "ZZ")).chain(of_country).collect()
}
