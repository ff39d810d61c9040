//! Days, countries and tests.

use crate::bench::{Bench, lz4};
use crate::support::{gzip, member, post, tar};

fn measurement(report_id: &str, cc: &str, test: &str) -> String {
    format!(
        r#"{{"report_id":"{report_id}","probe_cc":"{cc}","probe_asn":"AS1","test_name":"{test}","measurement_start_time":"2020-01-02 03:04:05","test_start_time":"2020-01-02 03:04:00","test_keys":{{}}}}"#
    )
}

const REPORT: &str = "---\nreport_id: yaml\nprobe_cc: DE\nprobe_asn: AS1\ntest_name: ndt\nsoftware_name: ooniprobe\n\
                      software_version: 1.0.0\nstart_time: 1577934245.0\ntest_version: '1'\n...\n---\ninput: null\n...\n";

/// A can of each format.
fn archive() -> Bench {
    let bench = Bench::new();
    let dash = measurement("postcan", "IT", "dash");
    let web = |report_id, cc| measurement(report_id, cc, "web_connectivity");
    let postcan = gzip(&tar(&[(&member(1), &post(&dash))]));
    bench.can("raw/20210102/03/IT/dash/2021010203_IT_dash.n1.0.tar.gz", &postcan);
    let lines = format!("{}\n", web("jsonl", "DE"));
    let key = "raw/20210103/03/DE/webconnectivity/2021010303_DE_webconnectivity.n1.0.jsonl.gz";
    bench.can(key, &gzip(lines.as_bytes()));
    let lines = format!("{}\n{}\n", web("tar-it", "IT"), web("tar-de", "de"));
    bench.can("canned/2020-01-02/web_connectivity.00.tar.lz4", &lz4(&tar(&[("reports/a.json", &lines)])));
    let name =
        |cc, test, version, form| format!("20200102T000000Z-{cc}-AS1-{test}-no_report_id-{version}-probe.{form}.lz4");
    let lines = format!("{}\n", measurement("json", "IT", "dash"));
    bench.can(&format!("canned/2020-01-02/{}", name("IT", "dash", "0.2.0", "json")), &lz4(lines.as_bytes()));
    bench.can(&format!("canned/2020-01-03/{}", name("DE", "ndt", "0.1.0", "yaml")), &lz4(REPORT.as_bytes()));
    bench
}

