//! Submits measurements of the corpus.

use crate::process::load::{post, request};
use ooni_testkit::corpus::Made;
use serde_json::Value;
use std::net::SocketAddr;

/// 2025-07-15 10:30:00 UTC. Programs that read an archive read days that are over.
pub(crate) const TIME: u64 = 1_752_575_400_000_000;

/// Submits a body; returns its uid and, from `submit_measurement`, its report id. `None` if it is refused.
pub(crate) fn submit(address: SocketAddr, path: &str, body: &[u8]) -> Option<(String, Option<String>)> {
    let (head, answer) = request(address, &post(path, body)).unwrap();
    if !head.starts_with("HTTP/1.1 200 ") {
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        return None;
    }
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let uid = answer["measurement_uid"].as_str()?.to_owned();
    Some((uid, answer["report_id"].as_str().map(str::to_owned)))
}

/// The path to submit a measurement to.
pub(crate) fn report_of(made: &Made, number: usize) -> String {
    format!("/report/20250715T000000Z_{}_{}_{}_n1_AAAAAAAA{number:08}", made.path_name(), made.cc, 100 + number)
}
