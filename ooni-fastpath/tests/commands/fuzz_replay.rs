//! Runs the fuzz target `cans` on its corpus, so that `cargo test` covers what fuzzing found.

#[allow(unreachable_pub)] // it is a part of another crate too
#[path = "../../../fuzz/src/cans.rs"]
mod cans;

use std::path::Path;

#[test]
fn cans() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/cans");
    let mut inputs: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() > 20, "too few inputs in {}", folder.display());
    for input in inputs {
        let bytes = std::fs::read(&input).unwrap();
        let whole = std::panic::catch_unwind(|| cans::run(&bytes));
        assert!(whole.is_ok(), "a property does not hold for {}", input.display());
    }
}

/// Files that are truncated and damaged at many places.
#[test]
fn damaged_files() {
    let cans = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cans");
    for (letter, key) in [
        (b'P', "raw/20220524/01/TM/webconnectivity/2022052401_TM_webconnectivity.n1.0.tar.gz"),
        (b'G', "raw/20220524/01/TM/webconnectivity/2022052401_TM_webconnectivity.n1.0.jsonl.gz"),
        (b'T', "canned/2019-10-30/ndt.0.tar.lz4"),
        (
            b'Y',
            "canned/2018-07-26/20180726T153714Z-SG-AS7472-http_invalid_request_line-no_report_id-0.1.0-probe.yaml.lz4",
        ),
    ] {
        let bytes = [&[letter], &*std::fs::read(cans.join(key)).unwrap()].concat();
        for number in 0..12 {
            let at = 1 + (bytes.len() - 1) * number / 12;
            cans::run(&bytes[..at]);
            let mut spoiled = bytes.clone();
            spoiled[at] ^= 1 << (number % 8);
            cans::run(&spoiled);
        }
    }
}
