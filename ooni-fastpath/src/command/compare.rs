//! `fastpath compare`: what differs between two sets of rows, or two sets of rules.

use super::{Said, json, tell};
use crate::cli::Shape;
use crate::cli::compare::Compare;
use crate::compare::input::Input;
use crate::compare::report::Report;
use crate::compare::rules::{Change, Changes, Corpus};
use crate::compare::{rows, rules};
use crate::diagnostics::Diagnostics;
use crate::fingerprints;
use crate::pipeline;
use crate::sink::plain;
use comfy_table::{CellAlignment, presets};
use ooni_core::rules::Rules;
use std::fmt::Write as _;

/// Compares what was asked for.
pub(super) fn run(arguments: &Compare) -> Said {
    match arguments.rules[..] {
        [] => of_rows(arguments),
        [first, second] => of_rules(arguments, [first.into(), second.into()]),
        _ => Err("--rules takes two sets of rules, such as compat,fixed".to_owned()),
    }
}

fn of_rows(arguments: &Compare) -> Said {
    let [left, right] = &arguments.paths[..] else {
        return Err("two files or stores are compared, or files and folders with --rules".to_owned());
    };
    let input = |path: &std::path::Path| Input::of(&path.to_string_lossy());
    let report = rows::compare(&input(left)?, &input(right)?, usize::from(arguments.examples))?;
    let text = match arguments.format {
        Shape::Json => json(&report)?,
        Shape::Table => row_tables(&report),
    };
    Ok((text, report.is_equal()))
}

fn of_rules(arguments: &Compare, rules: [Rules; 2]) -> Said {
    let lists = fingerprints::lists(arguments.fingerprints.as_deref());
    let lists = lists.map_err(|error| error.to_string())?;
    if let Some(path) = arguments.paths.iter().find(|path| path.as_os_str() == "-" || !path.exists()) {
        return Err(format!("{}: not a file or folder that can be read twice", path.display()));
    }
    let jobs = pipeline::jobs(arguments.jobs);
    let corpus =
        Corpus { paths: &arguments.paths, fingerprints: &lists, jobs, examples: usize::from(arguments.examples) };
    let mut diagnostics = Diagnostics::default();
    let changes = rules::compare(&corpus, rules, &mut diagnostics).map_err(|error| error.to_string())?;
    if diagnostics.unseen() > 0 {
        tell(&format!("and {} more", diagnostics.unseen()));
    }
    let text = match arguments.format {
        Shape::Json => json(&changes)?,
        Shape::Table => rule_tables(&changes),
    };
    Ok((text, changes.changed == 0))
}

fn row_tables(report: &Report) -> String {
    let Report { left_rows, right_rows, same, different, only_left, only_right, .. } = report;
    let mut out = format!("{left_rows} and {right_rows} rows: {same} the same, {different} different");
    let _ = writeln!(out, ", {} only in the first, {} only in the second", only_left.rows, only_right.rows);
    for (which, only) in [("first", only_left), ("second", only_right)] {
        for uid in &only.examples {
            let _ = writeln!(out, "  only in the {which}: {}", plain(uid));
        }
    }
    columns(report, &mut out);
    out
}

/// The columns that differ, and examples below.
fn columns(report: &Report, out: &mut String) {
    if report.columns.is_empty() {
        return;
    }
    let rows =
        report.columns.iter().map(|column| [plain(&column.test), column.column.to_owned(), column.rows.to_string()]);
    table(["test", "column", "rows"], rows, out);
    out.push('\n');
    for column in &report.columns {
        for example in &column.examples {
            let [uid, left, right] = [&example.measurement_uid, &example.left, &example.right].map(|text| cut(text));
            let _ = writeln!(out, "{}, {uid}\n  - {left}\n  + {right}", column.column);
        }
    }
}

fn rule_tables(changes: &Changes) -> String {
    let Changes { rules: [first, second], measurements, changed, repairs, fingerprints, verdicts, .. } = changes;
    let mut out = format!("{measurements} measurements by {first} and {second}: {changed} differ");
    match changes.passed_over {
        0 => out.push('\n'),
        1 => out.push_str("; 1 file of another name passed over\n"),
        files => drop(writeln!(out, "; {files} files of other names passed over")),
    }
    let parts = [("repair", repairs), ("fingerprint", fingerprints), ("verdict", verdicts)];
    for (name, changes) in parts.into_iter().filter(|(_, changes)| !changes.is_empty()) {
        let row = |change: &Change| [plain(&change.test), plain(&change.what), change.measurements.to_string()];
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

/// Characters of a value that are shown.
const SHOWN: usize = 300;

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", plain(&text[..end])),
        None => plain(text),
    }
}
