//! One measurement of a list, as JSON and as CSV.

use crate::csv;
use crate::search::form;
use ooni_core::time::DateTime;
use ooni_store::query::list::MeasurementSummary;
use serde::Serialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;

/// The columns, in the order of CSV.
pub(super) const COLUMNS: [&str; 13] = [
    "measurement_uid",
    "measurement_url",
    "report_id",
    "probe_cc",
    "probe_asn",
    "test_name",
    "measurement_start_time",
    "input",
    "anomaly",
    "confirmed",
    "failure",
    "verification_status",
    "scores",
];

/// A measurement of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedMeasurement<'r> {
    /// Id of the measurement.
    #[schema(example = "20250701000000.181572_IT_webconnectivity_7888edc7748936bf")]
    measurement_uid: &'r str,
    /// Where its body is.
    #[schema(
        example = "https://api.ooni.org/api/v1/raw_measurement?measurement_uid=20250701000000.181572_IT_webconnectivity_7888edc7748936bf"
    )]
    measurement_url: String,
    /// Id of its report.
    #[schema(example = "20250701T000000Z_webconnectivity_IT_3269_n1_8swgXi7xNuRUyO9a")]
    report_id: &'r str,
    /// Country of the probe.
    #[schema(example = "IT")]
    probe_cc: &'r str,
    /// Network of the probe.
    #[schema(example = "AS3269")]
    probe_asn: String,
    /// The test.
    #[schema(example = "web_connectivity")]
    test_name: &'r str,
    /// Start of the measurement.
    #[schema(example = "2025-07-01T00:00:00.000000Z", format = DateTime)]
    measurement_start_time: String,
    /// What was measured, such as a URL.
    #[schema(example = "https://www.example.com/", required = true)]
    input: Option<&'r str>,
    /// Interference is suspected.
    anomaly: bool,
    /// A blocking fingerprint matched.
    confirmed: bool,
    /// The measurement failed.
    failure: bool,
    /// Whether its anonymous credential was checked: `verified`, `failed` or `unverified`.
    #[schema(example = "unverified")]
    verification_status: &'static str,
    /// Scores, which depend on the test.
    // They are appended as they are stored.
    #[serde(skip_serializing_if = "appended")]
    #[schema(required = true, value_type = Object, example = json!({"blocking_general": 1.0, "blocking_local": 0.0}))]
    scores: &'r str,
}

fn appended(_: &&str) -> bool {
    true
}

impl<'r> ListedMeasurement<'r> {
    /// `base_url` is the URL of the server.
    pub(super) fn new(row: &'r MeasurementSummary, base_url: &str) -> ListedMeasurement<'r> {
        let uid = &row.measurement_uid;
        ListedMeasurement {
            measurement_uid: uid,
            measurement_url: format!("{base_url}/api/v1/raw_measurement?measurement_uid={}", form(uid)),
            report_id: &row.report_id,
            probe_cc: &row.probe_cc,
            probe_asn: format!("AS{}", row.probe_asn),
            test_name: &row.test_name,
            measurement_start_time: microseconds(row.measurement_start_time),
            input: Some(&*row.input).filter(|input| !input.is_empty()),
            anomaly: row.anomaly,
            confirmed: row.confirmed,
            failure: row.failure,
            verification_status: verification_status(&row.is_verified),
            scores: object(&row.scores),
        }
    }

    /// Appends it as an object, on one line.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let start = out.len();
        match serde_json::to_writer(&mut *out, self) {
            Ok(()) => {
                out.pop(); // the closing brace
                out.extend_from_slice(b",\"scores\":");
                // JSON has line breaks between its parts only.
                out.extend(self.scores.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
                out.push(b'}');
            }
            // A vector and these fields have no errors of their own.
            Err(_) => out.truncate(start),
        }
    }

    /// Appends it as a line of CSV.
    pub(super) fn write_csv(&self, out: &mut Vec<u8>) {
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let fields: [&str; COLUMNS.len()] = [
            self.measurement_uid,
            &self.measurement_url,
            self.report_id,
            self.probe_cc,
            &self.probe_asn,
            self.test_name,
            &self.measurement_start_time,
            self.input.unwrap_or_default(),
            flag(self.anomaly),
            flag(self.confirmed),
            flag(self.failure),
            self.verification_status,
            self.scores,
        ];
        for (number, field) in fields.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            out.extend_from_slice(csv::field(field).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// A time with microseconds, which rows do not have.
fn microseconds(time: DateTime) -> String {
    format!("{}.000000Z", time.to_string().replace(' ', "T"))
}

/// What `is_verified` of a row means.
pub(in super::super) fn verification_status(is_verified: &str) -> &'static str {
    match is_verified {
        "t" => "verified",
        "f" => "failed",
        _ => "unverified",
    }
}

/// The text if it is a JSON object; otherwise an empty one.
fn object(text: &str) -> &str {
    let is_object = text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
    if is_object { text } else { "{}" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn row() -> MeasurementSummary {
        let time = DateTime::new(2025, 7, 1, 0, 0, 9).unwrap();
        MeasurementSummary {
            measurement_uid: "20250701000009.181572_IT_ndt_7888edc7748936bf".to_owned(),
            report_id: "20250701T000000Z_ndt_IT_3269_n1_8swgXi7xNuRUyO9a".to_owned(),
            input: String::new(),
            probe_cc: "IT".to_owned(),
            probe_asn: 3269,
            test_name: "ndt".to_owned(),
            test_start_time: time,
            measurement_start_time: time,
            scores: "{ \"a\" : 1.0,\n \"b\": \"\\n,\" }".to_owned(),
            anomaly: true,
            confirmed: false,
            failure: false,
            is_verified: "t".to_owned(),
            ruleset: String::new(),
            fingerprints_sha256: String::new(),
            body_sha256: String::new(),
            category_code: None,
        }
    }

    fn written(row: &MeasurementSummary, write: impl Fn(&ListedMeasurement<'_>, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&ListedMeasurement::new(row, "https://api.ooni.org"), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_have_all_columns() {
        let text = written(&row(), |row, out| row.write_json(out));
        assert!(!text.contains('\n') && text.ends_with(r#","scores":{ "a" : 1.0, "b": "\n," }}"#), "{text}");
        let object: Value = serde_json::from_str(&text).unwrap();
        for column in COLUMNS {
            assert!(object.get(column).is_some(), "{column}");
        }
        assert_eq!(object.as_object().unwrap().len(), COLUMNS.len());
        assert_eq!(object["measurement_start_time"], "2025-07-01T00:00:09.000000Z");
        assert_eq!((&object["input"], &object["verification_status"]), (&Value::Null, &json!("verified")));
        let csv = written(&row(), |row, out| row.write_csv(out));
        assert!(
            csv.ends_with(",,true,false,false,verified,\"{ \"\"a\"\" : 1.0,\n \"\"b\"\": \"\"\\n,\"\" }\"\r\n"),
            "{csv}"
        );
    }

    #[test]
    fn scores_that_are_not_an_object_are_left_out() {
        for scores in ["", "null", "[1]", "{", "{\"a\": NaN}", "{}}", "\0", "{\"a\":1} x"] {
            let row = MeasurementSummary { scores: scores.to_owned(), ..row() };
            let object: Value = serde_json::from_str(&written(&row, |row, out| row.write_json(out))).unwrap();
            assert_eq!(object["scores"], json!({}), "{scores}");
        }
    }
}
