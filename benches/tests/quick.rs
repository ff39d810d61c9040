//! The benchmark program completes. Speed is not checked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(args: &[&str], out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).args(args).arg("--out").arg(out).output().unwrap()
}

/// Runs the program; returns the report, the run and its samples.
fn kept(args: &[&str]) -> (String, Value, Vec<Value>) {
    let out = tempfile::tempdir().unwrap();
    let bench = bench(args, out.path());
    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    let report = fs::read_to_string(out.path().join("report.md")).unwrap();
    assert_eq!(report.as_bytes(), bench.stdout);
    let samples = fs::read_to_string(out.path().join("samples.jsonl")).unwrap();
    let mut lines = samples.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let run = lines.next().unwrap();
    (report, run, lines.collect())
}

fn inputs<'s>(samples: &'s [Value], group: &str) -> BTreeSet<&'s str> {
    let these = samples.iter().filter(|sample| sample["group"] == group);
    these.map(|sample| sample["input"].as_str().unwrap()).collect()
}

const KINDS: [&str; 6] = ["json.lz4", "jsonl.gz with uids", "jsonl.gz without uids", "postcans", "tar.lz4", "yaml.lz4"];

#[test]
fn quick_run_without_commands() {
    let (report, run, samples) = kept(&["--quick", "--without-commands"]);
    for part in [
        "## Aims",
        "| row, fixed |",
        "| web_connectivity |",
        "| 2–8 kB |",
        "| search, fixed |",
        "| yaml.lz4 | median, s |",
        "| match fingerprints |",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    assert_eq!(run["n"], 200);
    assert!(samples.iter().all(|sample| sample["cpu"].as_f64().unwrap() > 0.0));
    assert_eq!(inputs(&samples, "stages"), KINDS.into());
    assert!(inputs(&samples, "commands").is_empty());
}

#[test]
fn only_selected_measurements() {
    let (_, run, samples) = kept(&["--quick", "--without-commands", "--only", "stages/tar.lz4"]);
    assert_eq!(run["files"].as_array().unwrap().len(), 1);
    assert!(!samples.is_empty() && samples.iter().all(|sample| sample["input"] == "tar.lz4"));
    let out = tempfile::tempdir().unwrap();
    let unknown = bench(&["--quick", "--without-commands", "--only", "tar.lz5"], out.path());
    let complaint = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && complaint.contains("stages/tar.lz4"), "{complaint}");
}

/// `fastpath` is built beside `bench` only when the whole workspace is tested.
#[test]
fn quick_run_of_commands() {
    if !Path::new(env!("CARGO_BIN_EXE_bench")).with_file_name("fastpath").is_file() {
        return;
    }
    let only = ["cans", "big", "peers"].map(|part| ["--only", part]).concat();
    let (report, run, samples) = kept(&[&["--quick"], only.as_slice()].concat());
    assert_eq!([inputs(&samples, "commands"), inputs(&samples, "big")], [BTreeSet::from(KINDS), KINDS.into()]);
    for part in ["## Commands: postcans", "## Commands: one large tar.lz4", "sqlite", "parquet"] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    // Other programs and libraries are measured where they are installed, and else named.
    let missing = report.lines().find(|line| line.starts_with("Not on this machine: ")).unwrap_or_default();
    assert_ne!(report.contains("| orjson"), missing.contains("orjson"), "{report}");
    let ours = samples.iter().filter(|sample| sample["what"].as_str().unwrap().starts_with("fastpath"));
    assert!(ours.clone().all(|sample| sample["peak"].as_u64().is_some()), "{run}");
    // 9 commands on each of many cans, 4 on each large one.
    assert_eq!(ours.count(), 6 * (9 + 4));
}
