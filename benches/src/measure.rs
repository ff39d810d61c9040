//! What is timed: bytes to rows in this process, and `fastpath` on files, each beside something well known.
//!
//! Times are of the processor. What is compared runs by turns in one run of one program, and every single repetition is
//! kept, so that a report can be doubted and made again.

pub mod clock;
pub mod commands;
pub mod in_process;
pub mod machine;
pub mod material;
pub mod report;
pub mod sample;
pub mod statistics;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::corpus::Options;
use machine::Machine;
use material::{Files, Lines};
use sample::Sample;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of what kind the measurements are, and how many.
    pub corpus: Options,
    /// How often everything is done.
    pub repetitions: u32,
    /// The `fastpath` binary, if commands are to be run.
    pub fastpath: Option<PathBuf>,
}

/// How hard the files are compressed.
const LEVEL: u32 = 6;

/// All of a run but its samples.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Where and when.
    pub machine: Machine,
    /// Measurements.
    pub n: u64,
    /// Seed of the corpus.
    pub seed: u64,
    /// Repetitions.
    pub repetitions: u32,
    /// The files commands ran on.
    pub files: Vec<Files>,
    /// Commands that this machine has not, or that were left out.
    pub missing: Vec<&'static str>,
}

/// Measures. What is going on is said on standard error.
///
/// # Errors
/// When the corpus cannot be made or a command fails.
pub fn measure(plan: &Plan) -> anyhow::Result<(Run, Vec<Sample>)> {
    let mut run = Run {
        machine: Machine::here(),
        n: plan.corpus.n,
        seed: plan.corpus.seed,
        repetitions: plan.repetitions,
        files: Vec::new(),
        missing: Vec::new(),
    };
    let mut samples = Vec::new();
    let temporary = tempfile::tempdir().context("a temporary folder")?;
    if let Some(fastpath) = &plan.fastpath {
        say("making files");
        run.files = material::folders(&plan.corpus, temporary.path(), LEVEL)?.into();
        for repetition in 0..plan.repetitions {
            say(&format!("commands, {} of {}", repetition + 1, plan.repetitions));
            for files in &run.files {
                run.missing = commands::repetition(fastpath, files, repetition, &mut samples)?;
            }
        }
    }
    say("making lines");
    let lines = Lines::generate(&plan.corpus)?;
    let bodies = in_process::Bodies::of(&lines)?;
    let lists = in_process::Lists::load(&plan.corpus.fingerprints)?;
    for repetition in 0..plan.repetitions {
        say(&format!("lines, {} of {}", repetition + 1, plan.repetitions));
        in_process::repetition(&lines, &bodies, &lists, repetition, &mut samples)?;
    }
    Ok((run, samples))
}

fn say(what: &str) {
    let _ = writeln!(io::stderr(), "{what}"); // nobody listens: no reason to stop
}

/// Name of the file of samples.
pub const SAMPLES: &str = "samples.jsonl";
/// Name of the report.
pub const REPORT: &str = "report.md";

/// Keeps a run in a folder: the run and then each sample as a line of JSON, and the report.
///
/// # Errors
/// When a file cannot be written.
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

/// A folder of this name that is not there yet, in `inside`: earlier runs of a day are kept.
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
