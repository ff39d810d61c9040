//! [`Progress`]: a bar on standard error if that is a terminal and the work takes longer than a second. It fits 80 columns.

use crate::stats::Counts;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time after which the bar appears.
const DELAY: Duration = Duration::from_secs(1);

/// The progress of reading files.
#[derive(Debug)]
pub struct Progress {
    /// Bytes read so far, counted by the reader.
    read: Arc<AtomicU64>,
    total: u64,
    begun: Instant,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// The progress of reading `total` bytes; 0 if that is unknown.
    pub fn new(total: u64, read: Arc<AtomicU64>) -> Progress {
        Progress { read, total, begun: Instant::now(), wanted: io::stderr().is_terminal(), bar: None }
    }

    /// Calls `write`, which may write to the terminal, and then shows the progress.
    pub fn around<T>(&mut self, counts: &Counts, write: impl FnOnce() -> T) -> T {
        if self.bar.is_none() && self.wanted && self.begun.elapsed() > DELAY {
            self.bar = Some(bar(self.total));
        }
        let Some(bar) = &self.bar else { return write() };
        let written = bar.suspend(write);
        bar.set_position(self.read.load(Ordering::Relaxed));
        bar.set_message(format!("{} measurements", counts.all().accepted));
        written
    }

    /// Removes the bar.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A bar over so many bytes, with a message; if the number is unknown (0), without an end.
pub(crate) fn bar(total: u64) -> ProgressBar {
    let (length, template) = match total {
        0 => (None, "{bytes} read, {msg}, {elapsed}"),
        total => (Some(total), "{wide_bar} {bytes}/{total_bytes} {msg}, {eta} left"),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar
}

/// A bar whose message needs most of the line.
pub(crate) fn narrow_bar() -> ProgressBar {
    let bar = bar(0);
    bar.set_style(ProgressStyle::with_template("{bar:10} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
