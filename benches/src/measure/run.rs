//! Runs a command to its end and measures it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::thread;

use anyhow::{Context, anyhow, bail};

use super::clock::{Spent, of_children};
use super::material::Files;
use super::memory::Watch;
use super::sample::{Group, Sample};

/// A command.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program: an absolute path, or a name to search for.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Whether its output goes through a pipe; otherwise it goes to `/dev/null`.
    pub is_piped: bool,
    /// The exit codes that count as success.
    pub may_end_with: &'static [i32],
    /// The exit code that means that a requirement is missing.
    pub lacks: Option<i32>,
}

/// The result of a command.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Time.
    pub spent: Spent,
    /// Peak memory of the process in bytes, without its children.
    pub peak: Option<u64>,
    /// Lines of output, if it was read.
    pub lines: Option<u64>,
    /// The end of the output.
    pub last: Vec<u8>,
}

impl Command {
    /// A program with arguments that should exit with 0.
    #[must_use]
    pub fn new(program: &Path, args: &[&str]) -> Self {
        let args = args.iter().map(Into::into).collect();
        Self { program: program.to_owned(), args, is_piped: true, may_end_with: &[0], lacks: None }
    }
}

impl Ran {
    /// The sample of a command that was run on files.
    #[must_use]
    pub fn sample(&self, group: Group, files: &Files, what: &str, repetition: u32) -> Sample {
        Sample {
            compressed: Some(files.compressed),
            peak: self.peak,
            lines_out: self.lines,
            ..Sample::new(group, files.kind.name, what, repetition, self.spent, files.bytes, files.measurements)
        }
    }
}

/// Runs a command in a temporary folder. `None` if it is missing on this machine.
///
/// # Errors
/// The command fails.
pub fn run(what: &Command) -> anyhow::Result<Option<Ran>> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let mut stderr = tempfile::tempfile().context("a temporary file")?;
    let mut command = process::Command::new(&what.program);
    command.args(&what.args).current_dir(&folder).stdin(Stdio::null()).stderr(stderr.try_clone()?);
    command.stdout(if what.is_piped { Stdio::piped() } else { Stdio::null() });
    let result = of_children(|| {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let watch = Watch::begin(child.id());
        let drain = child.stdout.take().map(|out| thread::spawn(move || drained(out)));
        let status = child.wait()?;
        let output =
            drain.map(|drain| drain.join().map_err(|_| anyhow!("the output could not be read"))).transpose()?;
        Ok(Some((status, output.transpose()?, watch)))
    });
    let (result, spent) = result.with_context(|| format!("{command:?}"))?;
    let Some((status, output, watch)) = result else { return Ok(None) };
    let (peak, code) = (watch.end(), status.code());
    if code.is_some() && code == what.lacks {
        return Ok(None);
    }
    if !code.is_some_and(|code| what.may_end_with.contains(&code)) {
        bail!("{command:?}: {status}: {}", beginning(&mut stderr)?);
    }
    let (lines, last) = output.map_or((None, Vec::new()), |(lines, last)| (Some(lines), last));
    Ok(Some(Ran { spent, peak, lines, last }))
}

/// Bytes kept from the end of an output.
const LAST: usize = 100;

/// Counts the lines, and keeps the end of the text.
fn drained(mut out: impl Read) -> io::Result<(u64, Vec<u8>)> {
    let mut buffer = vec![0; 1 << 16];
    let (mut lines, mut last) = (0, Vec::new());
    loop {
        match out.read(&mut buffer)? {
            0 => return Ok((lines, last)),
            bytes => {
                lines += buffer[..bytes].iter().filter(|&&byte| byte == b'\n').count() as u64;
                last.extend_from_slice(&buffer[bytes.saturating_sub(LAST)..bytes]);
                last.drain(..last.len().saturating_sub(LAST));
            }
        }
    }
}

fn beginning(stderr: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    stderr.rewind()?;
    stderr.take(2000).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::new(Path::new("sh"), &["-c", script])
    }

    #[test]
    fn runs_and_counts() {
        let ran = run(&shell("echo 1; echo 2 > file; cat file")).unwrap().unwrap();
        assert_eq!((ran.lines, ran.last.as_slice()), (Some(2), b"1\n2\n".as_slice()));
        assert!(ran.spent.wall > 0.0);
        let unread = Command { is_piped: false, ..shell("echo 1") };
        assert_eq!(run(&unread).unwrap().unwrap().lines, None);
    }

    #[test]
    fn missing_and_failing() {
        assert!(run(&Command::new(Path::new("no-such-command"), &[])).unwrap().is_none());
        assert!(run(&Command { lacks: Some(3), ..shell("exit 3") }).unwrap().is_none());
        assert!(run(&Command { may_end_with: &[0, 3], ..shell("exit 3") }).unwrap().is_some());
        let error = run(&shell("echo why >&2; exit 3")).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
    }
}
