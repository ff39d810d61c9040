//! `fastpath rerun` over the archive gives the rows of live scoring.

use crate::process::archive;
use crate::process::server::{Server, Setup};
use crate::submit::{TIME, report_of, submit};
use clap::Parser;
use ooni_core::row::schema::fastpath;
use ooni_store::{BlockingStore, BodyLocation, Incoming, StoredMeasurement, StoredRefusal};
use ooni_testkit::corpus::{Options, generate};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;

const REPORT: &str = "20250715T000000Z_webconnectivity_IT_30722_n1_AAAAAAAAAAAAAAAA";

fn submit_report(address: SocketAddr, body: &[u8]) -> String {
    submit(address, &format!("/report/{REPORT}"), body).unwrap().0
}

/// The request of `submit_measurement` with a text.
fn request_of(content: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content).ok()?;
    let credentials = json!({"format": "json", "content": text, "nym": "AAAA", "zkp_request": "BBBB"});
    Some(credentials.to_string().into_bytes())
}

/// A measurement of web_connectivity with more fields; `more` begins with a comma.
fn measurement(number: u32, more: &str) -> String {
    format!(
        "{{\"report_id\":\"{REPORT}\",\"probe_cc\":\"IT\",\"probe_asn\":\"AS30722\",\"test_name\":\"web_connectivity\",\n\
         \"input\":\"https://example.com/{number}\",\"test_start_time\":\"2025-07-15 00:00:00\",\
         \"measurement_start_time\":\"2025-07-15 00:00:01\",\"test_keys\":{{\"blocking\":\"dns\",\"accessible\":false}}{more}}}"
    )
}

/// What a store has of measurements, by uid.
#[derive(Debug)]
struct Contents {
    rows: BTreeMap<String, StoredMeasurement>,
    refusals: BTreeMap<String, StoredRefusal>,
    /// Their codes.
    rejections: BTreeMap<String, String>,
}

impl Contents {
    fn of(url: &str) -> Contents {
        let store = BlockingStore::open(url).unwrap();
        let rows = store.measurements(None).map(|row| {
            let mut row = row.unwrap();
            forget_member(&mut row.body);
            (row.uid().to_owned(), row)
        });
        let refusals = store.refusals().map(|refusal| {
            let mut refusal = refusal.unwrap();
            forget_member(&mut refusal.body);
            (refusal.uid.clone(), refusal)
        });
        let rejections = store.rejections(None, None).map(Result::unwrap);
        Contents {
            rows: rows.collect(),
            refusals: refusals.collect(),
            rejections: rejections.map(|rejection| (rejection.uid.unwrap_or_default(), rejection.code)).collect(),
        }
    }

    fn text(&self, uid: &str, column: usize) -> String {
        format!("{:?}", self.rows[uid].row[column])
    }
}

/// Whether the archiver located a body in its postcan, because its line has other bytes: it has no measurement that is JSON,
/// or one with line breaks.
fn is_in_postcan(body: &Option<BodyLocation>) -> bool {
    body.as_ref().is_some_and(|location| location.s3path == location.source)
}

/// Replaces such a location by that of the line, which a rerun gives to all bodies.
fn locate_line(body: &mut Option<BodyLocation>, line: &Option<BodyLocation>) {
    if is_in_postcan(body) {
        assert_eq!(body.as_ref().map(|body| &body.source), line.as_ref().map(|line| &line.source));
        body.clone_from(line);
    }
}

