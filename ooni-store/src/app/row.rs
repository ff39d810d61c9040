//! [`AppRow`]: rows of the application tables.

use ooni_core::time::DateTime;
use serde::{Deserialize, Serialize};

/// Why a store on ClickHouse cannot do something.
pub(crate) const NO_APPLICATION: &str =
    "a store on ClickHouse has measurements only; application tables need SQLite or PostgreSQL";

/// A row of an application table, to be written. A row of the same key is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppRow {
    /// Of `url_priorities`.
    UrlPriority(UrlPriority),
    /// Of `asnmeta`.
    AsnName(AsnName),
    /// Of `msmt_feedback`. An older one does not replace a newer one.
    Feedback(Feedback),
    /// Of `counters_asn_test_list`.
    InputCount(InputCount),
    /// Of `faulty_measurements`.
    Fault(FaultyMeasurement),
}

/// A rule by which URLs are prioritised (API spec §14.4). Key: all but the priority; `*` or an empty text matches all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlPriority {
    /// Category of the URL.
    pub category_code: String,
    /// Country of the test list, upper case.
    pub cc: String,
    /// Domain of the URL.
    pub domain: String,
    /// The URL.
    pub url: String,
    /// What the rule adds; may be negative.
    pub priority: i64,
}

/// The name of a network from some day on (API spec §14.12). Key: `asn`, `changed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsnName {
    /// The network.
    pub asn: u32,
    /// Its organisation.
    pub org_name: String,
    /// Country of the organisation.
    #[serde(default)]
    pub cc: String,
    /// The day, `YYYY-MM-DD`.
    pub changed: String,
    /// Name of the network.
    #[serde(default)]
    pub aut_name: String,
    /// The registry.
    #[serde(default)]
    pub source: String,
}

/// What a user says about a measurement (API spec §14.8). Key: `measurement_uid`, `account_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// The measurement.
    pub measurement_uid: String,
    /// Who says it.
    pub account_id: String,
    /// One of API spec §4.8.
    pub status: String,
    /// A remark.
    #[serde(default)]
    pub comment: String,
    /// UTC, `YYYY-MM-DD hh:mm:ss`, milliseconds after a point if known.
    pub update_time: String,
}

/// How often a network measured an input of a test list in a week (API spec §14.5), as counted by another database. Key: all
/// but the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputCount {
    /// The Sunday that the week begins on.
    pub week: DateTime,
    /// Country of the probe.
    pub probe_cc: String,
    /// Network of the probe.
    pub probe_asn: u32,
    /// The input.
    pub input: String,
    /// Measurements.
    pub count: u32,
}

/// A measurement in which something does not fit (API spec §5.11, §14.14). Key: `ts`, `kind`, `uid`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultyMeasurement {
    /// When that was noticed: UTC, `YYYY-MM-DD hh:mm:ss`, milliseconds after a point if known.
    pub ts: String,
    /// What kind of fault, such as `geoip`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Id of the record.
    pub uid: String,
    /// Country of the probe.
    pub probe_cc: String,
    /// Network of the probe.
    pub probe_asn: u32,
    /// JSON.
    pub details: String,
}

impl AppRow {
    /// Its table.
    pub fn table(&self) -> &'static str {
        match self {
            AppRow::UrlPriority(_) => "url_priorities",
            AppRow::AsnName(_) => "asnmeta",
            AppRow::Feedback(_) => "msmt_feedback",
            AppRow::InputCount(_) => "counters_asn_test_list",
            AppRow::Fault(_) => "faulty_measurements",
        }
    }
}
