//! What the tests of the binary share: running it, and making files for it.
#![allow(dead_code)] // each test file takes what it needs

use ooni_core::json::{Json, Reader};
#[allow(unused_imports)] // each test file takes what it needs
pub(crate) use ooni_testkit::files::{Files, GOOD, append, gzip, member, post, tar, uid};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The root of the repository, where paths in golden files begin.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

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
