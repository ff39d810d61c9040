//! Bulk loads of a store.

use crate::bench::{Bench, NEXT, dump, with};
use crate::support::{fastpath, gzip, member, tar};
use rusqlite::Connection;

/// A bench with measurements of two months.
fn of_two_months() -> Bench {
    let bench = Bench::with(3);
    let later = with(r#""measurement_start_time":"2024-02-03 04:05:06""#);
    bench.can(NEXT, &gzip(&tar(&[(&member(3), &later)])));
    bench
}

#[test]
fn a_load_leaves_what_a_usual_run_leaves() {
    let bench = of_two_months();
    let usual = format!("sqlite:{}", bench.path("usual.db"));
    let (source, days) = (bench.archive(), ["--start-day", "2010-01-01", "--end-day", "2024-02-01"]);
    let arguments = [&["rerun", "--source", source.to_str().unwrap(), "--db-uri", &usual], &days[..]].concat();
    assert_eq!(fastpath(arguments).code, Some(0));
    let ran = bench.rerun(&["--bulk"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for finished in ["fastpath: 2024-01: finished, 3 rows\n", "fastpath: 2024-02: finished, 1 rows\n"] {
        assert!(ran.err.contains(finished), "{}", ran.err);
    }
    assert!(ran.err.contains("4 rows, 0 of them already there"), "{}", ran.err);
    assert_eq!(bench.dump(), dump(&usual));
    assert_eq!(fastpath(["rollup", "check", "--db-uri", &bench.uri()]).code, Some(0));
    // The store holds rows now.
    let ran = bench.rerun(&["--bulk", "--restart"]);
    assert!(ran.err.contains("4 rows of 2024-01 to 2024-02 were written the usual way"), "{}", ran.err);
    assert!(ran.err.contains("4 rows, 4 of them already there"), "{}", ran.err);
    assert_eq!(bench.dump(), dump(&usual));
}

#[test]
fn the_last_loader_finishes() {
    let bench = of_two_months();
    let database = Connection::open(bench.path("ooni.db")).unwrap();
    assert_eq!(fastpath(["migrate", "--db-uri", &bench.uri()]).code, Some(0));
    database.execute("INSERT INTO bulk_loader VALUES ('another', unixepoch() + 60)", []).unwrap();
    let ran = bench.rerun(&["--bulk"]);
    assert!(ran.err.contains("1 other loader is writing; the last one finishes 2024-01 to 2024-02\n"), "{}", ran.err);
    let stats = fastpath(["store", "stats", "--db-uri", &bench.uri()]);
    assert_eq!(stats.code, Some(2));
    assert!(stats.err.contains("2024-01 and 2024-02 are being loaded; `fastpath store finish`"), "{}", stats.err);
    let finish = || fastpath(["store", "finish", "--db-uri", &bench.uri()]);
    let ran = finish();
    let text = String::from_utf8(ran.out).unwrap();
    assert!(ran.code == Some(1) && text.starts_with("1 other loader is writing"), "{text}");
    // It was killed a minute ago.
    database.execute("UPDATE bulk_loader SET expires = unixepoch() - 1", []).unwrap();
    let ran = bench.rerun(&["--bulk", "--resume"]);
    assert!(ran.err.contains("2024-02: finished, 1 rows"), "{}", ran.err);
    let ran = finish();
    assert_eq!((ran.code, &*ran.out), (Some(0), &b"nothing to finish\n"[..]));
    assert_eq!(fastpath(["rollup", "check", "--db-uri", &bench.uri()]).code, Some(0));
    let ran = bench.rerun(&["--bulk", "--update"]);
    assert!(ran.code == Some(2) && ran.err.contains("cannot be used with"), "{}", ran.err);
}
