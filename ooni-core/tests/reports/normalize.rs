//! Real YAML reports are normalized and scored like by the reference.

use ooni_core::error::Code;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::{Limits, Reader};
use ooni_core::measurement::{IsVerified, SideRecord};
use ooni_core::normalize::{Framed, Report, frame};
use ooni_core::process::{Discard, Outcome, Scorer, process, process_with};
use ooni_core::row::FastpathRow;
use ooni_core::rules::Rules;
use serde_json::Value;
use std::path::Path;

/// The entries of a stream up to the first broken frame.
fn entries(stream: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut entries) = (stream, Vec::new());
    loop {
        match frame(rest, 0) {
            Framed::Entry(length) => {
                entries.push(&rest[..length]);
                rest = &rest[length..];
            }
            Framed::Skip(length) => rest = &rest[length..],
            Framed::More | Framed::Broken => return entries,
        }
    }
}

/// The normalized measurements of a report with their UIDs.
fn normalized(bucket_date: &str, can: &str, stream: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut report = Report::new(bucket_date, &format!("{bucket_date}/{can}"), Limits::default());
    let entries = entries(stream);
    report.header(entries[0]).unwrap();
    let measurement = |entry: &&[u8]| {
        let mut text = Vec::new();
        let uid = report.entry(entry, &mut text).unwrap().unwrap();
        (uid, text)
    };
    entries[1..].iter().map(measurement).collect()
}

