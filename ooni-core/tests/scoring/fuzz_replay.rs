//! Runs the fuzz targets on their corpora, so that `cargo test` finds what fuzzing found.

#[allow(unreachable_pub)] // it is also a separate library
#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;

use std::path::Path;

/// Runs `target` on every file of its corpus.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut inputs: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "no inputs in {}", folder.display());
    for input in inputs {
        let bytes = std::fs::read(&input).unwrap();
        let whole = std::panic::catch_unwind(|| target(&bytes));
        assert!(whole.is_ok(), "a property is violated by {}", input.display());
    }
}

#[test]
fn measurement() {
    replay("measurement", fuzz::measurement::run);
}

#[test]
fn fingerprints() {
    replay("fingerprints", fuzz::fingerprints::run);
}

#[test]
fn json() {
    replay("json", fuzz::json::run);
}

#[cfg(feature = "legacy-yaml")]
#[test]
fn yaml() {
    replay("yaml", fuzz::yaml::run);
}

/// The shortest inputs.
#[test]
fn shortest_inputs() {
    for target in [fuzz::measurement::run, fuzz::fingerprints::run, fuzz::json::run] {
        for input in [&b""[..], b"c", b"cu", b"{", b"fd{}"] {
            target(input);
        }
    }
}
