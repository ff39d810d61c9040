//! `fastpath compare`: differences between two sets of rows, or between two sets of rules.

use super::result::{CommandResult, eprint_line, json, print, skipped_files};
use crate::cli::SummaryFormat;
use crate::cli::compare::Compare;
use crate::compare::comparison::Comparison;
use crate::compare::input::Input;
use crate::compare::rules::{Change, Changes, Corpus};
use crate::compare::{rows, rules};
use crate::diagnostics::Diagnostics;
use crate::pipeline;
use crate::text;
use comfy_table::{CellAlignment, presets};
use ooni_archive::fingerprints;
use ooni_core::rules::Rules;
use std::fmt::Write as _;

/// Compares two sets of rows, or two sets of rules.
pub(super) fn run(arguments: &Compare) -> CommandResult {
    match arguments.rules[..] {
        [] => of_rows(arguments),
        [first, second] => of_rules(arguments, [first.into(), second.into()]),
        _ => Err("--rules takes two sets of rules, such as compat,fixed".to_owned()),
    }
}

fn of_rows(arguments: &Compare) -> CommandResult {
    let [left, right] = &arguments.paths[..] else {
        return Err("expected two files or stores, or files and folders with --rules".to_owned());
    };
    let input = |path: &std::path::Path| Input::of(&path.to_string_lossy());
    let comparison = rows::compare(&input(left)?, &input(right)?, usize::from(arguments.examples))?;
    let text = match arguments.format {
        SummaryFormat::Json => json(&comparison)?,
        SummaryFormat::Table => row_tables(&comparison),
    };
    Ok((text, comparison.is_equal()))
}

fn of_rules(arguments: &Compare, rules: [Rules; 2]) -> CommandResult {
    let lists = fingerprints::lists(arguments.fingerprints.as_deref());
    let lists = lists.map_err(|error| error.to_string())?;
    if arguments.paths.iter().any(|path| path.as_os_str() == "-") {
        return Err("-: the measurements are read twice, so standard input cannot be used".to_owned());
    }
    let jobs = pipeline::jobs(arguments.jobs);
    let corpus =
        Corpus { paths: &arguments.paths, fingerprints: &lists, jobs, examples: usize::from(arguments.examples) };
    let mut diagnostics = Diagnostics::default();
    let changes = rules::compare(&corpus, rules, &mut diagnostics).map_err(|error| error.to_string())?;
    diagnostics.rest().for_each(|line| eprint_line(&line));
    if changes.files == 0 {
        let paths: Vec<_> = arguments.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(format!("nothing found in {}: no files of measurements", paths.join(" ")));
    }
    let text = match arguments.format {
        SummaryFormat::Json => json(&changes)?,
        SummaryFormat::Table => rule_tables(&changes),
    };
    if changes.unreadable > 0 {
        print(Ok((text, true)));
        let files = if changes.unreadable == 1 { "file or member" } else { "files or members" };
        return Err(format!("{} {files} could not be read to the end; what was read is compared", changes.unreadable));
    }
    Ok((text, changes.changed == 0))
}

fn row_tables(comparison: &Comparison) -> String {
    let Comparison { left_rows, right_rows, same, different, only_left, only_right, .. } = comparison;
    let mut out = format!("{left_rows} and {right_rows} rows: {same} the same, {different} different");
    let _ = writeln!(out, ", {} only in the first, {} only in the second", only_left.rows, only_right.rows);
    for (which, only) in [("first", only_left), ("second", only_right)] {
        for uid in &only.examples {
            let _ = writeln!(out, "  only in the {which}: {}", text::cell(uid));
        }
    }
    columns(comparison, &mut out);
    out
}

/// The columns that differ, followed by examples.
fn columns(comparison: &Comparison, out: &mut String) {
    if comparison.columns.is_empty() {
        return;
    }
    let rows = comparison
        .columns
        .iter()
        .map(|column| [text::name(&column.test), column.column.to_owned(), column.rows.to_string()]);
    table(["test", "column", "rows"], rows, out);
    out.push('\n');
    for column in &comparison.columns {
        for example in &column.examples {
            let [uid, left, right] = [&example.measurement_uid, &example.left, &example.right].map(|text| cut(text));
            let _ = writeln!(out, "{}, {uid}\n  - {left}\n  + {right}", column.column);
        }
    }
}

fn rule_tables(changes: &Changes) -> String {
    let Changes { rules: [first, second], measurements, changed, repairs, fingerprints, verdicts, .. } = changes;
    let skipped = skipped_files(changes.passed_over, changes.twins);
    let mut out = format!("{measurements} measurements by {first} and {second}: {changed} differ{skipped}\n");
    let parts = [("repair", repairs), ("fingerprint", fingerprints), ("verdict", verdicts)];
    for (name, changes) in parts.into_iter().filter(|(_, changes)| !changes.is_empty()) {
        let row = |change: &Change| {
            [text::name(&change.test), text::shortened(&change.what, LONGEST), change.measurements.to_string()]
        };
        table(["test", name, "measurements"], changes.iter().map(row), &mut out);
    }
    if !repairs.is_empty() {
        out.push('\n');
    }
    for change in repairs {
        for example in &change.examples {
            let [uid, before, after] =
                [&example.measurement_uid, &example.before, &example.after].map(|text| cut(text));
            let _ = writeln!(out, "{}, {uid}\n  - {before}\n  + {after}", change.what);
        }
    }
    columns(&changes.rows, &mut out);
    out
}

fn table(header: [&str; 3], rows: impl Iterator<Item = [String; 3]>, out: &mut String) {
    let mut table = comfy_table::Table::new();
    table.load_preset(presets::NOTHING).set_header(header).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
        if column.index == 2 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let _ = write!(out, "\n{}\n", table.trim_fmt());
}

/// Maximum characters of a change in a table.
const LONGEST: usize = 100;

/// Maximum characters of a value in an example.
const SHOWN: usize = 300;

fn cut(text: &str) -> String {
    text::shortened(text, SHOWN)
}
