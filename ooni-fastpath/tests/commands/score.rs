//! `fastpath score` on valid input: outputs, uids, order, arguments.

use crate::support::{Files, GOOD, ROOT, bounded, fastpath, fed, gzip, member, post, score, tar, uid};
use ooni_core::json::Json;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Compares with a file in `tests/golden`, or writes it when `UPDATE_GOLDEN` is set.
fn golden(name: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    // Every line contains the version of the scorer.
    let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let text = std::str::from_utf8(text).unwrap().replace(&version, "\"version\":\"?\"");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text == wanted, "{name} differs; what there is now:\n{text}");
}

#[test]
fn outputs_of_the_examples() {
    for (format, name) in [("jsonl", "examples.jsonl"), ("csv", "examples.csv"), ("table", "examples.txt")] {
        for jobs in ["1", "4"] {
            let ran = fastpath(["score", "--jobs", jobs, "--format", format, "examples/data"]);
            assert_eq!(ran.code, Some(0), "{}", ran.err);
            golden(name, &ran.out);
            assert_eq!(
                ran.err,
                "fastpath: 12 read: 11 stored, 1 discarded, 0 rejected; 1 file with an unknown suffix skipped\n"
            );
        }
    }
}

#[test]
fn explanations() {
    let confirmed = "examples/data/web_connectivity--fastpath--bug_352.json";
    let ran = fastpath(["score", "--explain", confirmed]);
    golden("explained.txt", &ran.out);
    let ran = fastpath(["score", "--explain", "--format", "jsonl", confirmed]);
    golden("explained.jsonl", &ran.out);
    let explanation = ran.lines()[0].get("explanation").unwrap().clone();
    assert!(matches!(explanation.get("fired"), Some(Json::Array(fired)) if !fired.is_empty()));
    let ran = fastpath(["score", "--explain", "--format", "csv", confirmed]);
    assert_eq!((ran.code, ran.out.len()), (Some(2), 0));
}

#[test]
fn csv_is_read_back() {
    let ran = fastpath(["score", "--format", "csv", "examples/data"]);
    let mut reader = csv::Reader::from_reader(&*ran.out);
    let header = reader.headers().unwrap().clone();
    assert_eq!(
        header.iter().take(5).collect::<Vec<_>>(),
        ["measurement_uid", "outcome", "reason", "error", "report_id"]
    );
    assert_eq!(header.len(), 29);
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 12);
    let jsonl = fastpath(["score", "--format", "jsonl", "examples/data"]).lines();
    for (record, line) in records.iter().zip(jsonl) {
        assert_eq!(record.get(0), line.get("measurement_uid").unwrap().as_str());
        let Some(Json::Object(row)) = line.get("row") else { continue };
        let names: Vec<_> = row.iter().skip(1).map(|(name, _)| std::str::from_utf8(name).unwrap()).collect();
        assert_eq!(header.iter().skip(4).collect::<Vec<_>>(), names);
        let scores = header.iter().position(|name| name == "scores").unwrap();
        assert!(record.get(scores).unwrap().starts_with('{'));
    }
}

#[test]
fn output_is_in_order_with_any_number_of_jobs() {
    let files = Files::new();
    let lines: Vec<String> =
        (0..9000).map(|i| format!("{{\"measurement_uid\":\"{}\",{}\n", uid(i), &GOOD[1..])).collect();
    let path = files
        .add("a.jsonl.gz", [gzip(lines[..5000].concat().as_bytes()), gzip(lines[5000..].concat().as_bytes())].concat());
    let one = fastpath(["score".as_ref(), "--format".as_ref(), "jsonl".as_ref(), "-j1".as_ref(), path.as_os_str()]);
    let four = fastpath(["score".as_ref(), "--format".as_ref(), "jsonl".as_ref(), "-j4".as_ref(), path.as_os_str()]);
    assert_eq!((one.code, one.err.as_str()), (Some(0), ""));
    assert!(one.out == four.out);
    let wanted: Vec<_> = (0..9000).map(|i| Some(uid(i))).collect();
    assert_eq!(one.uids(), wanted);
}

#[test]
fn uids() {
    let files = Files::new();
    let line = "{\"report_id\":\"R\",\"measurement_start_time\":\"2019-01-02 03:04:05\"}\n";
    let with_uid = format!("{{\"measurement_uid\":\"mine\",{}", &line[1..]);
    let number = format!("{{\"measurement_uid\":5,{}", &line[1..]);
    let a = files.add("a.jsonl", format!("{line}{with_uid}{}", &number[..number.len() - 1]));
    let b = files.add(&format!("{}.json", uid(7)), GOOD);
    let c = files.add("0120190102bb82e5afd7753bab03ad9cff32d049.post", post(GOOD));
    let d = files.add("other.json", line.trim_end());
    let e = files.add("x.tar.gz", gzip(&tar(&[(&member(3), &post(GOOD))])));
    let ran = score(&[a, b, c, d, e]);
    let uids: Vec<_> = ran.uids().into_iter().map(Option::unwrap).collect();
    assert_eq!(uids[0], "0120190102bb82e5afd7753bab03ad9cff32d049");
    assert_eq!(uids[1], "mine");
    assert!(uids[2].starts_with("0120190102") && uids[2] != uids[0] && ooni_core::uid::is_trivial(&uids[2]));
    assert_eq!(uids[3], uid(7));
    assert_eq!(uids[4], "0120190102bb82e5afd7753bab03ad9cff32d049");
    assert_eq!(uids[5], "01201901029b2f35442e6c930fe73355fb9617a6");
    assert_eq!(uids[6], uid(3));
}

