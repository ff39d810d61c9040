//! The samples of one measurement, combined, and the formatting of numbers.

use crate::measure::sample::{Group, Sample};
use crate::measure::statistics::{Ratio, median, min, ratio};

/// Which samples.
#[derive(Clone, Copy)]
pub(super) struct Which<'a> {
    pub(super) group: Group,
    pub(super) input: Option<&'a str>,
    pub(super) part: Part<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    All,
    Test(&'a str),
    Size(&'a str),
}

impl<'a> Which<'a> {
    pub(super) const fn all(group: Group, input: &'a str) -> Self {
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

/// One measurement on one input, by repetition; the cells of a part are summed.
#[derive(Default)]
pub(super) struct Series {
    pub(super) cpu: Vec<f64>,
    pub(super) wall: Vec<f64>,
    pub(super) bytes: f64,
    /// Bytes of the files as stored; 0 if the input is not a file.
    pub(super) compressed: f64,
    pub(super) measurements: f64,
    /// The maximum memory of all repetitions.
    pub(super) peak: Option<u64>,
    pub(super) query: Vec<f64>,
    pub(super) lines_out: Option<u64>,
}

impl Series {
    pub(super) fn of(samples: &[Sample], which: Which<'_>, what: &str) -> Option<Self> {
        let mut series = Self::default();
        for sample in samples.iter().filter(|sample| which.has(sample) && sample.what == what) {
            let at = sample.repetition as usize;
            if series.cpu.len() <= at {
                series.cpu.resize(at + 1, 0.0);
                series.wall.resize(at + 1, 0.0);
            }
            series.cpu[at] += sample.spent.cpu;
            series.wall[at] += sample.spent.wall;
            series.peak = series.peak.max(sample.peak);
            series.query.extend(sample.query);
            if at == 0 {
                series.bytes += sample.bytes as f64;
                series.compressed += sample.compressed.unwrap_or(0) as f64;
                series.measurements += sample.measurements as f64;
                series.lines_out = sample.lines_out;
            }
        }
        (!series.cpu.is_empty()).then_some(series)
    }

    pub(super) fn median(&self) -> f64 {
        median(&self.cpu).unwrap_or(f64::NAN)
    }

    pub(super) fn min(&self) -> f64 {
        min(&self.cpu).unwrap_or(f64::NAN)
    }

    pub(super) fn megabytes_per_second(&self) -> String {
        number(self.bytes / 1e6 / self.median())
    }

    pub(super) fn measurements_per_second(&self) -> String {
        number(self.measurements / self.median())
    }

    /// Megabytes per second of processor time: that of the median, and that of the fastest repetition.
    pub(super) fn rate(&self) -> Ratio {
        Ratio { median: self.bytes / 1e6 / self.median(), of_minima: self.bytes / 1e6 / self.min() }
    }

    /// The ratio of processor times.
    pub(super) fn to(&self, base: &Self) -> Option<Ratio> {
        ratio(&self.cpu, &base.cpu)
    }

    /// The ratio of elapsed times.
    pub(super) fn passed_to(&self, base: &Self) -> Option<Ratio> {
        ratio(&self.wall, &base.wall)
    }
}

/// Three significant digits, with thousands separators: `1.23`, `12.3`, `123`, `12 300`.
pub(super) fn number(value: f64) -> String {
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

/// Both ratios, as table cells.
pub(super) fn times(ratio: Option<Ratio>) -> String {
    ratio.map_or("– | –".into(), |ratio| format!("{:.2} | {:.2}", ratio.median, ratio.of_minima))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let given = [0.000_123_4, 0.012_34, 0.5, 1.234, 99.44, 123.4, 1234.0, 12_345.0, 1_234_567.0, f64::NAN];
        let wanted = ["1.23e-4", "0.0123", "0.500", "1.23", "99.4", "123", "1234", "12 345", "1 234 567", "–"];
        assert_eq!(given.map(number), wanted);
    }
}