/// The report ids of accepted measurements.
fn accepted(bench: &Bench, arguments: &[&str]) -> Vec<String> {
    let [out, report] = ["rows.jsonl", "report.json"].map(|name| bench.path(name));
    let given = ["--no-write-to-db", "--out", &out, "--report", &report];
    let mut all: Vec<_> = given.into_iter().chain(arguments.iter().copied()).map(str::to_owned).collect();
    if !arguments.contains(&"--start-day") {
        all.extend(["--start-day", "2010-01-01", "--end-day", "2024-01-01"].map(str::to_owned));
    }
    let ran = bench.run(&all);
    let ids: Vec<_> =
        bench.lines("rows.jsonl").iter().map(|line| line["row"]["report_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ran.code, Some(i32::from(ids.is_empty())), "{arguments:?}: {}", ran.err);
    assert_eq!(ran.err.contains("fastpath: nothing found in "), ids.is_empty(), "{}", ran.err);
    assert_eq!(bench.json("report.json")["all"]["accepted"], ids.len(), "what is filtered out is not accepted");
    ids
}

#[test]
fn filters_apply_to_every_format() {
    let bench = archive();
    let all = ["json", "tar-it", "tar-de", "yaml", "postcan", "jsonl"];
    for (arguments, expected) in [
        (&[][..], &all[..]),
        (&["--ccs", "IT"], &["json", "tar-it", "postcan"]),
        (&["--ccs", "DE"], &["tar-de", "yaml", "jsonl"]),
        (&["--ccs", "IT,DE"], &all),
        (&["--ccs", "FR"], &[]),
        (&["--testnames", "dash"], &["json", "postcan"]),
        (&["--testnames", "web_connectivity"], &["tar-it", "tar-de", "jsonl"]),
        (&["--testnames", "webconnectivity"], &["tar-it", "tar-de", "jsonl"]),
        (&["--testnames", "web_connectivity", "--ccs", "DE"], &["tar-de", "jsonl"]),
        (&["--testnames", "ndt,dash", "--ccs", "DE"], &["yaml"]),
    ] {
        assert_eq!(accepted(&bench, arguments), expected, "{arguments:?}");
    }
}

#[test]
fn the_end_day_is_exclusive() {
    let bench = archive();
    let days = |start, end| accepted(&bench, &["--start-day", start, "--end-day", end]);
    assert_eq!(days("2020-01-02", "2020-01-03"), ["json", "tar-it", "tar-de"]);
    assert_eq!(days("2020-01-03", "2021-01-03"), ["yaml", "postcan"]);
    assert_eq!(days("2021-01-03", "2021-01-04"), ["jsonl"]);
    assert_eq!(days("2021-01-04", "2022-01-01"), [""; 0]);
}

/// The message says what was looked for, and where.
#[test]
fn nothing_found_is_a_failure() {
    let bench = archive();
    let days = |more: &[&str]| {
        let days = ["--start-day", "2021-01-04", "--end-day", "2021-01-06", "--no-write-to-db"];
        bench.run(&[&days[..], more].concat().iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    };
    let wanted =
        "no cans below canned/YYYY-MM-DD/ or raw/YYYYMMDD/; looked for days 2021-01-04 to 2021-01-06 (excluded)";
    let ran = days(&[]);
    let source = bench.path("archive");
    assert_eq!(
        (ran.code, ran.err.ends_with(&format!("fastpath: nothing found in {source}: {wanted}\n"))),
        (Some(1), true)
    );
    let ran = days(&["--ccs", "it,FR", "--testnames", "signal", "--dry-run"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.ends_with(&format!("{wanted}, countries FR IT, tests signal\n")), "{}", ran.err);
    // A can in which nothing matches.
    let ran = bench.rerun(&["--ccs", "FR"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains(": no measurements in the can that was read; looked for "), "{}", ran.err);
    // A complete run has nothing left to read, which is not an error.
    let out = bench.path("rows.csv");
    assert_eq!(bench.rerun(&["--out", &out]).code, Some(0));
    assert_eq!(bench.rerun(&["--out", &out, "--resume"]).code, Some(0));
}

#[test]
fn unknown_names_are_refused_when_nothing_is_found_under_them() {
    let bench = archive();
    for (arguments, why) in [
        (["--testnames", "signl"], "--testnames signl: nothing found; unknown test; did you mean signal?\n"),
        (
            ["--testnames", "dash,web_conectivity"],
            "--testnames webconectivity: nothing found; unknown test; did you mean web_connectivity?\n",
        ),
        (["--ccs", "UK"], "--ccs UK: nothing found; unknown country; did you mean GB (United Kingdom)?\n"),
    ] {
        for dry_run in [&["--dry-run"][..], &[]] {
            // With --dry-run, a can whose key does not show its country may have measurements of any.
            let is_undecided = arguments[0] == "--ccs" && !dry_run.is_empty();
            let ran = bench.rerun(&[&arguments[..], dry_run].concat());
            assert_eq!(ran.code, Some(if is_undecided { 0 } else { 2 }), "{arguments:?} {dry_run:?}: {}", ran.err);
            assert_eq!(ran.err.ends_with(&format!("fastpath: {why}")), !is_undecided, "{}", ran.err);
            let is_empty = !is_undecided && !arguments[1].contains("dash");
            assert_eq!(ran.err.contains("fastpath: nothing found in "), is_empty, "{}", ran.err);
            let warning = format!("fastpath: warning: {}", why.replace("nothing found; ", "").trim_end());
            assert_eq!(ran.err.starts_with(&warning), dry_run.is_empty(), "{}", ran.err);
        }
    }
    // Rows of the other names are kept.
    assert_eq!(bench.query("SELECT 1 FROM fastpath").len(), 2);
    // Some cans do not show their country, and measurements were found, so nothing is said about QQ.
    assert_eq!(bench.rerun(&["--ccs", "IT,QQ"]).code, Some(0));
    // As long as a day cannot be listed, it may have the name.
    std::os::unix::fs::symlink("/nonexistent/x", bench.0.path("archive/raw/20210102/04")).unwrap();
    let ran = bench.rerun(&["--testnames", "dash,signl"]);
    assert_eq!((ran.code, ran.err.contains("nothing found; unknown test")), (Some(1), false), "{}", ran.err);
}

#[test]
fn names_that_cannot_be_in_the_archive_are_refused_at_once() {
    let bench = archive();
    for (arguments, why) in [
        (["--testnames", "dash,web connectivity"], "unknown test; did you mean web_connectivity?"),
        (["--ccs", "IT,Iran"], "unknown country; expected a code of two letters, such as IT; did you mean IR (Iran)?"),
    ] {
        let ran = bench.rerun(&arguments);
        assert_eq!((ran.code, ran.out.len()), (Some(2), 0), "{}", ran.err);
        assert!(ran.err.contains(why) && !ran.err.contains("nothing found"), "{}", ran.err);
    }
    assert!(!bench.0.path("ooni.db").exists(), "nothing was opened");
    for cc in ["ZZ", "XK", "EU", "a1"] {
        assert_eq!(bench.rerun(&["--ccs", cc, "--dry-run"]).code, Some(0), "{cc}");
    }
}

#[test]
fn unknown_names_are_accepted_when_the_archive_has_them() {
    let bench = archive();
    let postcan = gzip(&tar(&[(&member(1), &post(&measurement("new", "Q1", "new_test")))]));
    bench.can("raw/20210104/03/Q1/newtest/2021010403_Q1_newtest.n1.0.tar.gz", &postcan);
    let lines = format!("{}\n{}\n", measurement("other", "IT", "other_test"), measurement("qq", "QQ", "other_test"));
    bench.can("canned/2020-01-03/other_test.0.tar.lz4", &lz4(&tar(&[("reports/a.json", &lines)])));
    for (arguments, expected) in [
        (&["--testnames", "new_test"][..], &["new"][..]),
        (&["--testnames", "New_Test", "--ccs", "q1"], &["new"]),
        (&["--testnames", "othertest,newtest"], &["other", "qq", "new"]),
        (&["--ccs", "QQ"], &["qq"]), // a country that no key shows
    ] {
        assert_eq!(accepted(&bench, arguments), expected, "{arguments:?}");
    }
    // The archive has both, but not together: nothing is selected, and no name is wrong.
    let ran = bench.rerun(&["--ccs", "Q1", "--testnames", "dash", "--dry-run"]);
    assert_eq!((ran.code, ran.err.contains("unknown")), (Some(1), false), "{}", ran.err);
}
