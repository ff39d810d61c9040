//! Arguments, alone and in combination.

use crate::bench::{Bench, NEXT, POSTCAN, postcan, with};
use crate::support::{GOOD, ROOT, fastpath, member, post, uid};
use std::fs;
use std::process::Command;

#[test]
fn flags_without_a_command_are_a_rerun() {
    // As in runbooks of the reference. Nothing of that day is read from OONI's buckets.
    let bench = Bench::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
    let given = "--start-day 2016-05-13 --end-day 2016-05-14 --stdout --no-write-msmt";
    command.args(given.split(' ')).args(["--source", &bench.path("archive")]).current_dir(bench.0.0.path());
    let ran = command.output().unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    assert_eq!((ran.status.code(), &*ran.stderr), (Some(1), &b""[..]), "{out}");
    let expected = "fastpath: --no-write-msmt: no effect, that is the default without --write-to-disk\n\
                    test  accepted  stored  discarded  rejected  refused\n\
                    all          0       0          0         0        0\n\
                    0 cans; 0 rows, 0 of them already there\n";
    let (table, nothing) = out.split_at(out.rfind("fastpath: nothing found in ").unwrap());
    assert_eq!(table, expected);
    assert!(nothing.ends_with("; looked for days 2016-05-13 to 2016-05-14 (excluded)\n"), "{nothing}");
    assert!(bench.0.path("ooni-data/ooni.db").is_file(), "the usual store");
}

#[test]
fn ignored_flags_are_reported() {
    let bench = Bench::with(1);
    for (flag, why) in [
        ("--ordered", "no effect, results are always in the order of the archive"),
        ("--noapi", "no effect, a rerun does not listen on any port"),
        ("--keep-s3-cache", "no effect, downloads are kept with --cache DIR"),
        ("--no-write-msmt", "no effect, that is the default without --write-to-disk"),
        ("--devel", "no effect, there are no special paths for a development tree"),
        ("--debug", "no effect, rejections are always reported"),
    ] {
        let ran = bench.rerun(&[flag]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.err.starts_with(&format!("fastpath: {flag}: {why}\n")), "{}", ran.err);
        assert_eq!(ran.err.matches("fastpath: ").count(), 1, "{}", ran.err);
    }
}

#[test]
fn invalid_arguments_are_refused() {
    let bench = Bench::with(1);
    let db = bench.uri();
    for (arguments, why) in [
        (&["--stdout", "--out", "-"][..], "--stdout and --out - both use standard output"),
        (&["--stdout", "--report", "-"], "--stdout and --report - both use standard output"),
        (&["--out", "-", "--report", "-"], "--out - and --report - both use standard output"),
        (
            &["--clickhouse-url", "clickhouse://me:secret@host/db"],
            "--clickhouse-url: the native protocol is not supported; use HTTP: --db-uri clickhouse://",
        ),
        (&["--clickhouse-url", "clickhouse://x", "--db-uri", &db], "cannot be used with"),
        (
            &["--db-uri", "mysql://me:secret@host/x"],
            "unsupported store URL: expected sqlite:PATH, postgres://… or clickhouse://…",
        ),
        (&["--resume", "--no-write-to-db"], "--resume needs a store or --out FILE"),
        (&["--resume", "--out", "-"], "--resume cannot truncate standard output"),
        (&["--resume", "--no-write-to-db", "--out", "-"], "--resume needs a store or --out FILE"),
        (&["--journal", "j", "--out", "-"], "--journal: a run without --out FILE or a store, with --out -, or with"),
        (&["--resume", "--stop-after", "3"], "--resume cannot be used with --stop-after"),
        (&["--out", "rows.json"], "--out: expected a name that ends in .jsonl, .csv or .parquet, or -"),
        (&["--out", "rows"], "--out: expected a name that ends in .jsonl, .csv or .parquet, or -"),
        (&["--out", "/nowhere/rows.csv"], "/nowhere/rows.csv: No such file"),
        (&["--write-to-disk", "--no-write-msmt"], "cannot be used with"),
        (&["--spool-dir", "x"], "--write-to-disk"),
        (&["--stop-after", "0"], "--stop-after"),
        (&["--jobs", "0"], "--jobs"),
        (&["--ccs", "ITA"], "--ccs"),
        (&["--fingerprints", "/nowhere"], "/nowhere"),
        (&["--source", "/nowhere/archive"], "/nowhere/archive: does not exist"),
        (&["--source", "https://x"], "a source is a folder or s3://BUCKET[/PREFIX]"),
    ] {
        let archive = bench.path("archive");
        let days = ["rerun", "--start-day", "2024-01-01", "--end-day", "2024-02-01"];
        let mut all = days.to_vec();
        if !arguments.contains(&"--source") {
            all.extend(["--source", &archive]);
        }
        // The default store would be created in the root of the repository.
        if !arguments.iter().any(|given| ["--db-uri", "--no-write-to-db", "--clickhouse-url"].contains(given)) {
            all.extend(["--db-uri", &db]);
        }
        all.extend(arguments);
        let ran = fastpath(&all);
        assert_eq!((ran.code, ran.out.len()), (Some(2), 0), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(why) && !ran.err.contains("secret"), "{arguments:?}: {}", ran.err);
    }
    let ran = bench.run(&["--start-day", "2024-01-02", "--end-day", "2024-01-02"].map(str::to_owned));
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--end-day is exclusive and must be after --start-day"), "{}", ran.err);
    assert!(!fs::exists(format!("{ROOT}/ooni-data")).unwrap());
}

