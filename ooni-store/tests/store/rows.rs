//! Writing and reading rows, on every engine.

use crate::support::{Engine, Fields, SOUND, location, new, sound, stored, text, uids};
use ooni_core::row::schema::fastpath;
use ooni_store::value;
use ooni_store::{BatchResult, OnExisting, ScoredRow};
use std::collections::BTreeMap;

pub(crate) fn rows_read_back(engine: &dyn Engine) {
    let batch = sound(0..3);
    let store = engine.open();
    let written = store.write(&batch, OnExisting::Keep).unwrap();
    assert_eq!(written, BatchResult { inserted: 3, ..BatchResult::default() });
    drop(store);
    let store = engine.open();
    assert_eq!(store.count().unwrap(), 3);
    for (stored, new) in stored(&store).iter().zip(&batch) {
        assert_eq!(*stored, value::fastpath(&new.row).unwrap());
    }
    let names = engine.table("jsonl");
    assert_eq!(
        names[2],
        [
            "R-u000002",
            "http://x.org/u000002",
            "raw/2024.jsonl.gz",
            "7",
            "u000002",
            "2024-01-02",
            "raw/2024.tar.gz",
            "7696581394432",
            "8589934592",
            "3"
        ]
    );
    assert_eq!((names.len(), engine.table("obs_openvpn").len(), engine.table("refused").len()), (3, 0, 0));
    // One time per call.
    assert_eq!(engine.update_times().len(), 1);
}

pub(crate) fn a_row_is_written_once(engine: &dyn Engine) {
    let store = engine.open();
    store.write(&sound(0..3), OnExisting::Keep).unwrap();
    let before = engine.table("fastpath");
    let mut other = new("u000001", &Fields { version: "\"2\"", ..SOUND });
    other.body = Some(location(9, "other"));
    let written = store.write(&[&[other][..], &sound([2, 3, 3, 4, 3])].concat(), OnExisting::Keep).unwrap();
    assert_eq!(written, BatchResult { inserted: 2, already: 4, ..BatchResult::default() });
    assert_eq!(engine.table("fastpath")[..3], before);
    assert_eq!(uids(&store), ["u000000", "u000001", "u000002", "u000003", "u000004"]);
    assert_eq!(engine.table("jsonl")[1][3], "7");
    assert_eq!(store.write(&[], OnExisting::Keep).unwrap(), BatchResult::default());
}

