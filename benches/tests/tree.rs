//! Checks a generated tree of cans: its entries, read with independent libraries, match the truth file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "the files are our own")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use ooni_testkit::corpus::Options;
use ooni_testkit::corpus::archive::{Archive, write};
use ooni_testkit::corpus::containers::{Packing, Summary};
use serde_json::Value;

fn options() -> Options {
    Options { n: 2000, seed: 5, malformed: 0.04, odd: 0.02, per_hour: 600, ..Options::default() }
}

fn tree(options: &Options, archive: &Archive) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let summary = write(options, archive, &Packing { per_file: 40, level: 1, ..Packing::default() }, folder.path());
    (folder, summary.unwrap())
}

const ARCHIVE: Archive = Archive { per_day: 200, duplicates: 0.0 };

/// All keys with their content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(key, fs::read(path).unwrap());
            }
        }
    }
    found
}

fn truth(folder: &Path) -> Vec<Value> {
    let file = BufReader::new(File::open(folder.join("truth.jsonl")).unwrap());
    file.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn unpacked(key: &str, packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if key.ends_with(".gz") {
        MultiGzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    } else {
        let mut rest = packed;
        while !rest.is_empty() {
            FrameDecoder::new(&mut rest).read_to_end(&mut bytes).unwrap();
        }
    }
    bytes
}

fn members(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let members = archive.entries().unwrap().map(|member| {
        let mut member = member.unwrap();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        (member.path().unwrap().to_str().unwrap().to_owned(), content)
    });
    members.collect()
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// The frames of a YAML report, without the header; formats spec §11.1.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut frames, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let length = match &rest[..4] {
            b"---\n" => rest.windows(5).position(|window| window == b"\n...\n").unwrap() + 5,
            b"...\n" => 4,
            [b'#', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap() + 1,
            other => panic!("broken frame {other:?}"),
        };
        let (frame, after) = rest.split_at(length);
        if frame.starts_with(b"---") {
            frames.push(frame.to_vec());
        }
        rest = after;
    }
    frames.split_off(1)
}

fn of_report(name: &str, bytes: &[u8]) -> Vec<Vec<u8>> {
    if name.ends_with(".yaml") { frames(bytes) } else { lines(bytes) }
}

/// The entries of a can, with the uids in their names.
fn entries(key: &str, packed: &[u8]) -> Vec<(Option<String>, Vec<u8>)> {
    let bytes = unpacked(key, packed);
    let anonymous = |entries: Vec<Vec<u8>>| entries.into_iter().map(|entry| (None, entry)).collect();
    if key.ends_with(".tar.gz") {
        let uid = |name: String| Some(name.rsplit_once('/').unwrap().1.strip_suffix(".post").unwrap().to_owned());
        members(&bytes).into_iter().map(|(name, post)| (uid(name), post)).collect()
    } else if key.ends_with(".tar.lz4") {
        anonymous(members(&bytes).iter().flat_map(|(name, report)| of_report(name, report)).collect())
    } else if key.ends_with(".jsonl.gz") {
        anonymous(lines(&bytes))
    } else {
        anonymous(of_report(key.strip_suffix(".lz4").unwrap(), &bytes))
    }
}

#[test]
fn same_arguments_same_bytes() {
    let (first, summary) = tree(&options(), &ARCHIVE);
    let (second, again) = tree(&options(), &ARCHIVE);
    assert!(files(first.path()) == files(second.path()));
    assert_eq!((summary.measurements, summary.kinds), (2000, again.kinds));
    let (other, _) = tree(&Options { seed: 6, ..options() }, &ARCHIVE);
    assert!(truth(first.path()) != truth(other.path()));
}

#[test]
fn truth_is_complete() {
    let (folder, _) = tree(&options(), &ARCHIVE);
    let files = files(folder.path());
    let truth = truth(folder.path());
    assert_eq!(truth.len(), 2000);
    let place = |line: &Value| (line["can"].as_str().unwrap().to_owned(), line["place"].as_u64().unwrap());
    assert!(truth.windows(2).all(|pair| place(&pair[0]) < place(&pair[1])), "sorted by can and place");

    let mut cans: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for line in &truth {
        cans.entry(line["can"].as_str().unwrap().into()).or_default().push(line);
    }
    let mut uids = BTreeSet::new();
    let mut outcomes = BTreeMap::<_, u64>::new();
    for (key, truth) in &cans {
        let entries = entries(key, &files[key]);
        assert_eq!(entries.len(), truth.len(), "{key}");
        for (number, ((named, entry), truth)) in entries.iter().zip(truth).enumerate() {
            assert_eq!(truth["place"], number);
            let uid = truth["uid"].as_str();
            assert!(uid.is_none_or(|uid| uids.insert(uid.to_owned())), "{uid:?}");
            assert!(named.is_none() || named.as_deref() == uid);
            *outcomes.entry(truth["outcome"].as_str().unwrap()).or_default() += 1;
            if truth["outcome"] == "read" {
                assert!(uid.is_some());
                let linenum = truth["linenum"].as_u64().unwrap() as usize;
                let body_key = truth["body_key"].as_str().unwrap();
                assert_eq!(linenum, number);
                let twin = key.strip_suffix(".tar.gz").map(|stem| format!("{stem}.jsonl.gz"));
                assert!(body_key == key || (Some(body_key) == twin.as_deref() && files.contains_key(body_key)));
                check_identity(key, entry, truth);
            }
        }
    }
    assert!(outcomes["read"] > 1700 && outcomes["rejected"] > 50, "{outcomes:?}");
}