#[test]
fn incomplete_days_are_skipped() {
    let bench = Bench::with(1);
    let ran = bench.run(&["--start-day", "2024-01-01", "--end-day", "9999-01-01"].map(str::to_owned));
    assert_eq!(ran.code, Some(0));
    assert!(ran.err.contains(" on are skipped: they are not complete yet\n"), "{}", ran.err);
}

#[test]
fn a_dry_run_reads_nothing() {
    let bench = Bench::new();
    bench.can(POSTCAN, b"twelve bytes");
    bench.can(NEXT, &[b'x'; 1000]);
    let ran = bench.rerun(&["--dry-run", "--out", &bench.path("rows.jsonl"), "--report", &bench.path("report.json")]);
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    let lines: Vec<Vec<_>> = ran.text().lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(lines.contains(&vec!["2024-01-02", "dash", "1", "12"]), "{}", ran.text());
    assert!(lines.iter().any(|line| line.starts_with(&["2024-01-03", "dash", "1", "1000"])), "{}", ran.text());
    let names: Vec<_> = fs::read_dir(bench.0.0.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["archive"]);
}

#[test]
fn a_run_stops_after_a_number_of_measurements() {
    // The first can is larger than a batch, so the run stops inside a batch, at the end of one, and in the next can.
    let padded = with(&format!("\"padding\":\"{}\"", "x".repeat(2000)));
    let bench = Bench::with(1);
    let mut bodies = vec![post(&padded); 400];
    bodies[7] = "broken".to_owned();
    bench.can(POSTCAN, &postcan(&bodies));
    bench.can(NEXT, &postcan(&[post(GOOD)]));
    for number in [1, 7, 8, 9, 130, 399, 400, 401] {
        let [out, report] = ["rows.jsonl", "report.json"].map(|name| bench.path(name));
        let _ = fs::remove_file(bench.0.path("ooni.db"));
        let given = ["--stop-after", &number.to_string(), "--jobs", "2", "--out", &out, "--report", &report];
        let ran = bench.rerun(&given);
        let is_good = number < 8;
        assert_eq!(ran.code, Some(i32::from(!is_good)), "{}", ran.err);
        assert_eq!(bench.lines("rows.jsonl").len(), number);
        let report = bench.json("report.json");
        let stored = number - usize::from(!is_good);
        assert_eq!((&report["all"]["accepted"], &report["all"]["stored"]), (&number.into(), &stored.into()));
        assert_eq!(report["cans"], if number > 400 { 2 } else { 1 });
        // The can of the next day repeats a uid of the first can.
        assert_eq!(bench.query("SELECT 1 FROM fastpath").len(), stored.min(399));
        assert!(!fs::exists(bench.path("rows.jsonl.journal")).unwrap(), "it does not go on");
    }
}

