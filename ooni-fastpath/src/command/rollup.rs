//! `fastpath rollup`: rebuilds rollups from the rows, or compares them.

use super::result::CommandResult;
use super::store::open;
use crate::cli::store::{RollupCommand, Rollups};
use crate::sink::plain;
use ooni_store::Difference;
use ooni_store::query::aggregate::Counts;
use ooni_store::rollup::{ROLLUPS, Rollup};
use ooni_store::value::Value;
use std::fmt::Write as _;

/// Rebuilds or checks rollups.
pub(super) fn run(arguments: &Rollups) -> CommandResult {
    match &arguments.what {
        RollupCommand::Rebuild { names, store } => {
            let store = open(&store.db_uri)?;
            let mut out = String::new();
            for rollup in chosen(names) {
                store.wait(store.store.rebuild(rollup)).map_err(|error| error.to_string())?;
                let _ = writeln!(out, "{}: rebuilt", rollup.name);
            }
            Ok((out, true))
        }
        RollupCommand::Check { names, examples, store } => {
            let store = ooni_store::BlockingStore::open_to_read(&store.db_uri).map_err(|error| error.to_string())?;
            let (mut out, mut equal) = (String::new(), true);
            for rollup in chosen(names) {
                let found = store.wait(store.store.check(rollup)).map_err(|error| error.to_string())?;
                equal &= found.is_empty();
                describe(rollup, found, *examples as usize, &mut out);
            }
            Ok((out, equal))
        }
    }
}

fn chosen(names: &[&'static Rollup]) -> Vec<&'static Rollup> {
    if names.is_empty() { ROLLUPS.iter().collect() } else { names.to_vec() }
}

/// The counts of a cell that differs.
#[derive(Default)]
struct Pair {
    /// As in the rollup.
    kept: Counts,
    /// As counted from the rows.
    counted: Counts,
}

/// Describes the result for a rollup, with some of the cells that differ.
fn describe(rollup: &Rollup, found: Vec<Difference>, examples: usize, out: &mut String) {
    let mut cells = std::collections::BTreeMap::<String, Pair>::new();
    for Difference { is_of_rollup, key, counts } in found {
        let pair = cells.entry(key_text(rollup, &key)).or_default();
        *(if is_of_rollup { &mut pair.kept } else { &mut pair.counted }) = counts;
    }
    let _ = match cells.len() {
        0 => writeln!(out, "{}: equal to the rows", rollup.name),
        1 => writeln!(out, "{}: 1 cell differs", rollup.name),
        number => writeln!(out, "{}: {number} cells differ", rollup.name),
    };
    for (key, Pair { kept, counted }) in cells.iter().take(examples) {
        let _ = writeln!(out, "  {key}\n    kept {}\n    rows {}", numbers(*kept), numbers(*counted));
    }
    match cells.len().saturating_sub(examples) {
        0 => {}
        more => drop(writeln!(out, "  and {more} more")),
    }
}

/// The key of a cell: `day 2024-01-02 00:00:00, test_name dash`.
fn key_text(rollup: &Rollup, key: &[Value<'_>]) -> String {
    let part = |(dimension, cell): (&ooni_store::rollup::Dimension, &Value<'_>)| {
        let mut text = Vec::new();
        cell.write_plain(&mut text);
        format!("{} {}", dimension.column(), plain(&String::from_utf8_lossy(&text)))
    };
    rollup.key.iter().zip(key).map(part).collect::<Vec<_>>().join(", ")
}

fn numbers(counts: Counts) -> String {
    let Counts { measurements, failure, confirmed, anomaly, confirmed_flag, anomaly_flag } = counts;
    format!(
        "measurements {measurements}, failure {failure}, confirmed {confirmed}, anomaly {anomaly}, \
         confirmed_flag {confirmed_flag}, anomaly_flag {anomaly_flag}"
    )
}
