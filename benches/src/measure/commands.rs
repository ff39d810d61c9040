//! Commands on files: those of this project, and baselines that only decompress. [`super::run`] runs them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::choice::Choice;
use super::material::{Files, Kind};
use super::run::{Command, run};
use super::sample::{Group, Sample};

/// Decompresses to `/dev/null`: the baseline.
pub const IGZIP: &str = "igzip -dc > /dev/null";
/// The baseline for LZ4.
pub const LZ4: &str = "lz4 -dc > /dev/null";
/// The usual way to decompress gzip.
pub const GZIP: &str = "gzip -dc > /dev/null";
/// Rows by the fixed rules, as JSON lines into a pipe.
pub const SCORE: &str = "fastpath score --jobs 1";
/// With two threads.
pub const SCORE_2: &str = "fastpath score --jobs 2";
/// Rows of an archive source, as JSON lines into a pipe.
pub const RERUN: &str = "fastpath rerun --out - --jobs 1";
/// With two threads.
pub const RERUN_2: &str = "fastpath rerun --out - --jobs 2";

/// How to build the binary.
pub const BUILD: &str = "cargo build --profile dist --bin fastpath";

/// The kinds of files that commands are measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Many cans.
    Cans,
    /// One can of one gzip member or LZ4 frame.
    Big,
}

impl Place {
    /// Its name in the names of measurements.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cans => "cans",
            Self::Big => "big",
        }
    }

    /// The group of its samples.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Cans => Group::Commands,
            Self::Big => Group::Big,
        }
    }
}

/// The fastest command that only decompresses this kind of files.
#[must_use]
pub const fn bare(kind: Kind) -> &'static str {
    if kind.is_lz4() { LZ4 } else { IGZIP }
}

/// The binary to measure: the given one, or the one beside this program.
///
/// # Errors
/// It does not exist.
pub fn find_fastpath(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let path = match given {
        Some(path) => path,
        None => std::env::current_exe().context("where this program is")?.with_file_name("fastpath"),
    };
    if path.is_file() {
        return path.canonicalize().with_context(|| path.display().to_string());
    }
    bail!(
        "{} does not exist; build it with `{BUILD}`, name another binary with --fastpath, or use --without-commands",
        path.display()
    )
}

/// The input of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    /// The last arguments are the files.
    Files,
    /// The last argument is the folder.
    Folder,
    /// The folder is a `--source` with two days.
    Source,
}

/// A measured command.
struct Measured {
    name: &'static str,
    /// `None` is the measured binary.
    program: Option<&'static str>,
    args: &'static [&'static str],
    given: Given,
    /// Whether its output goes through a pipe; otherwise it goes to `/dev/null`.
    is_piped: bool,
}

const fn unpack(name: &'static str, program: &'static str, args: &'static [&'static str], is_piped: bool) -> Measured {
    Measured { name, program: Some(program), args, given: Given::Files, is_piped }
}

