//! [`Aggregation`]: counts of measurements along one or two axes (API spec §4.5).

use crate::query::filter::Filter;
use crate::query::grain::Grain;
use crate::value::{Value, serialize_time};
use crate::write::row::ListedUrl;
use ooni_core::time::DateTime;
use serde::Serialize;
use std::ops::AddAssign;

/// Which measurements are counted, and by which axes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aggregation {
    /// The measurements.
    pub filter: Filter,
    /// None, one or two different axes.
    pub axes: Vec<Axis>,
}

/// What measurements are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Axis {
    /// `scores.analysis.blocking_type`; empty for none.
    BlockingType,
    /// Category of the input in a test list. An input in several lists counts several times; an input in no list is not
    /// counted.
    CategoryCode,
    /// Host of the input; empty for none.
    Domain,
    /// The input; empty for none.
    Input,
    /// Start of the measurement, truncated to its hour, day, week, month or year.
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
/// A measurement is counted in exactly one of `failure`, `confirmed`, `anomaly` and [`Counts::ok`]: the first that
/// applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All measurements.
    pub measurements: u64,
    /// Measurements with the flag `msm_failure`.
    pub failure: u64,
    /// Measurements with the flag `confirmed` and without `msm_failure`.
    pub confirmed: u64,
    /// Measurements with the flag `anomaly` and without `confirmed` and `msm_failure`.
    pub anomaly: u64,
    /// Measurements with the flag `confirmed`, whatever the other flags.
    pub confirmed_flag: u64,
    /// Measurements with the flag `anomaly`, whatever the other flags.
    pub anomaly_flag: u64,
}

impl Counts {
    /// Measurements with none of the flags.
    pub fn ok(&self) -> u64 {
        self.measurements.saturating_sub(self.failure).saturating_sub(self.confirmed).saturating_sub(self.anomaly)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Counts) {
        self.measurements = self.measurements.saturating_add(more.measurements);
        self.failure = self.failure.saturating_add(more.failure);
        self.confirmed = self.confirmed.saturating_add(more.confirmed);
        self.anomaly = self.anomaly.saturating_add(more.anomaly);
        self.confirmed_flag = self.confirmed_flag.saturating_add(more.confirmed_flag);
        self.anomaly_flag = self.anomaly_flag.saturating_add(more.anomaly_flag);
    }
}

/// A group and its counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// A value for each axis: [`Value::Time`] for a time, [`Value::Int`] for a network, else [`Value::Text`].
    pub keys: Vec<Value<'static>>,
    /// Its counts.
    pub counts: Counts,
}

/// A group, and the days on which its first and its last measurement began.
#[derive(Clone, Debug, PartialEq)]
pub struct DatedGroup {
    /// The group.
    pub group: Group,
    /// Midnight of the first and of the last day, UTC; `None` without measurements.
    pub days: Option<(DateTime, DateTime)>,
}

/// A page of the groups of an aggregation, in the order of [`Store::ranked`](crate::Store::ranked).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranked {
    /// The groups of the page.
    pub groups: Vec<Group>,
    /// The number of all groups.
    pub total: u64,
}

/// A domain of the test lists, and how often it was measured with web_connectivity (API spec §6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainCounts {
    /// The domain.
    pub domain: String,
    /// Its category in the global list if that has it, else in another list.
    pub category_code: String,
    /// The number of measurements.
    pub measurements: u64,
}

/// An entry of a test list, and how often its URL was measured in the country of the list (API spec §5.5). The country of the
/// global list is `ZZ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedCounts {
    /// The entry.
    pub entry: ListedUrl,
    /// All measurements.
    pub measurements: u64,
    /// Measurements with the flag `anomaly`.
    pub anomalies: u64,
}

/// How long a test ran, by day and country, for measurements whose scores have `extra.test_runtime` (API spec §6.2).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Runtimes {
    /// Midnight, UTC.
    #[serde(serialize_with = "serialize_time")]
    pub day: DateTime,
    /// The country.
    pub probe_cc: String,
    /// The test.
    pub test_name: String,
    /// The number of such measurements.
    pub measurements: u64,
    /// The median of their durations in seconds, interpolated.
    pub median: f32,
    /// The 90th percentile of their durations in seconds, interpolated.
    pub ninetieth: f32,
}
