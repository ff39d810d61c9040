//! The report of a run, in Markdown, computed only from its samples.

mod aims;
mod series;

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use self::series::{Part, Series, Which, number, times};
use super::commands::{IGZIP, Place, bare, names};
use super::in_process::Stage;
use super::machine::Machine;
use super::material::{Files, SIZES, WITH_UID};
use super::sample::{Group, Sample};
use super::stages::Step;
use super::statistics::{median, ratio};
use super::{Run, peers};

const LEGEND: &str = "\
Times are seconds of processor time, MB are 10⁶ bytes before compression. × is how many times as long
as the first line of the table it takes: the median of the ratios within each repetition, and the ratio
of the fastest repetitions.";

/// The report. What was not measured is omitted, except in the aims.
#[must_use]
pub fn write(run: &Run, samples: &[Sample]) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = sections(&mut out, run, samples);
    out
}

fn sections(out: &mut String, run: &Run, samples: &[Sample]) -> fmt::Result {
    let has = |group: Group| samples.iter().any(|sample| sample.group == group);
    head(out, run)?;
    aims::write(out, samples)?;
    if has(Group::Lines) {
        lines(out, samples)?;
    }
    if has(Group::Cells) {
        let tests: BTreeSet<&str> = samples.iter().filter_map(|sample| sample.test.as_deref()).collect();
        cells(out, "test", samples, tests.into_iter().map(|name| (name, Part::Test(name))))?;
        cells(out, "size", samples, SIZES.iter().map(|&(name, _)| (name, Part::Size(name))))?;
    }
    if has(Group::Fingerprints) {
        fingerprints(out, samples)?;
    }
    if has(Group::Stages) {
        stages(out, &run.files, samples)?;
    }
    for files in &run.files {
        of_commands(out, (Place::Cans, files), samples)?;
    }
    for files in &run.big {
        of_commands(out, (Place::Big, files), samples)?;
    }
    if has(Group::Peers) {
        of_peers(out, run, samples)?;
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
        let missing: Vec<&str> = run.missing.iter().map(String::as_str).collect();
        writeln!(out, "\nNot on this machine: {}.", missing.join(", "))?;
    }
    if run.without_commands {
        writeln!(out, "\nCommands were skipped.")?;
    }
    Ok(())
}

fn lines(out: &mut String, samples: &[Sample]) -> fmt::Result {
    let lines = Which::all(Group::Lines, "lines");
    writeln!(out, "\n## Bytes to rows, one thread\n")?;
    let names: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).collect();
    table(out, samples, lines, &names, Stage::Skip.name())
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
    writeln!(out, "Search in undecoded response bodies alone; here the measurements are bodies:\n")?;
    let bodies = Which::all(Group::Fingerprints, "bodies");
    table(out, samples, bodies, &["search, compat", "search, fixed"], "search, compat")
}

