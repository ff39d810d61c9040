//! Types of argument values, and parsers of values.

use clap::ValueEnum;
use ooni_archive::day::Day;
use ooni_core::rules::Rules;
use ooni_core::time::DateTime;
use ooni_store::rollup::{ROLLUPS, Rollup};

/// Values of `--rules`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RulesName {
    /// The reference (OONI's Python scorer) with its errors repaired
    Fixed,
    /// The reference bit for bit, errors included
    Compat,
}

impl From<RulesName> for Rules {
    fn from(name: RulesName) -> Rules {
        match name {
            RulesName::Fixed => Rules::Fixed,
            RulesName::Compat => Rules::Compat,
        }
    }
}

/// Formats of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// Human-readable tables
    Table,
    /// One JSON object
    Json,
}

/// Reads the name of a rollup.
pub(super) fn parse_rollup(name: &str) -> Result<&'static Rollup, String> {
    let names = || ROLLUPS.map(|rollup| rollup.name).join(", ");
    Rollup::named(name).ok_or_else(|| format!("unknown rollup; expected one of {}", names()))
}

/// Reads `YYYY-MM`; returns the start of the month.
pub(super) fn parse_month(text: &str) -> Result<DateTime, String> {
    let day: Result<Day, _> = format!("{text}-01").parse();
    day.map(Day::start).map_err(|_| "not a month; expected YYYY-MM, such as 2021-06".to_owned())
}
