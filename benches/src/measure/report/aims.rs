//! The aims, and whether they are met.

use std::fmt::{self, Write};

use super::series::{Series, Which, times};
use crate::measure::commands::{IGZIP, LZ4, RERUN, RERUN_2, SCORE, SCORE_2, bare};
use crate::measure::in_process::Stage;
use crate::measure::material::{JSON_LZ4, KINDS, POSTCANS, TAR_LZ4, WITH_UID, WITHOUT_UID, YAML_LZ4};
use crate::measure::sample::{Group, Sample};
use crate::measure::statistics::{Ratio, ratio};

/// The limit of an aim.
#[derive(Clone, Copy)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
    None,
}

impl Limit {
    fn verdict(self, ratio: Option<Ratio>) -> &'static str {
        match (self, ratio) {
            (_, None) => "not measured",
            (Self::None, _) => "no aim",
            (Self::AtMost(limit), Some(ratio)) if ratio.median <= limit => "met",
            (Self::AtLeast(limit), Some(ratio)) if ratio.median >= limit => "met",
            _ => "missed",
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {limit}"),
            Self::AtLeast(limit) => format!("≥ {limit}"),
            Self::None => String::new(),
        }
    }
}

/// Processor time from bytes to rows, relative to `IgnoredAny`.
const BYTES: Limit = Limit::AtMost(1.0);
/// Processor time of one thread, relative to plain decompression of gzip.
const GZIP: Limit = Limit::AtMost(2.4);
/// The same for lines in LZ4.
const LZ4_LINES: Limit = Limit::AtMost(5.5);
/// Megabytes of YAML per second of processor time.
const YAML: Limit = Limit::AtLeast(60.0);
/// Speed-up of two threads over one.
const TWO: Limit = Limit::AtLeast(1.8);
/// Elapsed time of two threads on one large file, relative to plain decompression.
const LARGE: Limit = Limit::AtMost(1.4);

/// The table of aims.
pub(super) fn write(out: &mut String, samples: &[Sample]) -> fmt::Result {
    let lines = Which::all(Group::Lines, "lines");
    let commands = |input| Which::all(Group::Commands, input);
    let skip = Stage::Skip.name();
    let cpu = |which, what, base| both(samples, which, what, base).and_then(|(series, base)| series.to(&base));
    let wall = |which, what, base| both(samples, which, what, base).and_then(|(series, base)| series.passed_to(&base));

    writeln!(out, "\n## Aims\n")?;
    writeln!(out, "| | aim | × median | × of minima | |")?;
    writeln!(out, "|---|---:|---:|---:|---|")?;
    let mut line = |name: &str, limit: Limit, ratio| {
        let (verdict, limit) = (limit.verdict(ratio), limit.text());
        writeln!(out, "| {name} | {limit} | {} | {verdict} |", times(ratio))
    };
    line("bytes → row, fixed rules, to IgnoredAny", BYTES, cpu(lines, Stage::Fixed.name(), skip))?;
    line("bytes → row, compat rules, to IgnoredAny", BYTES, cpu(lines, Stage::Compat.name(), skip))?;
    for (input, base, limit) in [
        (POSTCANS, IGZIP, GZIP),
        (WITH_UID, IGZIP, GZIP),
        (WITHOUT_UID, IGZIP, Limit::None),
        (JSON_LZ4, LZ4, LZ4_LINES),
        (TAR_LZ4, LZ4, LZ4_LINES),
        (YAML_LZ4, LZ4, Limit::None),
    ] {
        for (verb, what) in [("score", SCORE), ("rerun", RERUN)] {
            let name = format!("{input} → jsonl, {verb}, processor time to {}", program(base));
            line(&name, limit, cpu(commands(input), what, base))?;
        }
    }
    for (verb, what) in [("score", SCORE), ("rerun", RERUN)] {
        let rate = Series::of(samples, commands(YAML_LZ4), what).map(|series| series.rate());
        line(&format!("{YAML_LZ4} → jsonl, {verb}, MB of YAML per second"), YAML, rate)?;
    }
    line("the trivial id of lines without uid, to igzip -dc", Limit::None, trivial_id(samples))?;
    for input in KINDS.map(|kind| kind.name) {
        for (verb, one, two) in [("score", SCORE, SCORE_2), ("rerun", RERUN, RERUN_2)] {
            let name = format!("{input}, many cans, {verb}, two threads as fast as one");
            line(&name, TWO, wall(commands(input), one, two))?;
        }
    }
    for kind in KINDS {
        // Hashing lines and reading YAML cost more than the aim allows.
        let limit = if [WITH_UID, POSTCANS].contains(&kind.name) { LARGE } else { Limit::None };
        for (verb, what) in [("score", SCORE_2), ("rerun", RERUN_2)] {
            let name = format!("one large {}, {verb}, two threads, time to {}", kind.name, program(bare(kind)));
            line(&name, limit, wall(Which::all(Group::Big, kind.name), what, bare(kind)))?;
        }
    }
    Ok(())
}

