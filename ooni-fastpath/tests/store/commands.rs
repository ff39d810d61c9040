//! The commands that maintain a store, on every engine. Messages for invalid arguments are in `cli.rs`.

use crate::support::{
    Engine, Fields, InFile, Open, SOUND, location, measured, new, of_day, open_to_read, sound, stored, text,
};
use ooni_core::error::{Code, Error};
use ooni_store::rollup::ROLLUPS;
use ooni_store::{BatchInput, Incoming, ListedUrl, OnExisting, Rejection, Removal, ScoredRow};
use std::fs;
use std::process::Command;

pub(crate) fn fastpath(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_fastpath")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// The output of a command that succeeds.
pub(crate) fn done(arguments: &[&str]) -> String {
    let (code, output) = fastpath(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {output}");
    output
}

pub(crate) fn commands_work(engine: &dyn Engine) {
    let url = &*engine.url();
    // The test migrates databases of servers; it does not migrate a file.
    let output = done(&["migrate", "--db-uri", url]);
    assert!(output.contains(": already at version ") || output.contains(": created the tables, version "), "{output}");
    let rows: Vec<_> = (0..200).map(|uid| measured(uid, u16::from(uid).wrapping_mul(331))).collect();
    engine.open().write(&rows, OnExisting::Keep).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().to_str().unwrap();
    fs::write(folder.path().join("it.csv"), "url,category_code\nhttps://site0.org/,NEWS\nhttps://site1.org/,HUMR\n")
        .unwrap();
    let output = done(&["store", "load-test-lists", lists, "--db-uri", url]);
    assert_eq!(output, "it.csv: 2 entries\n2 entries of 1 test lists loaded; 0 rows skipped, 0 files refused\n");
    assert_eq!(engine.lists().len(), 2);

    assert_eq!(done(&["store", "remove", "u7", "--reason", "asked for", "--db-uri", url]), "removed\n");
    let stats = done(&["store", "stats", "--db-uri", url]);
    let tables = [["fastpath", "199"], ["jsonl", "199"], ["rejected", "0"], ["removed", "1"], ["citizenlab", "2"]];
    for table in tables {
        assert!(stats.lines().any(|line| line.split_whitespace().eq(table)), "{table:?}: {stats}");
    }
    assert_eq!(stats.matches("  all measurements\n").count(), ROLLUPS.len() - 1, "{stats}");
    let removed = done(&["store", "removed", "--db-uri", url, "--format", "csv"]);
    assert!(removed.contains("\nu7,20") && removed.ends_with(",asked for\n"), "{removed}");
    let (code, output) = fastpath(&["store", "remove", "u7000", "--reason", "asked for", "--db-uri", url]);
    assert!(code == Some(1) && output.starts_with("the store has no such measurement"), "{output}");
    let (code, output) = fastpath(&["store", "copy", url, &other_spelling(url)]);
    assert_eq!((code, &*output), (Some(2), "fastpath: FROM and TO are the same store\n"));
    let checked = done(&["rollup", "check", "--db-uri", url]);
    assert_eq!(done(&["rollup", "rebuild", "--db-uri", url]).lines().count(), ROLLUPS.len());
    assert_eq!(done(&["rollup", "check", "--db-uri", url]), checked);

    let out = folder.path().join("rows");
    let days =
        ["--start-day", "2000-01-01", "--end-day", "2030-01-01", "--out", out.to_str().unwrap(), "--db-uri", url];
    let output = done(&[&["store", "export"][..], &days].concat());
    assert!(output.starts_with("199 rows in "), "{output}");

    let months = ["2023-12", "2024-01", "2024-02", "2024-03", "2024-04"];
    let counted = |month: &str| done(&["store", "drop-month", month, "--dry-run", "--db-uri", url]);
    let counted: Vec<String> = months.map(|month| counted(month).split(' ').next().unwrap().to_owned()).into();
    let dropped = |month: &str| done(&["store", "drop-month", month, "--db-uri", url]);
    let dropped: Vec<String> = months.map(|month| dropped(month).split(' ').next().unwrap().to_owned()).into();
    assert_eq!(counted, dropped);
    let all: u64 = dropped.iter().map(|rows| rows.parse::<u64>().unwrap()).sum();
    let left = open_to_read(url).unwrap().count().unwrap();
    assert!(all > 0 && all + left == 199, "{all} dropped, {left} left");
    done(&["rollup", "check", "--db-uri", url]);
}

/// Another URL of the same store.
fn other_spelling(url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) => format!("sqlite:{}", path.replacen('/', "/./", 1)),
        // Another name of the host, and a percent-encoded letter in the name of the database.
        None => url.replace("127.0.0.1", "localhost").replace("/test_", "/t%65st_"),
    }
}

