//! What becomes of submissions: the bytes and the side record in the log, repeats, faults, and limits.

use crate::routes::{answer, empty_server, send, until};
use crate::support::Server;
use crate::support::client::{Client, Reply, post};
use crate::support::recorded::{recorded_clock, recorded_settings};
use ooni_api::intake::{Geo, Position, Record, Route, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use tokio::runtime::Runtime;

const REPORT: &str = "20250715T100000Z_echcheck_IT_3269_n1_AAAAAAAAAAAAAAAA";

/// The record of a uid in the log.
fn record(server: &Server, uid: &str) -> Record {
    let snapshot = Snapshot::open(&server.state_dir().join("intake")).unwrap();
    Runtime::new().unwrap().block_on(snapshot.find(uid)).unwrap().unwrap_or_else(|| panic!("{uid} is not in the log"))
}

fn records(server: &Server) -> Vec<Record> {
    let snapshot = Snapshot::open(&server.state_dir().join("intake")).unwrap();
    let mut reader = snapshot.reader(Position::default());
    let mut found = Vec::new();
    Runtime::new().unwrap().block_on(async {
        while let Some((record, _)) = reader.next().await.unwrap() {
            found.push(record);
        }
    });
    found
}

fn measurement() -> Value {
    json!({
        "probe_cc": "IT", "probe_asn": "AS3269", "test_name": "echcheck", "report_id": "of the probe",
        "software_name": "miniooni", "software_version": "3.30.0", "annotations": {"platform": "linux"},
        "input": "https://example.org/", "measurement_start_time": "2025-07-15 10:00:01", "test_keys": {},
        "test_start_time": "2025-07-15 10:00:00", "test_version": "0.1.0", "test_runtime": 1.5, "data_format_version": "0.2.0",
    })
}

fn submission(content: &str) -> Value {
    json!({"format": "json", "content": content, "nym": null, "zkp_request": null, "manifest_version": null, "protocol_version": null})
}

fn uid(answer: &Value) -> &str {
    answer["measurement_uid"].as_str().unwrap_or_else(|| panic!("no uid in {answer}"))
}

/// Whether any file below a folder contains a text.
fn is_in_files(folder: &Path, text: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => is_in_files(&path, text),
            false => std::fs::read(path).unwrap().windows(text.len()).any(|found| found == text),
        }
    })
}

#[test]
fn bodies_of_reports_are_kept_as_they_are() {
    let server = empty_server();
    let path = format!("/report/{REPORT}");
    for body in [&b"{\"format\":\"json\",\"content\":{}}"[..], b"", b"not JSON", b"\0\xff", b"[1,\r\n2]"] {
        let reply = server.send(&post(&path, "User-Agent: probe/1\r\nCookie: secret\r\n", body));
        let record = record(&server, uid(&reply.json()));
        assert_eq!(record.body.bytes().unwrap(), body);
        assert_eq!((record.route, &*record.key_report_id), (Route::Report, REPORT));
        assert_eq!((&*record.probe_cc, &*record.test_name), ("IT", "echcheck"));
        assert_eq!(record.headers, [("user-agent".to_owned(), "probe/1".to_owned())]);
        assert_eq!((record.side.report_id, record.side.is_verified, record.side.geo), (None, Some('u'), None));
    }
}

#[test]
fn large_bodies_of_reports() {
    let server = empty_server();
    let body = format!("{{\"format\":\"json\",\"content\":{{\"a\":\"{}\"}}}}", "x".repeat(3 << 20));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    for (headers, sent) in [("", body.as_bytes()), ("Content-Encoding: gzip\r\n", &*gzip.finish().unwrap())] {
        let reply = server.send(&post(&format!("/report/{REPORT}"), headers, sent));
        assert_eq!(record(&server, uid(&reply.json())).body.bytes().unwrap(), body.as_bytes());
    }
}

#[test]
fn discarded_reports() {
    let server = empty_server();
    let large = "x".repeat(5 << 20);
    for id in ["20250715T100000Z_ndt_zZ_3269_n1_A", "20250715T100000Z_ndt_IT_0_n1_A"] {
        for body in ["{}", &large] {
            let reply = server.post(&format!("/report/{id}"), body);
            assert_eq!((reply.status, reply.json()), (200, json!({})));
        }
    }
    assert!(records(&server).is_empty());
    let metrics = server.metrics();
    for line in [
        "receive_measurement_count 4",
        "receive_measurement_discard_asn_0 2",
        "receive_measurement_discard_cc_zz 2",
        "measurement_bad_count{reason=\"asn_0\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {}", metrics);
    }
}