pub(crate) fn replacing_replaces_all(engine: &dyn Engine) {
    let store = engine.open();
    let vpn = |provider| new("u1", &Fields { test: "openvpn", keys: provider, ..SOUND });
    store.write(&[vpn(r#"{"provider":"a"}"#)], OnExisting::Keep).unwrap();
    let mut second = vpn(r#"{"provider":"b"}"#);
    second.body = Some(location(9, "other"));
    let both = [second, new("u2", &SOUND), new("u2", &Fields { version: "\"3\"", ..SOUND })];
    let written = store.write(&both, OnExisting::Replace).unwrap();
    assert_eq!(written, BatchResult { inserted: 1, replaced: 2, ..BatchResult::default() });
    assert_eq!(engine.table("obs_openvpn")[0][15], "b");
    assert_eq!(engine.table("jsonl")[0][2..4], ["raw/other.jsonl.gz", "9"]);
    assert_eq!(engine.table("fastpath")[1][17], "3");
    // A measurement that is no longer openvpn has no row of `obs_openvpn`.
    store.write(&[new("u1", &SOUND)], OnExisting::Replace).unwrap();
    assert_eq!((engine.table("obs_openvpn").len(), engine.table("fastpath").len()), (0, 2));
}

pub(crate) fn refused_rows_are_set_aside(engine: &dyn Engine) {
    let store = engine.open();
    let odd = |version| new("odd", &Fields { version, ..SOUND });
    let batch = [sound([1]), vec![odd("0.1"), odd("0.2")], sound([2])].concat();
    let written = store.write(&batch, OnExisting::Keep).unwrap();
    assert_eq!((written.inserted, written.already, written.replaced), (2, 0, 0));
    let said: Vec<_> =
        written.refused.iter().map(|refusal| (refusal.index, &*refusal.column, &*refusal.message)).collect();
    let message = "expected text, found a float";
    assert_eq!(said, [(1, "test_version", message), (2, "test_version", message)]);
    assert_eq!(uids(&store), ["u000001", "u000002"]);
    let once = engine.table("refused");
    assert_eq!(once.len(), 1);
    assert_eq!(once[0][..3], ["odd", "test_version", message]);
    assert!(once[0][3].contains(r#""test_version":0.1,"#), "{}", once[0][3]);
    assert_eq!(
        once[0][4..],
        ["raw/2024.jsonl.gz", "7", "2024-01-02", "raw/2024.tar.gz", "7696581394432", "8589934592", "3"]
    );
    // Written again, the rows are refused again and recorded once.
    assert_eq!(store.write(&batch, OnExisting::Keep).unwrap().refused.len(), 2);
    assert_eq!(engine.table("refused"), once);
    store.write(&[odd("0.3")], OnExisting::Replace).unwrap();
    assert!(engine.table("refused")[0][3].contains(r#""test_version":0.3,"#));
    // An accepted row deletes the refusal; a refused one does not delete the row.
    store.write(&[odd("\"4\"")], OnExisting::Replace).unwrap();
    assert_eq!((engine.table("refused").len(), store.count().unwrap()), (0, 3));
    store.write(&[odd("0.5")], OnExisting::Replace).unwrap();
    assert_eq!((engine.table("refused").len(), store.count().unwrap()), (1, 3));
    assert_eq!(engine.table("fastpath")[0][17], "4");
}

pub(crate) fn a_refused_openvpn_row_does_not_refuse_the_measurement(engine: &dyn Engine) {
    let store = engine.open();
    let odd = new("u1", &Fields { test: "openvpn", keys: r#"{"bootstrap_time":"1"}"#, ..SOUND });
    let written = store.write(&[odd], OnExisting::Keep).unwrap();
    assert_eq!((written.inserted, written.refused.len(), written.without_openvpn.len()), (1, 0, 1));
    assert_eq!(written.without_openvpn[0].column, "obs_openvpn.bootstrap_time");
    assert_eq!((engine.table("fastpath").len(), engine.table("obs_openvpn").len()), (1, 0));
    let refused = engine.table("refused");
    assert_eq!(refused[0][1], "obs_openvpn.bootstrap_time");
    assert!(refused[0][3].contains(r#""openvpn":{"anomaly":false,"bootstrap_time":"1","#), "{}", refused[0][3]);
}

pub(crate) fn pages_are_ordered_by_uid(engine: &dyn Engine) {
    let store = engine.open();
    // More than two pages, and uids whose order depends on comparing bytes.
    let mut expected = Vec::new();
    let odd = ["", "A", "a", "a\0", "a\0b", "aa", "é", "z", "\u{10000}", "\u{ffff}"];
    let mut batch: Vec<_> = odd.iter().map(|uid| new("x", &SOUND).with_uid(uid)).collect();
    batch.extend(sound(0..2500));
    store.write(&batch, OnExisting::Keep).unwrap();
    expected.extend(batch.iter().map(|new| new.row.measurement_uid.clone()));
    expected.sort();
    assert_eq!(uids(&store), expected);
    for (at, uid) in expected.iter().enumerate() {
        if !uid.starts_with('u') || at % 100 == 0 {
            let page = store.page(Some(uid), 2).unwrap();
            let found: Vec<_> = page.iter().map(|row| text(&row[0])).collect();
            assert_eq!(found, expected[at + 1..expected.len().min(at + 3)], "{uid:?}");
        }
    }
}

trait WithUid {
    fn with_uid(self, uid: &str) -> Self;
}

impl WithUid for ScoredRow {
    fn with_uid(mut self, uid: &str) -> ScoredRow {
        self.row.measurement_uid = uid.to_owned();
        self
    }
}

pub(crate) fn odd_values_read_back(engine: &dyn Engine) {
    let runtimes = ["0.1", "16777217", "true", "NaN", "Infinity", "-Infinity", "1e-46", "-0.0", "null"];
    let links = ["null", "0", "9223372036854775807", "9223372036854775808", "18446744073709551615", "7", "7", "7", "7"];
    let rows: Vec<_> = runtimes
        .iter()
        .zip(links)
        .map(|(runtime, link)| {
            let rest = format!(
                r#""test_runtime":{runtime},"software_name":"a\u0000b","software_version":"é\ud83d\ude00",
                "annotations":{{"platform":"null","ooni_run_link_id":{link}}},"#
            );
            new(&format!("r{runtime}"), &Fields { rest: &rest, ..SOUND })
        })
        .collect();
    let store = engine.open();
    store.write(&rows, OnExisting::Keep).unwrap();
    let stored: BTreeMap<_, _> = stored(&store).into_iter().map(|row| (text(&row[0]), row)).collect();
    for new in &rows {
        let expected = value::fastpath(&new.row).unwrap();
        for ((cell, expected), name) in stored[&new.row.measurement_uid].iter().zip(&expected).zip(fastpath::NAMES) {
            // Compared as texts, in which NaN equals itself.
            assert_eq!(text(cell), text(expected), "{} {name}", new.row.measurement_uid);
        }
    }
    assert_eq!(text(&stored["r0.1"][18]), "0.10000000149011612");
}
