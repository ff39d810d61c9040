//! What standard error is told about broken files, lines and members: one line each, and not too many.

use std::io::{self, Write};

/// Lines that are shown; of more only the number is.
pub const SHOWN: usize = 20;

/// Diagnostics in the order of the input.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    lines: Vec<String>,
    all: u64,
}

impl Diagnostics {
    /// Adds one, if there is still room for it.
    pub fn add(&mut self, line: impl FnOnce() -> String) {
        self.all += 1;
        if self.lines.len() < SHOWN {
            self.lines.push(line());
        }
    }

    /// Shows those of a batch that come after these on standard error, and forgets them.
    pub fn show(&mut self, batch: &mut Diagnostics) {
        let mut error = io::stderr().lock();
        // Nowhere to complain about a closed standard error.
        self.show_to(batch, |line| drop(writeln!(error, "fastpath: {line}")));
    }

    /// The same elsewhere.
    pub fn show_to(&mut self, batch: &mut Diagnostics, mut tell: impl FnMut(&str)) {
        for line in batch.lines.drain(..).take(SHOWN.saturating_sub(self.lines.len())) {
            tell(&line);
            self.lines.push(line);
        }
        self.all += batch.all;
        batch.all = 0;
    }

    /// How many were not shown.
    pub fn unseen(&self) -> u64 {
        self.all - self.lines.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all == 0
    }
}
