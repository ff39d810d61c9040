//! Compares what was acknowledged with the store and the archive.

use super::archive::{self, Archived};
use super::load::Load;
use super::server::{Server, Setup};
use ooni_api::intake::{Position, Snapshot};
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::Reader;
use ooni_core::measurement::Measurement;
use ooni_core::process::{Outcome, process_with};
use ooni_core::rules::Rules;
use ooni_store::{BlockingStore, BodyLocation, Incoming, Rejection, ScoredRow, StoredMeasurement, StoredRefusal};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// How many bodies are requested from the server.
const REQUESTS: usize = 100;

/// Lets the program finish, archives everything, and compares.
///
/// - Everything that was acknowledged is in the archive, byte for byte. Each uid is there once.
/// - Each uid is in the store once, as what `ooni_core` makes of its body, and the counters say so.
/// - The store says where each body is, and the program returns it.
pub fn check(setup: &Setup, load: &Load) {
    let server = Server::start(setup, None);
    let health = server.wait_until_scored();
    let acknowledged = load.acknowledged();
    assert!(!acknowledged.is_empty());
    let sample = acknowledged.iter().step_by(acknowledged.len().div_ceil(REQUESTS));
    for (uid, body) in sample.clone() {
        let found = server.raw(uid);
        assert!(found == raw(uid, body), "{uid}: {}", shown(&found));
    }
    server.stop();
    setup.complete(&["job", "archive", "--current"]);

    let archived = archive::bodies(&setup.archive());
    for (uid, body) in &acknowledged {
        let found = archived.get(uid).unwrap_or_else(|| panic!("{uid} is not in the archive"));
        assert!(found.body == *body, "{uid} is archived with other bytes");
    }
    let mut left = Kept::of(setup);
    let locations = std::mem::take(&mut left.locations);
    let mut count = BTreeMap::from([("stored", 0), ("discarded", 0), ("rejected", 0), ("refused", 0)]);
    for (uid, archived) in &archived {
        *count.get_mut(left.take(uid, archived)).unwrap() += 1;
    }
    assert!(left.rows.is_empty() && left.refusals.is_empty() && left.rejections.is_empty(), "{left:?}");
    assert_eq!(health["intake"]["accepted"], archived.len(), "{health}");
    for (outcome, count) in &count {
        assert_eq!(health["scoring"][outcome], *count, "{outcome}: {health}");
    }
    check_locations(setup, &archived, &locations);

    let server = Server::start(setup, None);
    let health = server.health();
    assert_eq!(health["archive"]["pending"], 0, "{health}");
    let in_quarantine = archived.values().filter(|archived| archived.is_in_quarantine).count();
    assert_eq!(health["archive"]["quarantined"], in_quarantine, "{health}");
    assert_eq!(health["archive"]["postcans"], archived.len() - in_quarantine, "{health}");
    for (uid, body) in sample {
        let found = server.raw(uid);
        assert!(found == raw(uid, body), "{uid}: {}", shown(&found));
    }
    server.stop();
    let left: Vec<_> = std::fs::read_dir(setup.state().join("archiver")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    eprintln!("{} measurements, {} acknowledged, {count:?}", archived.len(), acknowledged.len());
}

/// Checks that everything that was acknowledged is in the log or in the archive, byte for byte, and everything before the
/// archiver's cursor in the archive. The program must not run.
pub fn check_kept(setup: &Setup, load: &Load) {
    let archived = archive::whole_bodies(&setup.archive());
    let is_archived = |uid: &str, body: &[u8]| archived.get(uid).is_some_and(|archived| archived.body == body);
    let folder = setup.state().join("intake");
    let cursor = std::fs::read(folder.join("cursor-archive.json"));
    let cursor = cursor.map_or(serde_json::Value::Null, |text| serde_json::from_slice(&text).unwrap());
    let done = cursor["position"]["sequence"].as_u64().unwrap_or(0);
    let mut in_log = BTreeMap::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let snapshot = Snapshot::open(&folder).unwrap();
    let mut reader = snapshot.reader(Position::default());
    while let Some((record, _)) = runtime.block_on(reader.next()).unwrap() {
        let body = record.body.bytes().unwrap();
        assert!(record.sequence > done || is_archived(&record.uid, &body), "{} is not archived", record.uid);
        in_log.insert(record.uid, body);
    }
    for (uid, body) in load.acknowledged() {
        let is_in_log = in_log.get(&uid).is_some_and(|found| found == &body);
        assert!(is_in_log || is_archived(&uid, &body), "{uid} is lost");
    }
}

/// What the store has, by uid.
#[derive(Debug, Default)]
struct Kept {
    rows: BTreeMap<String, StoredMeasurement>,
    refusals: BTreeMap<String, StoredRefusal>,
    rejections: BTreeMap<String, Rejection>,
    locations: BTreeMap<String, BodyLocation>,
}

impl Kept {
    fn of(setup: &Setup) -> Kept {
        let store = BlockingStore::open(&setup.store()).unwrap();
        let mut kept = Kept::default();
        let mut locate = |uid: &str, location: Option<BodyLocation>| {
            let location = location.unwrap_or_else(|| panic!("{uid} has no location"));
            let other = kept.locations.insert(uid.to_owned(), location.clone());
            assert!(other.as_ref().is_none_or(|other| *other == location), "{uid}: {location:?} and {other:?}");
        };
        for row in store.measurements(None) {
            let row = row.unwrap();
            locate(row.uid(), row.body.clone());
            kept.rows.insert(row.uid().to_owned(), row);
        }
        for refusal in store.refusals() {
            let refusal = refusal.unwrap();
            locate(&refusal.uid, refusal.body.clone());
            kept.refusals.insert(refusal.uid.clone(), refusal);
        }
        for archived in store.archived() {
            let (uid, location) = archived.unwrap();
            locate(&uid, Some(location));
        }
        for rejection in store.rejections(None, None) {
            let rejection = rejection.unwrap();
            let uid = rejection.uid.clone().unwrap_or_else(|| panic!("{rejection:?}"));
            assert!(kept.rejections.insert(uid, rejection.clone()).is_none(), "rejected twice: {rejection:?}");
        }
        kept
    }

    /// Takes what the store has of a measurement, which must be what its body gives. Returns its outcome.
    fn take(&mut self, uid: &str, archived: &Archived) -> &'static str {
        let row = self.rows.remove(uid);
        let refusal = self.refusals.remove(uid);
        let rejection = self.rejections.remove(uid);
        match outcome(uid, archived) {
            Outcome::Stored { row: scored, openvpn } => {
                let body_sha256 = Sha256::digest(&archived.body).into();
                let wanted = ScoredRow { row: scored, openvpn, body: None, body_sha256 };
                assert!(rejection.is_none(), "{uid}: {rejection:?}");
                match wanted.cells() {
                    Ok(cells) => {
                        let row = row.unwrap_or_else(|| panic!("{uid} has no row"));
                        assert!(refusal.is_none(), "{uid}: {refusal:?}");
                        assert_eq!(row.cells().unwrap(), cells, "{uid}");
                        assert_eq!(row.openvpn(), wanted.openvpn(), "{uid}");
                        assert_eq!(row.provenance, wanted.provenance(), "{uid}");
                        "stored"
                    }
                    Err(why) => {
                        assert!(row.is_none(), "{uid}: {row:?}");
                        assert_eq!(refusal.map(|refusal| refusal.refused), Some(why), "{uid}");
                        "refused"
                    }
                }
            }
            Outcome::Discarded { .. } => {
                assert!(row.is_none() && refusal.is_none() && rejection.is_none(), "{uid} was to be discarded");
                "discarded"
            }
            Outcome::Rejected { error } => {
                assert!(row.is_none() && refusal.is_none(), "{uid} was to be rejected");
                let rejection = rejection.unwrap_or_else(|| panic!("{uid} was not rejected: {error}"));
                assert_eq!(rejection.code, error.code.as_str(), "{uid}");
                "rejected"
            }
        }
    }
}