#[test]
fn the_signed_text_is_kept_and_credentials_are_not() {
    let server = empty_server();
    let content = format!(" {}\n", measurement().to_string().replace("example.org/", "example.org\\/\\u00e9"));
    let mut body = submission(&content);
    for key in ["nym", "zkp_request"] {
        body[key] = json!("IDENTIFIES-THE-PROBE");
    }
    body["manifest_version"] = json!("5");
    let answered = answer(&server, "/api/v1/submit_measurement", &body);
    assert_eq!(answered["verification_status"], "unverified");
    assert_eq!(answered["error"], "manifest_not_found");
    assert_eq!(answered.as_object().unwrap().len(), 6);
    let record = record(&server, uid(&answered));
    let stored = format!(r#"{{"format":"json","content":{content},"protocol_version":null,"manifest_version":"5"}}"#);
    assert_eq!(String::from_utf8(record.body.bytes().unwrap().to_vec()).unwrap(), stored);
    assert_eq!((record.route, &*record.key_report_id), (Route::SubmitMeasurement, "of the probe"));
    assert_eq!(record.side.report_id.as_deref(), answered["report_id"].as_str());
    assert_eq!(record.side.is_verified, Some('u'));
    assert!(!is_in_files(&server.state_dir(), b"IDENTIFIES-THE-PROBE"));
}

/// A large one is read in memory, and only what is kept is written.
#[test]
fn large_measurements() {
    let server = empty_server();
    let mut content = measurement();
    content["test_keys"] = json!({"body": "é\"\\".repeat(1 << 20)});
    let content = content.to_string();
    let mut body = submission(&content);
    body["nym"] = json!("IDENTIFIES-THE-PROBE".repeat(1000));
    let body = body.to_string();
    let zstd = zstd::bulk::compress(body.as_bytes(), 1).unwrap();
    let mut uids = BTreeSet::new();
    for (headers, sent) in [("", body.as_bytes()), ("Content-Encoding: zstd\r\n", &zstd)] {
        let reply = server.send(&post("/api/v1/submit_measurement", headers, sent));
        assert_eq!(reply.status, 200, "{}", reply.text());
        uids.insert(uid(&reply.json()).to_owned());
    }
    assert_eq!(uids.len(), 1, "the second one repeats the first one");
    let stored = record(&server, uids.first().unwrap()).body.bytes().unwrap();
    let start = br#"{"format":"json","content":"#.len();
    assert!(stored[start..].starts_with(content.as_bytes()));
    assert!(!is_in_files(&server.state_dir(), b"IDENTIFIES-THE-PROBE"));
}

#[test]
fn repeats_get_the_first_answer() {
    let server = empty_server();
    let body = submission(&measurement().to_string());
    let first = answer(&server, "/api/v1/submit_measurement", &body);
    assert_eq!(answer(&server, "/api/v1/submit_measurement", &body), first);
    let mut with_nym = body.clone();
    with_nym["nym"] = json!("x");
    let again = answer(&server, "/api/v1/submit_measurement", &with_nym);
    assert_eq!((&again["measurement_uid"], &again["report_id"]), (&first["measurement_uid"], &first["report_id"]));
    let report = answer(&server, &format!("/report/{REPORT}"), &body);
    assert_ne!(report["measurement_uid"], first["measurement_uid"]);
    assert_eq!(answer(&server, &format!("/report/{REPORT}"), &body), report);
    assert_eq!(records(&server).len(), 2);
}

#[test]
fn refused_measurements() {
    let server = empty_server();
    let refused = |body: &Value| {
        let reply = send(&server, "/api/v1/submit_measurement", body);
        assert_eq!((reply.status, reply.header("cache-control")), (400, Some("no-cache")), "{reply:?}");
        reply.json()["detail"].clone()
    };
    assert_eq!(refused(&json!({"format": "json"})), json!({"error": "content: a text is required"}));
    assert_eq!(refused(&submission("[]")), json!({"error": "content: an object is expected"}));
    let mut content = measurement();
    content["probe_asn"] = json!("AS0");
    let detail = json!({"error": "asn_0", "message": "Measurement discarded, ASN == 0"});
    assert_eq!(refused(&submission(&content.to_string())), detail);
    let gzip = server.send(&post("/api/v1/submit_measurement", "Content-Encoding: gzip\r\n", b"{}"));
    assert_eq!((gzip.status, gzip.json()), (400, json!({"detail": {"error": "the body cannot be decoded"}})));
    let bomb = zstd::bulk::compress(&vec![b' '; 210_000_000], 1).unwrap();
    let reply = server.send(&post("/api/v1/submit_measurement", "Content-Encoding: zstd\r\n", &bomb));
    let detail = json!({"error": "the body is larger than 200000000 bytes"});
    assert_eq!((reply.status, reply.json()), (413, json!({"detail": detail})));
    assert!(records(&server).is_empty());
}

fn submit_from(server: &Server, address: &str) -> Reply {
    let headers = format!("X-Forwarded-For: {address}\r\n");
    let body = submission(&measurement().to_string().replace("example.org", address)).to_string();
    server.send(&post("/api/v1/submit_measurement", &headers, body.as_bytes()))
}

/// A measurement from another place than it says is accepted, stored and recorded.
#[test]
fn faulty_measurements() {
    let server = empty_server();
    let reply = submit_from(&server, "89.160.20.112");
    let submitted = uid(&reply.json()).to_owned();
    assert_eq!(record(&server, &submitted).side.geo, Some(Geo { cc: "SE".to_owned(), asn: 29518 }));
    assert_eq!(submit_from(&server, "10.0.0.1").status, 200);
    let body = json!({"format": "json", "content": measurement()}).to_string();
    let headers = "X-Forwarded-For: 216.160.83.56\r\n";
    let reported = server.send(&post(&format!("/report/{REPORT}"), headers, body.as_bytes())).json();

    until(&server, async |store| store.faulty_measurements(10).await.unwrap().len() == 2);
    let mut found = Vec::new();
    let url = format!("sqlite:{}", server.state_dir().join("ooni.db").display());
    Runtime::new().unwrap().block_on(async {
        let store = ooni_store::Store::open(&url, ooni_store::StoreOptions::default()).await.unwrap();
        found.extend(store.faulty_measurements(10).await.unwrap());
    });
    found.sort_by(|a, b| a.probe_cc.cmp(&b.probe_cc));
    for (fault, uid, cc, asn) in [(&found[0], &*submitted, "SE", 29518), (&found[1], uid(&reported), "US", 209)] {
        assert_eq!((&*fault.kind, &*fault.probe_cc, fault.probe_asn), ("geoip", cc, asn));
        assert!(fault.ts.starts_with("2025-07-15 10:30:00"), "{}", fault.ts);
        let details: Value = serde_json::from_str(&fault.details).unwrap();
        let expected = json!({
            "measurement_uid": uid, "submission_cc": "IT", "submission_asn": 3269,
            "software_name": "miniooni", "software_version": "3.30.0", "platform": "linux",
        });
        assert_eq!(details, expected);
    }
    let metrics = server.metrics();
    assert!(metrics.contains("probe_cc_asn_nomatch{mismatch=\"cc\"} 2"), "{}", metrics);
}

/// Without free space, submissions are refused before their bodies are sent.
#[test]
fn low_disk() {
    let server = Server::start_at(recorded_clock(), |config| {
        recorded_settings(config);
        config.intake.min_free_bytes = u64::MAX;
    });
    for path in [&*format!("/report/{REPORT}"), "/api/v1/submit_measurement"] {
        let mut client = Client::connect(server.address);
        let reply = client.send(&format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n"));
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.header("retry-after").is_some());
        let body = reply.json();
        let error = body.get("detail").unwrap_or(&body);
        assert_eq!(error["error"], "there is not enough free disk space");
    }
    // What is wrong with a request comes first, and what is discarded needs no space.
    assert_eq!(server.post("/report/x", "").status, 400);
    assert_eq!(server.post("/report/20250715T100000Z_ndt_ZZ_1_n1_A", "{}").status, 200);
}
