//! [`RunReport`]: what became of the measurements of a run, as a table for people and as JSON.

use crate::journal::Mark;
use crate::stats::{Count, SHOWN_TESTS, Tally};
use crate::text;
use comfy_table::{CellAlignment, Table, presets};
use ooni_core::rules::Ruleset;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The report of a run.
pub(super) struct RunReport<'r> {
    /// The counts of the whole run, including earlier sessions of a resumed run.
    pub(super) mark: &'r Mark,
    /// The ruleset of the run.
    pub(super) ruleset: &'r Ruleset,
    /// Whether rows were written to a store.
    pub(super) is_stored: bool,
}

/// The JSON of `--report`.
#[derive(Serialize)]
struct ReportJson<'r> {
    cans: u64,
    bytes: u64,
    /// Only if rows were written to a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    already_there: Option<u64>,
    /// Only if rows were written to a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<u64>,
    all: &'r Count,
    tests: BTreeMap<&'r str, &'r Count>,
    ruleset: &'r Ruleset,
}

impl RunReport<'_> {
    /// Whether nothing was rejected or refused.
    pub(super) fn is_good(&self) -> bool {
        let Count { rejected, refused, .. } = self.mark.counts.all();
        rejected.sum() + refused.sum() == 0
    }

    /// Whether every measurement is counted once.
    pub(super) fn adds_up(&self) -> bool {
        self.mark.counts.adds_up()
    }

    /// The human-readable table: a line per test, followed by the reasons why measurements were not stored.
    pub(super) fn table(&self) -> String {
        let counts = &self.mark.counts;
        let mut rows = counts.summary(SHOWN_TESTS);
        rows.push(("all", Cow::Borrowed(counts.all())));
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header([
            "test",
            "accepted",
            "stored",
            "discarded",
            "rejected",
            "refused",
        ]);
        for (test, count) in &rows {
            let Count { accepted, stored, discarded, rejected, refused, .. } = &**count;
            let numbers = [*accepted, *stored, discarded.sum(), rejected.sum(), refused.sum()];
            table.add_row([text::name(test)].into_iter().chain(numbers.map(|number| number.to_string())));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if index > 0 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut out = String::new();
        let mut lines = table.lines();
        out.extend(lines.next().map(|header| format!("{}\n", header.trim_end())));
        for (line, (_, count)) in lines.zip(&rows) {
            let _ = writeln!(out, "{}", line.trim_end());
            for (what, tally) in
                [("discarded", &count.discarded), ("rejected", &count.rejected), ("refused", &count.refused)]
            {
                if tally.sum() > 0 {
                    let _ = writeln!(out, "  {what}: {}", parts(tally));
                }
            }
        }
        let Mark { cans, already_there, replaced, .. } = self.mark;
        let there = match (self.is_stored, replaced) {
            (false, _) => String::new(),
            (true, 0) => format!(", {already_there} of them already there"),
            (true, _) => format!(", {replaced} of them replaced"),
        };
        let _ = writeln!(out, "{cans} cans; {} rows{there}", counts.all().stored);
        out
    }

    /// The report as JSON.
    pub(super) fn json(&self) -> String {
        let Mark { counts, already_there, replaced, cans, bytes, .. } = self.mark;
        let numbers = ReportJson {
            cans: *cans,
            bytes: *bytes,
            already_there: self.is_stored.then_some(*already_there),
            replaced: self.is_stored.then_some(*replaced),
            all: counts.all(),
            tests: counts.tests().collect(),
            ruleset: self.ruleset,
        };
        // Cannot fail for these types.
        let mut text = serde_json::to_string_pretty(&numbers).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn parts(tally: &Tally) -> String {
    tally.iter().map(|(name, number)| format!("{name} {number}")).collect::<Vec<_>>().join(", ")
}