/// The name of a command without its redirection.
fn program(command: &str) -> &str {
    command.split(" >").next().unwrap_or(command)
}

fn both(samples: &[Sample], which: Which<'_>, what: &str, base: &str) -> Option<(Series, Series)> {
    Series::of(samples, which, what).zip(Series::of(samples, which, base))
}

/// The difference between lines with and without uids.
fn trivial_id(samples: &[Sample]) -> Option<Ratio> {
    let series = |input, what| Series::of(samples, Which::all(Group::Commands, input), what);
    let (without, with) = (series(WITHOUT_UID, SCORE)?, series(WITH_UID, SCORE)?);
    let igzip = series(WITHOUT_UID, IGZIP)?;
    let id: Vec<f64> = without.cpu.iter().zip(&with.cpu).map(|(without, with)| without - with).collect();
    let of_minima = (without.min() - with.min()) / igzip.min();
    ratio(&id, &igzip.cpu).map(|ratio| Ratio { of_minima, ..ratio })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::clock::Spent;

    #[test]
    fn the_median_decides() {
        let mut samples = Vec::new();
        for (repetition, (fixed, skip)) in (0..).zip([(1.4, 1.0), (4.2, 3.0), (2.0, 1.0)]) {
            let mut add = |group, input: &str, what: &str, cpu: f64| {
                let spent = Spent { cpu, wall: 2.0 * cpu };
                samples.push(Sample::new(group, input, what, repetition, spent, 1_000_000, 100));
            };
            add(Group::Lines, "lines", Stage::Fixed.name(), fixed);
            add(Group::Lines, "lines", Stage::Compat.name(), 2.0 * skip);
            add(Group::Lines, "lines", Stage::Skip.name(), skip);
            add(Group::Commands, WITH_UID, SCORE, 2.0);
            add(Group::Commands, WITHOUT_UID, SCORE, 5.0);
            add(Group::Commands, WITHOUT_UID, SCORE_2, 3.0);
            add(Group::Commands, WITHOUT_UID, IGZIP, 1.0);
            add(Group::Commands, JSON_LZ4, RERUN, fixed);
            add(Group::Commands, JSON_LZ4, RERUN_2, 0.5 * fixed);
            add(Group::Commands, JSON_LZ4, LZ4, skip);
            add(Group::Commands, YAML_LZ4, SCORE, 0.1);
            add(Group::Big, POSTCANS, RERUN_2, 1.1);
            add(Group::Big, POSTCANS, IGZIP, 1.0);
        }
        let mut report = String::new();
        write(&mut report, &samples).unwrap();
        for line in [
            "| bytes → row, fixed rules, to IgnoredAny | ≤ 1 | 1.40 | 1.40 | missed |",
            "| bytes → row, compat rules, to IgnoredAny | ≤ 1 | 2.00 | 2.00 | missed |",
            "| postcans → jsonl, score, processor time to igzip -dc | ≤ 2.4 | – | – | not measured |",
            "| jsonl.gz without uids → jsonl, score, processor time to igzip -dc |  | 5.00 | 5.00 | no aim |",
            "| json.lz4 → jsonl, rerun, processor time to lz4 -dc | ≤ 5.5 | 1.40 | 1.40 | met |",
            "| yaml.lz4 → jsonl, score, MB of YAML per second | ≥ 60 | 10.00 | 10.00 | missed |",
            "| the trivial id of lines without uid, to igzip -dc |  | 3.00 | 3.00 | no aim |",
            "| json.lz4, many cans, rerun, two threads as fast as one | ≥ 1.8 | 2.00 | 2.00 | met |",
            "| jsonl.gz without uids, many cans, score, two threads as fast as one | ≥ 1.8 | 1.67 | 1.67 | missed |",
            "| one large postcans, rerun, two threads, time to igzip -dc | ≤ 1.4 | 1.10 | 1.10 | met |",
        ] {
            assert!(report.lines().any(|l| l == line), "{line}\n{report}");
        }
    }
}
