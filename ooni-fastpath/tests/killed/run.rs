//! A rerun that is started, stopped and resumed.

use ooni_testkit::s3_server::Server;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Polling interval for a running process.
pub(crate) const POLL: Duration = Duration::from_millis(3);

/// Where the archive is.
pub(crate) enum Source<'s> {
    /// In a folder.
    Folder(PathBuf),
    /// On a server.
    S3(&'s Server),
}

/// A rerun, with a folder for its files.
pub(crate) struct Run<'s> {
    folder: TempDir,
    pub(crate) source: Source<'s>,
    /// The extension of `--out`; if empty, there is no `--out`.
    format: &'static str,
}

impl<'s> Run<'s> {
    pub(crate) fn new(source: Source<'s>, format: &str) -> Run<'s> {
        let format = ["jsonl", "csv", "parquet", ""].into_iter().find(|known| *known == format).unwrap();
        Run { folder: TempDir::new().unwrap(), source, format }
    }

    pub(crate) fn format(&self) -> &'static str {
        self.format
    }

    pub(crate) fn uri(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("ooni.db").display())
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join(format!("rows.{}", self.format))
    }

    /// What is in the file.
    pub(crate) fn output(&self) -> Vec<u8> {
        fs::read(self.out()).unwrap()
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join(if self.format.is_empty() {
            "ooni.db.journal".into()
        } else {
            format!("rows.{}.journal", self.format)
        })
    }

    pub(crate) fn report(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("report.json")).unwrap()).unwrap()
    }

    /// The number of finished cans in the journal.
    pub(crate) fn cans(&self) -> usize {
        let journal = fs::read_to_string(self.journal()).unwrap_or_default();
        let whole = journal.rfind('\n').map_or("", |end| &journal[..end]);
        whole.matches("\"key\":").count()
    }

    pub(crate) fn command(&self, more: &[&str]) -> Command {
        self.command_from("2020-10-12", more)
    }

    fn command_from(&self, start_day: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastpath"));
        let folder = self.folder.path();
        command.args(["rerun", "--start-day", start_day, "--end-day", "2020-11-01", "--db-uri", &self.uri()]);
        command.arg("--report").arg(folder.join("report.json"));
        if !self.format.is_empty() {
            command.arg("--out").arg(self.out());
        }
        match &self.source {
            Source::Folder(archive) => command.arg("--source").arg(archive),
            Source::S3(server) => command.args(["--source", "s3://archive", "--s3-endpoint", &server.url]),
        };
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"] {
            command.env_remove(name);
        }
        command.args(more);
        // Keeps the downloads of killed runs in a folder of this test.
        command.env("TMPDIR", folder).env("FASTPATH_CHECKPOINTS", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn spawn(&self, more: &[&str]) -> Child {
        self.command(more).stderr(fs::File::create(self.folder.path().join("stderr")).unwrap()).spawn().unwrap()
    }

    /// Runs over fewer days, to leave the files of another run.
    pub(crate) fn another(&self) {
        let ended = until_all_is_read(|more| self.command_from("2020-10-20", more));
        assert!(ended.status.code().is_some());
    }

    /// Waits until so many cans are finished.
    pub(crate) fn wait_for_cans(&self, child: &mut Child, cans: usize) {
        while self.cans() < cans {
            assert!(child.try_wait().unwrap().is_none(), "the run ended: {}", self.stderr());
            std::thread::sleep(POLL);
        }
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// Sends an interrupt and waits for the result.
    pub(crate) fn interrupt(&self, child: Child) -> Output {
        signal(&child, "INT");
        let mut output = child.wait_with_output().unwrap();
        output.stderr = self.stderr().into_bytes();
        output
    }

    /// Resumes the run to its end.
    pub(crate) fn complete(&self, more: &[&str]) {
        let ended = until_all_is_read(|_| self.command(&[&["--resume"], more].concat()));
        let stderr = String::from_utf8_lossy(&ended.stderr);
        // A part of the corpus is damaged on purpose.
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        assert!(stderr.lines().last().unwrap().contains(" cans; "), "{stderr}");
        assert!(!stderr.contains(NOT_READ), "{stderr}");
        for left in [".spool", ".partial"] {
            let left = PathBuf::from(format!("{}{left}", self.out().display()));
            assert!(!Path::exists(&left), "{}", left.display());
        }
    }
}

/// In the last lines of a run that could not download something.
const NOT_READ: &str = "could not be read";

/// Runs a command, and again with `--resume` as long as every attempt to download some can has met a fault. That is rare, so
/// a few times are enough.
fn until_all_is_read(command: impl Fn(&[&str]) -> Command) -> Output {
    let mut ended = command(&[]).output().unwrap();
    for _ in 0..5 {
        if String::from_utf8_lossy(&ended.stderr).contains(NOT_READ) {
            ended = command(&["--resume"]).output().unwrap();
        }
    }
    ended
}

pub(crate) fn signal(child: &Child, name: &str) {
    ooni_testkit::process::signal(child.id(), name);
}