/// What the core makes of a body.
fn outcome(uid: &str, archived: &Archived) -> Outcome {
    thread_local! {
        static FINGERPRINTS: Fingerprints = ooni_archive::fingerprints::built_in().unwrap();
    }
    FINGERPRINTS.with(|lists| process_with(&archived.body, uid, &archived.side, lists, Rules::Fixed))
}

/// Checks that each body is where the store says, and that no line is left.
fn check_locations(setup: &Setup, archived: &BTreeMap<String, Archived>, locations: &BTreeMap<String, BodyLocation>) {
    let lines = archive::lines(&setup.archive());
    let mut seen = BTreeSet::new();
    for (uid, archived) in archived {
        let location = locations.get(uid).unwrap_or_else(|| panic!("{uid} has no location"));
        let place = (location.s3path.to_string(), location.linenum);
        assert_eq!(location.s3path.starts_with("quarantine/"), archived.is_in_quarantine, "{uid}: {place:?}");
        match content(&archived.body) {
            Some(content) if !has_line_breaks(content) => {
                let line = lines.get(&place.0).and_then(|lines| lines.get(place.1 as usize));
                assert!(line.is_some_and(|line| line == content), "{uid} is not the line {place:?}");
            }
            _ => assert!(place.0.ends_with(".tar.gz"), "{uid}: {place:?}"),
        }
        assert!(seen.insert(place), "two bodies have the location of {uid}");
    }
    // A can whose bodies are all in quarantine has no lines.
    let placeholders = lines.values().flatten().filter(|line| **line == b"{}").count();
    let in_lines = archived.values().filter(|archived| content(&archived.body).is_some()).count();
    assert_eq!(lines.values().map(Vec::len).sum::<usize>(), in_lines + placeholders);
}

/// The measurement in a body as it was sent; `None` if there is none.
fn content(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new();
    let document = reader.read(body).ok()?;
    let source = Measurement::new(document.root()).ok()?.content().source();
    let start = source.as_ptr() as usize - body.as_ptr() as usize;
    Some(&body[start..start + source.len()])
}

/// Whether the line of the archive is another text, in which they are spaces.
fn has_line_breaks(content: &[u8]) -> bool {
    content.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}

/// What `raw_measurement` returns for a body. A measurement without a row is not found.
fn raw(uid: &str, body: &[u8]) -> Vec<u8> {
    if Reader::new().read(body).is_err() {
        return b"{\"error\":\"Measurement not found\"}\n".to_vec();
    }
    let archived = Archived { body: body.to_owned(), side: Default::default(), is_in_quarantine: false };
    let has_row = matches!(outcome(uid, &archived), Outcome::Stored { row, .. } if row.acceptance().is_ok());
    content(body).filter(|_| has_row).unwrap_or(b"{}\n").to_owned()
}

/// The beginning of a text.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(500)]).into_owned()
}
