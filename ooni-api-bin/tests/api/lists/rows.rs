//! Rows of measurements, and lists that were read.

use crate::support::client::Reply;
use ooni_store::{BlockingStore, load_dump};
use serde_json::{Value, json};
use std::fmt::Write;

/// Rows, in the order of their uids and of their times.
#[derive(Debug, Default)]
pub(super) struct Rows(Vec<Value>);

impl Rows {
    /// Adds rows, one each second. `change` gets the number of each.
    pub(super) fn add(&mut self, count: usize, change: impl Fn(usize, &mut Value)) -> &mut Rows {
        for number in 0..count {
            let at = self.0.len();
            let time = format!("2025-07-01 {:02}:{:02}:{:02}", at / 3600, at / 60 % 60, at % 60);
            let mut row = json!({
                "measurement_uid": format!("20250701{:02}{:02}{:02}.{at:06}_IT_ndt_0123456789abcdef", at / 3600, at / 60 % 60, at % 60),
                "report_id": "20250701T000000Z_ndt_IT_3269_n1_8swgXi7xNuRUyO9a",
                "input": "",
                "probe_cc": "IT",
                "probe_asn": 3269,
                "test_name": "ndt",
                "test_start_time": time,
                "measurement_start_time": time,
                "scores": "{\"blocking_general\":0.0}",
                "platform": "", "anomaly": "f", "confirmed": "f", "msm_failure": "f", "blocking_type": "", "domain": "",
                "software_name": "", "software_version": "", "test_version": "", "test_runtime": 0.0, "architecture": "",
                "engine_name": "", "engine_version": "", "test_helper_address": "", "test_helper_type": "",
            });
            change(number, &mut row);
            self.0.push(row);
        }
        self
    }

    /// Writes them to a store.
    pub(super) fn load(&self, url: &str) {
        let mut lines = String::new();
        for row in &self.0 {
            writeln!(lines, "{}", json!({"table": "fastpath", "row": row})).unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines).unwrap();
        let store = BlockingStore::open(url).unwrap();
        let loaded = load_dump(&store, file.path(), |line, reason| panic!("line {line}: {reason}")).unwrap();
        assert_eq!((loaded.inserted, loaded.bad), (self.0.len() as u64, 0), "{loaded:?}");
    }

    pub(super) fn uids(&self) -> Vec<&str> {
        self.0.iter().map(|row| row["measurement_uid"].as_str().unwrap()).collect()
    }
}

/// The rows of a list that is complete, as JSON or NDJSON.
pub(super) fn results(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{reply:?}");
    if reply.header("content-type") == Some("application/json") {
        return reply.json()["results"].as_array().unwrap().clone();
    }
    let mut lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = lines.pop().unwrap();
    assert_eq!((&end["complete"], &end["rows"]), (&json!(true), &json!(lines.len())), "{end}");
    lines
}

/// Their uids.
pub(super) fn uids(reply: &Reply) -> Vec<String> {
    results(reply).iter().map(|row| row["measurement_uid"].as_str().unwrap().to_owned()).collect()
}
