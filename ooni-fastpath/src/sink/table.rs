//! [`Table`]: a human-readable table with one line per measurement, and a summary by test at the end.
//!
//! On a terminal the columns fit its width and longer text is truncated; elsewhere only very long text is. All text from
//! measurements goes through [`text`] first.

use super::{ScoredEntry, Sink};
use crate::stats::{Count, Counts, SHOWN_TESTS};
use crate::text;
use comfy_table::{CellAlignment, presets};
use ooni_core::error::Error;
use ooni_core::json::Json;
use ooni_core::process::Outcome;
use ooni_core::row::{Column, FastpathRow};
use ooni_core::scores::Scores;
use ooni_core::text::decoded;
use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A human-readable table.
#[derive(Clone, Debug)]
pub struct Table {
    widths: [usize; 7],
    /// Whether text that is wider than its column is truncated.
    truncates: bool,
    colour: bool,
}

const NAMES: [&str; 7] = ["time", "cc", "network", "test", "verdict", "why", "input"];

/// Widths if columns are not truncated: most values fit.
const WIDE: [usize; 7] = [19, 2, 8, 16, 9, 24, 0];

/// Minimum widths: 80 columns in total, including a space between columns.
const NARROW: [usize; 7] = [10, 2, 8, 16, 9, 15, 14];

impl Table {
    /// A table; `width` is the width of the terminal, if the output is one.
    pub fn new(width: Option<usize>, colour: bool) -> Table {
        let Some(width) = width else { return Table { widths: WIDE, truncates: false, colour } };
        let mut widths = NARROW;
        let mut spare = width.saturating_sub(NARROW.iter().sum::<usize>() + NARROW.len() - 1);
        // Priorities: the time of day, the network, reasons, names of tests. Reasons also get a third of the rest.
        for (column, most) in [(0, 16), (2, 10), (5, 20), (3, 20)] {
            let more = spare.min(most - widths[column]);
            // A truncated time of day is useless.
            if column != 0 || widths[0] + more == most {
                widths[column] += more;
                spare -= more;
            }
        }
        widths[5] += spare / 3;
        widths[6] += spare - spare / 3;
        Table { widths, truncates: true, colour }
    }

