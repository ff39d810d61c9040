//! [`AppRow`]: rows of the application tables.

use ooni_core::time::DateTime;
use serde::{Deserialize, Serialize};

/// The error of calls that ClickHouse does not support.
pub(crate) const NO_APPLICATION: &str =
    "a store on ClickHouse has measurements only; application tables need SQLite or PostgreSQL";

/// A row of an application table, to be written. It replaces a row with the same key.
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
    /// What the rule adds to the priority; may be negative.
    pub priority: i64,
}

/// The name of a network from a day on (API spec §14.12). Key: `asn`, `changed`.
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

/// A user's feedback on a measurement (API spec §14.8). Key: `measurement_uid`, `account_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// The measurement.
    pub measurement_uid: String,
    /// The user's account.
    pub account_id: String,
    /// One of the statuses of API spec §4.8.
    pub status: String,
    /// Free text.
    #[serde(default)]
    pub comment: String,
    /// UTC, `YYYY-MM-DD hh:mm:ss`, with milliseconds after a point if known.
    pub update_time: String,
}

/// How often a network measured an input of a test list in a week (API spec §14.5), imported from another database. Key:
/// all but the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputCount {
    /// The Sunday on which the week begins.
    pub week: DateTime,
    /// Country of the probe.
    pub probe_cc: String,
    /// Network of the probe.
    pub probe_asn: u32,
    /// The input.
    pub input: String,
    /// The number of measurements.
    pub count: u32,
}

/// A measurement with inconsistent data (API spec §5.11, §14.14). Key: `ts`, `kind`, `uid`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultyMeasurement {
    /// When the fault was detected: UTC, `YYYY-MM-DD hh:mm:ss`, with milliseconds after a point if known.
    pub ts: String,
    /// The kind of fault, such as `geoip`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Id of the record.
    pub uid: String,
    /// Country of the probe.
    pub probe_cc: String,
    /// Network of the probe.
    pub probe_asn: u32,
    /// Details, as JSON.
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
