//! Commands on files: this project's beside those that only decompress.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, anyhow, bail};

use super::clock::{Spent, of_children};
use super::material::Files;
use super::sample::{Group, Sample};

/// Decompresses, output thrown away by the system: what the others are compared with.
pub const IGZIP: &str = "igzip -dc > /dev/null";
/// The same into a pipe that is read.
pub const IGZIP_PIPE: &str = "igzip -dc, piped";
/// The usual way to decompress.
pub const GZIP: &str = "gzip -dc > /dev/null";
/// Rows by the repaired rules, as lines of JSON into a pipe.
pub const FIXED: &str = "fastpath score --jobs 1";
/// Rows by the rules of the reference.
pub const COMPAT: &str = "fastpath score --jobs 1 --rules compat";
/// With two threads.
pub const TWO_JOBS: &str = "fastpath score --jobs 2";

/// How to build the binary.
pub const BUILD: &str = "cargo build --release --bin fastpath";

/// The binary that is measured: the given one, or that beside this process's own.
///
/// # Errors
/// When it is not there.
pub fn find_fastpath(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let path = match given {
        Some(path) => path,
        None => std::env::current_exe().context("where this program is")?.with_file_name("fastpath"),
    };
    if path.is_file() {
        return Ok(path);
    }
    bail!(
        "{} is not there; build it with `{BUILD}`, name another with --fastpath, or leave it out with --without-commands",
        path.display()
    )
}

/// A command to be measured.
struct Measured<'p> {
    name: &'static str,
    program: &'p Path,
    args: &'static [&'static str],
    /// Whether its output goes through a pipe, else it is thrown away by the system.
    piped: bool,
    /// Whether it is given the folder, else the files.
    folder: bool,
    /// Its exit code may be 1 too: measurements were rejected.
    rejects: bool,
}

fn measured(fastpath: &Path) -> [Measured<'_>; 6] {
    let unpack = |name, program: &'static str, piped| Measured {
        name,
        program: Path::new(program),
        args: &["-dc"],
        piped,
        folder: false,
        rejects: false,
    };
    let score = |name, args| Measured { name, program: fastpath, args, piped: true, folder: true, rejects: true };
    [
        unpack(GZIP, "gzip", false),
        unpack(IGZIP, "igzip", false),
        score(FIXED, &["score", "--format", "jsonl", "--jobs", "1"]),
        unpack(IGZIP_PIPE, "igzip", true),
        score(COMPAT, &["score", "--format", "jsonl", "--jobs", "1", "--rules", "compat"]),
        score(TWO_JOBS, &["score", "--format", "jsonl", "--jobs", "2"]),
    ]
}

/// One more repetition of all commands on a folder. Returns the names of those that are not on this machine.
///
/// # Errors
/// When a command fails.
pub fn repetition(
    fastpath: &Path,
    files: &Files,
    repetition: u32,
    samples: &mut Vec<Sample>,
) -> anyhow::Result<Vec<&'static str>> {
    let mut missing = Vec::new();
    for command in measured(fastpath) {
        let Some((spent, lines_out)) = run(&command, files)? else {
            missing.push(command.name);
            continue;
        };
        samples.push(Sample {
            group: Group::Commands,
            input: files.name.to_owned(),
            test: None,
            size: None,
            what: command.name.to_owned(),
            repetition,
            spent,
            bytes: files.bytes,
            measurements: files.measurements,
            lines_out,
        });
    }
    Ok(missing)
}

/// Runs a command to its end. None when there is no such command.
fn run(measured: &Measured<'_>, files: &Files) -> anyhow::Result<Option<(Spent, Option<u64>)>> {
    let mut complaints = tempfile::tempfile().context("a temporary file")?;
    let mut command = Command::new(measured.program);
    command.args(measured.args).stdin(Stdio::null()).stderr(complaints.try_clone()?);
    command.stdout(if measured.piped { Stdio::piped() } else { Stdio::null() });
    if measured.folder {
        command.arg(&files.folder);
    } else {
        command.args(&files.files);
    }
    let result = of_children(|| {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let drain = child.stdout.take().map(|out| thread::spawn(move || count_lines(out)));
        let status = child.wait()?;
        let lines = drain.map(|drain| drain.join().map_err(|_| anyhow!("the output could not be read"))).transpose()?;
        Ok(Some((status, lines.transpose()?)))
    });
    let (result, spent) = result.with_context(|| measured.name)?;
    let Some((status, lines)) = result else { return Ok(None) };
    if !(status.success() || measured.rejects && status.code() == Some(1)) {
        bail!("{command:?}: {status}: {}", beginning(&mut complaints)?);
    }
    if measured.rejects && lines != Some(files.measurements) {
        bail!("{command:?}: {lines:?} lines of {} measurements", files.measurements);
    }
    Ok(Some((spent, lines)))
}

fn count_lines(mut out: impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut lines = 0;
    loop {
        match out.read(&mut buffer)? {
            0 => return Ok(lines),
            n => lines += buffer[..n].iter().filter(|&&byte| byte == b'\n').count() as u64,
        }
    }
}

fn beginning(complaints: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    complaints.rewind()?;
    complaints.take(2000).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn files() -> Files {
        Files {
            name: "",
            folder: "/dev/null".into(),
            files: vec!["/dev/null".into()],
            count: 1,
            measurements: 0,
            compressed: 0,
            bytes: 0,
            kinds: BTreeMap::new(),
        }
    }

    fn command(program: &'static str, args: &'static [&'static str]) -> Measured<'static> {
        Measured { name: "", program: Path::new(program), args, piped: true, folder: true, rejects: false }
    }

    #[test]
    fn runs_and_counts() {
        let (spent, lines) = run(&command("sh", &["-c", "echo 1; echo 2"]), &files()).unwrap().unwrap();
        assert_eq!(lines, Some(2));
        assert!(spent.wall > 0.0);
    }

    #[test]
    fn missing_and_failing() {
        assert!(run(&command("no-such-command", &[]), &files()).unwrap().is_none());
        let error = run(&command("sh", &["-c", "echo why >&2; exit 3"]), &files()).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
        let error = find_fastpath(Some("/no/such/fastpath".into())).unwrap_err();
        assert!(error.to_string().contains(BUILD), "{error}");
    }
}