    fn line(&self, cells: [Cow<'_, str>; 7], colour: Option<&str>, out: &mut Vec<u8>) {
        let mut line = String::new();
        for (column, (cell, &width)) in cells.iter().zip(&self.widths).enumerate() {
            if column > 0 {
                line.push(' ');
            }
            let painted = colour.filter(|_| column == 4 && self.colour);
            line.push_str(painted.unwrap_or_default());
            let shown = if self.truncates { truncated(cell, width) } else { Cow::Borrowed(&**cell) };
            line.push_str(&shown);
            line.push_str(if painted.is_some() { RESET } else { "" });
            let blanks = width.saturating_sub(shown.width());
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        out.extend_from_slice(line.trim_end().as_bytes());
        out.push(b'\n');
    }
}

const RESET: &str = "\x1b[0m";

/// Truncates text to `width` columns.
fn truncated(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut used = 1; // the ellipsis
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    let mut shown: String = text.chars().take_while(fits).collect();
    shown.push('…');
    Cow::Owned(shown)
}

impl Sink for Table {
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.line(NAMES.map(Cow::Borrowed), None, out);
    }

    fn write(&mut self, entry: &ScoredEntry<'_>, out: &mut Vec<u8>) {
        let (verdict, colour) = verdict(entry.outcome);
        let cells = match entry.outcome {
            Outcome::Stored { row, .. } => stored(row, verdict),
            Outcome::Discarded { reason } => unstored(entry, verdict, reason.to_string()),
            Outcome::Rejected { error } if self.truncates => unstored(entry, verdict, error.code.to_string()),
            Outcome::Rejected { error } => unstored(entry, verdict, format!("{error} ({})", entry.place)),
        };
        let mut cells = cells.map(|cell| text::cell(&cell));
        if self.truncates {
            // A day, or a time to the minute.
            let shown = if self.widths[0] < 16 { 10 } else { 16 };
            cells[0] = cells[0].chars().take(shown).collect();
        }
        self.line(cells.map(Cow::Owned), colour, out);
        // If columns are truncated, an error has a line of its own, which is not.
        if let (Outcome::Rejected { error }, true) = (entry.outcome, self.truncates) {
            let Error { path, message, .. } = error;
            let at = if path.is_empty() { String::new() } else { format!("at {}: ", text::line(path)) };
            out.extend_from_slice(format!("    {at}{} ({})\n", text::line(message), entry.place).as_bytes());
        }
        if let Some(explanation) = entry.explanation {
            for line in explanation.to_string().split('\n').filter(|line| !line.is_empty()) {
                out.extend_from_slice(format!("    {}\n", text::line(line)).as_bytes());
            }
        }
    }

    fn end(&mut self, counts: &Counts, out: &mut Vec<u8>) {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["test", "stored", "anomaly", "confirmed", "failure", "discarded", "rejected"]);
        let mut rows = counts.summary(SHOWN_TESTS);
        if rows.len() != 1 {
            rows.push(("all", Cow::Borrowed(counts.all())));
        }
        for (test, count) in rows {
            let Count { stored, anomaly, confirmed, failure, discarded, rejected, .. } = &*count;
            let (discarded, rejected) = (discarded.sum(), rejected.sum());
            let numbers =
                [*stored, *anomaly, *confirmed, *failure, discarded, rejected].map(|number| number.to_string());
            table.add_row([&[text::name(test)], &numbers[..]].concat());
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
            if column.index > 0 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        out.extend_from_slice(format!("\n{}\n", table.trim_fmt()).as_bytes());
    }
}

/// The verdict, and its colour.
fn verdict(outcome: &Outcome) -> (&'static str, Option<&'static str>) {
    match outcome {
        Outcome::Stored { row, .. } if row.confirmed => ("confirmed", Some("\x1b[1;31m")),
        Outcome::Stored { row, .. } if row.anomaly => ("anomaly", Some("\x1b[33m")),
        Outcome::Stored { row, .. } if row.msm_failure => ("failure", Some("\x1b[35m")),
        Outcome::Stored { .. } => ("ok", Some("\x1b[32m")),
        Outcome::Discarded { .. } => ("discarded", Some("\x1b[2m")),
        Outcome::Rejected { .. } => ("rejected", Some("\x1b[31m")),
    }
}

fn stored(row: &FastpathRow, verdict: &'static str) -> [String; 7] {
    let text = |value: &Json| match value {
        Json::Text(text) => decoded(text).into_owned(),
        other => json_text(other),
    };
    let mut time = Vec::new();
    row.measurement_start_time.write(&mut time);
    [
        String::from_utf8_lossy(&time).into_owned(),
        text(&row.probe_cc),
        format!("AS{}", row.probe_asn),
        text(&row.test_name),
        verdict.to_owned(),
        why(row),
        text(&row.input),
    ]
}

/// The line of an entry without a row, as far as its values are known.
fn unstored(entry: &ScoredEntry<'_>, verdict: &'static str, why: String) -> [String; 7] {
    let field = |key| {
        let text = entry.measurement.and_then(|measurement| measurement.field(key).value().text());
        text.map_or_else(String::new, |text| decoded(&text).into_owned())
    };
    let [time, country, network, test, input] =
        ["measurement_start_time", "probe_cc", "probe_asn", "test_name", "input"].map(field);
    [time, country, network, test, verdict.to_owned(), why, input]
}

/// The reason of a verdict in a few words, from the scores alone.
fn why(row: &FastpathRow) -> String {
    let scores = &row.scores;
    if row.confirmed
        && let Some(name) = fingerprint(scores)
    {
        return name;
    }
    if !row.confirmed && !row.anomaly && !row.msm_failure {
        return String::new();
    }
    let blocking_type = row.blocking_type.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let message = |value: Option<&Json>| value.and_then(Json::as_str).map(str::to_owned);
    let reason = blocking_type
        .or_else(|| message(scores.get("msg")))
        .or_else(|| message(scores.get("analysis").and_then(|analysis| analysis.get("msg"))))
        .or_else(|| fingerprint(scores))
        .or_else(|| first_detail(scores));
    reason.unwrap_or_else(|| match row.anomaly {
        true => format!("blocking {}", scores.blocking(ooni_core::scores::BLOCKING_GENERAL)),
        false => "accuracy 0".to_owned(),
    })
}

/// The name of the first fingerprint found; those that confirm blocking come first.
fn fingerprint(scores: &Scores) -> Option<String> {
    let Some(Json::Array(found)) = scores.get("fingerprints") else { return None };
    found.first()?.get("name")?.as_str().map(str::to_owned)
}

/// The first text or boolean in the scores, with its key: `web_failure eof_error`.
fn first_detail(scores: &Scores) -> Option<String> {
    let is_detail = |value: &Json| matches!(value, Json::Text(_) | Json::Bool(_));
    let is_shown_elsewhere = |key: &str| key.starts_with("blocking_") || matches!(key, "accuracy" | "confirmed");
    let described = |key: &str, value: &Json| match value {
        Json::Text(text) => format!("{key} {}", decoded(text)),
        other => format!("{key} {}", json_text(other)),
    };
    for (key, value) in scores.entries().filter(|(key, _)| !is_shown_elsewhere(key)) {
        match value {
            Json::Object(members) => {
                if let Some((key, value)) = members.iter().find(|(_, value)| is_detail(value)) {
                    return Some(described(&String::from_utf8_lossy(key), value));
                }
            }
            value if is_detail(value) => return Some(described(key, value)),
            _ => {}
        }
    }
    None
}

fn json_text(value: &Json) -> String {
    let mut out = Vec::new();
    Column::Json(value).write_plain(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_the_terminal() {
        for width in [80, 90, 100, 120, 200] {
            let table = Table::new(Some(width), false);
            assert_eq!(table.widths.iter().sum::<usize>() + 6, width);
            let mut out = Vec::new();
            table.line(NAMES.map(|name| Cow::Owned(name.repeat(50))), None, &mut out);
            assert_eq!(std::str::from_utf8(&out).unwrap().trim_end().width(), width);
        }
        assert_eq!(Table::new(Some(80), false).widths, NARROW);
        assert_eq!(Table::new(Some(20), false).widths, NARROW);
    }

    #[test]
    fn text_is_truncated() {
        assert_eq!(truncated("abc", 3), "abc");
        assert_eq!(truncated("abcd", 3), "ab…");
        assert_eq!(truncated("日本語", 5), "日本…");
        assert_eq!(truncated("日本語", 4), "日…");
    }
}