/// Checks what an independent reader finds in a readable entry.
fn check_identity(key: &str, entry: &[u8], truth: &Value) {
    let Ok(mut read) = serde_json::from_slice::<Value>(entry) else { return };
    if key.ends_with(".tar.gz") {
        read = read["content"].take();
    }
    for name in ["test_name", "probe_cc", "probe_asn", "measurement_start_time", "report_id", "input"] {
        assert_eq!(read[name], truth[name], "{key} {name}");
    }
    if key.ends_with(".jsonl.gz") {
        assert_eq!(read["measurement_uid"], truth["uid"]);
    }
}

#[test]
fn keys_are_those_of_the_archive() {
    let (folder, summary) = tree(&options(), &ARCHIVE);
    let files = files(folder.path());
    let mut endings = BTreeMap::<_, u64>::new();
    for key in files.keys().filter(|key| *key != "truth.jsonl") {
        let parts: Vec<&str> = key.split('/').collect();
        match *parts.as_slice() {
            ["raw", date, hour, cc, test, name] => {
                assert!(name.starts_with(&format!("{date}{hour}_{cc}_{test}.n1.")), "{key}");
                assert!(date >= "20201020" && !test.contains('_'), "{key}");
            }
            ["canned", date, _] => assert!((10, true) == (date.len(), date <= "2020-10-20"), "{key}"),
            _ => panic!("{key}"),
        }
        let ending = key.rsplitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        *endings.entry(ending).or_default() += 1;
    }
    let kinds: Vec<&str> = endings.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["gz.json", "gz.jsonl", "gz.tar", "lz4.json", "lz4.tar", "lz4.yaml"]);
    assert_eq!(summary.files.len() as u64 + endings["gz.json"], files.len() as u64 - 1);

    // A stem has a postcan, a jsonl.gz or both, with the same measurements.
    let (mut both, mut postcan_alone) = (0, 0);
    for (key, packed) in files.iter().filter(|(key, _)| key.ends_with(".tar.gz")) {
        let Some(jsonl) = files.get(&key.replace(".tar.gz", ".jsonl.gz")) else {
            postcan_alone += 1;
            continue;
        };
        both += 1;
        let lines = entries("x.jsonl.gz", jsonl);
        let posts = entries(key, packed);
        assert_eq!(lines.len(), posts.len());
        for ((_, line), (_, post)) in lines.iter().zip(&posts) {
            let line = line.strip_suffix(b"\n").unwrap();
            assert!(line == b"{}" || post.windows(line.len()).any(|window| window == line));
        }
    }
    assert!(both > 0 && postcan_alone > 0 && endings["gz.jsonl"] > both);
}

#[test]
fn pieces_and_reports_in_archives() {
    let (folder, _) = tree(&options(), &ARCHIVE);
    let files = files(folder.path());
    let of = |ending: &'static str| files.iter().filter(move |(key, _)| key.ends_with(ending));
    let second_frame = |bytes: &[u8]| {
        let (mut rest, mut first) = (bytes, Vec::new());
        FrameDecoder::new(&mut rest).read_to_end(&mut first).unwrap();
        !rest.is_empty()
    };
    assert!(of(".lz4").any(|(_, bytes)| second_frame(bytes)));
    let one_member = |bytes: &[u8]| flate2::read::GzDecoder::new(bytes).read_to_end(&mut Vec::new()).unwrap();
    assert!(of(".jsonl.gz").any(|(key, bytes)| one_member(bytes) < unpacked(key, bytes).len()));
    let names = || of(".tar.lz4").flat_map(|(key, bytes)| members(&unpacked(key, bytes))).map(|(name, _)| name);
    assert!(names().any(|name| name.ends_with(".yaml")) && names().any(|name| name.ends_with(".json")));
}

#[test]
fn reports_can_be_duplicated() {
    let (folder, summary) = tree(&options(), &Archive { duplicates: 0.5, ..ARCHIVE });
    let truth = truth(folder.path());
    let uids: Vec<&str> = truth.iter().filter_map(|line| line["uid"].as_str()).collect();
    let different: BTreeSet<&str> = uids.iter().copied().collect();
    assert_eq!((truth.len(), summary.measurements), (2000, 2000));
    assert!((10..200).contains(&(uids.len() - different.len())), "{} {}", uids.len(), different.len());
}
