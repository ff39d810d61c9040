//! Runs that share files: two at the same time, one after a stopped one, two arguments that name the same file.

use crate::bench::{Bench, NEXT, postcan};
use crate::support::{GOOD, Ran, fastpath, post};
use ooni_testkit::process::signal;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

/// A bench with a complete run whose journal says that it is unfinished.
fn stopped(arguments: &[&str], journal: &str) -> Bench {
    let bench = Bench::with(3);
    assert_eq!(bench.rerun(arguments).code, Some(0));
    let text = fs::read_to_string(bench.path(journal)).unwrap();
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    assert!(text[last..].starts_with("{\"complete\":"), "{text}");
    fs::write(bench.path(journal), &text[..last]).unwrap();
    bench
}

fn assert_refused(ran: &Ran, whys: &[&str]) {
    assert_eq!((ran.code, &*ran.out), (Some(2), &b""[..]), "{}", ran.err);
    for why in whys {
        assert!(ran.err.contains(why), "{why}: {}", ran.err);
    }
}

/// A run that waits for a reader of its report holds the locks on its output and journal.
#[test]
fn two_runs_cannot_write_one_output_and_signals_end_a_report() {
    for form in ["jsonl", "parquet", ""] {
        let bench = Bench::with(3);
        let [out, report, archive] = [&format!("rows.{form}"), "report", "archive"].map(|name| bench.path(name));
        assert!(Command::new("mkfifo").arg(&report).status().unwrap().success());
        let uri = bench.uri();
        let days = ["--start-day", "2010-01-01", "--end-day", "2024-02-01", "--db-uri", &uri];
        let out = if form.is_empty() { vec![] } else { vec!["--out", &out] };
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
        command.args(["rerun", "--source", &archive, "--report", &report]).args(days).args(&out);
        let mut first = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("1 cans; ")), "it has come to its report");
        let before = fs::read(bench.path(&format!("rows.{form}"))).unwrap_or_default();
        for more in [&[][..], &["--resume"], &["--restart"], &["--stop-after", "1"]] {
            if form.is_empty() && more.contains(&"--stop-after") {
                continue; // it has neither a journal nor a file
            }
            let ran = fastpath([&["rerun", "--source", &archive], &days[..], &out, more].concat());
            assert_refused(&ran, &[&format!(".journal: in use by process {} (fastpath)", first.id())]);
        }
        assert!(fs::read(bench.path(&format!("rows.{form}"))).unwrap_or_default() == before);
        // Without a reader it would wait forever.
        signal(first.id(), "TERM");
        let status = first.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(128 + 15), None));
        let ran = fastpath([&["rerun", "--source", &archive], &days[..], &out].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
}

#[test]
fn an_output_is_locked_under_every_name() {
    let bench = Bench::with(3);
    fs::write(bench.path("rows.jsonl"), "what another writes\n").unwrap();
    fs::hard_link(bench.path("rows.jsonl"), bench.path("link.jsonl")).unwrap();
    let file = fs::File::open(bench.path("rows.jsonl")).unwrap();
    file.lock().unwrap();
    let ran = bench.rerun(&["--out", &bench.path("link.jsonl")]);
    assert_refused(&ran, &["link.jsonl: in use by ", &format!("process {}", std::process::id())]);
    assert_eq!(bench.read("rows.jsonl"), b"what another writes\n");
    assert!(!fs::exists(bench.path("link.jsonl.journal")).unwrap(), "nothing is left behind");
}

