//! [`Aggregation`]: counts of measurements along one or two axes (API spec §4.5).

use super::filter::Filter;
use crate::cell::Cell;

/// What is counted, and by what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aggregation {
    /// Which measurements.
    pub filter: Filter,
    /// None, one or two, which differ.
    pub axes: Vec<Axis>,
}

/// What measurements are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Axis {
    /// `scores.analysis.blocking_type`; empty for none.
    BlockingType,
    /// Category of the input in a test list. An input in several lists counts several times, one in none not at all.
    CategoryCode,
    /// Host of the input; empty for none.
    Domain,
    /// The input; empty for none.
    Input,
    /// Start of the measurement, as the first moment of its hour, day, week, month or year.
    MeasurementStart(Grain),
    /// Network of the probe.
    ProbeAsn,
    /// Country of the probe.
    ProbeCc,
    /// The test.
    TestName,
}

/// How fine a time axis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A day, UTC.
    Day,
    /// A week, which begins on Sunday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// Counts of a group.
///
/// A measurement is counted in one of `failure`, `confirmed`, `anomaly` and [`Counts::ok`]: the first that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub measurements: u64,
    /// Of them with the flag `msm_failure`.
    pub failure: u64,
    /// With the flag `confirmed`, and no failure.
    pub confirmed: u64,
    /// With the flag `anomaly`, not confirmed and no failure.
    pub anomaly: u64,
    /// With the flag `confirmed`, whatever else.
    pub confirmed_flag: u64,
    /// With the flag `anomaly`, whatever else.
    pub anomaly_flag: u64,
}

impl Counts {
    /// Measurements with none of the flags.
    pub fn ok(&self) -> u64 {
        self.measurements.saturating_sub(self.failure).saturating_sub(self.confirmed).saturating_sub(self.anomaly)
    }
}

/// A group and its counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// A value for each axis: [`Cell::Time`] for a time, [`Cell::Int`] for a network, else [`Cell::Text`].
    pub keys: Vec<Cell<'static>>,
    /// What was counted.
    pub counts: Counts,
}
