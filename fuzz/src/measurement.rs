//! One measurement through all processing steps.

use ooni_core::error::{Code, Error};
use ooni_core::explain::{Explanation, explain};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::{Json, Reader, Value, write_json};
use ooni_core::process::{Outcome, Scorer, process};
use ooni_core::row::FastpathRow;
use ooni_core::rules::Rules;
use ooni_core::scores;
use std::sync::LazyLock;

static LISTS: LazyLock<Fingerprints> = LazyLock::new(|| {
    let dns = include_bytes!("../../ooni-archive/data/fingerprints/fingerprints_dns.csv");
    let http = include_bytes!("../../ooni-archive/data/fingerprints/fingerprints_http.csv");
    Fingerprints::from_csv(dns, http, "full").unwrap_or_default()
});

/// Measurements that are scored first, to fill the scorer's buffers: a match, then an error.
const BEFORE: &[u8] = br#"{"report_id":"R","probe_cc":"IR","probe_asn":"AS1","test_name":"web_connectivity","test_keys":{"requests":[
    {"response":{"body":"<iframe src=\"http:\/\/10.10.34.35:80\" \u00e9","headers":{"Location":"http://www.bluecoat.com/notify-NotifyUser1"}}},
    {"response":{"body":{"format":"base64","data":"PGlmcmFtZSBzcmM9Imh0dHA6Ly8xMC4xMC4zNC4zNTo4MCI="}}},
    {"response":{"body":{"format":"base64","data":"P"}}},
    {"response":7}]}}"#;

/// The input: a byte, odd (such as `c`) for compat and even (such as `f`) for fixed rules; a byte, odd (such as `u`) for
/// a UID without a receive time and even (such as `d`) for one with it; and the measurement.
pub fn run(data: &[u8]) {
    let Some((&[rules, uid], text)) = data.split_first_chunk::<2>() else { return };
    let rules = if rules & 1 == 1 { Rules::Compat } else { Rules::Fixed };
    let uid = match uid & 1 {
        1 => "01202211101c6f8a2cd0a4f9e7d3b5a1c2e4f6a8b0",
        _ => "20221110100919.165568_US_webconnectivity_782abf479bf32868",
    };

    let outcome = process(text, uid, &LISTS, rules);
    same_with_used_buffers(text, uid, rules, &outcome);
    explained(&explain(text, uid, &LISTS, rules), text, &outcome);
    match &outcome {
        Outcome::Stored { row, openvpn } => {
            stored(row);
            assert_eq!(openvpn.is_some(), row.test_name.as_str() == Some("openvpn"));
            if let Some(openvpn) = openvpn {
                let _ = openvpn.acceptance();
                let written = rewritten(|out| openvpn.write_json(out));
                assert_eq!(written.get("measurement_uid").and_then(Json::as_str), Some(uid));
            }
            if written(row).depth() < 40 {
                let through = serde_json::to_vec(&outcome).and_then(|text| serde_json::from_slice::<Outcome>(&text));
                assert_eq!(through.ok().as_ref(), Some(&outcome), "serde is lossless");
            }
        }
        Outcome::Discarded { .. } => {}
        Outcome::Rejected { error } => rejected(error, text),
    }
}

/// A scorer that has scored other measurements, or this one, gives the same outcome.
fn same_with_used_buffers(text: &[u8], uid: &str, rules: Rules, outcome: &Outcome) {
    let scorer = Scorer::new(&LISTS, rules);
    let (mut reader, mut other) = (Reader::new(), Reader::new());
    let mut before = || {
        if let Ok(document) = other.read(BEFORE) {
            scorer.process(document.root(), uid);
        }
    };
    before();
    let Ok(document) = reader.read(text) else { return };
    assert_eq!(&scorer.process(document.root(), uid), outcome);
    before();
    assert_eq!(&scorer.process(document.root(), uid), outcome);
}