#[test]
fn bodies_go_to_a_spool() {
    let bench = Bench::new();
    // Bodies that cannot be read or are discarded are spooled as well.
    let bodies = [post(GOOD), "broken".to_owned(), post("{}"), "[]".to_owned()];
    bench.can(POSTCAN, &postcan(&bodies));
    let spool = bench.path("spool");
    let ran = bench.rerun(&["--write-to-disk", "--spool-dir", &spool]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("fastpath: 4 POST bodies spooled\n"), "{}", ran.err);
    let folder = bench.0.path("spool/incoming/2024010203_IT_dash");
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [0, 1, 2, 3].map(|number| format!("{}.post", uid(number))));
    for (name, body) in names.iter().zip(&bodies) {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), *body);
    }
}

#[test]
fn an_unwritable_spool_does_not_stop_the_run() {
    let bench = Bench::new();
    let odd = "a/not-a-uid.post".to_owned();
    let good = member(1);
    let members = [(&*odd, &*post(GOOD)), (&*good, &*post(GOOD))].map(|(name, body)| (name, body.to_owned()));
    let members: Vec<_> = members.iter().map(|(name, body)| (*name, &**body)).collect();
    bench.can(POSTCAN, &crate::support::gzip(&crate::support::tar(&members)));
    let ran = bench.rerun(&["--write-to-disk", "--spool-dir", &bench.path("spool")]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("fastpath: 1 POST bodies spooled, 1 failed; the first error: "), "{}", ran.err);
    assert_eq!(bench.query("SELECT 1 FROM fastpath").len(), 2);
}

#[test]
fn a_report_to_standard_output() {
    let bench = Bench::with(2);
    let ran = bench.rerun(&["--report", "-"]);
    let report: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!((ran.code, &report["all"]["stored"]), (Some(0), &2.into()));
    let ran = bench.rerun(&["--report", "/nowhere/report.json"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("cannot write the report: /nowhere/report.json: No such file"), "{}", ran.err);
    assert!(!fs::exists(format!("{ROOT}/-")).unwrap());
}

/// No password of an argument is ever shown.
#[test]
fn passwords_are_never_shown() {
    let bench = Bench::with(1);
    let days = ["--start-day", "2024-01-01", "--end-day", "2024-02-01"];
    let (archive, out) = (bench.path("archive"), bench.path("rows.jsonl"));
    let stores = [
        "postgres://me:PLANTED@127.0.0.1:1/x?sslmode=disable",
        "postgres://me@127.0.0.1:1/x?sslmode=disable&password=PLANTED",
        "clickhouse://me:PLANTED@none.invalid/x", // not retried, unlike a refused connection
        "clickhouse://127.0.0.1:1/x?password=PLANTED",
        "mysql://me:PLANTED@127.0.0.1:1/x",
        "sqlite://me:PLANTED@x",
    ];
    let mut commands: Vec<Vec<&str>> = Vec::new();
    for store in stores {
        commands.push([&["rerun", "--source", &archive, "--out", &out, "--db-uri", store], &days[..]].concat());
        commands.push(vec!["compare", store, "none.jsonl"]);
    }
    commands.push([&["rerun", "--clickhouse-url", stores[2]], &days[..]].concat());
    commands.push([&["rerun", "--no-write-to-db", "--source", "https://me:PLANTED@x/"], &days[..]].concat());
    for command in commands {
        let ran = fastpath(&command);
        assert_eq!(ran.code, Some(2), "{command:?}: {}", ran.err);
        assert!(!ran.err.contains("PLANTED") && ran.out.is_empty(), "{command:?}: {}", ran.err);
        for file in
            fs::read_dir(bench.0.0.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
        {
            assert!(!fs::read_to_string(&file).unwrap_or_default().contains("PLANTED"), "{}", file.display());
        }
    }
}

/// No line of the help is wider than 80 columns.
#[test]
fn help_fits_80_columns() {
    for command in ["", "score", "rerun", "fetch", "compare", "migrate", "rollup", "store"] {
        for help in ["-h", "--help"] {
            let ran = fastpath([command, help].into_iter().filter(|word| !word.is_empty()));
            assert_eq!(ran.code, Some(0));
            for line in ran.text().lines() {
                assert!(line.chars().count() <= 80, "{command} {help}: {line}");
            }
        }
    }
}
