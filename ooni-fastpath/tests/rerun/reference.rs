//! Real cans: the rows of the reference.

use crate::bench::query;
use crate::support::{Files, ROOT, fastpath};
use ooni_core::json::{Json, Reader, write_json};
use ooni_core::time::DateTime;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(ROOT).join("ooni-fastpath/tests/fixtures/cans").join(name)
}

fn lines(path: &Path) -> Vec<Json> {
    let mut reader = Reader::new();
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| reader.read(line.as_bytes()).unwrap().root().to_json()).collect()
}

fn text_of(json: &Json, key: &str) -> String {
    json.get(key).and_then(Json::as_str).unwrap_or_else(|| panic!("{key}")).to_owned()
}

/// Serialized as by the reference.
fn written(json: &Json) -> String {
    let mut out = Vec::new();
    write_json(json, &mut out);
    String::from_utf8(out).unwrap()
}

/// A measurement of a can, and its row if it has one.
struct Expected {
    can: String,
    index: i64,
    uid: String,
    row: Option<Json>,
}

fn expected() -> Vec<Expected> {
    let mut all = Vec::new();
    for line in lines(&fixture("expected.jsonl")) {
        let Some(Json::Int(index)) = line.get("index") else { continue };
        let row = line.get("row").cloned();
        assert_eq!(row.is_none(), line.get("discard") == Some(&Json::Bool(true)));
        let index = index.as_i64().unwrap();
        all.push(Expected { can: text_of(&line, "can"), index, uid: text_of(&line, "uid"), row });
    }
    assert_eq!(all.len(), 42);
    all
}

#[test]
fn outcomes_are_those_of_the_reference() {
    let files = Files::new();
    let [out, db] = ["rows.jsonl", "ooni.db"].map(|name| files.path(name));
    let uri = format!("sqlite:{}", db.display());
    let ran = fastpath([
        "rerun",
        "--source",
        "ooni-fastpath/tests/fixtures/cans",
        "--start-day",
        "2010-01-01",
        "--end-day",
        "2023-01-01",
        "--rules",
        "compat",
        "--db-uri",
        &uri,
        "--out",
        out.to_str().unwrap(),
    ]);
    // Six members of one can cannot be read.
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let (mut rejected, mut yielded) = (Vec::new(), Vec::new());
    for line in lines(&out) {
        match &*text_of(&line, "outcome") {
            "rejected" => rejected.push(text_of(line.get("source").unwrap(), "file")),
            "discarded" => yielded.push((text_of(&line, "measurement_uid"), None)),
            _ => yielded.push((text_of(&line, "measurement_uid"), line.get("row").map(written))),
        }
    }
    let expected = expected();
    for (ours, Expected { can, index, uid, row }) in yielded.iter().zip(&expected) {
        assert_eq!(ours, &(uid.clone(), row.as_ref().map(written)), "{can}, {index}");
    }
    assert_eq!(yielded.len(), expected.len());
    assert_eq!(rejected, ["raw/20221010/10/IT/signal/2022101010_IT_signal.n1.0.tar.gz"; 6]);
    store_is_the_same(&uri, &expected);
    hashes_are_those_of_the_bodies(&uri);
    bodies_are_where_the_uploader_says(&uri);
}

