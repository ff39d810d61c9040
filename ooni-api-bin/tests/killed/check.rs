//! Compares what was acknowledged with the store and the archive.

use crate::load::Load;
use crate::server::{Server, Setup};
use ooni_archive::can::{Can, CanName, Expected};
use ooni_archive::chunk::{Chunk, Kind, ReadStatus};
use ooni_archive::limits::Limits;
use ooni_store::BlockingStore;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Lets the program finish, archives everything, and compares.
pub(crate) fn check(setup: &Setup, load: &Load) {
    let server = Server::start(setup, None);
    let total = loop {
        let health = server.health();
        if health["scoring"]["pending"] == 0 {
            let of = |key: &str| health["scoring"][key].as_u64().unwrap();
            let total = of("stored") + of("discarded") + of("rejected") + of("refused");
            assert_eq!(health["intake"]["accepted"], total, "{health}");
            break total;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    server.stop();
    setup.complete(&["job", "archive", "--current"]);

    let acknowledged = load.acknowledged();
    assert!(!acknowledged.is_empty());
    let archived = archive(&setup.state().join("archive"));
    assert_eq!(archived.len() as u64, total, "measurements in the archive");
    for (uid, body) in &acknowledged {
        let found = archived.get(uid).unwrap_or_else(|| panic!("{uid} is not in the archive"));
        assert!(found == body, "{uid} is archived with other bytes");
    }
    let store = BlockingStore::open(&format!("sqlite:{}", setup.state().join("ooni.db").display())).unwrap();
    let mut stored = 0;
    for row in store.measurements(None) {
        let row = row.unwrap();
        let uid = ooni_store::Incoming::uid(&row).to_owned();
        assert!(archived.contains_key(&uid), "{uid} is not in the archive");
        assert!(row.body.is_some(), "{uid} has no location");
        stored += 1;
    }
    let mut rejected = 0;
    for rejection in store.rejections(None, None) {
        rejection.unwrap();
        rejected += 1;
    }
    for uid in acknowledged.keys() {
        let status = store.wait(store.store.uid_status(uid)).unwrap();
        assert!(status.is_stored || status.is_rejected || status.is_archived, "{uid}: {status:?}");
    }
    eprintln!("{total} measurements, {} acknowledged, {stored} stored, {rejected} rejected", acknowledged.len());
}

/// The bodies in the archive by their uids.
fn archive(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_str().unwrap().ends_with(".tar.gz") {
                members(&path, &mut found);
            }
        }
    }
    found
}

fn members(path: &PathBuf, found: &mut BTreeMap<String, Vec<u8>>) {
    let file = Box::new(fs::File::open(path).unwrap());
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut can = Can::open(Expected::of_name(name), file, &CanName::of_path(path), &Limits::default());
    let mut chunk = Chunk::new(4 << 20);
    loop {
        chunk.allow_growth();
        let status = can.fill(&mut chunk);
        for entry in chunk.entries() {
            assert!(entry.error.is_none() && entry.kind == Kind::Post, "{entry:?}");
            let member = std::str::from_utf8(chunk.member(entry).unwrap()).unwrap();
            let uid = member.rsplit_once('/').unwrap().1.strip_suffix(".post").unwrap();
            let other = found.insert(uid.to_owned(), chunk.body(entry).to_vec());
            assert!(other.is_none(), "{uid} is in the archive twice: {}", path.display());
        }
        if status == ReadStatus::End {
            return;
        }
        chunk.clear();
    }
}
