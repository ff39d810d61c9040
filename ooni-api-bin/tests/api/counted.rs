//! The rows of `tests/golden`, and aggregations of them as these tests understand them.

use crate::support::recorded::{golden, recorded_clock};
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const AXES: [&str; 8] = [
    "blocking_type",
    "category_code",
    "domain",
    "input",
    "measurement_start_day",
    "probe_asn",
    "probe_cc",
    "test_name",
];

/// The rows and test lists of the recording.
pub(crate) struct Data {
    pub(crate) rows: Vec<Row>,
    lists: Vec<Listed>,
}

pub(crate) struct Row {
    pub(crate) uid: String,
    pub(crate) start: i64,
    input: String,
    domain: String,
    pub(crate) cc: String,
    asn: u64,
    pub(crate) test: String,
    link: Option<u64>,
    blocking_type: String,
    pub(crate) anomaly: bool,
    pub(crate) confirmed: bool,
    pub(crate) failure: bool,
}

struct Listed {
    url: String,
    cc: String,
    category: String,
}

impl Data {
    pub(crate) fn read() -> Data {
        let mut data = Data { rows: Vec::new(), lists: Vec::new() };
        for line in std::fs::read_to_string(golden("rows.jsonl")).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let row = &line["row"];
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            match line["table"].as_str().unwrap() {
                "fastpath" => {
                    let scores: Value = serde_json::from_str(&text("scores")).unwrap();
                    data.rows.push(Row {
                        uid: text("measurement_uid"),
                        start: DateTime::parse(text("measurement_start_time").as_bytes()).unwrap().timestamp(),
                        input: text("input"),
                        domain: text("domain"),
                        cc: text("probe_cc"),
                        asn: row["probe_asn"].as_u64().unwrap(),
                        test: text("test_name"),
                        link: row["ooni_run_link_id"].as_u64(),
                        blocking_type: scores["analysis"]["blocking_type"].as_str().unwrap_or_default().to_owned(),
                        anomaly: row["anomaly"] == "t",
                        confirmed: row["confirmed"] == "t",
                        failure: row["msm_failure"] == "t",
                    });
                }
                "citizenlab" => {
                    data.lists.push(Listed { url: text("url"), cc: text("cc"), category: text("category_code") });
                }
                _ => {}
            }
        }
        data
    }

    /// The groups that a request has to return.
    pub(crate) fn groups(&self, asked: &Asked) -> Vec<Map<String, Value>> {
        let by_category = asked.category.is_some() || asked.axes.contains(&"category_code");
        let mut groups: BTreeMap<Vec<Key>, [u64; 5]> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| asked.selects(row)) {
            let entries = self.lists.iter().filter(|entry| entry.url == row.input && asked.searches(entry));
            let categories: Vec<&str> = match by_category {
                true => entries.map(|entry| &*entry.category).collect(),
                false => vec![""],
            };
            for category in categories {
                let key = asked.axes.iter().map(|axis| key(row, axis, category, asked.grain)).collect();
                let counts = groups.entry(key).or_default();
                counts[0] += 1;
                counts[match (row.failure, row.confirmed, row.anomaly) {
                    (true, ..) => 1,
                    (_, true, _) => 2,
                    (.., true) => 3,
                    _ => 4,
                }] += 1;
            }
        }
        if asked.axes.is_empty() {
            groups.entry(Vec::new()).or_default();
        }
        let names = ["measurement_count", "failure_count", "confirmed_count", "anomaly_count", "ok_count"];
        let group = |(keys, counts): (Vec<Key>, [u64; 5])| {
            let counts = names.into_iter().zip(counts).map(|(name, count)| (name.to_owned(), json!(count)));
            let keys = asked.axes.iter().zip(keys).map(|(axis, key)| ((*axis).to_owned(), key.value()));
            counts.chain(keys).collect()
        };
        groups.into_iter().map(group).collect()
    }

    pub(crate) fn any<'d>(&'d self, rng: &mut fastrand::Rng) -> &'d Row {
        &self.rows[rng.usize(..self.rows.len())]
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Text(String),
}

