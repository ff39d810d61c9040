//! [`Display`]: how far a rerun is: a bar on a terminal, else a line every ten seconds.

use super::Log;
use super::ledger::Ledger;
use crate::journal::Mark;
use crate::progress;
use indicatif::{HumanBytes, HumanDuration, ProgressBar};
use ooni_archive::source::archive::{Archive, Counters};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a log has a line.
const LINE: Duration = Duration::from_secs(10);
/// How often a bar moves.
const TICK: Duration = Duration::from_millis(250);

/// Progress of a run.
pub(super) struct Display {
    log: Log,
    counters: Arc<Counters>,
    days: u64,
    /// Bytes read from cans.
    read: Arc<AtomicU64>,
    begun: Instant,
    told: Instant,
    /// Cans and measurements of runs before.
    before: (u64, u64),
    bar: Option<ProgressBar>,
}

impl Display {
    pub(super) fn new(log: Log, archive: &Archive, read: Arc<AtomicU64>, mark: &Mark) -> Display {
        let now = Instant::now();
        let bar = (!log.to_stdout && io::stderr().is_terminal()).then(|| progress::bar(0));
        let before = (mark.cans, mark.counts.all().accepted);
        let (counters, days) = (archive.counters(), archive.wanted().days.len());
        Display { log, counters, days, read, begun: now, told: now, before, bar }
    }

    /// Shows how far it is, and lets `tell` write to the terminal.
    pub(super) fn around(&mut self, ledger: &Ledger, tell: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
        let interval = if self.bar.is_some() { TICK } else { LINE };
        if self.told.elapsed() < interval {
            return;
        }
        self.told = Instant::now();
        let line = self.line(ledger);
        match &self.bar {
            Some(bar) => {
                let all = self.counters.bytes_listed.load(Ordering::Relaxed);
                bar.set_length(all.max(1));
                bar.set_position(self.read.load(Ordering::Relaxed).min(all));
                bar.set_message(line);
            }
            None => self.log.tell(&line),
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
        // What is not listed yet is taken to be like what is.
        let share = if listed == 0 { 1.0 } else { (self.days as f64 / listed as f64).max(1.0) };
        let left = (all as f64 * share - read as f64).max(0.0) / per_second.max(1.0);
        let left = HumanDuration(Duration::from_secs_f64(left.min(1e9)));
        let days = if listed < self.days { format!(", {listed} of {} days listed", self.days) } else { String::new() };
        format!(
            "{cans} of {found} cans{days}, {:.0} measurements/s, {}/s, {left:#} left",
            measurements as f64 / seconds,
            HumanBytes(per_second as u64)
        )
    }

    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
