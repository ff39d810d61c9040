//! [`List`]: pages of measurements (API spec §4.1).

use crate::query::filter::Filter;
use crate::value::serialize_time;
use ooni_core::time::DateTime;
use serde::Serialize;

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Which rows.
    pub filter: Filter,
    /// By what they are ordered; rows that are equal in it are in the order of their uids, in the same direction.
    pub order_by: OrderBy,
    /// The greatest first.
    pub descending: bool,
    /// Where the page begins.
    pub start: Start,
    /// Rows of the page.
    pub limit: u32,
}

/// A column that rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// Start of the measurement.
    MeasurementStartTime,
    /// Input.
    Input,
    /// Country of the probe.
    ProbeCc,
    /// Network of the probe.
    ProbeAsn,
    /// The test.
    TestName,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// After so many rows, which are passed by one by one.
    Offset(u64),
    /// After the row of that time and uid, at no cost. Only in the order of the start of the measurement.
    After(DateTime, String),
}

/// A row of a list or of a look-up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasurementSummary {
    /// Id of the measurement.
    pub measurement_uid: String,
    /// Id of its report.
    pub report_id: String,
    /// What was measured; empty for none.
    pub input: String,
    /// Country of the probe.
    pub probe_cc: String,
    /// Network of the probe.
    pub probe_asn: u32,
    /// The test.
    pub test_name: String,
    /// Start of the test.
    #[serde(serialize_with = "serialize_time")]
    pub test_start_time: DateTime,
    /// Start of the measurement.
    #[serde(serialize_with = "serialize_time")]
    pub measurement_start_time: DateTime,
    /// JSON (scoring spec §14).
    pub scores: String,
    /// Interference is suspected.
    pub anomaly: bool,
    /// A fingerprint of blocking was seen.
    pub confirmed: bool,
    /// The measurement failed.
    pub failure: bool,
    /// `t`, `f`, `u`
    pub is_verified: String,
    /// Name and version of the rules by which it was scored.
    pub ruleset: String,
    /// Hash of the fingerprint lists.
    pub fingerprints_sha256: String,
    /// Of the body as it was read.
    pub body_sha256: String,
    /// Category of the input in one of the test lists; empty where none has it. Look-ups alone say it.
    pub category_code: Option<String>,
}
