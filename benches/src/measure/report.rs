//! The report of a run, Markdown, made of its samples alone.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use super::commands::{COMPAT, FIXED, GZIP, IGZIP, IGZIP_PIPE, TWO_JOBS};
use super::in_process::Stage;
use super::machine::Machine;
use super::material::{Files, POSTCANS, SIZES, WITH_UID, WITHOUT_UID};
use super::sample::{Group, Sample};
use super::statistics::{Ratio, median, min, ratio};
use super::{Run, commands};

const LEGEND: &str = "\
Times are seconds of processor time, MB are 10⁶ bytes before compression. × is how many times as long
as the first line of the table it takes: the median of the ratios within each repetition, and the ratio
of the fastest repetitions.";

/// The report.
#[must_use]
pub fn write(run: &Run, samples: &[Sample]) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = sections(&mut out, run, samples);
    out
}

fn sections(out: &mut String, run: &Run, samples: &[Sample]) -> fmt::Result {
    head(out, run)?;
    aims(out, samples)?;
    stages(out, samples)?;
    let tests: BTreeSet<&str> = samples.iter().filter_map(|sample| sample.test.as_deref()).collect();
    cells(out, "test", samples, tests.into_iter().map(|name| (name, Part::Test(name))))?;
    cells(out, "size", samples, SIZES.iter().map(|&(name, _)| (name, Part::Size(name))))?;
    fingerprints(out, samples)?;
    for files in &run.files {
        of_commands(out, files, samples)?;
    }
    Ok(())
}

fn head(out: &mut String, run: &Run) -> fmt::Result {
    let Machine { started, processor, processors, kernel, rustc, commit, load } = &run.machine;
    writeln!(out, "# Run of {started}\n")?;
    writeln!(out, "{processor}, {processors} processors, Linux {kernel}, {rustc}.")?;
    writeln!(out, "Commit {commit}. Load at the start: {load}.\n")?;
    writeln!(out, "{} measurements, seed {}; repetitions: {}.", run.n, run.seed, run.repetitions)?;
    writeln!(out, "{LEGEND}")?;
    if !run.missing.is_empty() {
        writeln!(out, "\nNot on this machine: {}.", run.missing.join(", "))?;
    }
    if run.files.is_empty() {
        writeln!(out, "\nCommands were left out.")?;
    }
    Ok(())
}

/// Which samples.
#[derive(Clone, Copy)]
struct Which<'a> {
    group: Group,
    input: Option<&'a str>,
    part: Part<'a>,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    All,
    Test(&'a str),
    Size(&'a str),
}

impl<'a> Which<'a> {
    const fn all(group: Group, input: &'a str) -> Self {
        Self { group, input: Some(input), part: Part::All }
    }

    fn has(&self, sample: &Sample) -> bool {
        let part = match self.part {
            Part::All => true,
            Part::Test(test) => sample.test.as_deref() == Some(test),
            Part::Size(size) => sample.size == Some(size),
        };
        part && sample.group == self.group && self.input.is_none_or(|input| sample.input == input)
    }
}

/// One thing on one input, repetition by repetition; cells of a part are added up.
struct Series {
    cpu: Vec<f64>,
    wall: Vec<f64>,
    bytes: f64,
    measurements: f64,
}

impl Series {
    fn of(samples: &[Sample], which: Which<'_>, what: &str) -> Option<Self> {
        let mut series = Self { cpu: Vec::new(), wall: Vec::new(), bytes: 0.0, measurements: 0.0 };
        for sample in samples.iter().filter(|sample| which.has(sample) && sample.what == what) {
            let at = sample.repetition as usize;
            if series.cpu.len() <= at {
                series.cpu.resize(at + 1, 0.0);
                series.wall.resize(at + 1, 0.0);
            }
            series.cpu[at] += sample.spent.cpu;
            series.wall[at] += sample.spent.wall;
            if at == 0 {
                series.bytes += sample.bytes as f64;
                series.measurements += sample.measurements as f64;
            }
        }
        (!series.cpu.is_empty()).then_some(series)
    }

    fn median(&self) -> f64 {
        median(&self.cpu).unwrap_or(f64::NAN)
    }

    fn min(&self) -> f64 {
        min(&self.cpu).unwrap_or(f64::NAN)
    }

    fn megabytes_per_second(&self) -> String {
        number(self.bytes / 1e6 / self.median())
    }

    fn measurements_per_second(&self) -> String {
        number(self.measurements / self.median())
    }

    fn to(&self, base: &Self) -> Option<Ratio> {
        ratio(&self.cpu, &base.cpu)
    }
}

/// Three digits, thousands set apart: `1.23`, `12.3`, `123`, `12 300`.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let digits = match value.abs() {
        x if x < 0.000_995 => return format!("{value:.2e}"),
        x if x < 0.0995 => 4,
        x if x < 0.995 => 3,
        x if x < 9.95 => 2,
        x if x < 99.5 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    if digits > 0 || text.len() < 5 {
        return text;
    }
    let mut apart = String::new();
    for (at, digit) in text.chars().enumerate() {
        if at > 0 && (text.len() - at).is_multiple_of(3) && digit != '-' {
            apart.push(' ');
        }
        apart.push(digit);
    }
    apart
}