impl Key {
    fn value(self) -> Value {
        match self {
            Key::Number(number) => json!(number),
            Key::Text(text) => json!(text),
        }
    }
}

fn key(row: &Row, axis: &str, category: &str, grain: &str) -> Key {
    let text = match axis {
        "blocking_type" => &row.blocking_type,
        "category_code" => category,
        "domain" => &row.domain,
        "input" => &row.input,
        "measurement_start_day" => &bucket(row.start, grain),
        "probe_asn" => return Key::Number(row.asn),
        "probe_cc" => &row.cc,
        _ => &row.test,
    };
    Key::Text(text.to_owned())
}

pub(crate) fn bucket(start: i64, grain: &str) -> String {
    let text = |seconds: i64| DateTime::from_timestamp(seconds).unwrap().to_string();
    let days = start.div_euclid(SECONDS_PER_DAY);
    match grain {
        "hour" => format!("{}:00:00Z", text(start)[..13].replace(' ', "T")),
        // 1970-01-04 was a Sunday.
        "week" => text((days - (days - 3).rem_euclid(7)) * SECONDS_PER_DAY)[..10].to_owned(),
        "month" => format!("{}-01", &text(start)[..7]),
        "year" => format!("{}-01-01", &text(start)[..4]),
        _ => text(start)[..10].to_owned(),
    }
}

/// A request, as the test understands it.
#[derive(Default)]
pub(crate) struct Asked {
    from: i64,
    to: i64,
    ccs: Vec<String>,
    asns: Vec<u64>,
    tests: Vec<String>,
    domains: Vec<String>,
    links: Vec<u64>,
    input: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) axes: Vec<&'static str>,
    grain: &'static str,
    pub(crate) parameters: Vec<(&'static str, String)>,
}

impl Asked {
    fn selects(&self, row: &Row) -> bool {
        fn is_in<T: PartialEq>(list: &[T], value: &T) -> bool {
            list.is_empty() || list.contains(value)
        }
        (self.from..self.to).contains(&row.start)
            && is_in(&self.ccs, &row.cc)
            && is_in(&self.asns, &row.asn)
            && is_in(&self.tests, &row.test)
            && is_in(&self.domains, &row.domain)
            && (self.links.is_empty() || row.link.is_some_and(|link| self.links.contains(&link)))
            && self.input.as_ref().is_none_or(|input| *input == row.input)
    }

    /// Whether an entry of a test list counts: with a category, one of it in the global list or that of a given country.
    fn searches(&self, entry: &Listed) -> bool {
        self.category.as_ref().is_none_or(|category| {
            *category == entry.category && (entry.cc == "ZZ" || self.ccs.iter().any(|cc| cc.to_lowercase() == entry.cc))
        })
    }

    /// A random request. Its values are those of rows, so that most answers are not empty.
    pub(crate) fn random(data: &Data, rng: &mut fastrand::Rng) -> Asked {
        let now = recorded_clock().now().date_time().timestamp();
        let mut asked = Asked { from: now - 180 * SECONDS_PER_DAY, to: now, ..Asked::default() };
        asked.window(data, rng);
        let some = |rng: &mut fastrand::Rng, of: &dyn Fn(&Row) -> String| -> Vec<String> {
            let number = if rng.u8(..4) == 0 { rng.usize(1..4) } else { 0 };
            (0..number).map(|_| of(data.any(rng))).filter(|text| !text.is_empty()).collect()
        };
        asked.ccs = some(rng, &|row| row.cc.clone());
        asked.tests = some(rng, &|row| row.test.clone());
        asked.domains = some(rng, &|row| row.domain.clone());
        // Those with other characters are refused.
        asked.domains.retain(|domain| domain.contains('.') && !domain.contains('\''));
        asked.asns = some(rng, &|row| row.asn.to_string()).iter().map(|asn| asn.parse().unwrap()).collect();
        if rng.u8(..8) == 0 {
            asked.input = Some(data.any(rng).input.clone()).filter(|input| !input.is_empty());
        }
        if rng.u8(..8) == 0 {
            asked.links = data.rows.iter().filter_map(|row| row.link).skip(rng.usize(..4)).take(2).collect();
        }
        if rng.u8(..4) == 0 {
            asked.category = Some(data.lists[rng.usize(..data.lists.len())].category.clone());
        }
        let mut axes = AXES;
        rng.shuffle(&mut axes);
        asked.axes = axes[..rng.usize(..3)].to_vec();
        asked.choose_grain(rng);
        asked.spell(rng);
        asked
    }

