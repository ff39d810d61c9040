//! Files for tests: a temporary folder, gzip, tar, and the members of a postcan.

#![allow(clippy::unwrap_used)] // the test fails if its files cannot be written

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::path::PathBuf;
use tempfile::TempDir;

/// A measurement with the outcome `stored`.
pub const GOOD: &str = r#"{"report_id":"R","probe_cc":"IT","probe_asn":"AS1","test_name":"dash","measurement_start_time":"2024-01-02 03:04:05","test_start_time":"2024-01-02 03:04:00","test_keys":{}}"#;

/// A folder of files.
pub struct Files(pub TempDir);

impl Default for Files {
    fn default() -> Files {
        Files::new()
    }
}

impl Files {
    /// Creates an empty folder, which is removed on drop.
    pub fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and creates the folders that contain it.
    pub fn add(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Compresses to a single gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A POST body of a measurement.
pub fn post(content: &str) -> String {
    format!(r#"{{"format":"json","content":{content}}}"#)
}

/// The name of the postcan member for [`uid`] of this number.
pub fn member(number: u32) -> String {
    format!("var/lib/ooniapi/measurements/incoming/2024010203_IT_dash/{}.post", uid(number))
}

/// A UID with this number.
pub fn uid(number: u32) -> String {
    format!("20240102030405.{number:06}_IT_dash_{number:016x}")
}

/// A tar archive with these members.
pub fn tar(members: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        append(&mut builder, name, content.as_bytes());
    }
    builder.into_inner().unwrap()
}

/// Appends a member with an extended header of these records.
pub fn append_with_records(builder: &mut tar::Builder<Vec<u8>>, records: &[(&str, &[u8])], name: &str, content: &[u8]) {
    builder.append_pax_extensions(records.iter().copied()).unwrap();
    append(builder, name, content);
}

/// Appends a member; a name that `tar` would refuse is written into the header unchanged.
pub fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    if name.len() >= 100 {
        builder.append_data(&mut header, name, content).unwrap();
        return;
    }
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    builder.append(&header, content).unwrap();
}