/// Both ratios as cells of a table.
fn times(ratio: Option<Ratio>) -> String {
    ratio.map_or("– | –".into(), |ratio| format!("{:.2} | {:.2}", ratio.median, ratio.of_minima))
}

fn aims(out: &mut String, samples: &[Sample]) -> fmt::Result {
    let lines = Which::all(Group::Lines, "lines");
    let commands = |input| Which::all(Group::Commands, input);
    let skip = Stage::Skip.name();
    let aims = [
        ("bytes → row, fixed rules, to IgnoredAny", Some(1.5), lines, Stage::Fixed.name(), skip),
        ("bytes → row, compat rules, to IgnoredAny", Some(1.5), lines, Stage::Compat.name(), skip),
        ("postcans → rows, to igzip -dc", Some(2.5), commands(POSTCANS), FIXED, IGZIP),
        ("jsonl.gz with uids → rows, to igzip -dc", Some(2.5), commands(WITH_UID), FIXED, IGZIP),
        ("jsonl.gz without uids → rows, to igzip -dc", None, commands(WITHOUT_UID), FIXED, IGZIP),
    ];
    writeln!(out, "\n## Aims\n")?;
    writeln!(out, "| One core | at most | × median | × of minima | |")?;
    writeln!(out, "|---|---:|---:|---:|---|")?;
    for (name, limit, which, what, base) in aims {
        let ratio = Series::of(samples, which, what)
            .zip(Series::of(samples, which, base))
            .and_then(|(series, base)| series.to(&base));
        let verdict = match (limit, ratio) {
            (_, None) => "not measured",
            (None, _) => "no aim",
            (Some(limit), Some(ratio)) if ratio.median <= limit => "met",
            _ => "missed",
        };
        let limit = limit.map_or(String::new(), |limit| format!("{limit:.1}"));
        writeln!(out, "| {name} | {limit} | {} | {verdict} |", times(ratio))?;
    }
    let series = |input, what| Series::of(samples, commands(input), what);
    if let (Some(without), Some(with), Some(igzip)) =
        (series(WITHOUT_UID, FIXED), series(WITH_UID, FIXED), series(WITHOUT_UID, IGZIP))
    {
        let of_minima = (without.min() - with.min()) / igzip.min();
        let id: Vec<f64> = without.cpu.iter().zip(&with.cpu).map(|(without, with)| without - with).collect();
        let ratio = ratio(&id, &igzip.cpu).map(|ratio| Ratio { of_minima, ..ratio });
        writeln!(out, "| the trivial id of lines without uid, to igzip -dc | | {} | no aim |", times(ratio))?;
    }
    Ok(())
}

