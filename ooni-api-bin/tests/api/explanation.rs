//! Explanations: of a row, from the log and from the archive, and of measurements without a row.

use crate::support::Server;
use crate::support::client::Reply;
use crate::support::recorded::{golden, recorded_server};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ooni_api::app::App;
use ooni_api::clock::{Clock, Timestamp};
use ooni_api::config::Config;
use ooni_core::hex::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// 2026-03-01 12:00:00 UTC.
const NOW: u64 = 1_772_366_400_000_000;
const REPORT: &str = "/report/20260301T110000Z_webconnectivity_IT_1_n1_AAAAAAAAAAAAAAAA";
const PAGE: &str = "<html>€ <title>AGCOM Stop Page</title></html>";

/// A folder with the store and the archive of all servers of a test. Each server has a log of its own: one that is dropped may still
/// hold its log for a moment.
struct Backend(tempfile::TempDir);

impl Backend {
    fn new() -> Backend {
        Backend(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn configure(&self, config: &mut Config, state: &str) {
        config.state_dir = self.path().join(state);
        config.store.uri = format!("sqlite:{}", self.path().join("ooni.db").display());
        config.archive.location = format!("file:{}", self.path().join("archive").display());
        config.intake.min_free_bytes = 0;
        config.scoring.batch_delay = 10;
        config.jobs.schedule = false;
        config.cache.max_bytes = 0;
    }

    fn server(&self, state: &str) -> Server {
        self.server_with(state, |_| {})
    }

    fn server_with(&self, state: &str, change: impl FnOnce(&mut Config)) -> Server {
        Server::start_at(clock(), |config| {
            self.configure(config, state);
            change(config);
        })
    }

    /// Archives the log of a server that has stopped.
    fn archive(&self, state: &str) {
        let mut config = Config::default();
        self.configure(&mut config, state);
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let (app, tasks) = App::open(config, clock()).await.unwrap();
            tasks.archiver.run_once(true).await.unwrap();
            app.intake.shutdown().await;
        });
    }

    fn sql(&self, statement: &str) {
        let store = rusqlite::Connection::open(self.path().join("ooni.db")).unwrap();
        store.busy_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(store.execute(statement, []).unwrap(), 1, "{statement}");
    }
}

fn clock() -> Clock {
    Clock::new(|| Timestamp::from_micros(NOW))
}

/// A measurement that is confirmed in Italy, with other values for some keys.
fn measurement(change: &Value) -> String {
    let mut measurement = json!({
        "report_id": "20260301T110000Z_webconnectivity_IT_1_n1_AAAAAAAAAAAAAAAA",
        "probe_cc": "IT", "probe_asn": "AS1", "test_name": "web_connectivity", "input": "http://example.org/",
        "measurement_start_time": "2026-03-01 11:00:00", "test_start_time": "2026-03-01 11:00:00",
        "software_name": "probe", "software_version": "3", "test_version": "1", "test_runtime": 1.5,
        "test_keys": {"blocking": false, "requests": [
            {"response": {"body": PAGE, "headers": {}}, "request": {"url": "http://example.org/"}, "failure": null},
        ]},
    });
    measurement.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    measurement.to_string()
}

fn envelope(content: &str) -> String {
    format!("{{\"format\":\"json\",\"content\":{content}}}")
}

fn submit(server: &Server, path: &str, body: &str) -> String {
    let reply = server.post(path, body);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["measurement_uid"].as_str().unwrap().to_owned()
}

fn path(uid: &str) -> String {
    format!("/api/v1/measurement/{uid}/explanation")
}

fn get(server: &Server, uid: &str) -> Reply {
    server.get(&path(uid))
}