    fn window(&mut self, data: &Data, rng: &mut fastrand::Rng) {
        let bound = |rng: &mut fastrand::Rng| {
            // The start of a measurement, its day, or a second after it.
            let start = data.any(rng).start;
            match rng.u8(..3) {
                0 => start,
                1 => start + 1,
                _ => start - start.rem_euclid(SECONDS_PER_DAY),
            }
        };
        let (one, other) = (bound(rng), bound(rng));
        let near = one + rng.i64(0..10 * SECONDS_PER_DAY);
        let (since, until) = match rng.u8(..8) {
            0 => (None, None),
            1 => (Some(one), None),
            2 => (None, Some(one)),
            3 | 4 => (Some(one), Some(near)),
            _ => (Some(one.min(other)), Some(one.max(other))),
        };
        self.from = since.unwrap_or(self.from);
        self.to = until.unwrap_or(self.to);
        for (name, bound) in [("since", since), ("until", until)] {
            let text = |bound: i64| DateTime::from_timestamp(bound).unwrap().to_string();
            self.parameters.extend(bound.map(|bound| (name, text(bound).replace(" 00:00:00", ""))));
        }
    }

    fn choose_grain(&mut self, rng: &mut fastrand::Rng) {
        if self.from >= self.to {
            self.axes.retain(|axis| *axis != "measurement_start_day");
        }
        if !self.axes.contains(&"measurement_start_day") {
            return;
        }
        let allowed: &[&str] = match self.to - self.from {
            0..=604_800 => &["hour", "day"],
            604_801..=2_592_000 => &["day", "week"],
            2_592_001..=31_536_000 => &["day", "week", "month"],
            _ => &["day", "week", "month", "year"],
        };
        let choice = rng.usize(..=allowed.len());
        self.grain = allowed.get(choice).unwrap_or(&allowed[0]);
        self.parameters.push(("time_grain", (*allowed.get(choice).unwrap_or(&"auto")).to_owned()));
    }

    fn spell(&mut self, rng: &mut fastrand::Rng) {
        let asns = self.asns.iter().map(|asn| if rng.bool() { format!("AS{asn}") } else { asn.to_string() }).collect();
        let links = self.links.iter().map(u64::to_string).collect();
        for (name, values) in [
            ("probe_cc", &self.ccs),
            ("test_name", &self.tests),
            ("domain", &self.domains),
            ("probe_asn", &asns),
            ("ooni_run_link_id", &links),
        ] {
            if !values.is_empty() {
                self.parameters.push((name, values.join(",")));
            }
        }
        let others = [("input", self.input.clone()), ("category_code", self.category.clone())];
        self.parameters.extend(others.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let names = if self.axes.len() == 1 && rng.bool() { ["axis_y", ""] } else { ["axis_x", "axis_y"] };
        self.parameters.extend(names.into_iter().zip(&self.axes).map(|(name, axis)| (name, (*axis).to_owned())));
        rng.shuffle(&mut self.parameters);
    }

    pub(crate) fn path(&self) -> String {
        let pairs = self.parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        format!("/api/v1/aggregation?{}", pairs.collect::<Vec<_>>().join("&"))
    }
}

/// A value for a query.
pub(crate) fn encoded(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}
