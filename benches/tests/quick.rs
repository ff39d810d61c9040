//! The benchmark program runs to its end. Nothing is said here about speed.

use std::fs;
use std::process::Command;

#[test]
fn quick_run_without_commands() {
    let out = tempfile::tempdir().unwrap();
    let bench = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--quick", "--without-commands", "--out"])
        .arg(out.path())
        .output()
        .unwrap();
    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    let report = fs::read_to_string(out.path().join("report.md")).unwrap();
    assert_eq!(report.as_bytes(), bench.stdout);
    for part in ["## Aims", "| row, fixed |", "| web_connectivity |", "| 2–8 kB |", "| search, fixed |"] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    let samples = fs::read_to_string(out.path().join("samples.jsonl")).unwrap();
    let mut samples = samples.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert_eq!(samples.next().unwrap()["n"], 200);
    assert!(samples.all(|sample| sample["cpu"].as_f64().unwrap() > 0.0));
}