/// Everything that is copied, as text, because NaN is not equal to itself.
pub(crate) fn content(store: &Open) -> Vec<String> {
    let Open(waiting) = store;
    let mut all = Vec::new();
    for measurement in waiting.measurements(None).map(Result::unwrap) {
        let openvpn = measurement.openvpn().unwrap().map(|row| row.each_ref().map(text));
        let (provenance, body) = (measurement.provenance(), measurement.body());
        all.push(format!("{:?} {provenance:?} {body:?} {openvpn:?}", measurement.row.each_ref().map(text)));
    }
    assert_eq!(all.len(), stored(store).len());
    all.extend(waiting.refusals().map(|refusal| format!("{:?}", refusal.unwrap())));
    all.extend(waiting.rejections(None, None).map(|rejection| format!("{:?}", rejection.unwrap())));
    let removal =
        |removal: Result<Removal, _>| removal.map(|Removal { uid, reason, .. }| format!("{uid:?} {reason:?}"));
    all.extend(waiting.removals().map(|row| removal(row).unwrap()));
    all.extend(waiting.archived().map(|archived| format!("{:?}", archived.unwrap())));
    all.extend(waiting.wait(waiting.store.test_lists(&[])).unwrap().iter().map(|entry| format!("{entry:?}")));
    all
}

/// Copies to a store that has rows of one month, in a bulk load.
pub(crate) fn months_without_rows_are_loaded(to: &dyn Engine) {
    let from = InFile::new();
    let mut rows = sound(0..30);
    for (row, day) in rows.iter_mut().zip(16..) {
        row.row.measurement_start_time = of_day(day);
    }
    from.open().write(&rows, OnExisting::Keep).unwrap();
    done(&["migrate", "--db-uri", &to.url()]);
    to.open().write(&rows[..5], OnExisting::Keep).unwrap();
    let output = done(&["store", "copy", "--bulk", &from.url(), &to.url()]);
    let usual = "15 rows of 2024-01 were written the usual way: there were rows before the load";
    assert!(output.contains(usual), "{output}");
    assert!(output.contains("2024-02: finished, 15 rows\n"), "{output}");
    assert!(output.contains("30 measurements: 25 copied, 5 already there, 0 refused\n"), "{output}");
    assert!(content(&from.open()) == content(&to.open()));
    done(&["rollup", "check", "--db-uri", &to.url()]);
}

/// Copies a store to another one, and back.
pub(crate) fn copies(from: &dyn Engine, to: &dyn Engine) {
    let store = from.open();
    let openvpn = r#"{"bootstrap_time":1.5,"success":true,"provider":"a\u0000b","network_events":[{"transaction_id":4294967295}]}"#;
    let vpn = |test_keys| Fields { test: "openvpn", keys: test_keys, ..SOUND };
    let odd =
        r#""test_runtime":NaN,"software_name":"\u0001\u0000","annotations":{"ooni_run_link_id":18446744073709551615},"#;
    let mut rows = sound(0..1500);
    rows.extend([
        new("vpn", &vpn(openvpn)),
        new("vpn without", &vpn(r#"{"bootstrap_time":"1"}"#)),
        new("odd", &Fields { rest: odd, ..SOUND }),
        new("refused", &Fields { version: "5", ..SOUND }),
        new("removed", &SOUND),
    ]);
    store.write(&rows, OnExisting::Keep).unwrap();
    store.0.wait(store.0.store.remove("removed", "asked for", false)).unwrap();
    let entry = ListedUrl {
        url: "http://x.org/vpn".to_owned(),
        domain: "x.org".to_owned(),
        cc: "it".to_owned(),
        category_code: "NEWS".to_owned(),
    };
    store.0.wait(store.0.store.replace_test_lists(vec![entry])).unwrap();
    let error = Error::new(Code::Type, "/test_keys", "a\0b");
    let rejections =
        vec![Rejection::new("raw/a.tar.gz", -1, None, &error), Rejection::new("raw/a.tar.gz", 7, Some("x"), &error)];
    let rejections = BatchInput::<ScoredRow>::of_rejections(rejections);
    store.0.wait(store.0.store.write(std::sync::Arc::new(rejections), OnExisting::Keep)).unwrap();
    let locations = [("discarded", location(3, "other")), ("u000001", location(4, "other"))];
    let locations = locations.map(|(uid, body)| (uid.to_owned(), body)).to_vec();
    store.0.wait(store.0.store.set_body_locations(locations)).unwrap();
    let expected = content(&store);
    assert_eq!(expected.len(), 1503 + 2 + 2 + 1 + 1 + 1);
    assert!(expected.iter().any(|row| row.contains("a\\0b") && row.contains("4294967295")), "{:?}", expected.last());

    done(&["migrate", "--db-uri", &to.url()]);
    let output = done(&["store", "copy", &from.url(), &to.url()]);
    let copied = "1503 measurements: 1503 copied, 0 already there, 0 refused\n";
    let beside = "2 refused before, 2 rejected, 1 removed, 1 entries of test lists\n";
    assert!(output.starts_with(&format!("{copied}{beside}")), "{output}");
    assert_eq!(content(&to.open()), expected);
    for table in ["fastpath", "jsonl", "obs_openvpn", "refused", "rejected", "removed", "archived"] {
        assert_eq!(to.table(table).len(), from.table(table).len(), "{table}");
    }
    done(&["rollup", "check", "--db-uri", &to.url()]);
    done(&["compare", &from.url(), &to.url()]);
    let output = done(&["store", "copy", &to.url(), &from.url()]);
    assert!(output.starts_with("1503 measurements: 0 copied, 1503 already there, 0 refused\n"), "{output}");
    assert_eq!(content(&store), expected);
}