#[test]
fn an_unfinished_run_is_not_discarded() {
    let (out, journal) = ("rows.csv", "rows.csv.journal");
    for more in [&[][..], &["--ccs", "IT"], &["--stop-after", "1"]] {
        let bench = Bench::with(3);
        let path = bench.path(out);
        assert_eq!(bench.rerun(&["--out", &path]).code, Some(0));
        let whole = fs::read_to_string(bench.path(journal)).unwrap();
        let unfinished = &whole[..whole.trim_end().rfind('\n').unwrap() + 1];
        fs::write(bench.path(journal), unfinished).unwrap();
        let rows = bench.read(out);
        let ran = bench.rerun(&[&["--out", &path], more].concat());
        let which = ["an earlier run has not finished, 1 cans are done; ", " UTC, ", "--start-day 2010-01-01"];
        assert_refused(&ran, &which);
        assert!(ran.err.contains("--restart") && ran.err.contains(&format!("--db-uri {}", bench.uri())), "{}", ran.err);
        assert_eq!(ran.err.contains("--ccs was nothing and is IT"), more.contains(&"--ccs"), "{}", ran.err);
        assert_eq!((bench.read(out), bench.read(journal)), (rows.clone(), unfinished.as_bytes().to_vec()));
        let ran = bench.rerun(&[&["--out", &path, "--restart"], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert_eq!(bench.read(out).len() < rows.len(), more.contains(&"--stop-after"));
        assert_eq!(fs::exists(bench.path(journal)).unwrap(), !more.contains(&"--stop-after"));
    }
    let ran = Bench::new().rerun(&["--resume", "--restart"]);
    assert_refused(&ran, &["cannot be used with"]);
}

#[test]
fn a_run_of_other_days_into_the_same_store() {
    let bench = stopped(&[], "ooni.db.journal");
    bench.can(NEXT, &postcan(&[post(GOOD)]));
    let days = ["--start-day", "2024-01-03", "--end-day", "2024-01-04"].map(str::to_owned);
    let ran = bench.run(&days);
    assert_refused(&ran, &["--end-day was 2024-02-01 and is 2024-01-04", "it started ", " --start-day 2010-01-01"]);
    let ran = bench.run(&[&days[..], &["--resume".to_owned()]].concat());
    assert_refused(&ran, &["the journal of another run: --end-day was 2024-02-01 and is 2024-01-04"]);
    assert_eq!(bench.rerun(&["--resume"]).code, Some(0));
    assert_eq!(bench.run(&days).code, Some(0), "the first is complete now");
}

#[test]
fn a_file_that_is_not_a_journal() {
    let bench = Bench::with(1);
    fs::write(bench.path("rows.csv.journal"), "notes\n").unwrap();
    let out = bench.path("rows.csv");
    assert_refused(&bench.rerun(&["--out", &out]), &["not a journal, or a damaged one; --restart overwrites it"]);
    assert_eq!(bench.read("rows.csv.journal"), b"notes\n");
    assert_eq!(bench.rerun(&["--out", &out, "--restart"]).code, Some(0));
}

#[test]
fn arguments_must_name_distinct_files() {
    let bench = Bench::with(1);
    let out = bench.path("rows.jsonl");
    fs::create_dir(bench.path("sub")).unwrap();
    std::os::unix::fs::symlink(&out, bench.path("soft")).unwrap();
    let store = |name: &str| format!("sqlite:{}", bench.path(name));
    for (arguments, names) in [
        (&["--out", &out, "--report", &out][..], "--out and --report"),
        (&["--out", &out, "--report", &bench.path("sub/../rows.jsonl")], "--out and --report"),
        (&["--out", &out, "--report", &bench.path("ROWS.jsonl")], "--out and --report"),
        (&["--out", &out, "--report", &bench.path("soft")], "--out and --report"),
        (&["--out", &out, "--report", &format!("{out}.journal")], "the journal of --out and --report"),
        (&["--out", &out, "--db-uri", &store("rows.jsonl")], "--out and --db-uri"),
        (&["--out", &out, "--db-uri", &store("rows.jsonl.journal")], "the journal of --out and --db-uri"),
        (&["--report", &bench.path("x.db"), "--db-uri", &store("x.db")], "--report and --db-uri"),
        (&["--report", &bench.path("x.db-wal"), "--db-uri", &store("x.db")], "--report and a file of --db-uri"),
        (
            &["--report", &bench.path("x.db.journal"), "--db-uri", &store("x.db")],
            "the journal of --db-uri and --report",
        ),
        (
            &["--out", &bench.path("x.parquet"), "--report", &bench.path("x.parquet.spool")],
            "the spool of --out and --report",
        ),
        (&["--out", &out, "--write-to-disk", "--spool-dir", &out], "--out and --spool-dir"),
    ] {
        let days = ["--start-day", "2010-01-01", "--end-day", "2024-02-01", "--source"];
        let (archive, uri) = (bench.path("archive"), bench.uri());
        let usual = if arguments.contains(&"--db-uri") { vec![] } else { vec!["--db-uri", &uri] };
        let ran = fastpath([&["rerun"], &days[..], &[&archive], &usual, arguments].concat());
        assert_refused(&ran, &[&format!(": {names} are the same file\n")]);
    }
    let mut left: Vec<_> = fs::read_dir(bench.0.0.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["archive", "soft", "sub"], "nothing was opened");
}