fn explanation(server: &Server, uid: &str) -> Value {
    let reply = get(server, uid);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// The explanation once the measurement is scored.
fn scored(server: &Server, uid: &str) -> Value {
    for _ in 0..2000 {
        let found = get(server, uid);
        if found.status == 200 && found.json()["status"] != "pending" {
            return found.json();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{uid} is not scored: {:?}", get(server, uid));
}

fn agreement(explained: &Value) -> [Option<bool>; 4] {
    ["row", "ruleset", "fingerprints", "hash"].map(|key| explained["agrees"][key].as_bool())
}

fn stored_body(server: &Server, uid: &str) -> Vec<u8> {
    let reply = server.get(&format!("/api/v1/raw_measurement?measurement_uid={uid}&body=stored"));
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

const AGREES: [Option<bool>; 4] = [Some(true); 4];

#[test]
fn confirmed_before_and_after_scoring_and_archiving() {
    let backend = Backend::new();
    let body = envelope(&measurement(&json!({})));
    let server = backend.server_with("log", |config| config.scoring.batch_delay = 60_000);
    let uid = submit(&server, REPORT, &body);
    let reply = get(&server, &uid);
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-cache")));
    let pending = reply.json();
    assert_eq!((&pending["status"], &pending["row"]), (&json!("pending"), &Value::Null));
    assert_eq!(pending["reason"], "It is not scored yet.");
    assert_eq!((&pending["fixed"]["confirmed"], agreement(&pending)), (&json!(true), [None; 4]));
    server.stop();

    let server = backend.server("log");
    let from_log = scored(&server, &uid);
    assert_eq!(get(&server, &uid).header("cache-control"), Some("max-age=60"));
    assert_eq!((&from_log["status"], &from_log["row"]["confirmed"]), (&json!("stored"), &json!(true)));
    assert_eq!(agreement(&from_log), AGREES, "{}", from_log["agrees"]);
    assert_eq!(from_log["agrees"]["differing"], json!([]));
    for rules in ["fixed", "compat"] {
        assert_eq!(from_log[rules], pending[rules]);
        assert_eq!(from_log[rules]["scores"], from_log["row"]["scores"], "{rules}");
    }
    assert_eq!(from_log["ruleset"], from_log["row"]["ruleset"]);
    assert_eq!(
        (&from_log["body"]["bytes"], &from_log["body"]["sha256"]),
        (&json!(body.len()), &json!(sha256(body.as_bytes())))
    );
    assert_eq!(from_log["body"]["sha256"], from_log["row"]["body_sha256"]);
    assert_eq!(stored_body(&server, &uid), body.as_bytes());

    // The pointer leads to a text in the stored body, and the offset to the pattern in it.
    let found = &from_log["fixed"]["fingerprints"][0];
    let document: Value = serde_json::from_slice(&stored_body(&server, &uid)).unwrap();
    let text = document.pointer(found["path"].as_str().unwrap()).unwrap().as_str().unwrap();
    let offset = usize::try_from(found["offset"].as_u64().unwrap()).unwrap();
    assert_eq!(offset, PAGE.find("<title>").unwrap());
    assert!(text.as_bytes()[offset..].starts_with(found["pattern"].as_str().unwrap().as_bytes()), "{found}");
    assert_eq!((&found["scope"], &found["confirmed"]), (&json!("nat"), &json!(true)));
    let fired = from_log["fixed"]["fired"].as_array().unwrap();
    let confirmed = fired.iter().find(|fired| fired["sets"] == "confirmed").unwrap();
    assert_eq!(confirmed["reads"][0]["path"], found["path"]);
    assert_eq!(confirmed["reads"][0]["value"], PAGE);
    server.stop();

    backend.archive("log");
    for state in ["log", "other"] {
        let server = backend.server(state);
        assert_eq!(explanation(&server, &uid), from_log, "{state}");
        assert_eq!(stored_body(&server, &uid), body.as_bytes(), "{state}");
    }
    // Archives may keep the lines only. They are not the bytes that were scored.
    for can in files(&backend.path().join("archive"), ".tar.gz") {
        std::fs::remove_file(can).unwrap();
    }
    let of_line = explanation(&backend.server("third"), &uid);
    assert_eq!(agreement(&of_line), [Some(true), Some(true), Some(true), None], "{}", of_line["agrees"]);
    assert_eq!(of_line["body"]["is_original"], false);
    for can in files(&backend.path().join("archive"), ".jsonl.gz") {
        std::fs::remove_file(can).unwrap();
    }
    let without = explanation(&backend.server("fourth"), &uid);
    assert_eq!((agreement(&without)[0], &without["body"], &without["fixed"]), (None, &Value::Null, &Value::Null));
    assert!(without["agrees"]["sentence"].as_str().unwrap().contains("not available"), "{without}");
}

#[test]
fn what_the_collector_added_is_applied() {
    let backend = Backend::new();
    let content = measurement(&json!({"report_id": ""}));
    let request = json!({"format": "json", "content": content}).to_string();
    let server = backend.server("log");
    let reply = server.post("/api/v1/submit_measurement", &request);
    assert_eq!(reply.status, 200, "{reply:?}");
    let (uid, report_id) = (reply.json()["measurement_uid"].clone(), reply.json()["report_id"].clone());
    let uid = uid.as_str().unwrap();
    let from_log = scored(&server, uid);
    assert_eq!((&from_log["row"]["report_id"], &from_log["body"]["report_id"]), (&report_id, &report_id));
    assert_eq!(from_log["body"]["is_verified"], from_log["row"]["is_verified"]);
    assert_eq!(agreement(&from_log), AGREES, "{}", from_log["agrees"]);
    server.stop();
    backend.archive("log");
    assert_eq!(explanation(&backend.server("other"), uid), from_log);
}

#[test]
fn a_row_that_was_changed() {
    let backend = Backend::new();
    let server = backend.server("log");
    let uid = submit(&server, REPORT, &envelope(&measurement(&json!({}))));
    scored(&server, &uid);
    backend.sql("UPDATE fastpath SET confirmed = 'f', probe_asn = 7");
    let explained = explanation(&server, &uid);
    assert_eq!(agreement(&explained), [Some(false), Some(true), Some(true), Some(true)]);
    assert_eq!(explained["agrees"]["differing"], json!(["probe_asn", "confirmed"]));
    let sentence = explained["agrees"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("it differs in probe_asn, confirmed."), "{sentence}");

    backend.sql("UPDATE fastpath SET confirmed = 't', probe_asn = 1, ruleset = 'compat/0', fingerprints_sha256 = 'ab'");
    let explained = explanation(&server, &uid);
    assert_eq!(agreement(&explained), [Some(true), Some(false), Some(false), Some(true)]);
    assert_eq!(explained["compared_with"], "compat");

    // A row of the reference.
    backend.sql("UPDATE fastpath SET ruleset = 'reference', fingerprints_sha256 = '', body_sha256 = ''");
    let explained = explanation(&server, &uid);
    assert_eq!(agreement(&explained), [Some(true), Some(false), None, None], "{}", explained["agrees"]);

    backend.sql("UPDATE fastpath SET probe_asn = 0");
    assert_eq!((get(&server, &uid).status, get(&server, &uid).error()), (404, "Measurement not found".to_owned()));
}

#[test]
fn a_body_that_was_changed() {
    let backend = Backend::new();
    let server = backend.server("log");
    let uid = submit(&server, REPORT, &envelope(&measurement(&json!({}))));
    scored(&server, &uid);
    server.stop();
    backend.archive("log");
    let [can] = &files(&backend.path().join("archive"), ".tar.gz")[..] else { panic!("one postcan") };
    let mut tar = Vec::new();
    GzDecoder::new(std::fs::File::open(can).unwrap()).read_to_end(&mut tar).unwrap();
    let at = tar.windows(11).position(|window| window == b"Stop Page</").unwrap();
    tar[at] = b's';
    let mut gzip = GzEncoder::new(std::fs::File::create(can).unwrap(), Compression::fast());
    gzip.write_all(&tar).unwrap();
    gzip.finish().unwrap();
    let explained = explanation(&backend.server("other"), &uid);
    assert_eq!(agreement(&explained), [Some(false), Some(true), Some(true), Some(false)]);
    assert_eq!(explained["fixed"]["confirmed"], false);
    assert_ne!(explained["body"]["sha256"], explained["row"]["body_sha256"]);
}

#[test]
fn a_page_shows_the_row_without_its_explanation() {
    let backend = Backend::new();
    let server = backend.server("log");
    let uid = submit(&server, REPORT, &envelope(&measurement(&json!({}))));
    scored(&server, &uid);
    server.stop();
    backend.archive("log");
    for can in files(&backend.path().join("archive"), ".gz") {
        std::fs::write(can, "damaged").unwrap();
    }
    let server = backend.server("other");
    assert_eq!(get(&server, &uid).status, 500);
    let page = server.get(&format!("/m/{uid}"));
    assert_eq!((page.status, page.header("content-type")), (500, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    for text in ["The explanation is not available at the moment", "<bdi>http://example.org/</bdi>", "blocking_general"]
    {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
    assert!(!page.text().contains("Rules that fired"));
}

/// Paths of files below a folder whose names end so.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path, suffix));
        } else if path.to_str().unwrap().ends_with(suffix) {
            found.push(path);
        }
    }
    found
}

#[test]
fn without_a_row_only_the_reason_is_shown() {
    let backend = Backend::new();
    let server = backend.server("log");
    let with = |change: Value| envelope(&measurement(&change));
    let cases = [
        ("discarded", with(json!({"probe_cc": "ZZ"})), "The country of the probe is unknown (ZZ)."),
        ("discarded", with(json!({"probe_asn": "AS0"})), "The network of the probe is unknown (AS0)."),
        ("discarded", with(json!({"report_id": null})), "The measurement has no report id."),
        ("rejected", with(json!({"test_keys": {"requests": "x"}})), "E-"),
        ("rejected", "secret, not JSON".to_owned(), "E-PARSE"),
        ("refused", with(json!({"software_name": [1]})), "software_name"),
    ];
    let uids: Vec<String> = cases.iter().map(|(_, body, _)| submit(&server, REPORT, body)).collect();
    let check = |server: &Server| {
        for ((status, _, reason), uid) in cases.iter().zip(&uids) {
            let explained = scored(server, uid);
            assert_eq!(explained["status"], *status, "{explained}");
            assert!(explained["reason"].as_str().unwrap().contains(reason), "{explained}");
            for key in ["row", "body", "fixed", "compat"] {
                assert_eq!(explained[key], Value::Null, "{key}: {explained}");
            }
            assert_eq!(agreement(&explained), [None; 4]);
            let raw = server.get(&format!("/api/v1/raw_measurement?measurement_uid={uid}&body=stored"));
            assert!(raw.status == 404 || raw.text() == "{}\n", "{raw:?}");
        }
    };
    check(&server);
    server.stop();
    backend.archive("log");
    check(&backend.server("other"));
}

#[test]
fn a_measurement_that_was_removed_is_unknown() {
    let backend = Backend::new();
    let server = backend.server("log");
    let uid = submit(&server, REPORT, &envelope(&measurement(&json!({}))));
    scored(&server, &uid);
    let store =
        ooni_store::BlockingStore::open(&format!("sqlite:{}", backend.path().join("ooni.db").display())).unwrap();
    store.wait(store.store.remove(&uid, "test", true)).unwrap();
    assert_eq!(get(&server, &uid).status, 404);
}

#[test]
fn unknown_and_wrong_uids() {
    let server = Backend::new().server("state");
    for uid in ["20260301110000.000000_IT_ndt_0123456789abcdef", "0123456789"] {
        let reply = get(&server, uid);
        assert_eq!((reply.status, reply.error()), (404, "Measurement not found".to_owned()));
    }
    for uid in ["short", &"1".repeat(101), "20260301110000.000000_IT_ndt_0123456789abcde%00", "%3Cscript%3E12345"] {
        let reply = get(&server, uid);
        assert_eq!((reply.status, reply.error()), (400, "Invalid measurement_uid".to_owned()), "{uid}");
    }
    let reply = server.get("/api/v1/raw_measurement?measurement_uid=0123456789&body=other");
    assert_eq!((reply.status, reply.error()), (400, "body: content or stored is expected".to_owned()));
}

/// Many rules and fingerprints, and long texts.
#[test]
fn an_answer_is_bounded() {
    let backend = Backend::new();
    let server = backend.server("log");
    let response = json!({"response": {"body": PAGE.repeat(60), "headers": {}}, "failure": null});
    let long = format!("http://example.org/{}", "x".repeat(5000));
    let change = json!({"input": long, "test_keys": {"blocking": false, "requests": vec![response; 300]}});
    let uid = submit(&server, REPORT, &envelope(&measurement(&change)));
    let explained = scored(&server, &uid);
    assert_eq!(agreement(&explained), AGREES, "{}", explained["agrees"]);
    let fixed = &explained["fixed"];
    assert_eq!(fixed["fingerprints"].as_array().unwrap().len(), 100);
    assert_eq!(fixed["fingerprints_omitted"], 200);
    assert_eq!(fixed["fingerprints"][0]["also_at"].as_array().unwrap().len(), 20);
    assert_eq!(fixed["fingerprints"][0]["also_at_omitted"], 39);
    let read = &fixed["fired"][0]["reads"][0];
    assert_eq!(
        (&read["is_cut"], &read["value"]),
        (&json!(true), &json!(format!("a string of {} bytes", 60 * PAGE.len())))
    );
    assert!(explained["row"]["input"].as_str().unwrap().ends_with("x…"));
}

/// The lists have the hash that explanations name.
#[test]
fn the_fingerprint_lists_are_served() {
    let server = Backend::new().server("state");
    let lists = ["dns", "http"].map(|name| server.get(&format!("/api/v1/fingerprints/fingerprints_{name}.csv")));
    let expected = [ooni_archive::fingerprints::DNS, ooni_archive::fingerprints::HTTP];
    for (list, expected) in lists.iter().zip(expected) {
        assert_eq!((list.status, list.header("cache-control")), (200, Some("max-age=60")));
        assert_eq!(list.header("content-type"), Some("text/csv; charset=utf-8"));
        assert!(list.body == expected);
    }
    for file in ["fingerprints_dns.json", "..%2Fsecrets", "%00"] {
        assert_eq!(server.get(&format!("/api/v1/fingerprints/{file}")).status, 404, "{file}");
    }
    // Lists that are on the disk, but not in use yet.
    let folder = server.state_dir().join("fingerprints");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("fingerprints_dns.csv"), "name").unwrap();
    std::fs::write(folder.join("fingerprints_http.csv"), "name").unwrap();
    assert!(server.get("/api/v1/fingerprints/fingerprints_dns.csv").body == expected[0]);
}

/// Rows that OONI's Python backend made, with the bodies of OONI's archive.
#[test]
fn rows_of_the_reference() {
    let server = recorded_server();
    let rows = std::fs::read_to_string(golden("rows.jsonl")).unwrap();
    let rows = rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap());
    let with_body: Vec<Value> = rows.filter(|row| row["table"] == "jsonl").collect();
    assert_eq!(with_body.len(), 10);
    for row in &with_body {
        let explained = explanation(&server, row["row"]["measurement_uid"].as_str().unwrap());
        assert_eq!(agreement(&explained), [Some(true), Some(false), None, None], "{}", explained["agrees"]);
        assert_eq!(explained["compared_with"], "compat");
        let sentence = explained["agrees"]["sentence"].as_str().unwrap();
        assert!(sentence.contains("OONI's Python backend made it"), "{sentence}");
    }
}

/// Scoring a large body a dozen times takes too much memory, so only its hash is compared.
#[test]
fn a_large_body() {
    let backend = Backend::new();
    let server = backend.server("log");
    let page = json!({"response": {"body": format!("{PAGE}{}", "x".repeat(9 << 20)), "headers": {}}, "failure": null});
    let change = json!({"test_keys": {"blocking": false, "requests": [page]}});
    let uid = submit(&server, REPORT, &envelope(&measurement(&change)));
    let explained = scored(&server, &uid);
    assert_eq!((&explained["status"], &explained["row"]["confirmed"]), (&json!("stored"), &json!(true)));
    assert_eq!((&explained["fixed"], &explained["compat"]), (&Value::Null, &Value::Null));
    assert_eq!(agreement(&explained), [None, Some(true), Some(true), Some(true)]);
    assert!(explained["reason"].as_str().unwrap().starts_with("The body has more than 4 MiB"), "{explained}");
    let rejected = submit(&server, REPORT, &format!("[{}", " ".repeat(9 << 20)));
    let explained = scored(&server, &rejected);
    assert_eq!((&explained["status"], &explained["body"]), (&json!("rejected"), &Value::Null));
    let discarded = envelope(&measurement(&json!({"probe_cc": "ZZ", "x": "x".repeat(9 << 20)})));
    let discarded = submit(&server, REPORT, &discarded);
    for _ in 0..2000 {
        if get(&server, &discarded).status == 404 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{:?}", get(&server, &discarded));
}