const fn score(name: &'static str, args: &'static [&'static str]) -> Measured {
    Measured { name, program: None, args, given: Given::Folder, is_piped: true }
}

const fn rerun(name: &'static str, args: &'static [&'static str], is_piped: bool) -> Measured {
    Measured { name, program: None, args, given: Given::Source, is_piped }
}

const OF_GZIP: [Measured; 3] = [
    unpack(GZIP, "gzip", &["-dc"], false),
    unpack(IGZIP, "igzip", &["-dc"], false),
    unpack("igzip -dc, piped", "igzip", &["-dc"], true),
];
const OF_LZ4: [Measured; 2] =
    [unpack(LZ4, "lz4", &["-dcmqq"], false), unpack("lz4 -dc, piped", "lz4", &["-dcmqq"], true)];
/// Relative paths are in a folder that is created for each run.
const OF_FASTPATH: [Measured; 9] = [
    score(SCORE, &["score", "--format=jsonl", "--jobs=1"]),
    score(SCORE_2, &["score", "--format=jsonl", "--jobs=2"]),
    rerun(RERUN, &["rerun", "--no-write-to-db", "--out=-", "--jobs=1"], true),
    rerun(RERUN_2, &["rerun", "--no-write-to-db", "--out=-", "--jobs=2"], true),
    score("fastpath score --jobs 1 --rules compat", &["score", "--format=jsonl", "--jobs=1", "--rules=compat"]),
    rerun("fastpath rerun --db-uri sqlite:… --jobs 1", &["rerun", "--db-uri=sqlite:rows.db", "--jobs=1"], false),
    rerun("fastpath rerun --db-uri sqlite:… --jobs 2", &["rerun", "--db-uri=sqlite:rows.db", "--jobs=2"], false),
    rerun(
        "fastpath rerun --out ….parquet --jobs 1",
        &["rerun", "--no-write-to-db", "--out=rows.parquet", "--jobs=1"],
        false,
    ),
    rerun(
        "fastpath rerun --out ….parquet --jobs 2",
        &["rerun", "--no-write-to-db", "--out=rows.parquet", "--jobs=2"],
        false,
    ),
];
/// The number of commands that are also measured on one large file.
const OF_BIG: usize = 4;

fn measured(place: Place, kind: Kind) -> impl Iterator<Item = &'static Measured> {
    let unpack: &'static [Measured] = if kind.is_lz4() { &OF_LZ4 } else { &OF_GZIP };
    let ours: &'static [Measured] = &OF_FASTPATH;
    ours[..if place == Place::Big { OF_BIG } else { ours.len() }].iter().chain(unpack)
}

/// The names of the commands that are measured on these files.
pub fn names(place: Place, kind: Kind) -> impl Iterator<Item = &'static str> {
    measured(place, kind).map(|command| command.name)
}

/// Runs one repetition of the chosen commands and their baselines on a folder. Returns the names of commands that are
/// missing on this machine.
///
/// # Errors
/// A command fails.
pub fn repetition(
    fastpath: &Path,
    (place, files): (Place, &Files),
    choice: &Choice,
    repetition: u32,
    samples: &mut Vec<Sample>,
) -> anyhow::Result<Vec<&'static str>> {
    let mut missing = Vec::new();
    let kind = files.kind;
    for measured in measured(place, kind) {
        let name = measured.name;
        let is_chosen = choice.has(&format!("{}/{}/{name}", place.name(), kind.name));
        if !is_chosen && name != bare(kind) {
            continue;
        }
        let Some(ran) = run(&command(measured, fastpath, files))? else {
            missing.push(name);
            continue;
        };
        let is_rows = measured.program.is_none() && measured.is_piped;
        if is_rows && ran.lines != Some(files.measurements) {
            bail!("{name} on {}: {:?} lines of {} measurements", kind.name, ran.lines, files.measurements);
        }
        samples.push(ran.sample(place.group(), files, name, repetition));
    }
    Ok(missing)
}

fn command(measured: &Measured, fastpath: &Path, files: &Files) -> Command {
    let program = measured.program.map_or(fastpath, Path::new);
    let mut command = Command::new(program, measured.args);
    command.is_piped = measured.is_piped;
    // Measurements may have been rejected.
    command.may_end_with = if measured.program.is_none() { &[0, 1] } else { &[0] };
    match measured.given {
        Given::Files => command.args.extend(files.files.iter().map(Into::into)),
        Given::Folder => command.args.push((&files.folder).into()),
        Given::Source => {
            let [day, end] = files.kind.days();
            command.args.extend(["--start-day", day, "--end-day", end, "--source"].map(Into::into));
            command.args.push((&files.folder).into());
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::material::KINDS;

    #[test]
    fn a_missing_binary() {
        let error = find_fastpath(Some("/no/such/fastpath".into())).unwrap_err();
        assert!(error.to_string().contains(BUILD), "{error}");
    }

    #[test]
    fn names_are_distinct_and_have_a_baseline() {
        for (place, kind) in [Place::Cans, Place::Big].into_iter().flat_map(|place| KINDS.map(|kind| (place, kind))) {
            let names: Vec<&str> = names(place, kind).collect();
            assert!([bare(kind), SCORE, SCORE_2, RERUN, RERUN_2].iter().all(|name| names.contains(name)), "{kind:?}");
            assert!(names.iter().enumerate().all(|(at, name)| !names[..at].contains(name)), "{names:?}");
        }
    }
}
