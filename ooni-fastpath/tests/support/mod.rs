//! What the tests of the binary share: running it, and making files for it.
#![allow(dead_code)] // each test file takes what it needs

use flate2::Compression;
use flate2::write::GzEncoder;
use ooni_core::json::{Json, Reader};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The root of the repository, where paths in golden files begin.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A measurement that is stored.
pub(crate) const GOOD: &str = r#"{"report_id":"R","probe_cc":"IT","probe_asn":"AS1","test_name":"dash","measurement_start_time":"2024-01-02 03:04:05","test_start_time":"2024-01-02 03:04:00","test_keys":{}}"#;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// The lines of jsonl output.
    pub(crate) fn lines(&self) -> Vec<Json> {
        let mut reader = Reader::new();
        self.text().lines().map(|line| reader.read(line.as_bytes()).unwrap().root().to_json()).collect()
    }

    /// Of each line the outcome, or for rejected ones the code.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let name = |line: &Json| match line.get("error") {
            Some(error) => error.get("code").unwrap().as_str().unwrap().to_owned(),
            None => line.get("outcome").unwrap().as_str().unwrap().to_owned(),
        };
        self.lines().iter().map(name).collect()
    }

    /// Of each line the uid.
    pub(crate) fn uids(&self) -> Vec<Option<String>> {
        let uid = |line: &Json| line.get("measurement_uid").unwrap().as_str().map(str::to_owned);
        self.lines().iter().map(uid).collect()
    }

    /// Of the rejected lines the messages.
    pub(crate) fn messages(&self) -> Vec<String> {
        let message = |line: &Json| Some(line.get("error")?.get("message")?.as_str()?.to_owned());
        self.lines().iter().filter_map(message).collect()
    }
}

/// Runs `fastpath` in the root of the repository.
pub(crate) fn fastpath<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    fed(arguments, b"")
}

/// The same with something on standard input.
pub(crate) fn fed<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
    command.args(arguments);
    ran(command, input)
}

/// The same with no more than so much memory, in MiB of address space.
pub(crate) fn bounded<S: AsRef<std::ffi::OsStr>>(mebibytes: u32, arguments: impl IntoIterator<Item = S>) -> Ran {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {}; exec \"$0\" \"$@\"", mebibytes << 10));
    command.arg(env!("CARGO_BIN_EXE_fastpath")).args(arguments);
    ran(command, b"")
}

fn ran(mut command: Command, input: &[u8]) -> Ran {
    command.current_dir(ROOT).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(input); // it may not want all of it
        });
        child.wait_with_output().unwrap()
    });
    let err = String::from_utf8(output.stderr).unwrap();
    Ran { code: output.status.code(), out: output.stdout, err }
}

/// Scores files, jsonl out.
pub(crate) fn score<P: AsRef<Path>>(paths: &[P]) -> Ran {
    let mut arguments: Vec<_> = ["score", "--format", "jsonl"].map(Into::into).to_vec();
    arguments.extend(paths.iter().map(|path| path.as_ref().as_os_str().to_owned()));
    fastpath(arguments)
}

/// A folder of files.
pub(crate) struct Files(pub(crate) TempDir);

impl Files {
    pub(crate) fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn add(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Gzip of one member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A POST body of a measurement.
pub(crate) fn post(content: &str) -> String {
    format!(r#"{{"format":"json","content":{content}}}"#)
}

/// The name of the member with the uid of that number.
pub(crate) fn member(number: u32) -> String {
    format!("var/lib/ooniapi/measurements/incoming/2024010203_IT_dash/{}.post", uid(number))
}

/// A uid.
pub(crate) fn uid(number: u32) -> String {
    format!("20240102030405.{number:06}_IT_dash_{number:016x}")
}

/// An archive of these members, with names as they are given.
pub(crate) fn tar(members: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        append(&mut builder, name, content.as_bytes());
    }
    builder.into_inner().unwrap()
}

/// Appends a member; a name that `tar` would refuse is written into the header as it is.
pub(crate) fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) {
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