fn stages(out: &mut String, samples: &[Sample]) -> fmt::Result {
    let lines = Which::all(Group::Lines, "lines");
    writeln!(out, "\n## Bytes to rows, one thread\n")?;
    let names: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).collect();
    table(out, samples, lines, &names, Stage::Skip.name(), false)
}

fn fingerprints(out: &mut String, samples: &[Sample]) -> fmt::Result {
    writeln!(out, "\n## Fingerprints\n")?;
    if let Some(series) = Series::of(samples, Which::all(Group::Fingerprints, "lists"), "prepare") {
        let (median, min) = (series.median() * 1e3, series.min() * 1e3);
        writeln!(
            out,
            "Reading both lists and preparing the search: {} ms, at least {} ms.\n",
            number(median),
            number(min)
        )?;
    }
    writeln!(out, "Search in response bodies, undecoded, by itself; here the measurements are bodies:\n")?;
    let bodies = Which::all(Group::Fingerprints, "bodies");
    table(out, samples, bodies, &["search, compat", "search, fixed"], "search, compat", false)
}

fn of_commands(out: &mut String, files: &Files, samples: &[Sample]) -> fmt::Result {
    let Files { name, count, measurements, compressed, bytes, .. } = files;
    writeln!(out, "\n## Commands: {name}\n")?;
    let sizes = [*bytes, *compressed].map(|bytes| number(bytes as f64 / 1e6));
    writeln!(out, "{measurements} measurements, {} MB, compressed {} MB in {count} files.\n", sizes[0], sizes[1])?;
    let all = [IGZIP, IGZIP_PIPE, GZIP, FIXED, COMPAT, TWO_JOBS];
    table(out, samples, Which::all(Group::Commands, name), &all, commands::IGZIP, true)
}

fn table(
    out: &mut String,
    samples: &[Sample],
    which: Which<'_>,
    names: &[&str],
    base: &str,
    wall: bool,
) -> fmt::Result {
    let (title, line) = if wall { (" passed, s |", "---:|") } else { ("", "") };
    writeln!(out, "| | median, s | min, s |{title} MB/s | measurements/s | × median | × of minima |")?;
    writeln!(out, "|---|---:|---:|{line}---:|---:|---:|---:|")?;
    let base = Series::of(samples, which, base);
    for name in names {
        let Some(series) = Series::of(samples, which, name) else { continue };
        write!(out, "| {name} | {} | {} |", number(series.median()), number(series.min()))?;
        if wall {
            write!(out, " {} |", number(median(&series.wall).unwrap_or(f64::NAN)))?;
        }
        let ratio = base.as_ref().and_then(|base| series.to(base));
        let (bytes, measurements) = (series.megabytes_per_second(), series.measurements_per_second());
        writeln!(out, " {bytes} | {measurements} | {} |", times(ratio))?;
    }
    Ok(())
}

