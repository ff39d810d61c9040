//! Rejected and odd measurements in messages, reports and outputs.

use crate::bench::{Bench, LINES, POSTCAN, lz4, postcan, with};
use crate::support::{GOOD, fastpath, fed, post};

/// A valid line, then one for each of three errors.
fn broken() -> String {
    let date = GOOD.replace("2024-01-02 03:04:05", "2024-01-02T03:04:05Z");
    let lines = [GOOD, &with("\"input\":[\"a\"]"), &date, "{\"report_id\":"];
    lines.map(|line| format!("{line}\n")).concat()
}

/// Checks that each rejection is reported with file, line, code and message.
fn assert_reported(stderr: &str, file: &str) {
    for (line, code) in [(2, "E-ASSERT"), (3, "E-VALUE"), (4, "E-PARSE")] {
        let start = format!("fastpath: {file}, line {line}, byte ");
        let found: Vec<_> = stderr.lines().filter(|line| line.starts_with(&start)).collect();
        assert_eq!(found.len(), 1, "{start}: {stderr}");
        let (_, error) = found[0][start.len()..].split_once(": ").unwrap();
        assert!(error.starts_with(code) && error.len() > code.len() + 10, "{error}");
    }
}

#[test]
fn every_rejection_is_reported() {
    let bench = Bench::new();
    bench.can(LINES, &lz4(broken().as_bytes()));
    for store in [&[][..], &["--no-write-to-db"]] {
        let ran = bench.rerun(store);
        assert_eq!(ran.code, Some(1));
        assert_reported(&ran.err, LINES);
        assert!(ran.err.contains("  rejected: E-ASSERT 1, E-PARSE 1, E-VALUE 1\n"), "{}", ran.err);
    }
    let path = bench.0.add("a.jsonl", broken()).display().to_string();
    for more in [&[][..], &["--explain"], &["--format", "csv"]] {
        let ran = fastpath([&["score", &path], more].concat());
        assert_eq!(ran.code, Some(1));
        assert_reported(&ran.err, &path);
    }
    let ran = fastpath(["compare", "--rules", "compat,fixed", &path]);
    assert_eq!((ran.code, ran.text()), (Some(0), "4 measurements by compat and fixed: 0 differ\n"));
    assert_reported(&ran.err, &path);
}

#[test]
fn many_rejections_are_grouped() {
    let bench = Bench::new();
    let broken = "{\"report_id\":\n".repeat(50) + &with("\"input\":[\"a\"]") + "\n" + &"[]\n".repeat(30);
    bench.can(LINES, &lz4(broken.as_bytes()));
    for jobs in ["1", "3"] {
        let ran = bench.rerun(&["--jobs", jobs]);
        let lines: Vec<_> = ran.err.lines().filter(|line| line.starts_with("fastpath: ")).collect();
        assert_eq!(lines.len(), 24, "{}", ran.err);
        // The first twenty, and the first of each code.
        assert!(lines[19].contains(", line 20, ") && lines[20].contains(", line 51, "), "{}", ran.err);
        assert!(lines[21].contains(", line 52, ") && lines[21].contains(": E-TYPE"), "{}", ran.err);
        assert_eq!(lines[22..], ["fastpath: and 30 more E-PARSE", "fastpath: and 29 more E-TYPE"]);
    }
}

/// Tables show only the start of a long or hostile name, with harmless characters.
#[test]
fn names_are_bounded() {
    let bench = Bench::new();
    let named = |name: &str| GOOD.replace("\"dash\"", &format!("\"{name}\""));
    let mut lines: Vec<_> = (0..200).map(|number| named(&format!("test{number:03}"))).collect();
    lines.push(named(&"x".repeat(10 << 20)));
    lines.push(named("\\u001b[2J\\u202e\\u2066"));
    lines.push(GOOD.replace("\"R\"", "\"R\",\"input\":\"\\u001b[2J\\u202e\\u2066\""));
    let text = lines.join("\n");
    bench.can(&LINES.replace("-dash-", "-"), &lz4(text.as_bytes()));
    let check = |shown: &str| {
        assert!(shown.len() < 200_000, "{} bytes", shown.len());
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control() && !('\u{202a}'..='\u{2069}').contains(&c)));
        assert!(shown.contains("\n(other tests)") && shown.contains("\ntest000 "), "{shown}");
        assert!(shown.lines().filter(|line| line.starts_with("test")).count() <= 51);
    };
    let ran = bench.rerun(&["--report", &bench.path("report.json")]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    check(&ran.err);
    assert!(bench.read("report.json").len() < 200_000);
    assert_eq!(bench.json("report.json")["all"]["stored"], 203);
    for explain in [&[][..], &["--explain"]] {
        let ran = fed([&["score", "-"], explain].concat(), text.as_bytes());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let (lines, summary) = ran.text().rsplit_once("\n\n").unwrap();
        check(&format!("\n{summary}"));
        assert!(lines.chars().all(|c| c == '\n' || !c.is_control() && !('\u{202a}'..='\u{2069}').contains(&c)));
        assert!(lines.lines().all(|line| line.chars().count() <= 2100));
    }
}

#[test]
fn rejections_of_a_damaged_can() {
    let bench = Bench::new();
    let whole = postcan(&vec![post(GOOD); 50]);
    bench.can(POSTCAN, &whole[..whole.len() - 20]);
    let ran = bench.rerun(&[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with(&format!("fastpath: {POSTCAN}")) && ran.err.contains(": E-CAN: "), "{}", ran.err);
    let path = bench.archive().join(POSTCAN).display().to_string();
    // A file that cannot be read cannot be compared.
    let ran = fastpath(["compare", "--rules", "compat,fixed", &path]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.text().contains(" measurements by compat and fixed: 0 differ\n"), "{}", ran.text());
    assert!(ran.err.contains("could not be read"), "{}", ran.err);
}