#[test]
fn a_postcan_is_scored_as_the_server_scores_it() {
    let files = Files::new();
    let plain = |text: &str| text.to_owned();
    let bodies = [
        post(GOOD),
        plain(r#"{"format":"json"}"#),
        post("null"),
        post("\"{}\""),
        post("[]"),
        plain(r#"{"format":"yaml","content":"a: 1"}"#),
        plain(&format!(r#"{{"format":"JSON","content":{GOOD}}}"#)),
        plain(GOOD),
        plain("[]"),
        plain(""),
        plain("{"),
        format!(r#"{{"format":"json","content":{},"is_verified":"t"}}"#, GOOD),
    ];
    let names: Vec<_> = (0..).map(member).take(bodies.len()).collect();
    let mut members: Vec<_> = names.iter().map(|name| &**name).zip(bodies.iter().map(|body| &**body)).collect();
    members.extend([("x/20240102.post.tmp", GOOD), ("top.post", GOOD)]);
    let path = files.add("x.tar.gz", gzip(&tar(&members)));
    let ran = score(&[path]);
    let first = ["stored", "discarded", "E-TYPE", "E-TYPE", "E-TYPE", "discarded", "stored", "stored", "E-TYPE"];
    assert_eq!(ran.outcomes(), [&first[..], &["E-PARSE", "E-PARSE", "stored", "E-CAN", "E-CAN"]].concat());
    assert_eq!(ran.code, Some(1));
    let uids = ran.uids();
    assert_eq!(uids[3], Some(uid(3)));
    assert_eq!(uids[12..], [None, None]);
    assert!(ran.text().lines().nth(11).unwrap().contains("\"is_verified\":\"t\""));
    assert_eq!(ran.err.lines().count(), 9);
}

#[test]
fn members_of_many_sizes() {
    // The names are too long for a plain header.
    let files = Files::new();
    let bodies: Vec<String> =
        (0..400).map(|i| post(&format!("{{\"pad\":\"{}\",{}", "x".repeat(i * 37 % 9000), &GOOD[1..]))).collect();
    let names: Vec<_> = (0..400).map(member).collect();
    let members: Vec<_> = names.iter().map(|name| &**name).zip(bodies.iter().map(|body| &**body)).collect();
    let path = files.add("x.tar.gz", gzip(&tar(&members)));
    let ran = score(&[path]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let wanted: Vec<_> = (0..400).map(|i| Some(uid(i))).collect();
    assert_eq!(ran.uids(), wanted);
    assert!(ran.outcomes().iter().all(|outcome| outcome == "stored"));
}

#[test]
fn standard_input() {
    let lines = format!("{GOOD}\n{GOOD}\n");
    for input in [lines.clone().into_bytes(), gzip(lines.as_bytes()), [gzip(lines.as_bytes()), vec![0; 99]].concat()] {
        let ran = fed(["score", "--format", "jsonl", "-"], &input);
        assert_eq!((ran.code, ran.outcomes().len(), ran.err.as_str()), (Some(0), 2, ""));
    }
    let ran = fed(["score", "--format", "jsonl", "-"], b"");
    assert_eq!((ran.code, ran.out.len()), (Some(0), 0));
}

#[test]
fn cases() {
    let lines = [
        format!("{{\"uid\":\"a\",\"raw\":{:?}}}\n", GOOD),
        "{\"uid\":\"b\"}\n".to_owned(),
        "{\"uid\":\"c\",\"raw_base64\":\"e30=\",\"more\":1}\n".to_owned(),
        "{\"uid\":\"d\",\"raw\":\"{\\\"a\\\":\\\"\\ud83d\\\"\"}\n".to_owned(),
        "{\"uid\":\"e\",\"raw\":\"{\"}\n".to_owned(),
        "{\"raw\":\"{}\"}\n".to_owned(),
    ];
    let ran = fed(["score", "--rules", "compat", "--format", "jsonl", "--cases", "-"], lines.concat().as_bytes());
    assert_eq!(ran.outcomes(), ["stored", "discarded", "E-PARSE", "E-PARSE", "E-ASSERT"]);
    let uids: Vec<_> = ran.uids().into_iter().map(Option::unwrap).collect();
    assert_eq!(uids, ["a", "c", "d", "e", ""]);
    assert!(ran.text().contains("\"rules\":\"compat\\/1\""));
}

#[test]
fn fingerprints_of_a_folder() {
    let files = Files::new();
    let lists = Path::new(ROOT).join("ooni-archive/data/fingerprints");
    for (name, lines) in [("fingerprints_dns.csv", 1), ("fingerprints_http.csv", 1)] {
        let whole = std::fs::read_to_string(lists.join(name)).unwrap();
        files.add(name, whole.lines().take(lines).collect::<Vec<_>>().join("\n"));
    }
    let folder = files.0.path().to_str().unwrap();
    let confirmed = "examples/data/web_connectivity--fastpath--bug_352.json";
    let with = fastpath(["score", "--format", "jsonl", confirmed]);
    let without = fastpath(["score", "--format", "jsonl", "--fingerprints", folder, confirmed]);
    assert!(with.text().contains("\"confirmed\":\"t\""));
    assert!(without.text().contains("\"confirmed\":\"f\""));
    let missing = fastpath(["score", "--fingerprints", "/nonexistent", confirmed]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("/nonexistent/fingerprints_dns.csv"), "{}", missing.err);
}

#[test]
fn arguments() {
    for wrong in [
        &["score"][..],
        &["score", "--jobs", "0", "x"],
        &["score", "--rules", "new", "x"],
        &["score", "--no-such-flag", "x"],
        &["score", "--cases", "-", "x"],
        &["score", "--max-depth", "1025", "x"],
        &["score", "--max-measurement-size", "1TiB", "x"],
        &["unscore"],
    ] {
        let ran = fastpath(wrong);
        assert_eq!((ran.code, ran.out.len()), (Some(2), 0), "{wrong:?}");
        assert!(!ran.err.is_empty());
    }
    let help = fastpath(["score", "--help"]);
    assert_eq!(help.code, Some(0));
    for said in [
        "--jobs",
        "--rules",
        "--fingerprints",
        "--format",
        "--explain",
        "--cases",
        "--max-measurement-size",
        "--max-depth",
        "--max-values",
        "--max-ratio",
        "CC BY-SA 4.0",
        "Exit code",
    ] {
        let words: Vec<_> = help.text().split_whitespace().collect();
        assert!(words.join(" ").contains(said), "{said}");
    }
    let version = fastpath(["--version"]);
    assert!(version.text().contains("fixed/1") && version.text().contains("171641e"));
}

#[test]
fn a_reader_that_closes_the_pipe() {
    let files = Files::new();
    let path = files.add("a.jsonl", format!("{GOOD}\n").repeat(30_000));
    for jobs in ["1", "4"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fastpath"))
            .args(["score", "--format", "jsonl", "--jobs", jobs])
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 100]).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    }
}

#[test]
fn colour_only_on_a_terminal() {
    let ran = fastpath(["score", "examples/data"]);
    assert!(!ran.out.contains(&0x1b));
    // `script` of util-linux provides a terminal, if it is installed.
    let on_a_terminal = |before: &str| {
        let line = format!("stty rows 24 cols 80; {before} {} score examples/data", env!("CARGO_BIN_EXE_fastpath"));
        let output =
            Command::new("script").args(["-qec", &line, "/dev/null"]).current_dir(ROOT).stdin(Stdio::null()).output();
        output.ok().filter(|output| output.status.success()).map(|output| String::from_utf8(output.stdout).unwrap())
    };
    let Some(coloured) = on_a_terminal("TERM=xterm") else { return };
    assert!(coloured.contains("\x1b[1;31mconfirmed\x1b[0m"), "{coloured}");
    let plain = on_a_terminal("NO_COLOR=1 TERM=xterm").unwrap();
    assert!(!plain.contains("\x1b["), "{plain}");
    golden("examples-80.txt", plain.replace("\r\n", "\n").as_bytes());
    assert!(plain.lines().all(|line| line.trim_end().chars().count() <= 80 || line.starts_with("fastpath: ")));
}

#[test]
fn data_cannot_manipulate_a_terminal() {
    let files = Files::new();
    let path =
        files.add("a.jsonl", GOOD.replace("\"report_id\"", "\"input\":\"\\u001b[31mred\\u202e\\n\",\"report_id\""));
    let ran = fastpath(["score".as_ref(), path.as_os_str()]);
    assert!(ran.text().contains("\u{fffd}[31mred\u{fffd}\u{fffd}"));
}

#[test]
fn memory_for_a_long_measurement_is_bounded() {
    let files = Files::new();
    let long = GOOD.replace("\"test_keys\":{}", &format!("\"test_keys\":{{\"x\":\"{}\"}}", "a".repeat(100 << 20)));
    let path = files.add("a.jsonl.gz", gzip(format!("{long}\n{GOOD}\n").as_bytes()));
    let path = path.to_str().unwrap();
    let ran = bounded(500, ["score", "-j1", "--format", "jsonl", path]);
    assert_eq!((ran.code, ran.outcomes()), (Some(0), vec!["stored".to_owned(); 2]), "{}", ran.err);
}
