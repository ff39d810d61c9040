//! From files to rows in this process, on one thread, stage by stage: what each part of `fastpath` costs.
//!
//! Each stage does what the previous ones do plus one step. All stages process a file before the next.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use anyhow::{Context, bail};
use ooni_archive::chunk::{Chunk, ReadStatus, TARGET};
use ooni_archive::limits::Limits;
use ooni_archive::source::local::FileList;
use ooni_core::fingerprint::Fingerprints;
use ooni_core::json::Reader;
use ooni_core::rules::{Rules, Ruleset};
use ooni_fastpath::pipeline::{self, Plan};
use ooni_fastpath::sink::{Jsonl, NullSink, Sink};
use ooni_fastpath::worker::Scoring;

use super::clock::{Spent, of_thread};
use super::material::{Files, Kind};
use super::sample::{Group, Sample};

/// What a stage does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its bytes are read.
    Read,
    /// They are decompressed.
    Decompress,
    /// Split into measurements; YAML is also converted to JSON here.
    Split,
    /// Parsed to trees.
    Parse,
    /// Scored to rows, without fingerprints.
    Score,
    /// Scored with fingerprints.
    Match,
    /// The rows written as JSON lines, to memory.
    Write,
}

impl Step {
    /// All stages, in order.
    pub const ALL: [Self; 7] =
        [Self::Read, Self::Decompress, Self::Split, Self::Parse, Self::Score, Self::Match, Self::Write];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Decompress => "decompress",
            Self::Split => "split",
            Self::Parse => "parse",
            Self::Score => "score",
            Self::Match => "match fingerprints",
            Self::Write => "write",
        }
    }
}

/// Bytes decompressed at a time; a chunk of `fastpath` has as much text.
const TEXT: usize = TARGET / 4;

/// Runs the steps.
struct Steps<'f> {
    buffer: Vec<u8>,
    chunk: Chunk,
    reader: Reader,
    none: Scoring<'f>,
    lists: Scoring<'f>,
    ruleset: Ruleset,
    read: Arc<AtomicU64>,
    measurements: u64,
}

impl<'f> Steps<'f> {
    fn new(lists: &'f Fingerprints, none: &'f Fingerprints) -> Self {
        Self {
            buffer: vec![0; TEXT],
            chunk: Chunk::new(TEXT),
            reader: Reader::with_limits(Limits::default().json()),
            none: Scoring::new(none, Rules::Fixed),
            lists: Scoring::new(lists, Rules::Fixed),
            ruleset: Ruleset::new(Rules::Fixed, lists.list_sha256()),
            read: Arc::default(),
            measurements: 0,
        }
    }

    /// Runs a step. Steps that count measurements add to `measurements`.
    fn work(&mut self, step: Step, kind: Kind, path: &PathBuf) -> anyhow::Result<()> {
        match step {
            Step::Read => self.read(path),
            Step::Decompress => self.decompress(kind, path),
            Step::Split => self.split(path, false),
            Step::Parse => self.split(path, true),
            Step::Score => self.score(path, self.none, &|| Box::new(NullSink)),
            Step::Match => self.score(path, self.lists, &|| Box::new(NullSink)),
            Step::Write => {
                let ruleset = self.ruleset.clone();
                self.score(path, self.lists, &|| Box::new(Jsonl::new(&ruleset)))
            }
        }
    }

    fn read(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut file = File::open(path)?;
        while file.read(&mut self.buffer)? > 0 {}
        Ok(())
    }

    fn decompress(&mut self, kind: Kind, path: &Path) -> anyhow::Result<()> {
        let mut input = kind.input(File::open(path)?);
        loop {
            match input.read(&mut self.buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(broken) => bail!("{} at byte {}", broken.error, broken.offset),
            }
        }
    }

    fn split(&mut self, path: &PathBuf, parse: bool) -> anyhow::Result<()> {
        let found = FileList::find(slice::from_ref(path), None)?.files.pop().context("no file")?;
        let mut opened = found.open(&Limits::default(), &self.read).context("nothing to read")?;
        let Self { chunk, reader, .. } = self;
        loop {
            let filled = opened.can.fill(chunk);
            if chunk.needs_growth() {
                chunk.allow_growth();
                continue;
            }
            for entry in chunk.entries().iter().filter(|entry| entry.error.is_none()) {
                let text = chunk.text(entry);
                if parse {
                    black_box(reader.read(text).is_ok());
                } else {
                    black_box(text);
                }
            }
            chunk.clear();
            if filled == ReadStatus::End {
                return Ok(());
            }
        }
    }

    fn score(
        &mut self,
        path: &PathBuf,
        scoring: Scoring<'f>,
        sink: &(dyn Fn() -> Box<dyn Sink> + Sync),
    ) -> anyhow::Result<()> {
        let stop = AtomicBool::new(false);
        let plan = Plan { scoring: &scoring, jobs: 1, sink, stop: &stop, read: &self.read };
        let supply = Box::new(FileList::find(slice::from_ref(path), None)?.files.into_iter());
        let measurements = &mut self.measurements;
        pipeline::run(&plan, supply, &mut |piece| {
            black_box(&piece.done.out);
            *measurements += piece.done.counts.all().accepted;
            Ok(())
        })?;
        Ok(())
    }
}

/// Runs one repetition of all steps over all files of a folder.
///
/// # Errors
/// A file cannot be read, or the number of measurements is wrong.
pub fn repetition(
    lists: &Fingerprints,
    files: &Files,
    repetition: u32,
    samples: &mut Vec<Sample>,
) -> anyhow::Result<()> {
    let none = Fingerprints::empty();
    let mut steps = Steps::new(lists, &none);
    let mut spent = [Spent::default(); Step::ALL.len()];
    for (at, path) in files.files.iter().enumerate() {
        for next in 0..Step::ALL.len() {
            let step = (next + at + repetition as usize) % Step::ALL.len();
            let mut result = Ok(());
            spent[step] += of_thread(|| result = steps.work(Step::ALL[step], files.kind, path))?;
            result.with_context(|| path.display().to_string())?;
        }
    }
    let (wanted, got) = (3 * files.measurements, steps.measurements);
    if got != wanted {
        bail!("{}: read {got} measurements instead of {wanted}", files.kind.name);
    }
    for (step, spent) in Step::ALL.into_iter().zip(spent) {
        let (bytes, measurements) = (files.bytes, files.measurements);
        let sample = Sample::new(Group::Stages, files.kind.name, step.name(), repetition, spent, bytes, measurements);
        samples.push(Sample { compressed: Some(files.compressed), ..sample });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::in_process::Lists;
    use crate::measure::material::{KINDS, many};
    use ooni_testkit::corpus::Options;

    #[test]
    fn every_step_of_every_format() {
        let options = Options { n: 60, ..Options::default() };
        let lists = Lists::load(&options.fingerprints).unwrap().prepare().unwrap();
        for kind in KINDS {
            let folder = tempfile::tempdir().unwrap();
            let files = many(kind, &options, folder.path()).unwrap();
            let mut samples = Vec::new();
            repetition(&lists, &files, 0, &mut samples).unwrap();
            let names: Vec<&str> = samples.iter().map(|sample| sample.what.as_str()).collect();
            assert_eq!(names, Step::ALL.map(Step::name));
            assert!(samples.iter().all(|sample| sample.measurements == 60 && sample.spent.cpu > 0.0));
        }
    }
}