/// One line per stage, one table per format, with the ratios to the decompression of `fastpath` and to that of another
/// program.
fn stages(out: &mut String, all: &[Files], samples: &[Sample]) -> fmt::Result {
    writeln!(out, "\n## Files to rows by stage, one thread\n")?;
    writeln!(
        out,
        "Each does what the ones above it do plus one step. The first × is relative to decompression in this process, the"
    )?;
    writeln!(out, "second to `igzip -dc` or `lz4 -dc` of the same files, if commands were measured.\n")?;
    for files in all {
        let name = files.kind.name;
        let which = Which::all(Group::Stages, name);
        let series = |step: Step| Series::of(samples, which, step.name());
        let Some(base) = series(Step::Decompress) else { continue };
        let bare = Series::of(samples, Which::all(Group::Commands, name), bare(files.kind));
        writeln!(out, "| {name} | median, s | MB/s | measurements/s | × decompress | × bare |")?;
        writeln!(out, "|---|---:|---:|---:|---:|---:|")?;
        for step in Step::ALL {
            let Some(series) = series(step) else { continue };
            let to = |base: &Series| series.to(base).map_or("–".into(), |ratio| format!("{:.2}", ratio.median));
            let (seconds, bytes) = (number(series.median()), series.megabytes_per_second());
            let (per_second, own) = (series.measurements_per_second(), to(&base));
            let bare = bare.as_ref().map_or("–".into(), to);
            writeln!(out, "| {} | {seconds} | {bytes} | {per_second} | {own} | {bare} |", step.name())?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn of_commands(out: &mut String, (place, files): (Place, &Files), samples: &[Sample]) -> fmt::Result {
    let Files { kind, count, measurements, compressed, bytes, .. } = files;
    let which = Which::all(place.group(), kind.name);
    let base = Series::of(samples, which, bare(*kind));
    let rows: Vec<(&str, Series)> = [bare(*kind)]
        .into_iter()
        .chain(names(place, *kind).filter(|&name| name != bare(*kind)))
        .filter_map(|name| Some((name, Series::of(samples, which, name)?)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let title = if place == Place::Big { "one large " } else { "" };
    writeln!(out, "\n## Commands: {title}{}\n", kind.name)?;
    let sizes = [*bytes, *compressed].map(|bytes| number(bytes as f64 / 1e6));
    writeln!(out, "{measurements} measurements, {} MB, compressed {} MB in {count} files.", sizes[0], sizes[1])?;
    writeln!(
        out,
        "MB, compressed MB and measurements are per second of elapsed time; the last × is of elapsed times.\n"
    )?;
    writeln!(
        out,
        "| | median, s | min, s | elapsed, s | MB/s | compressed | measurements/s | peak, MB | × median | × of minima | × elapsed |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")?;
    for (name, series) in rows {
        let passed = median(&series.wall).unwrap_or(f64::NAN);
        let [bytes, compressed] = [series.bytes, series.compressed].map(|bytes| number(bytes / 1e6 / passed));
        let (per_second, peak) = (number(series.measurements / passed), megabytes(series.peak));
        let ratio = times(base.as_ref().and_then(|base| series.to(base)));
        let of_passed = base.as_ref().and_then(|base| series.passed_to(base));
        let of_passed = of_passed.map_or("–".into(), |ratio| format!("{:.2}", ratio.median));
        let (seconds, least, passed) = (number(series.median()), number(series.min()), number(passed));
        writeln!(
            out,
            "| {name} | {seconds} | {least} | {passed} | {bytes} | {compressed} | {per_second} | {peak} | {ratio} | {of_passed} |"
        )?;
    }
    Ok(())
}

fn megabytes(bytes: Option<u64>) -> String {
    bytes.map_or("–".into(), |bytes| number(bytes as f64 / 1e6))
}

fn of_peers(out: &mut String, run: &Run, samples: &[Sample]) -> fmt::Result {
    writeln!(out, "\n## Three fields by other programs\n")?;
    writeln!(out, "`probe_cc`, `test_name` and `test_keys.blocking` of one large {WITH_UID} without invalid lines,")?;
    writeln!(out, "one thread. The last × excludes starting the program and loading its library.\n")?;
    writeln!(out, "| | rows | median, s | min, s | peak, MB | × median | × of minima | × query |")?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|")?;
    let which = Which::all(Group::Peers, WITH_UID);
    let base = Series::of(samples, which, IGZIP);
    for name in [IGZIP].into_iter().chain(peers::names()) {
        let Some(series) = Series::of(samples, which, name) else {
            // Peers that were not chosen are omitted; missing ones are listed.
            if let Some(missing) = run.missing.iter().find(|missing| missing.starts_with(name)) {
                writeln!(out, "| {missing} | absent | | | | | | |")?;
            }
            continue;
        };
        let rows = series.lines_out.map_or(String::new(), |rows| number(rows as f64));
        let query = base.as_ref().and_then(|base| ratio(&series.query, &base.cpu));
        let query = query.map_or("–".into(), |ratio| format!("{:.2}", ratio.median));
        let ratio = times(base.as_ref().and_then(|base| series.to(base)));
        let (seconds, least, peak) = (number(series.median()), number(series.min()), megabytes(series.peak));
        writeln!(out, "| {name} | {rows} | {seconds} | {least} | {peak} | {ratio} | {query} |")?;
    }
    Ok(())
}

fn table(out: &mut String, samples: &[Sample], which: Which<'_>, names: &[&str], base: &str) -> fmt::Result {
    writeln!(out, "| | median, s | min, s | MB/s | measurements/s | × median | × of minima |")?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|")?;
    let base = Series::of(samples, which, base);
    for name in names {
        let Some(series) = Series::of(samples, which, name) else { continue };
        let ratio = times(base.as_ref().and_then(|base| series.to(base)));
        let (bytes, measurements) = (series.megabytes_per_second(), series.measurements_per_second());
        let (seconds, least) = (number(series.median()), number(series.min()));
        writeln!(out, "| {name} | {seconds} | {least} | {bytes} | {measurements} | {ratio} |")?;
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
    writeln!(out, "MB/s, measurements/s and microseconds per measurement are for rows by the fixed rules.\n")?;
    writeln!(
        out,
        "| | measurements | kB each | IgnoredAny, MB/s | MB/s | measurements/s | µs each | × median | × of minima | × compat |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")?;
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
        let micros = number(fixed.median() * 1e6 / fixed.measurements);
        let ratio = times(fixed.to(&skip));
        writeln!(
            out,
            "| {name} | {count} | {each} | {skipped} | {bytes} | {per_second} | {micros} | {ratio} | {compat} |"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::clock::Spent;
    use super::super::commands::SCORE;
    use super::super::material::{KINDS, big};
    use super::*;
    use ooni_testkit::corpus::Options;

    fn sample(group: Group, input: &str, what: &str, repetition: u32, cpu: f64) -> Sample {
        Sample::new(group, input, what, repetition, Spent { cpu, wall: cpu }, 1_000_000, 100)
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
        let missing = [String::from("chdb")].into();
        let (files, big) = (Vec::new(), Vec::new());
        Run { machine, n: 100, seed: 1, repetitions: 2, files, big, missing, without_commands: false }
    }

    #[test]
    fn files_and_peers() {
        let folder = tempfile::tempdir().unwrap();
        let files = big(KINDS[0], &Options { n: 40, ..Options::default() }, folder.path()).unwrap();
        let of = |group, what, cpu| Sample {
            compressed: Some(500_000),
            peak: Some(20_000_000),
            ..sample(group, WITH_UID, what, 0, cpu)
        };
        let mut samples = vec![of(Group::Commands, SCORE, 2.0), of(Group::Commands, IGZIP, 0.5)];
        samples.extend([of(Group::Peers, IGZIP, 0.5), of(Group::Stages, "decompress", 1.0)]);
        samples
            .extend([of(Group::Stages, "write", 2.5), Sample { query: Some(2.0), ..of(Group::Peers, "orjson", 3.0) }]);
        let report = write(&Run { files: vec![files], ..run() }, &samples);
        for line in [
            "| fastpath score --jobs 1 | 2.00 | 2.00 | 2.00 | 0.500 | 0.250 | 50.0 | 20.0 | 4.00 | 4.00 | 4.00 |",
            "| write | 2.50 | 0.400 | 40.0 | 2.50 | 5.00 |",
            "| orjson |  | 3.00 | 3.00 | 20.0 | 6.00 | 6.00 | 4.00 |",
            "| chdb | absent | | | | | | |",
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
        let line = "| dash | 200 | 10.0 | 0.500 | 0.250 | 25.0 | 40 000 | 2.00 | 2.00 | 1.00 |";
        assert!(report.lines().any(|l| l == line), "{report}");
    }
}
