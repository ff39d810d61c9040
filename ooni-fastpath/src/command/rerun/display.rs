//! [`Display`]: the progress of a rerun, as a bar on a terminal or a message every ten seconds.

use super::ledger::Ledger;
use super::log::Log;
use crate::journal::Mark;
use crate::progress;
use indicatif::{HumanBytes, HumanDuration, ProgressBar};
use ooni_archive::blocking::BlockingArchive;
use ooni_archive::source::archive::Counters;
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Interval between progress messages in a log.
const LINE: Duration = Duration::from_secs(10);
/// Interval between updates of the progress bar.
const TICK: Duration = Duration::from_millis(250);

/// Progress of a run.
pub(super) struct Display {
    log: Log,
    counters: Arc<Counters>,
    days: u64,
    /// Bytes read from cans.
    read: Arc<AtomicU64>,
    begun: Instant,
    reported: Instant,
    /// Cans and measurements of earlier runs.
    before: (u64, u64),
    bar: Option<ProgressBar>,
}

impl Display {
    pub(super) fn new(log: Log, archive: &BlockingArchive, read: Arc<AtomicU64>, mark: &Mark) -> Display {
        let now = Instant::now();
        let bar = (!log.to_stdout && io::stderr().is_terminal()).then(progress::narrow_bar);
        let before = (mark.cans, mark.counts.all().accepted);
        let (counters, days) = (archive.counters(), archive.wanted().days.len());
        Display { log, counters, days, read, begun: now, reported: now, before, bar }
    }

    /// Calls `write`, which may write to the terminal, and then shows the progress.
    pub(super) fn around(&mut self, ledger: &Ledger, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
        let interval = if self.bar.is_some() { TICK } else { LINE };
        if self.reported.elapsed() < interval {
            return;
        }
        self.reported = Instant::now();
        let line = self.line(ledger);
        match &self.bar {
            Some(bar) => {
                let all = self.counters.bytes_listed.load(Ordering::Relaxed);
                bar.set_length(all.max(1));
                bar.set_position(self.read.load(Ordering::Relaxed).min(all));
                bar.set_message(line);
            }
            None => self.log.print_line(&line),
        }
    }

    fn line(&self, ledger: &Ledger) -> String {
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let counts = ledger.counts();
        let measurements = counts.all().accepted.saturating_sub(self.before.1);
        let cans = ledger.mark.cans.saturating_sub(self.before.0);
        let read = self.read.load(Ordering::Relaxed);
        let all = self.counters.bytes_listed.load(Ordering::Relaxed);
        let [listed, found] =
            [&self.counters.days_listed, &self.counters.cans_listed].map(|n| n.load(Ordering::Relaxed));
        let per_second = read as f64 / seconds;
        // Days that are not listed yet are assumed to be as large as those that are.
        let share = if listed == 0 { 1.0 } else { (self.days as f64 / listed as f64).max(1.0) };
        let left = (all as f64 * share - read as f64).max(0.0) / per_second.max(1.0);
        let numbers = ProgressLine {
            cans,
            found,
            days: (listed < self.days).then_some((listed, self.days)),
            measurements: (measurements as f64 / seconds) as u64,
            bytes: per_second as u64,
            left: Duration::from_secs_f64(left.min(1e9)),
        };
        numbers.to_string()
    }

    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A progress message. Prefixed with `fastpath: `, it fits 80 columns.
struct ProgressLine {
    cans: u64,
    found: u64,
    /// Listed days and all days, until all are listed.
    days: Option<(u64, u64)>,
    /// Measurements per second.
    measurements: u64,
    /// Bytes per second.
    bytes: u64,
    left: Duration,
}

impl fmt::Display for ProgressLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProgressLine { cans, found, days, measurements, bytes, left } = self;
        write!(f, "{cans}/{found} cans")?;
        if let Some((listed, days)) = days {
            write!(f, ", {listed}/{days} days")?;
        }
        write!(f, ", {measurements}/s, {}/s, {:#} left", HumanBytes(*bytes), HumanDuration(*left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_fits_80_columns() {
        let numbers = ProgressLine {
            cans: 9_999_999,
            found: 9_999_999,
            days: Some((4999, 4999)),
            measurements: 99_999,
            bytes: 1023 << 20,
            left: Duration::from_secs(99 * 60),
        };
        let line = format!("fastpath: {numbers}");
        assert!(line.len() <= 80, "{} columns: {line}", line.len());
        let numbers = ProgressLine { days: None, ..numbers };
        assert_eq!(numbers.to_string(), "9999999/9999999 cans, 99999/s, 1023.00 MiB/s, 2h left");
    }
}