fn cells<'a>(
    out: &mut String,
    title: &str,
    samples: &[Sample],
    parts: impl Iterator<Item = (&'a str, Part<'a>)>,
) -> fmt::Result {
    writeln!(out, "\n## Bytes to rows by {title}\n")?;
    writeln!(out, "MB/s and measurements/s are of rows by the fixed rules.\n")?;
    writeln!(
        out,
        "| | measurements | kB each | IgnoredAny, MB/s | MB/s | measurements/s | × median | × of minima | × compat |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
    for (name, part) in parts {
        let which = Which { group: Group::Cells, input: None, part };
        let series = |stage: Stage| Series::of(samples, which, stage.name());
        let (Some(skip), Some(fixed), Some(compat)) =
            (series(Stage::Skip), series(Stage::Fixed), series(Stage::Compat))
        else {
            continue;
        };
        let compat = compat.to(&skip).map_or("–".into(), |ratio| format!("{:.2}", ratio.median));
        let (count, each) = (fixed.measurements, number(fixed.bytes / 1e3 / fixed.measurements));
        let skipped = skip.megabytes_per_second();
        let (bytes, per_second) = (fixed.megabytes_per_second(), fixed.measurements_per_second());
        let ratio = times(fixed.to(&skip));
        writeln!(out, "| {name} | {count} | {each} | {skipped} | {bytes} | {per_second} | {ratio} | {compat} |")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::clock::Spent;
    use super::*;

    fn sample(group: Group, input: &str, what: &str, repetition: u32, cpu: f64) -> Sample {
        Sample {
            group,
            input: input.into(),
            test: None,
            size: None,
            what: what.into(),
            repetition,
            spent: Spent { cpu, wall: cpu },
            bytes: 1_000_000,
            measurements: 100,
            lines_out: None,
        }
    }

    fn run() -> Run {
        let text = || "x".to_owned();
        let machine = Machine {
            started: text(),
            processor: text(),
            processors: 1,
            kernel: text(),
            rustc: text(),
            commit: text(),
            load: text(),
        };
        Run { machine, n: 100, seed: 1, repetitions: 2, files: Vec::new(), missing: vec![IGZIP] }
    }

    #[test]
    fn numbers() {
        let given = [0.000_123_4, 0.012_34, 0.5, 1.234, 99.44, 123.4, 1234.0, 12_345.0, 1_234_567.0, f64::NAN];
        let wanted = ["1.23e-4", "0.0123", "0.500", "1.23", "99.4", "123", "1234", "12 345", "1 234 567", "–"];
        assert_eq!(given.map(number), wanted);
    }

    #[test]
    fn aims_are_judged_by_the_median() {
        let mut samples = Vec::new();
        for (repetition, (fixed, skip)) in (0..).zip([(1.4, 1.0), (4.2, 3.0), (2.0, 1.0)]) {
            samples.push(sample(Group::Lines, "lines", Stage::Fixed.name(), repetition, fixed));
            samples.push(sample(Group::Lines, "lines", Stage::Compat.name(), repetition, 2.0 * skip));
            samples.push(sample(Group::Lines, "lines", Stage::Skip.name(), repetition, skip));
            samples.push(sample(Group::Commands, WITH_UID, FIXED, repetition, 2.0));
            samples.push(sample(Group::Commands, WITHOUT_UID, FIXED, repetition, 5.0));
            samples.push(sample(Group::Commands, WITHOUT_UID, IGZIP, repetition, 1.0));
        }
        let report = write(&run(), &samples);
        for line in [
            "| bytes → row, fixed rules, to IgnoredAny | 1.5 | 1.40 | 1.40 | met |",
            "| bytes → row, compat rules, to IgnoredAny | 1.5 | 2.00 | 2.00 | missed |",
            "| postcans → rows, to igzip -dc | 2.5 | – | – | not measured |",
            "| jsonl.gz without uids → rows, to igzip -dc |  | 5.00 | 5.00 | no aim |",
            "| the trivial id of lines without uid, to igzip -dc | | 3.00 | 3.00 | no aim |",
            "| IgnoredAny | 1.00 | 1.00 | 1.00 | 100 | 1.00 | 1.00 |",
        ] {
            assert!(report.lines().any(|l| l == line), "{line}\n{report}");
        }
    }

    #[test]
    fn cells_of_a_test_are_added_up() {
        let mut samples = Vec::new();
        for (size, cpu) in [("≤ 2 kB", 1.0), ("2–8 kB", 3.0)] {
            for stage in [Stage::Skip, Stage::Compat, Stage::Fixed] {
                let cpu = if stage == Stage::Fixed { 2.0 * cpu } else { cpu };
                let cell = sample(Group::Cells, "lines", stage.name(), 0, cpu);
                samples.push(Sample { test: Some("dash".into()), size: Some(size), ..cell });
            }
        }
        let report = write(&run(), &samples);
        let line = "| dash | 200 | 10.0 | 0.500 | 0.250 | 25.0 | 2.00 | 2.00 | 1.00 |";
        assert!(report.lines().any(|l| l == line), "{report}");
    }
}