#[test]
fn a_rerun_gives_the_rows_of_live_scoring() {
    let mut setup = Setup::new();
    setup.start_at(TIME);
    let server = Server::start(&setup, None);
    let address = server.address();
    let mut with_new_report_id = BTreeMap::new();
    let mut accepted = 0;
    let options =
        Options { n: 300, seed: 14, wc_share: 0.3, malformed: 0.1, odd: 0.1, blocked: 0.3, ..Options::default() };
    for (number, made) in generate(&options).unwrap().enumerate() {
        let envelope = [b"{\"format\":\"json\",\"content\":", &*made.content, b"}"].concat();
        let (path, body) = match number % 4 {
            0 => (report_of(&made, number), Some(made.post)),
            1 => (report_of(&made, number), Some(envelope)),
            2 => (report_of(&made, number), Some(made.content)),
            _ => ("/api/v1/submit_measurement".to_owned(), request_of(&made.content)),
        };
        if let Some((uid, report_id)) = body.and_then(|body| submit(address, &path, &body)) {
            accepted += 1;
            with_new_report_id.extend(report_id.map(|id| (uid, id)));
        }
    }
    assert!(accepted > 250 && with_new_report_id.len() > 40, "{accepted}, {}", with_new_report_id.len());

    // What a probe says about its verification does not count.
    let envelope = |content: &str, more: &str| format!("{{\"format\":\"json\",\"content\":{content}{more}}}");
    let forged = ",\"is_verified\":\"t\"";
    let mut forgeries = vec![
        submit_report(address, envelope(&measurement(1, ""), forged).as_bytes()),
        submit_report(address, envelope(&measurement(2, forged), "").as_bytes()),
        submit_report(address, measurement(3, forged).as_bytes()),
    ];
    let body = request_of(measurement(4, forged).as_bytes()).unwrap();
    let (uid, report_id) = submit(address, "/api/v1/submit_measurement", &body).unwrap();
    forgeries.push(uid.clone());
    with_new_report_id.insert(uid, report_id.unwrap());

    // What is not a measurement.
    let yaml =
        |content: &str| submit_report(address, json!({"format": "yaml", "content": content}).to_string().as_bytes());
    let in_yaml = yaml(&measurement(5, "").replace('\n', " "));
    let not_yaml = yaml("{");
    let not_json = submit_report(address, b"{\"format\":\"json\",");
    let number = submit_report(address, b"{\"format\":\"json\",\"content\":5}");
    let refused = submit_report(
        address,
        envelope(&measurement(6, ",\"annotations\":{}"), "").replace("example", "\\ud800").as_bytes(),
    );
    submit_report(address, b"[]");
    submit_report(address, b"{\"format\":\"json\",\"content\":{\"probe_cc\":\"ZZ\",\"report_id\":\"x\"}}");

    server.wait_until_scored();
    server.stop();
    setup.complete(&["job", "archive", "--current"]);
    let live = Contents::of(&setup.store());

    let archived = setup.archive();
    let url = format!("sqlite:{}", setup.folder().join("rerun.db").display());
    let arguments = ["fastpath", "rerun", "--start-day", "2025-07-15", "--end-day", "2025-07-17", "--db-uri", &url];
    let cli =
        ooni_fastpath::cli::Cli::parse_from(arguments.into_iter().chain(["--source", archived.to_str().unwrap()]));
    ooni_fastpath::command::run(cli); // not 0, since some are rejected
    let again = Contents::of(&url);

    assert!(live.rows.len() > 200, "{}", live.rows.len());
    assert!(live.rows.keys().eq(again.rows.keys()), "{:?}", difference(&live, &again));
    for (uid, row) in &live.rows {
        let mut row = row.clone();
        let other = &again.rows[uid];
        assert!(*uid != in_yaml || is_in_postcan(&row.body), "{uid}");
        locate_line(&mut row.body, &other.body);
        assert_eq!(row, *other, "{uid}");
    }
    assert!(live.rows.values().any(|row| row.openvpn.is_some()));
    assert!(live.refusals.keys().eq(again.refusals.keys()));
    for (uid, refusal) in &live.refusals {
        let mut refusal = refusal.clone();
        locate_line(&mut refusal.body, &again.refusals[uid].body);
        assert_eq!(refusal, again.refusals[uid], "{uid}");
    }
    // Bodies that are not JSON are in quarantine, where a rerun does not look.
    let quarantine = archive::bodies(&archived).into_iter().filter(|(_, archived)| archived.is_in_quarantine);
    let mut rejections = again.rejections.clone();
    rejections.extend(quarantine.map(|(uid, _)| (uid, "E-PARSE".to_owned())));
    assert_eq!(live.rejections, rejections);

    for uid in &forgeries {
        assert_eq!(live.text(uid, fastpath::is_verified), "Text(\"u\")", "{uid}");
    }
    for (uid, report_id) in with_new_report_id.iter().filter(|(uid, _)| live.rows.contains_key(*uid)) {
        assert_eq!(live.text(uid, fastpath::report_id), format!("Text({report_id:?})"), "{uid}");
    }
    assert!(live.rows.contains_key(&in_yaml));
    assert_eq!(live.rejections[&not_yaml], "E-VALUE");
    assert_eq!(live.rejections[&not_json], "E-PARSE");
    assert_eq!(live.rejections[&number], "E-TYPE");
    assert!(live.refusals.contains_key(&refused));
}

/// A rerun does not know the gzip member of a line.
fn forget_member(location: &mut Option<BodyLocation>) {
    location.as_mut().unwrap().member = None;
}

/// The uids that only one of two stores has.
fn difference<'c>(one: &'c Contents, other: &'c Contents) -> Vec<&'c String> {
    let missing = |from: &'c Contents, to: &'c Contents| from.rows.keys().filter(|uid| !to.rows.contains_key(*uid));
    missing(one, other).chain(missing(other, one)).collect()
}
