//! Side records of postcans: rows have the report id and `is_verified` of the collector.

use crate::bench::{Bench, POSTCAN};
use crate::support::{GOOD, append_with_records, fastpath, gzip, member, post, uid};
use ooni_core::json::Json;
use std::fs;

/// The same measurement without a report id.
fn without_report_id() -> String {
    GOOD.replace(r#""report_id":"R","#, "")
}

/// A postcan: two members with both records, one without, one without any report id, and one with an invalid record.
fn can() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |number, content: &str, records: &[(&str, &[u8])]| {
        append_with_records(&mut builder, records, &member(number), post(content).as_bytes());
    };
    add(0, GOOD, &[("OONI.report_id", b"S"), ("OONI.is_verified", b"t")]);
    add(1, &without_report_id(), &[("OONI.report_id", b"T"), ("OONI.is_verified", b"f")]);
    add(2, GOOD, &[]);
    add(3, &without_report_id(), &[("OONI.is_verified", b"t")]);
    add(4, GOOD, &[("OONI.report_id", b"")]);
    gzip(&builder.into_inner().unwrap())
}

/// The lines file of the same measurements, which has no side records.
fn lines() -> Vec<u8> {
    let [with, without] = [GOOD.to_owned(), without_report_id()];
    gzip([&with, &without, &with, &without, &with].map(|line| format!("{line}\n")).concat().as_bytes())
}

#[test]
fn rows_of_score() {
    let bench = Bench::new();
    bench.can(POSTCAN, &can());
    let path = bench.archive().join(POSTCAN);
    for arguments in [&["--rules", "compat"][..], &["--rules", "fixed", "--jobs", "3"], &["--explain"]] {
        let ran = fastpath([&["score", "--format", "jsonl", path.to_str().unwrap()], arguments].concat());
        assert_eq!(ran.outcomes(), ["stored", "stored", "stored", "discarded", "E-CAN"], "{}", ran.err);
        assert_eq!(ran.messages(), ["an invalid record OONI.report_id"]);
        assert_eq!(ran.uids(), (0..5).map(|number| Some(uid(number))).collect::<Vec<_>>());
        let lines = ran.lines();
        let column = |name: &str| {
            let of = |line: &Json| Some(line.get("row")?.get(name)?.as_str()?.to_owned());
            lines.iter().filter_map(of).collect::<Vec<_>>()
        };
        assert_eq!(column("report_id"), ["S", "T", "R"]);
        assert_eq!(column("is_verified"), ["t", "f", "u"]);
    }
}

#[test]
fn rows_of_rerun() {
    let bench = Bench::new();
    let twin = POSTCAN.replace(".tar.gz", ".jsonl.gz");
    bench.can(POSTCAN, &can());
    bench.can(&twin, &lines());
    let columns = "measurement_uid || ' ' || report_id || ' ' || is_verified FROM fastpath ORDER BY measurement_uid";
    let rows = || bench.texts(&format!("SELECT {columns}"));
    let ran = bench.rerun(&[]);
    assert_eq!(ran.code, Some(1), "a member with an invalid record; {}", ran.err);
    // Of the two files the postcan is read.
    let expected = [(0, "S t"), (1, "T f"), (2, "R u")].map(|(number, row)| format!("{} {row}", uid(number)));
    assert_eq!(rows(), expected);
    assert_eq!(bench.texts("SELECT report_id FROM jsonl ORDER BY measurement_uid"), ["S", "T", "R"]);

    // Without the postcan, everything comes from the content: report id and uid too.
    fs::remove_file(bench.archive().join(POSTCAN)).unwrap();
    fs::remove_file(bench.path("ooni.db")).unwrap();
    let ran = bench.rerun(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let rows = rows();
    // The three lines are equal, and so are their trivial uids.
    assert!(rows.len() == 1 && rows[0].ends_with(" R u") && !rows[0].starts_with("20240102030405."), "{rows:?}");
}
