//! [`Rollup`]: a table of counts that is kept in step with the rows, so that charts need not read rows.
//!
//! The table is named `rollup_NAME`. Its key columns are the dimensions, in order; its other columns are [`COUNTS`].
//! Rollups are declared only here: the statements that write, rebuild, check and read them are derived from the
//! declaration.

use crate::query::aggregate::Axis;
use crate::query::grain::Grain;

/// A column of a rollup's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Hour of the measurement's start.
    Hour,
    /// Day of the start, UTC.
    Day,
    /// First day of the week of the start, a Sunday.
    Week,
    /// First day of the month of the start.
    Month,
    /// The test.
    TestName,
    /// Country of the probe.
    ProbeCc,
    /// Network of the probe.
    ProbeAsn,
    /// Host of the input.
    Domain,
    /// The input.
    Input,
    /// Kind of blocking.
    BlockingType,
    /// Category of the input in a test list.
    CategoryCode,
    /// The `cc` of that list.
    ListCc,
}

impl Dimension {
    /// The name of its column.
    pub const fn column(self) -> &'static str {
        match self {
            Dimension::Hour => "hour",
            Dimension::Day => "day",
            Dimension::Week => "week",
            Dimension::Month => "month",
            Dimension::TestName => "test_name",
            Dimension::ProbeCc => "probe_cc",
            Dimension::ProbeAsn => "probe_asn",
            Dimension::Domain => "domain",
            Dimension::Input => "input",
            Dimension::BlockingType => "blocking_type",
            Dimension::CategoryCode => "category_code",
            Dimension::ListCc => "list_cc",
        }
    }

    /// Whether it is a time.
    pub const fn is_time(self) -> bool {
        matches!(self, Dimension::Hour | Dimension::Day | Dimension::Week | Dimension::Month)
    }

    /// Whether it is a text, which can have any length.
    pub(crate) const fn is_text(self) -> bool {
        !self.is_time() && !matches!(self, Dimension::ProbeAsn)
    }

    /// Approximate number of distinct values; for times, in a year.
    pub(crate) const fn values(self) -> f64 {
        match self {
            Dimension::Hour => 8766.0,
            Dimension::Day => 365.0,
            Dimension::Week => 52.0,
            Dimension::Month => 12.0,
            Dimension::TestName => 20.0,
            Dimension::ProbeCc => 240.0,
            Dimension::ProbeAsn => 10_000.0,
            Dimension::Domain => 3000.0,
            Dimension::Input => 5000.0,
            Dimension::BlockingType => 5.0,
            Dimension::CategoryCode => 31.0,
            Dimension::ListCc => 100.0,
        }
    }

    /// Whether the grain of a time axis can be computed from this time.
    const fn can_compute(self, grain: Grain) -> bool {
        match self {
            Dimension::Hour => true,
            Dimension::Day => !matches!(grain, Grain::Hour),
            Dimension::Week => matches!(grain, Grain::Week),
            Dimension::Month => matches!(grain, Grain::Month | Grain::Year),
            _ => false,
        }
    }

    /// The dimension of an axis; `None` for a time, which may be computed from several dimensions.
    const fn of(axis: Axis) -> Option<Dimension> {
        match axis {
            Axis::BlockingType => Some(Dimension::BlockingType),
            Axis::CategoryCode => Some(Dimension::CategoryCode),
            Axis::Domain => Some(Dimension::Domain),
            Axis::Input => Some(Dimension::Input),
            Axis::ProbeAsn => Some(Dimension::ProbeAsn),
            Axis::ProbeCc => Some(Dimension::ProbeCc),
            Axis::TestName => Some(Dimension::TestName),
            Axis::MeasurementStart(_) => None,
        }
    }
}

/// A table of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollup {
    /// Its name, without `rollup_`.
    pub name: &'static str,
    /// Its key, in this order: queries that fix the first columns are fast.
    pub key: &'static [Dimension],
    /// The two columns of an additional index. It is named after the table and the first of them.
    pub index: Option<[Dimension; 2]>,
}

/// Approximate measurements per year, to estimate costs.
pub(crate) const YEAR: f64 = 2e7;

/// Approximate number of years in a store, to estimate costs.
const YEARS: f64 = 10.0;

/// The counts of a rollup: the columns besides its key. Each counts certain flags of a row.
pub const COUNTS: [&str; 6] = [
    "measurement_count",
    "failure_count",
    "confirmed_count",
    "anomaly_count",
    "confirmed_flag_count",
    "anomaly_flag_count",
];

