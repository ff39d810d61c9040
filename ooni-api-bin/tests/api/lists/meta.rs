//! Metadata of measurements that were submitted just now.

use super::quiet;
use crate::support::Server;
use serde_json::{Value, json};

const REPORT: &str = "20250701T000000Z_ndt_IT_3269_n1_8swgXi7xNuRUyO9a";

fn measurement(report_id: &str, rest: &str) -> String {
    format!(
        "{{\"report_id\":\"{report_id}\",\"probe_cc\":\"IT\",\"probe_asn\":\"AS3269\",\"test_name\":\"ndt\",\
         \"measurement_start_time\":\"2025-07-01 00:00:00\",\"test_start_time\":\"2025-07-01 00:00:00\",\
         \"software_name\":\"probe\",\"software_version\":\"3\",\"test_version\":\"1\",\"test_runtime\":1,\
         \"test_keys\":{{}}{rest}}}"
    )
}

/// Submits a measurement and returns its uid.
fn submit(server: &Server, content: &str) -> String {
    let reply = server.post(&format!("/report/{REPORT}"), &format!("{{\"format\":\"json\",\"content\":{content}}}"));
    reply.json()["measurement_uid"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

fn meta(server: &Server, uid: &str, more: &str) -> Value {
    let reply = server.get(&format!("/api/v1/measurement_meta?measurement_uid={uid}{more}"));
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("max-age=60")), "{reply:?}");
    reply.json()
}

#[test]
fn a_measurement_that_is_not_scored_yet_has_its_body() {
    let server = Server::start(|config| {
        quiet(config);
        config.scoring.batch_delay = 10;
    });
    assert_eq!(server.get("/version").status, 200, "it is up");
    // Scoring cannot write while another process does.
    let database = rusqlite::Connection::open(server.state_dir().join("ooni.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Its text is longer than what is escaped at once.
    let content = measurement(REPORT, &format!(",\"text\":\"{}\"", "é\\n\\\"".repeat(200_000)));
    let uid = submit(&server, &content);
    assert_eq!(meta(&server, &uid, ""), json!({}));
    assert_eq!(meta(&server, &uid, "&full=true"), json!({"raw_measurement": content}));
    let raw = server.get(&format!("/api/v1/raw_measurement?measurement_uid={uid}"));
    assert_eq!(raw.text(), content);

    database.execute_batch("COMMIT").unwrap();
    // A miss is not kept, so it becomes a hit.
    let mut found = loop {
        let found = meta(&server, &uid, "&full=1");
        if found.get("measurement_uid").is_some() {
            break found;
        }
    };
    assert!(found.as_object_mut().unwrap().remove("raw_measurement") == Some(json!(content)));
    let scores: Value = serde_json::from_str(found["scores"].as_str().unwrap()).unwrap();
    assert!(scores.is_object(), "{scores}");
    assert_eq!(
        found,
        json!({
            "anomaly": false, "category_code": "", "confirmed": false, "failure": true, "input": "",
            "measurement_start_time": "2025-07-01T00:00:00Z", "measurement_uid": uid, "probe_asn": 3269, "probe_cc": "IT",
            "report_id": REPORT, "scores": found["scores"], "test_name": "ndt",
            "test_start_time": "2025-07-01T00:00:00Z", "verification_status": "unverified",
        })
    );
    let by_report = server.get(&format!("/api/v1/measurement_meta?report_id={REPORT}")).json();
    assert_eq!((&by_report["measurement_uid"], &by_report["category_code"]), (&json!(uid), &Value::Null));
    assert!(by_report.get("raw_measurement").is_none());
}
