//! [`Diagnostics`]: messages on standard error about files, lines and members, grouped by cause.
//!
//! The first [`SHOWN`] messages and the first message of each cause are shown; the others are counted.

use crate::text;
use std::io::{self, Write};

/// The number of messages that are shown whatever their cause.
pub const SHOWN: usize = 20;

/// Messages in the order of the input.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// Messages that have not been shown yet, each with the index of its cause.
    lines: Vec<(usize, String)>,
    /// The number of messages that were shown.
    shown: u64,
    /// In the order of first occurrence. They are error codes and columns, so there are few.
    causes: Vec<Cause>,
}

/// Messages of the same cause.
#[derive(Clone, Debug, Default)]
struct Cause {
    /// Such as `E-TYPE`; empty for messages that are not grouped.
    name: String,
    all: u64,
    shown: u64,
}

impl Diagnostics {
    /// Adds a message without a cause.
    pub fn add(&mut self, line: impl FnOnce() -> String) {
        self.add_cause("", line);
    }

    /// Adds a message with a cause. `line` is only called if the message will be shown.
    pub fn add_cause(&mut self, cause: &str, line: impl FnOnce() -> String) {
        let at = self.cause(cause);
        self.causes[at].all += 1;
        if self.lines.len() < SHOWN || self.causes[at].all == 1 {
            self.lines.push((at, text::line(&line())));
        }
    }

    /// Shows the messages of a later batch on standard error.
    pub fn show(&mut self, batch: &mut Diagnostics) {
        let mut error = io::stderr().lock();
        // A closed standard error cannot be reported.
        self.show_to(batch, |line| drop(writeln!(error, "fastpath: {line}")));
    }

    /// Shows the messages of a later batch with `print`.
    pub fn show_to(&mut self, batch: &mut Diagnostics, mut print: impl FnMut(&str)) {
        let Diagnostics { lines, causes, .. } = std::mem::take(batch);
        let at: Vec<_> = causes.iter().map(|cause| self.cause(&cause.name)).collect();
        for (cause, line) in lines {
            let cause = &mut self.causes[at[cause]];
            if self.shown < SHOWN as u64 || cause.shown == 0 {
                print(&line);
                self.shown += 1;
                cause.shown += 1;
            }
        }
        for (cause, at) in causes.iter().zip(at) {
            self.causes[at].all += cause.all;
        }
    }

    /// The number of messages that were not shown.
    pub fn hidden(&self) -> u64 {
        self.causes.iter().map(|cause| cause.all - cause.shown).sum()
    }

    /// For each cause, a line with the number of messages that were not shown.
    pub fn rest(&self) -> impl Iterator<Item = String> {
        let rest = self.causes.iter().filter(|cause| cause.all > cause.shown);
        rest.map(|Cause { name, all, shown }| match &**name {
            "" => format!("and {} more", all - shown),
            name => format!("and {} more {name}", all - shown),
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.causes.is_empty()
    }

    fn cause(&mut self, name: &str) -> usize {
        self.causes.iter().position(|cause| cause.name == name).unwrap_or_else(|| {
            self.causes.push(Cause { name: name.to_owned(), ..Cause::default() });
            self.causes.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_messages_and_the_first_of_each_cause_are_shown() {
        // Independent of the batches.
        for size in [1, 7, 1000] {
            let (mut all, mut shown) = (Diagnostics::default(), Vec::new());
            let numbers: Vec<u32> = (1..=100).collect();
            for batch in numbers.chunks(size) {
                let mut diagnostics = Diagnostics::default();
                for number in batch {
                    let cause = if *number == 77 { "E-KEY" } else { "E-TYPE" };
                    diagnostics.add_cause(cause, || format!("{number}\u{1b}"));
                }
                all.show_to(&mut diagnostics, |line| shown.push(line.to_owned()));
            }
            let expected: Vec<_> = (1..=20).chain([77]).map(|number| format!("{number}\u{fffd}")).collect();
            assert_eq!(shown, expected);
            assert_eq!((all.hidden(), all.rest().collect::<Vec<_>>()), (79, vec!["and 79 more E-TYPE".to_owned()]));
        }
        assert!(Diagnostics::default().is_empty());
    }
}
