//! [`List`]: pages of measurements (API spec §4.1).

use crate::query::filter::Filter;
use crate::value::serialize_time;
use ooni_core::time::DateTime;
use serde::Serialize;

/// A page of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The rows. With a category, a row occurs once even if its input is in several lists.
    pub filter: Filter,
    /// The order of the rows, and the row after which the page begins.
    pub order: Order,
    /// Whether the order is descending.
    pub descending: bool,
    /// The number of rows to skip. They are read, so a [`Cursor`] is faster.
    pub offset: u64,
    /// Maximum rows of the page.
    pub limit: u32,
}

/// The column by which rows are ordered, and the row after which the page begins; `None` for the first page.
///
/// Rows with equal values are ordered by uid, in the same direction. Texts are ordered by bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the start of the measurement.
    MeasurementStartTime(Option<Cursor<DateTime>>),
    /// By the input.
    Input(Option<Cursor<String>>),
    /// By the country of the probe.
    ProbeCc(Option<Cursor<String>>),
    /// By the network of the probe.
    ProbeAsn(Option<Cursor<u32>>),
    /// By the test.
    TestName(Option<Cursor<String>>),
}

/// The last row of the previous page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor<K> {
    /// Its value in the order's column.
    pub key: K,
    /// Its `measurement_uid`.
    pub uid: String,
}

impl Default for Order {
    fn default() -> Order {
        Order::MeasurementStartTime(None)
    }
}

impl Order {
    /// The same order, for the page after a row.
    pub fn after(&self, row: &MeasurementSummary) -> Order {
        let uid = row.measurement_uid.clone();
        let text = |key: &str| Some(Cursor { key: key.to_owned(), uid: uid.clone() });
        match self {
            Order::MeasurementStartTime(_) => {
                Order::MeasurementStartTime(Some(Cursor { key: row.measurement_start_time, uid }))
            }
            Order::Input(_) => Order::Input(text(&row.input)),
            Order::ProbeCc(_) => Order::ProbeCc(text(&row.probe_cc)),
            Order::ProbeAsn(_) => Order::ProbeAsn(Some(Cursor { key: row.probe_asn, uid })),
            Order::TestName(_) => Order::TestName(text(&row.test_name)),
        }
    }
}

/// A row of a list or look-up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasurementSummary {
    /// Id of the measurement.
    pub measurement_uid: String,
    /// Id of its report.
    pub report_id: String,
    /// The input; empty for none.
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
    /// A blocking fingerprint matched.
    pub confirmed: bool,
    /// The measurement failed.
    pub failure: bool,
    /// `t`, `f` or `u` for unknown.
    pub is_verified: String,
    /// Name and version of the rules that scored it.
    pub ruleset: String,
    /// Hash of the fingerprint lists.
    pub fingerprints_sha256: String,
    /// Hash of the body as it was read.
    pub body_sha256: String,
    /// Category of the input in one of the test lists; empty if no list has it. `None` in lists.
    pub category_code: Option<String>,
}