/// The order of members is not compared, because the reference does not define it for members that it moves.
#[test]
fn reports_match_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/yaml");
    let fingerprints = Fingerprints::empty();
    let scorer = Scorer::new(&fingerprints, Rules::Compat);
    let expected = std::fs::read_to_string(folder.join("reports.jsonl")).unwrap();
    let mut counted = 0;
    for line in expected.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap();
        let report = std::fs::read(folder.join(text("can").trim_end_matches(".lz4"))).unwrap();
        let measurements = normalized(text("bucket_date"), text("can"), &report);
        let (uid, measurement) = &measurements[line["index"].as_u64().unwrap() as usize];
        assert_eq!(uid, text("uid"));
        assert_eq!(serde_json::from_slice::<Value>(measurement).unwrap(), line["normalized"], "{uid}");
        assert!(measurement.ends_with(format!(r#","measurement_uid":"{uid}"}}"#).as_bytes()), "the uid is last");

        let mut reader = Reader::new();
        let outcome = scorer.process(reader.read_normalized(measurement).unwrap().root(), uid);
        let Outcome::Stored { row, .. } = outcome else { panic!("{outcome:?}") };
        let scores: Value = serde_json::from_str(&row.scores.to_json_text()).unwrap();
        for (key, score) in line["row"]["scores"].as_object().unwrap() {
            assert_eq!(scores[key], *score, "{uid} {key}");
        }
        assert_eq!(if row.anomaly { "t" } else { "f" }, line["row"]["anomaly"]);
        counted += 1;
    }
    assert_eq!(counted, 4);
}

const IDENTITY: &str = "report_id: R\nprobe_cc: IT\nprobe_asn: AS1\ninput: x\ntest_version: '1'\n\
                        test_start_time: '2014-02-20 00:00:00'\nmeasurement_start_time: '2014-02-20 00:00:00'\n";

/// An envelope may contain its measurement as YAML (scoring spec §3.1).
#[test]
fn envelopes_of_yaml() {
    let outcome = |content: &str| {
        let envelope = serde_json::json!({"is_verified": "t", "format": "YAML", "content": content}).to_string();
        process(envelope.as_bytes(), "01", &Fingerprints::empty(), Rules::Compat)
    };
    let content = format!("{IDENTITY}test_name: telegram\n");
    let Outcome::Stored { row, .. } = outcome(&format!("{content}test_keys: {{telegram_web_status: blocked}}")) else {
        panic!("no row");
    };
    assert!(row.anomaly && row.is_verified.as_str() == "t");
    assert_eq!(outcome("a: 1"), Outcome::Discarded { reason: Discard::NoReportId });
    for (content, code, path) in [
        ("[1]", Code::Type, "/content"),
        ("", Code::Type, "/content"),
        ("a: 2014-02-30", Code::Value, "/content"),
        ("a: 'open", Code::Value, "/content"),
        ("!t x", Code::Value, "/content"),
        ("{report_id: R, probe_cc: 5}", Code::Type, "/content/probe_cc"),
        ("{report_id: R, probe_cc: 2014-02-20}", Code::Type, "/content/probe_cc"),
    ] {
        let Outcome::Rejected { error } = outcome(content) else { panic!("{content}") };
        assert_eq!((error.code, &*error.path), (code, path), "{content}");
    }
    let none = process(br#"{"format":"yaml","content":{}}"#, "01", &Fingerprints::empty(), Rules::Compat);
    assert!(matches!(none, Outcome::Rejected { error } if error.code == Code::Type && error.path == "/content"));
}

#[test]
fn an_envelope_of_yaml_with_a_side_record() {
    let content = IDENTITY.replace("report_id", "id") + "test_name: ndt";
    let envelope = serde_json::json!({"format": "yaml", "is_verified": "t", "content": content}).to_string();
    let outcome = |side| process_with(envelope.as_bytes(), "01", &side, &Fingerprints::empty(), Rules::Fixed);
    assert_eq!(outcome(SideRecord::EMPTY), Outcome::Discarded { reason: Discard::NoReportId });
    let side = SideRecord { report_id: Some("S".into()), is_verified: Some(IsVerified::Failed) };
    let Outcome::Stored { row, .. } = outcome(side) else { panic!() };
    assert_eq!((row.report_id.as_str(), row.is_verified), (Some("S"), IsVerified::Failed));
}

/// The reference cannot write such scores, and no typed column accepts such a value.
#[test]
fn values_that_json_cannot_represent_are_not_scored() {
    let outcome = |more: &str| {
        let content = format!("{IDENTITY}{more}");
        let envelope = serde_json::json!({"format": "yaml", "content": content}).to_string();
        process(envelope.as_bytes(), "01", &Fingerprints::empty(), Rules::Compat)
    };
    let Outcome::Rejected { error } = outcome("test_name: openvpn\ntest_runtime: 2014-02-20") else { panic!() };
    assert_eq!(error.code, Code::Type);
    let outcome = outcome("test_name: ndt\nsoftware_name: 2014-02-20");
    let Outcome::Stored { row, .. } = outcome else { panic!("{outcome:?}") };
    assert!(row.acceptance().is_err(), "refused");
    let text = serde_json::to_string(&row).unwrap();
    assert!(text.contains(r#"{"$foreign":"date 2014-02-20"}"#), "{text}");
    assert_eq!(serde_json::from_str::<FastpathRow>(&text).unwrap(), *row);
    let mut written = Vec::new();
    row.write_json(&mut written);
    assert!(String::from_utf8(written).unwrap().contains(r#""software_name":"date 2014-02-20""#));
}

/// The example of formats spec §11.9.
#[test]
fn example() {
    let stream = "---\nprobe_asn: AS1\nprobe_cc: IT\nprobe_ip: 127.0.0.1\nsoftware_name: ooniprobe\n\
                  software_version: 1.0.0\nstart_time: 1392854400.5\ntest_name: HTTP Host\ntest_version: 0.1\n...\n\
                  ---\na: 1\n...\n";
    let measurements = normalized("2014-02-20", "f.yaml", stream.as_bytes());
    let [(uid, measurement)] = &measurements[..] else { panic!("{measurements:?}") };
    let measurement: Value = serde_json::from_slice(measurement).unwrap();
    let expected = serde_json::json!({
        "test_name": "http_host",
        "report_id": "20140220T000000Z_TIOySkxmdVVdrFsxfByDSbKLIFmxsfpExteLTkRwNBHxvwGiUF",
        "id": "904b8edc-7d0d-fb73-f5bf-883f4c7e47f8",
        "measurement_start_time": "2014-02-20 00:00:00",
        "test_start_time": "2014-02-20 00:00:00",
        "test_version": 0.1,
        "test_keys": {"a": 1, "requests": []},
        "measurement_uid": "0120140220682056aac5c8c087f2cc5c2e535e9a",
        "bucket_date": "2014-02-20",
        "report_filename": "2014-02-20/f.yaml",
        "probe_asn": "AS1",
        "probe_cc": "IT",
        "probe_ip": "127.0.0.1",
        "software_name": "ooniprobe",
        "software_version": "1.0.0",
        "data_format_version": "0.2.0",
        "options": null,
        "input": null,
        "input_hashes": null,
        "probe_city": null,
        "backend_version": null,
        "test_runtime": null,
        "test_helpers": null,
    });
    assert_eq!(measurement, expected);
    assert_eq!(uid, "0120140220682056aac5c8c087f2cc5c2e535e9a");
}
