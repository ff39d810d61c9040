//! Measures bytes and files to rows in this process, and `fastpath` on files, each next to a well-known baseline.
//!
//! Times are processor times. What is compared runs in turns within the same run. Every repetition is saved, so that a
//! report can be checked and recomputed.

// The input, and the selection of what to measure.
pub mod catalog;
pub mod choice;
pub mod material;
// The measurements.
pub mod commands;
pub mod in_process;
pub mod peers;
pub mod stages;
// Tools.
pub mod clock;
pub mod memory;
pub mod run;
// Results.
pub mod machine;
pub mod report;
pub mod sample;
pub mod statistics;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use choice::{CELLS, Choice, FINGERPRINTS, LINES, PEERS, STAGES};
use commands::Place;
use in_process::{Bodies, Lists};
use machine::Machine;
use material::{Files, KINDS, Lines, WITH_UID};
use ooni_testkit::corpus::Options;
use sample::Sample;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kind and number of measurements.
    pub corpus: Options,
    /// Number of repetitions.
    pub repetitions: u32,
    /// The `fastpath` binary, if commands are to be run.
    pub fastpath: Option<PathBuf>,
    /// The Python interpreter with the libraries of [`peers`].
    pub python: PathBuf,
    /// The selected measurements.
    pub choice: Choice,
}

/// A run without its samples.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The machine and the time.
    pub machine: Machine,
    /// Measurements.
    pub n: u64,
    /// Seed of the corpus.
    pub seed: u64,
    /// Repetitions.
    pub repetitions: u32,
    /// Folders of many files.
    pub files: Vec<Files>,
    /// Folders of one large file.
    pub big: Vec<Files>,
    /// Commands that are missing on this machine.
    pub missing: BTreeSet<String>,
    /// Whether commands were skipped.
    pub without_commands: bool,
}

/// Runs the measurements. Progress is reported on standard error.
///
/// # Errors
/// The corpus cannot be generated, or a command fails.
pub fn measure(plan: &Plan) -> anyhow::Result<(Run, Vec<Sample>)> {
    let mut run = Run {
        machine: Machine::here(),
        n: plan.corpus.n,
        seed: plan.corpus.seed,
        repetitions: plan.repetitions,
        files: Vec::new(),
        big: Vec::new(),
        missing: BTreeSet::new(),
        without_commands: plan.fastpath.is_none(),
    };
    let mut samples = Vec::new();
    let lists = Lists::load(&plan.corpus.fingerprints)?;
    on_files(plan, &lists, &mut run, &mut samples)?;
    if [LINES, CELLS, FINGERPRINTS].iter().any(|part| plan.choice.has(part)) {
        say("making lines");
        let lines = Lines::generate(&plan.corpus)?;
        let bodies = Bodies::of(&lines)?;
        for repetition in 0..plan.repetitions {
            say(&format!("lines, {} of {}", repetition + 1, plan.repetitions));
            in_process::repetition(&lines, &bodies, &lists, &plan.choice, repetition, &mut samples)?;
        }
    }
    Ok((run, samples))
}

fn on_files(plan: &Plan, lists: &Lists, run: &mut Run, samples: &mut Vec<Sample>) -> anyhow::Result<()> {
    let choice = &plan.choice;
    let temporary = tempfile::tempdir().context("a temporary folder")?;
    for kind in KINDS {
        let has = |part: &str| choice.has(&format!("{part}/{}/", kind.name));
        let stages = choice.has(&format!("{STAGES}/{}", kind.name));
        if stages || has(Place::Cans.name()) {
            say(&format!("making {}", kind.name));
            run.files.push(material::many(kind, &plan.corpus, &temporary.path().join("cans").join(kind.name))?);
        }
        if has(Place::Big.name()) || kind.name == WITH_UID && choice.has(PEERS) {
            say(&format!("making one large {}", kind.name));
            run.big.push(material::big(kind, &plan.corpus, &temporary.path().join("big").join(kind.name))?);
        }
    }
    let lists = lists.prepare()?;
    for repetition in 0..plan.repetitions {
        if !(run.files.is_empty() && run.big.is_empty()) {
            say(&format!("files, {} of {}", repetition + 1, plan.repetitions));
        }
        let places = [(Place::Cans, &run.files), (Place::Big, &run.big)];
        for (place, files) in places.into_iter().flat_map(|(place, all)| all.iter().map(move |files| (place, files))) {
            let name = files.kind.name;
            if let Some(fastpath) = &plan.fastpath
                && choice.has(&format!("{}/{name}/", place.name()))
            {
                let missing = commands::repetition(fastpath, (place, files), choice, repetition, samples)?;
                run.missing.extend(missing.into_iter().map(str::to_owned));
            }
            if place == Place::Cans && choice.has(&format!("{STAGES}/{name}")) {
                stages::repetition(&lists, files, repetition, samples)?;
            }
            if place == Place::Big && name == WITH_UID && choice.has(PEERS) {
                run.missing.extend(peers::repetition(&plan.python, files, choice, repetition, samples)?);
            }
        }
    }
    Ok(())
}

fn say(what: &str) {
    let _ = writeln!(io::stderr(), "{what}"); // a closed standard error does not stop the run
}

/// Name of the file of samples.
pub const SAMPLES: &str = "samples.jsonl";
/// Name of the report.
pub const REPORT: &str = "report.md";

/// Saves a run in a folder: the run and then each sample as a line of JSON, and the report.
///
/// # Errors
/// A file cannot be written.
pub fn keep(run: &Run, samples: &[Sample], report: &str, folder: &Path) -> anyhow::Result<()> {
    let mut text = serde_json::to_string(run)?;
    for sample in samples {
        text.push('\n');
        text.push_str(&serde_json::to_string(sample)?);
    }
    text.push('\n');
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for (name, text) in [(SAMPLES, text.as_str()), (REPORT, report)] {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// A folder in `inside` with this name, or with a number appended if it exists: earlier runs of a day are kept.
#[must_use]
pub fn new_folder(inside: &Path, name: &str) -> PathBuf {
    let first = inside.join(name);
    if !first.exists() {
        return first;
    }
    let mut others = (2u32..).map(|number| inside.join(format!("{name}-{number}")));
    others.find(|folder| !folder.exists()).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_runs_are_kept() {
        let inside = tempfile::tempdir().unwrap();
        for wanted in ["day", "day-2", "day-3"] {
            let folder = new_folder(inside.path(), "day");
            assert_eq!(folder, inside.path().join(wanted));
            fs::create_dir(folder).unwrap();
        }
    }
}
