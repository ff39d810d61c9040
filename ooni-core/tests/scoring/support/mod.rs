//! Support for integration tests: the full fingerprint lists, the fixtures and comparisons.

pub(crate) mod edit;

use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::{Json, Reader, write_json};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The two full lists, in the order of their files.
pub(crate) static FULL: LazyLock<Fingerprints> = LazyLock::new(|| {
    let list = |name: &str| std::fs::read(root().join("ooni-archive/data/fingerprints").join(name)).unwrap();
    Fingerprints::from_csv(&list("fingerprints_dns.csv"), &list("fingerprints_http.csv"), "full").unwrap()
});

/// The root folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the fixtures.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A measurement of the fixtures and its UID.
pub(crate) struct Fixture {
    pub(crate) file: String,
    pub(crate) uid: String,
    pub(crate) bytes: Vec<u8>,
    /// The line of `expected.jsonl`.
    pub(crate) expected: Json,
}

/// Every measurement in the folder of fixtures; each must have a line in `expected.jsonl`.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let mut expected: Vec<Json> = lines("measurements/expected.jsonl");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/measurements");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    files.sort();
    let fixtures: Vec<_> = files
        .into_iter()
        .map(|file| {
            let at = expected.iter().position(|line| line.get("file").and_then(Json::as_str) == Some(&file));
            let line = expected.remove(at.unwrap_or_else(|| panic!("{file} has no line in expected.jsonl")));
            let uid = line.get("uid").and_then(Json::as_str).unwrap().to_owned();
            Fixture { bytes: fixture(&format!("measurements/{file}")), file, uid, expected: line }
        })
        .collect();
    assert!(expected.is_empty(), "lines of expected.jsonl without a file: {expected:?}");
    fixtures
}

/// The documents of a file with one on each line.
pub(crate) fn lines(name: &str) -> Vec<Json> {
    fixture(name).split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(json).collect()
}

/// Reads a document.
pub(crate) fn json(text: &[u8]) -> Json {
    Reader::new().read(text).unwrap().root().to_json()
}

/// Writes a value.
pub(crate) fn text(value: &Json) -> String {
    let mut out = Vec::new();
    write_json(value, &mut out);
    String::from_utf8(out).unwrap()
}
