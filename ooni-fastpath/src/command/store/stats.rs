//! `fastpath store stats`: sizes of the tables and rollups of a store.

use crate::cli::SummaryFormat;
use crate::command::result::{CommandResult, json};
use comfy_table::{CellAlignment, Table, presets};
use ooni_core::time::DateTime;
use ooni_store::{BlockingStore, RollupState, Stats};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Prints what is in a store.
pub(super) fn run(format: SummaryFormat, url: &str) -> CommandResult {
    let store = BlockingStore::open_to_read(url).map_err(|error| error.to_string())?;
    let stats = store.wait(store.store.stats()).map_err(|error| error.to_string())?;
    let text = match format {
        SummaryFormat::Table => tables(&stats),
        SummaryFormat::Json => json(&StatsJson::of(&stats))?,
    };
    Ok((text, true))
}

/// The JSON output.
#[derive(Serialize)]
struct StatsJson<'s> {
    bytes: u64,
    oldest: Option<String>,
    newest: Option<String>,
    tables: BTreeMap<&'s str, u64>,
    rollups: BTreeMap<&'s str, Cells>,
}

#[derive(Serialize)]
struct Cells {
    cells: u64,
    measurements: u64,
}

impl StatsJson<'_> {
    fn of(stats: &Stats) -> StatsJson<'_> {
        let cells =
            |&RollupState { rollup, cells, measurements }: &RollupState| (rollup.name, Cells { cells, measurements });
        StatsJson {
            bytes: stats.bytes,
            oldest: stats.span.map(|(oldest, _)| iso(oldest)),
            newest: stats.span.map(|(_, newest)| iso(newest)),
            tables: stats.tables.iter().map(|(table, rows)| (*table, *rows)).collect(),
            rollups: stats.rollups.iter().map(cells).collect(),
        }
    }
}

fn iso(time: DateTime) -> String {
    time.to_string().replace(' ', "T") + "Z"
}

fn tables(stats: &Stats) -> String {
    let mut out = format!("{} bytes\n", stats.bytes);
    if let Some((oldest, newest)) = stats.span {
        let _ = writeln!(out, "measurements from {oldest} to {newest}");
    }
    let rows = stats.tables.iter().map(|(table, rows)| [(*table).to_owned(), rows.to_string(), String::new()]);
    table(["table", "rows", ""], rows, &mut out);
    let all = stats.tables.first().map_or(0, |(_, rows)| *rows);
    let state = |RollupState { rollup, cells, measurements }: &RollupState| {
        let state = match rollup.is_of_lists() {
            true => "once for each list that has the input".to_owned(),
            false if *measurements == all => "all measurements".to_owned(),
            false => format!("{measurements} of {all} measurements: rebuild it"),
        };
        [rollup.name.to_owned(), cells.to_string(), state]
    };
    table(["rollup", "cells", "counts"], stats.rollups.iter().map(state), &mut out);
    out
}

fn table(header: [&str; 3], rows: impl Iterator<Item = [String; 3]>, out: &mut String) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if column.index == 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let _ = write!(out, "\n{}\n", table.trim_fmt());
}
