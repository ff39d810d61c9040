//! From bytes to rows in this process, on one thread, stage by stage.
//!
//! Each stage does what the previous ones do plus one step, so the differences are the costs of the steps; only the two
//! rulesets are alternatives. All stages process the same megabyte before the next one, so that other load on the
//! machine affects all of them. [`super::stages`] measures from files.

use std::array;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::{fs, mem};

use anyhow::{Context, ensure};
use ooni_core::fingerprint::{Body, BodyRules, Fingerprints, Scratch};
use ooni_core::json::{Reader, Spelling};
use ooni_core::process::{Outcome, Scorer};
use ooni_core::rules::Rules;
use serde::de::IgnoredAny;

use super::choice::{CELLS, Choice, FINGERPRINTS, LINES};
use super::clock::{Spent, of_thread};
use super::material::{Line, Lines, SIZES};
use super::sample::{Group, Sample};

/// What a stage does with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `serde_json` skips it: the baseline.
    Skip,
    /// Parsed to a tree.
    Read,
    /// Converted to a row, without fingerprints.
    NoFingerprints,
    /// A row by the reference's rules.
    Compat,
    /// A row by the fixed rules.
    Fixed,
    /// The row written as JSON.
    BatchResult,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 6] =
        [Self::Skip, Self::Read, Self::NoFingerprints, Self::Compat, Self::Fixed, Self::BatchResult];
    /// The stages measured for cells.
    const OF_CELLS: [Self; 3] = [Self::Skip, Self::Compat, Self::Fixed];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skip => "IgnoredAny",
            Self::Read => "read",
            Self::NoFingerprints => "row, fixed, no fingerprints",
            Self::Compat => "row, compat",
            Self::Fixed => "row, fixed",
            Self::BatchResult => "row, fixed, written as JSON",
        }
    }
}

/// Both fingerprint lists.
#[derive(Clone, Debug)]
pub struct Lists {
    dns: Vec<u8>,
    http: Vec<u8>,
}

impl Lists {
    /// Reads the lists of a folder.
    ///
    /// # Errors
    /// A list cannot be read.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).with_context(|| path.display().to_string())
        };
        Ok(Self { dns: read("fingerprints_dns.csv")?, http: read("fingerprints_http.csv")? })
    }

    /// Prepares the lists for searching.
    ///
    /// # Errors
    /// The lists are invalid.
    pub fn prepare(&self) -> anyhow::Result<Fingerprints> {
        Ok(Fingerprints::from_csv(&self.dns, &self.http, "0".repeat(64))?)
    }

    fn bytes(&self) -> u64 {
        (self.dns.len() + self.http.len()) as u64
    }
}

/// Bytes that all stages process before the next block: as much as `fastpath` reads before it scores, so that the data
/// are equally close in the cache.
const BLOCK: usize = 1 << 20;
/// A cell with fewer bytes is processed several times, because the clock is not precise enough.
const LEAST: usize = 256 << 10;
/// Output beyond this size is discarded.
const OUTPUT: usize = 1 << 20;

/// Runs the stages.
struct Stages<'f> {
    reader: Reader,
    none: Scorer<'f>,
    compat: Scorer<'f>,
    fixed: Scorer<'f>,
    out: Vec<u8>,
}

impl<'f> Stages<'f> {
    fn new(lists: &'f Fingerprints, none: &'f Fingerprints) -> Self {
        Self {
            reader: Reader::new(),
            none: Scorer::new(none, Rules::Fixed),
            compat: Scorer::new(lists, Rules::Compat),
            fixed: Scorer::new(lists, Rules::Fixed),
            out: Vec::with_capacity(2 * OUTPUT),
        }
    }