fn stored(row: &FastpathRow) {
    let blocking = [
        scores::BLOCKING_GENERAL,
        scores::BLOCKING_GLOBAL,
        scores::BLOCKING_COUNTRY,
        scores::BLOCKING_ISP,
        scores::BLOCKING_LOCAL,
        "accuracy",
    ];
    for key in blocking {
        let score = row.scores.get(key).map(Json::as_f64);
        assert!(score.is_none_or(|score| score.is_some_and(|score| score.is_finite() && score >= 0.0)), "{key}");
    }
    assert_eq!(row.anomaly, row.scores.blocking(scores::BLOCKING_GENERAL) > 0.5);
    let accepted = row.acceptance();
    let columns = row.columns();
    if let Err(refused) = accepted {
        assert!(columns.iter().any(|(name, _)| *name == refused.column), "{refused}");
    }
    let written = written(row);
    for (name, column) in columns {
        assert!(written.get(name).is_some(), "{name}");
        let mut plain = Vec::new();
        column.write_plain(&mut plain);
        assert!(std::str::from_utf8(&plain).is_ok(), "{name} is not UTF-8");
    }
}

fn written(row: &FastpathRow) -> Json {
    rewritten(|out| row.write_json(out))
}

/// Writes, reads and writes again: the text stays the same.
fn rewritten(write: impl Fn(&mut Vec<u8>)) -> Json {
    let mut text = Vec::new();
    write(&mut text);
    let mut reader = Reader::new();
    let value = reader.read(&text).map(|document| document.root().to_json());
    assert!(value.is_ok(), "{value:?}");
    let value = value.unwrap_or_default();
    let mut again = Vec::new();
    write_json(&value, &mut again);
    assert!(text == again, "{}\n{}", String::from_utf8_lossy(&text), String::from_utf8_lossy(&again));
    value
}

fn rejected(error: &Error, text: &[u8]) {
    assert!(Code::ALL.contains(&error.code) && error.code != Code::Can, "{error}");
    assert!(!error.message.is_empty());
    let mut reader = Reader::new();
    match reader.read(text) {
        Ok(document) => {
            // The path exists; for a missing key, that of the object that should contain it.
            let path = match error.code {
                Code::Key => error.path.rsplit_once('/').map_or("", |(object, _)| object),
                _ => &error.path,
            };
            let path = if is_without_test_keys(document.root()) { "" } else { path };
            assert!(at(document.root(), path, &|_| true), "no value at the path of {error}");
        }
        Err(unread) => assert_eq!(error, &unread.into()),
    }
}

/// Missing test keys are read as an empty object, so members missing from them have no path.
fn is_without_test_keys(root: Value<'_>) -> bool {
    let lacks = |value: Value<'_>| value.field("test_keys").is_null();
    lacks(root) && lacks(root.field("content").value())
}

fn explained(explanation: &Explanation, text: &[u8], outcome: &Outcome) {
    assert_eq!(&explanation.outcome, outcome, "explaining changes the outcome");
    let shown = explanation.to_string();
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    assert!(serde_json::to_string(explanation).is_ok());
    let mut reader = Reader::new();
    let Ok(document) = reader.read(text) else {
        assert!(explanation.fired.is_empty() && explanation.fingerprints.is_empty());
        return;
    };
    for reading in explanation.fired.iter().flat_map(|fired| &fired.reads) {
        let Some(value) = &reading.value else { continue };
        let is_value = |there: Value<'_>| reading.described || there.to_json() == *value;
        assert!(at(document.root(), &reading.path, &is_value), "another value is at the path of {reading:?}");
    }
    for found in &explanation.fingerprints {
        assert!(at(document.root(), &found.path, &|_| true), "no value at the path of {found:?}");
    }
}

/// Whether a value at the JSON pointer is as expected; keys may repeat, and are compared in the pointer's encoding.
fn at(value: Value<'_>, path: &str, wanted: &dyn Fn(Value<'_>) -> bool) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return path.is_empty() && wanted(value) };
    let end = rest.find('/').unwrap_or(rest.len());
    let (token, rest) = rest.split_at(end);
    if value.is_array() {
        let element = token.parse().ok().and_then(|index| value.elements().nth(index));
        return element.is_some_and(|element| at(element, rest, wanted));
    }
    let key = token.replace("~1", "/").replace("~0", "~");
    value.pairs().any(|(name, value)| {
        let name = name.text().unwrap_or_default();
        String::from_utf8_lossy(&name) == key && at(value, rest, wanted)
    })
}
