//! Shared by the tests of the binary: running it, and creating files for it.
#![allow(dead_code)] // each test program uses a part of it

use ooni_core::json::{Json, Reader};
#[allow(unused_imports)] // each test program uses a part of it
pub(crate) use ooni_testkit::files::{Files, GOOD, append, append_with_records, gzip, member, post, tar, uid};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The root of the repository; paths in golden files are relative to it.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The result of a run.
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

    /// The outcome of each line, or the error code if it was rejected.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let name = |line: &Json| match line.get("error") {
            Some(error) => error.get("code").unwrap().as_str().unwrap().to_owned(),
            None => line.get("outcome").unwrap().as_str().unwrap().to_owned(),
        };
        self.lines().iter().map(name).collect()
    }

    /// The uid of each line.
    pub(crate) fn uids(&self) -> Vec<Option<String>> {
        let uid = |line: &Json| line.get("measurement_uid").unwrap().as_str().map(str::to_owned);
        self.lines().iter().map(uid).collect()
    }

    /// The messages of rejected lines.
    pub(crate) fn messages(&self) -> Vec<String> {
        let message = |line: &Json| Some(line.get("error")?.get("message")?.as_str()?.to_owned());
        self.lines().iter().filter_map(message).collect()
    }
}

/// Runs `fastpath` in the root of the repository.
pub(crate) fn fastpath<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    fed(arguments, b"")
}

/// Runs `fastpath` with input on standard input.
pub(crate) fn fed<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
    command.args(arguments);
    ran(command, input)
}

/// Runs `fastpath` with limited memory, in MiB of address space.
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
            let _ = stdin.write_all(input); // it may not read all of it
        });
        child.wait_with_output().unwrap()
    });
    let err = String::from_utf8(output.stderr).unwrap();
    Ran { code: output.status.code(), out: output.stdout, err }
}

/// Scores files with JSONL output.
pub(crate) fn score<P: AsRef<Path>>(paths: &[P]) -> Ran {
    let mut arguments: Vec<_> = ["score", "--format", "jsonl"].map(Into::into).to_vec();
    arguments.extend(paths.iter().map(|path| path.as_ref().as_os_str().to_owned()));
    fastpath(arguments)
}