/// All rollups.
pub const ROLLUPS: [Rollup; 13] = {
    use Dimension::*;
    const fn rollup(name: &'static str, key: &'static [Dimension]) -> Rollup {
        Rollup { name, key, index: None }
    }
    const fn indexed(name: &'static str, key: &'static [Dimension], index: [Dimension; 2]) -> Rollup {
        Rollup { name, key, index: Some(index) }
    }
    [
        // Worldwide charts and totals.
        rollup("day_test", &[Day, TestName]),
        rollup("day_country", &[Day, TestName, ProbeCc]),
        rollup("hour_country", &[Hour, TestName, ProbeCc]),
        rollup("month_country", &[Month, TestName, ProbeCc]),
        indexed("month_network", &[Month, ProbeCc, ProbeAsn], [ProbeCc, Month]),
        rollup("network", &[ProbeCc, ProbeAsn]),
        rollup("test_domain", &[TestName, Domain]),
        // Charts of a country.
        rollup("country_day", &[ProbeCc, Day]),
        rollup("country", &[ProbeCc, Day, TestName, BlockingType]),
        // Networks or domains of a country; a network or domain by country.
        indexed("country_network", &[ProbeCc, Day, TestName, ProbeAsn], [ProbeAsn, Day]),
        indexed("country_domain", &[ProbeCc, Day, TestName, Domain], [Domain, Day]),
        // Charts of a category.
        rollup("category", &[CategoryCode, ListCc, Day, TestName, ProbeCc]),
        // Selection of the URLs that probes measure next (API spec §14.5).
        rollup("week_input", &[TestName, ProbeCc, Week, Input]),
    ]
};

impl Rollup {
    /// Its table.
    pub fn table(&self) -> String {
        format!("rollup_{}", self.name)
    }

    /// Names of the key columns, separated by commas.
    pub fn key_columns(&self) -> String {
        self.key.iter().map(|dimension| dimension.column()).collect::<Vec<_>>().join(", ")
    }

    /// Whether its counts depend on test lists, so that it must be updated when they change.
    pub fn is_of_lists(&self) -> bool {
        self.key.contains(&Dimension::CategoryCode)
    }

    /// Its time dimension.
    pub fn time(&self) -> Option<Dimension> {
        self.key.iter().copied().find(|dimension| dimension.is_time())
    }

    /// The time that a cell covers; `None` if the rollup has no time dimension.
    pub(crate) fn grain(&self) -> Option<Grain> {
        match self.time()? {
            Dimension::Hour => Some(Grain::Hour),
            Dimension::Day => Some(Grain::Day),
            Dimension::Week => Some(Grain::Week),
            Dimension::Month => Some(Grain::Month),
            _ => None,
        }
    }

    /// The column that an axis is computed from.
    pub fn dimension_of(&self, axis: Axis) -> Option<Dimension> {
        match (axis, Dimension::of(axis)) {
            (Axis::MeasurementStart(grain), _) => self.time().filter(|time| time.can_compute(grain)),
            (_, Some(dimension)) => self.key.contains(&dimension).then_some(dimension),
            (_, None) => None,
        }
    }

    /// The rollup with this name.
    pub fn named(name: &str) -> Option<&'static Rollup> {
        ROLLUPS.iter().find(|rollup| rollup.name == name)
    }

    /// Approximate number of cells in a year, at most the number of rows.
    pub(crate) fn cells(&self) -> f64 {
        // A network is in one or two countries.
        let is_of_networks = self.key.contains(&Dimension::ProbeAsn);
        let values = |dimension: &Dimension| match dimension {
            Dimension::ProbeCc if is_of_networks => 2.0,
            other => other.values(),
        };
        let all: f64 = self.key.iter().map(values).product();
        // Most possible combinations never occur.
        YEAR * (1.0 - (-all / YEAR / 10.0).exp())
    }

    /// Approximate number of cells that a query reads by the key or by the index, whichever is less, and whether that is the
    /// index. `requested` is the number of values of a dimension that the query requests; `None` for all.
    pub(crate) fn cost(&self, requested: impl Fn(Dimension) -> Option<f64>) -> (f64, bool) {
        // The cells that have the requested values of the first dimensions, relative to those of a year.
        let share = |order: &[Dimension]| {
            let mut share = 1.0;
            for &dimension in order {
                let Some(values) = requested(dimension) else { break };
                let part = values / dimension.values();
                if dimension.is_time() {
                    return share * part; // a range: later dimensions are read and filtered out
                }
                share *= part.min(1.0);
            }
            share * if self.time().is_some() { YEARS } else { 1.0 }
        };
        // Reading a cell through the index costs more, because such cells are scattered in the table.
        const SCATTERED: f64 = 4.0;
        let by_key = share(self.key);
        let by_index = self.index.map_or(f64::INFINITY, |index| SCATTERED * share(&index));
        (self.cells() * by_key.min(by_index), by_index < by_key)
    }
}
