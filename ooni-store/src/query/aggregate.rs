//! [`Aggregation`]: counts of measurements along one or two axes (API spec §4.5).

use crate::query::filter::Filter;
use crate::query::grain::Grain;
use crate::value::{Value, serialize_time};
use ooni_core::time::DateTime;
use serde::Serialize;

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

/// Counts of a group.
///
/// A measurement is counted in one of `failure`, `confirmed`, `anomaly` and [`Counts::ok`]: the first that holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// A value for each axis: [`Value::Time`] for a time, [`Value::Int`] for a network, else [`Value::Text`].
    pub keys: Vec<Value<'static>>,
    /// What was counted.
    pub counts: Counts,
}

/// How long a test ran on a day in a country: of the measurements whose scores have `extra.test_runtime` (API spec §6.2).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Runtimes {
    /// Midnight, UTC.
    #[serde(serialize_with = "serialize_time")]
    pub day: DateTime,
    /// The country.
    pub probe_cc: String,
    /// The test.
    pub test_name: String,
    /// Such measurements.
    pub measurements: u64,
    /// Seconds that half of them did not take longer than, between two of them where it lies there.
    pub median: f32,
    /// The same of nine tenths.
    pub ninetieth: f32,
}