    fn work(&mut self, stage: Stage, bytes: &[u8], uid: &str) {
        let scorer = match stage {
            Stage::Skip => {
                black_box(serde_json::from_slice::<IgnoredAny>(bytes).is_ok());
                return;
            }
            Stage::Read => {
                black_box(self.reader.read(bytes).is_ok());
                return;
            }
            Stage::NoFingerprints => &self.none,
            Stage::Compat => &self.compat,
            Stage::Fixed | Stage::BatchResult => &self.fixed,
        };
        let Ok(document) = self.reader.read(bytes) else { return };
        let outcome = black_box(scorer.process(document.root(), uid));
        if stage == Stage::BatchResult
            && let Outcome::Stored { row, openvpn } = outcome
        {
            row.write_json(&mut self.out);
            if let Some(openvpn) = openvpn {
                openvpn.write_json(&mut self.out);
            }
            if self.out.len() > OUTPUT {
                black_box(&self.out);
                self.out.clear();
            }
        }
    }

    /// Runs each stage on all lines, block by block. The stage that runs first changes with each block.
    fn pass<const N: usize>(
        &mut self,
        order: [Stage; N],
        lines: &Lines,
        these: &[&Line],
        turn: usize,
    ) -> anyhow::Result<[Spent; N]> {
        let mut spent = [Spent::default(); N];
        for (at, block) in blocks(lines, these).into_iter().enumerate() {
            // Loads the block into the cache, so that the first stage has no disadvantage.
            block.iter().for_each(|line| touch(lines.bytes(line)));
            for next in 0..N {
                let stage = (next + at + turn) % N;
                spent[stage] += of_thread(|| {
                    for line in block {
                        self.work(order[stage], lines.bytes(line), &line.uid);
                    }
                })?;
            }
        }
        Ok(spent)
    }
}

fn touch(bytes: &[u8]) {
    black_box(bytes.iter().step_by(64).fold(0u8, |sum, byte| sum ^ byte));
}

/// Splits lines into blocks of about [`BLOCK`] bytes.
fn blocks<'b, 'l>(lines: &Lines, these: &'b [&'l Line]) -> Vec<&'b [&'l Line]> {
    let mut blocks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, line) in these.iter().enumerate() {
        bytes += lines.bytes(line).len();
        if bytes >= BLOCK || at + 1 == these.len() {
            blocks.push(&these[mem::replace(&mut start, at + 1)..=at]);
            bytes = 0;
        }
    }
    blocks
}

/// Runs one repetition of the chosen measurements.
///
/// # Errors
/// The lists are invalid or there is no clock.
pub fn repetition(
    lines: &Lines,
    bodies: &Bodies,
    lists: &Lists,
    choice: &Choice,
    repetition: u32,
    samples: &mut Vec<Sample>,
) -> anyhow::Result<()> {
    let mut prepared = Ok(Fingerprints::empty());
    let spent = of_thread(|| prepared = lists.prepare())?;
    let (prepared, none) = (prepared?, Fingerprints::empty());
    let mut push = |group, input: &str, cell: Option<(&str, usize)>, what: &str, spent, bytes: u64, measurements| {
        samples.push(Sample {
            test: cell.map(|(test, _)| test.to_owned()),
            size: cell.map(|(_, size)| SIZES[size].0),
            ..Sample::new(group, input, what, repetition, spent, bytes, measurements)
        });
    };
    let searches: &[_] = if choice.has(FINGERPRINTS) {
        push(Group::Fingerprints, "lists", None, "prepare", spent, lists.bytes(), 0);
        &[("search, compat", BodyRules::default()), ("search, fixed", BodyRules { regexp: true, full: true })]
    } else {
        &[]
    };
    let mut scratch = Scratch::default();
    for &(name, rules) in searches {
        let mut found = 0;
        let spent = of_thread(|| {
            for (raw, spelling) in &bodies.bodies {
                let body = Body::Raw { raw, spelling: *spelling };
                found += prepared.find_in_body(body, rules, &mut scratch).len();
            }
        })?;
        black_box(found);
        push(Group::Fingerprints, "bodies", None, name, spent, bodies.bytes(), bodies.bodies.len() as u64);
    }

    let turn = repetition as usize;
    let size = |these: &[&Line]| these.iter().map(|line| lines.bytes(line).len()).sum::<usize>();
    let mut stages = Stages::new(&prepared, &none);
    let all: Vec<&Line> = lines.all().iter().collect();
    if choice.has(LINES) {
        let spent = stages.pass(Stage::ALL, lines, &all, turn)?;
        for (stage, spent) in Stage::ALL.into_iter().zip(spent) {
            push(Group::Lines, "lines", None, stage.name(), spent, size(&all) as u64, all.len() as u64);
        }
    }
    let cells = if choice.has(CELLS) { lines.cells() } else { BTreeMap::new() };
    for (cell, these) in cells {
        let bytes = size(&these);
        let passes = u32::try_from(LEAST.div_ceil(bytes.max(1)).min(1000)).unwrap_or(1);
        let mut total: [Spent; 3] = array::from_fn(|_| Spent::default());
        for pass in 0..passes as usize {
            let spent = stages.pass(Stage::OF_CELLS, lines, &these, turn + pass)?;
            total.iter_mut().zip(spent).for_each(|(total, spent)| *total += spent);
        }
        for (stage, spent) in Stage::OF_CELLS.into_iter().zip(total) {
            let (spent, count) = (spent.per_pass(passes), these.len() as u64);
            push(Group::Cells, "lines", Some(cell), stage.name(), spent, bytes as u64, count);
        }
    }
    Ok(())
}

