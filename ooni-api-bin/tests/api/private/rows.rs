//! The rows of the recording, read from the file, and counts of them that do not use the server's code.

use crate::support::recorded::golden;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A measurement.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) probe_cc: String,
    pub(super) probe_asn: u64,
    pub(super) test_name: String,
    pub(super) input: String,
    pub(super) domain: String,
    /// `YYYY-MM-DD HH:MM:SS`, so that the order of texts is that of times.
    pub(super) start: String,
    pub(super) anomaly: bool,
    pub(super) confirmed: bool,
    pub(super) failure: bool,
    /// `extra.test_runtime` of the scores.
    pub(super) runtime: Option<f64>,
}

impl Row {
    pub(super) fn day(&self) -> String {
        self.start[..10].to_owned()
    }

    /// Whether it began in a time: the start of the window is inclusive, its end exclusive.
    pub(super) fn is_within(&self, from: &str, to: &str) -> bool {
        from <= &*self.start && &*self.start < to
    }

    /// The flags that are counted, then 1.
    pub(super) fn counts(&self) -> [u64; 4] {
        [self.anomaly, self.confirmed, self.failure, true].map(u64::from)
    }
}

/// The rows of a table of the recording.
pub(super) fn table(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(golden("rows.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["table"] == name).map(|mut line| line["row"].take()).collect()
}

/// Rows at the borders of charts, besides the recorded ones: in the first two seconds of each day and in the second before it.
/// Some networks have rows in the first second only, and one has many anomalies.
pub(super) fn at_borders(days: &[&str]) -> Vec<Value> {
    let template = table("fastpath").swap_remove(0);
    let mut rows = Vec::new();
    for day in days {
        let before = dates("2012-11-30", day).into_iter().rev().nth(1).unwrap();
        let times = [format!("{before} 23:59:59"), format!("{day} 00:00:00"), format!("{day} 00:00:01")];
        for (second, time) in times.iter().enumerate() {
            for test in ["vanilla_tor", "psiphon", "web_connectivity", "signal"] {
                for (probe_cc, probe_asn) in [("IT", 3269), ("VE", 64_496 + second as u32), ("VA", 64_500)] {
                    let number = rows.len();
                    let mut row = template.clone();
                    let flag = |is_set: bool| if is_set { "t" } else { "f" };
                    row["measurement_uid"] = format!("20250715000000.{number:06}_{probe_cc}_border_0000").into();
                    row["report_id"] = format!("20250715T000000Z_border_{probe_cc}_{number:016}").into();
                    row["probe_cc"] = probe_cc.into();
                    row["probe_asn"] = probe_asn.into();
                    row["test_name"] = test.into();
                    row["measurement_start_time"] = (*time).clone().into();
                    row["anomaly"] = flag(probe_cc == "VA" || number % 3 == 0).into();
                    row["confirmed"] = flag(number % 5 == 0).into();
                    row["msm_failure"] = flag(number % 7 == 0).into();
                    row["scores"] = format!("{{\"extra\":{{\"test_runtime\":{}}}}}", number as f32 / 8.0).into();
                    if test == "web_connectivity" {
                        row["input"] = format!("https://border.example/{}", number % 4).into();
                        row["domain"] = "border.example".into();
                    }
                    rows.push(row);
                }
            }
        }
    }
    rows
}

/// Recorded and other measurements.
pub(super) fn measurements(others: Vec<Value>) -> Vec<Row> {
    let row = |row: Value| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let scores: Value = serde_json::from_str(&text("scores")).unwrap_or_default();
        Row {
            probe_cc: text("probe_cc"),
            probe_asn: row["probe_asn"].as_u64().unwrap(),
            test_name: text("test_name"),
            input: text("input"),
            domain: text("domain"),
            start: text("measurement_start_time"),
            anomaly: row["anomaly"] == "t",
            confirmed: row["confirmed"] == "t",
            failure: row["msm_failure"] == "t",
            runtime: scores["extra"]["test_runtime"].as_f64(),
        }
    };
    table("fastpath").into_iter().chain(others).map(row).collect()
}

/// The number of rows by some key.
pub(super) fn count_by<K: Ord>(
    rows: impl IntoIterator<Item = impl std::borrow::Borrow<Row>>,
    key: impl Fn(&Row) -> K,
) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(key(row.borrow())).or_default() += 1;
    }
    counts
}

/// The sums of [`Row::counts`] by some key.
pub(super) fn sum_by<K: Ord>(rows: &[&Row], key: impl Fn(&Row) -> K) -> BTreeMap<K, [u64; 4]> {
    let mut sums: BTreeMap<K, [u64; 4]> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry(key(row)).or_default();
        for (total, more) in sum.iter_mut().zip(row.counts()) {
            *total += more;
        }
    }
    sums
}

/// The number of distinct values by some key.
pub(super) fn distinct_by<K: Ord, V: Ord>(
    rows: &[&Row],
    key: impl Fn(&Row) -> K,
    value: impl Fn(&Row) -> V,
) -> BTreeMap<K, u64> {
    let mut values: BTreeMap<K, BTreeSet<V>> = BTreeMap::new();
    for row in rows {
        values.entry(key(row)).or_default().insert(value(row));
    }
    values.into_iter().map(|(key, values)| (key, values.len() as u64)).collect()
}

/// The dates from one to another, both included, by the lengths of months.
pub(super) fn dates(first: &str, last: &str) -> Vec<String> {
    let part = |date: &str, range: std::ops::Range<usize>| date[range].parse::<u32>().unwrap();
    let (mut year, mut month, mut day) = (part(first, 0..4), part(first, 5..7), part(first, 8..10));
    let mut dates = Vec::new();
    loop {
        let date = format!("{year:04}-{month:02}-{day:02}");
        if &*date > last {
            return dates;
        }
        dates.push(date);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 => 28 + u32::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (year, month, day) = match (month, day) {
            (12, 31) => (year + 1, 1, 1),
            _ if day == days => (year, month + 1, 1),
            _ => (year, month, day + 1),
        };
    }
}