/// Of two measurements with the same uid, the first is stored.
fn store_is_the_same(uri: &str, expected: &[Expected]) {
    let mut first = BTreeMap::new();
    for one in expected.iter().filter(|one| one.row.is_some()) {
        first.entry(&one.uid).or_insert(one);
    }
    let some = first.values().find_map(|one| one.row.as_ref());
    let Some(Json::Object(some)) = some else { panic!("{some:?}") };
    let names: Vec<_> = some.iter().map(|(name, _)| std::str::from_utf8(name).unwrap()).collect();
    let stored = query(uri, &format!("SELECT {} FROM fastpath ORDER BY measurement_uid", names.join(", ")));
    let bodies = query(uri, "SELECT measurement_uid, source, linenum, date FROM jsonl ORDER BY measurement_uid");
    assert_eq!((stored.len(), bodies.len()), (first.len(), first.len()));
    for ((columns, body), Expected { can, index, uid, row }) in stored.iter().zip(&bodies).zip(first.values()) {
        let Some(Json::Object(row)) = row else { panic!("{uid}") };
        assert_eq!(columns.len(), row.len());
        for (ours, (name, value)) in columns.iter().zip(row) {
            let name = std::str::from_utf8(name).unwrap();
            let expected = match (name, value) {
                ("test_runtime", Json::Int(value)) => Value::Real(f64::from(value.to_f64().unwrap() as f32)),
                ("test_runtime", Json::Float(value)) => Value::Real(f64::from(*value as f32)),
                (_, Json::Int(value)) => Value::Integer(value.as_i64().unwrap()),
                (_, Json::Null) => Value::Null,
                (_, Json::Text(text)) if name.ends_with("_start_time") => {
                    Value::Integer(DateTime::parse(text).unwrap().timestamp())
                }
                (_, Json::Text(_)) => Value::Text(value.as_str().unwrap().to_owned()),
                (_, value) => Value::Text(written(value)),
            };
            assert_eq!(*ours, expected, "{uid} {name}");
        }
        let day: String = can.split('/').nth(1).unwrap().chars().filter(|c| *c != '-').collect();
        let day = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]);
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(*body, [text(uid), text(can), Value::Integer(*index), text(&day)]);
    }
}

/// Checked with `sha256sum`: a line without its line feed, a YAML entry with its markers, and a member.
fn hashes_are_those_of_the_bodies(uri: &str) {
    for (uid, sha256) in [
        // lz4 -dc …-probe.json.lz4 | sed -n 2p | head -c -1 | sha256sum
        (
            "0120200303b5d141cc6871b619ea61ae864bc76c",
            "8c3fa65caf0a9de1c41fcac94ee7980a10db43bca1621f8d1aa5c81d1f6db41f",
        ),
        // The second of lz4 -dc …-probe.yaml.lz4, from --- to ... and the end of that line.
        (
            "012018072655bdb2c4f8c648f4ef622490136d32",
            "37417ce8cce0b7c5bed932180dd20fae034eaf9f22bd5e7e178f96983efd3677",
        ),
        // lz4 -dc ndt.0.tar.lz4 | tar xO ndt.0.json | sed -n 2p | head -c -1 | sha256sum
        (
            "0120200420fdf61e887b1cbd1a9eedb5db0101f1",
            "9528d53496a6541fdecd3e975f9e45f53d23c7de955e109649998c33478b95a9",
        ),
        // tar xOf …_IT_dnscheck.n1.0.tar.gz --wildcards '*482fa6bbd4754383.post' | sha256sum
        (
            "20201202123637.847218_IT_dnscheck_482fa6bbd4754383",
            "e319e44075061537ef8ea257ccc1e2715b7a4cd8c270288da73094c18bbe3743",
        ),
    ] {
        let ours = query(uri, &format!("SELECT body_sha256 FROM fastpath WHERE measurement_uid = '{uid}'"));
        assert_eq!(ours, [[Value::Text(sha256.to_owned())]], "{uid}");
    }
}

fn bodies_are_where_the_uploader_says(uri: &str) {
    let table = lines(&fixture("jsonl_table.jsonl"));
    for line in &table {
        let uid = text_of(line, "measurement_uid");
        let ours =
            query(uri, &format!("SELECT report_id, input, s3path, linenum FROM jsonl WHERE measurement_uid = '{uid}'"));
        let input = match line.get("input") {
            Some(Json::Array(items)) => {
                format!("{{{}}}", items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(","))
            }
            _ => text_of(line, "input"),
        };
        let text = |text: String| Value::Text(text);
        let Some(Json::Int(linenum)) = line.get("linenum") else { panic!("{uid}") };
        let linenum = Value::Integer(linenum.as_i64().unwrap());
        assert_eq!(ours, [[text(text_of(line, "report_id")), text(input), text(text_of(line, "s3path")), linenum]]);
    }
    assert_eq!(table.len(), 10);
    let others = query(uri, "SELECT measurement_uid FROM jsonl WHERE s3path <> source");
    assert_eq!(others.len(), table.len(), "other cans have their bodies in themselves");
}