/// Response bodies, as they occur in the measurements.
#[derive(Clone, Debug)]
pub struct Bodies {
    bodies: Vec<(Vec<u8>, Spelling)>,
}

impl Bodies {
    /// The bodies of all requests.
    ///
    /// # Errors
    /// The corpus has no bodies, so it is wrong.
    pub fn of(lines: &Lines) -> anyhow::Result<Self> {
        let (mut reader, mut bodies) = (Reader::new(), Vec::new());
        for line in lines.all() {
            let Ok(document) = reader.read(lines.bytes(line)) else { continue };
            let requests = document.root().field("test_keys").value().field("requests").value();
            for request in requests.elements() {
                if let Some((raw, spelling)) = request.field("response").value().field("body").value().raw_text() {
                    bodies.push((raw.to_vec(), spelling));
                }
            }
        }
        ensure!(!bodies.is_empty(), "no measurement has a response body");
        Ok(Self { bodies })
    }

    fn bytes(&self) -> u64 {
        self.bodies.iter().map(|(raw, _)| raw.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ooni_testkit::corpus::Options;

    #[test]
    fn blocks_have_every_line_once() {
        let lines = Lines::generate(&Options { n: 600, ..Options::default() }).unwrap();
        let all: Vec<&Line> = lines.all().iter().collect();
        let blocks = blocks(&lines, &all);
        assert!(blocks.len() > 1);
        let uids = |lines: &[&Line]| lines.iter().map(|line| line.uid.clone()).collect::<Vec<_>>();
        assert_eq!(blocks.iter().flat_map(|block| uids(block)).collect::<Vec<_>>(), uids(&all));
    }

    #[test]
    fn every_stage_of_every_cell_is_measured() {
        let options = Options { n: 30, ..Options::default() };
        let lines = Lines::generate(&options).unwrap();
        let lists = Lists::load(&options.fingerprints).unwrap();
        let mut samples = Vec::new();
        let choice = super::super::catalog::choose(&[], false).unwrap();
        repetition(&lines, &Bodies::of(&lines).unwrap(), &lists, &choice, 0, &mut samples).unwrap();
        let count = |group| samples.iter().filter(|sample| sample.group == group).count();
        assert_eq!(count(Group::Lines), Stage::ALL.len());
        assert_eq!(count(Group::Cells), 3 * lines.cells().len());
        assert_eq!(count(Group::Fingerprints), 3);
        let of_cells = samples.iter().filter(|s| s.group == Group::Cells && s.what == Stage::Fixed.name());
        assert_eq!(of_cells.map(|sample| sample.measurements).sum::<u64>(), 30);
        assert!(samples.iter().all(|sample| sample.spent.cpu > 0.0 && sample.bytes > 0));
    }
}
