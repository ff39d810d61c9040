//! Measurements that contradict what they came with: the report id of the request, or the address of the probe
//! (API spec §16, 22). They are stored, and recorded in `faulty_measurements`.

use crate::intake::{Record, Route};
use ooni_core::json::Json;
use ooni_core::row::FastpathRow;
use ooni_store::app::row::FaultyMeasurement;
use serde_json::json;

/// The contradictions of a measurement.
pub(crate) fn faults(record: &Record, row: &FastpathRow) -> Vec<FaultyMeasurement> {
    let claimed = Claim::of(row);
    let mut faults = Vec::new();
    if record.route == Route::Report
        && let Some(wrong) = claimed.differs_from_report_id(&record.key_report_id)
    {
        let details = json!({
            "measurement_uid": record.uid,
            "report_id": record.key_report_id,
            "mismatch": wrong,
            "submission_cc": claimed.cc,
            "submission_asn": claimed.asn,
        });
        faults.push(fault(record, "report_id", &claimed.cc, claimed.asn, details));
    }
    if let Some(geo) = &record.side.geo {
        let cc_differs = geo.cc != "ZZ" && !geo.cc.eq_ignore_ascii_case(&claimed.cc);
        let asn_differs = geo.asn != 0 && geo.asn != claimed.asn;
        if cc_differs || asn_differs {
            let details = json!({
                "measurement_uid": record.uid,
                "submission_cc": claimed.cc,
                "submission_asn": claimed.asn,
                "software_name": text(&row.software_name),
                "software_version": text(&row.software_version),
                "platform": text(&row.platform),
            });
            faults.push(fault(record, "geoip", &geo.cc, geo.asn, details));
        }
    }
    faults
}

/// Country, network and test that a measurement names.
struct Claim {
    cc: String,
    asn: u32,
    test: String,
}

impl Claim {
    fn of(row: &FastpathRow) -> Claim {
        let asn = row.probe_asn.to_string().parse().unwrap_or(0);
        Claim { cc: text(&row.probe_cc), asn, test: text(&row.test_name) }
    }

    /// The first part of a report id that differs.
    fn differs_from_report_id(&self, report_id: &str) -> Option<&'static str> {
        let mut parts = report_id.split('_').skip(1);
        let (test, cc, asn) = (parts.next()?, parts.next()?, parts.next()?);
        if !cc.eq_ignore_ascii_case(&self.cc) {
            Some("cc")
        } else if asn.parse() != Ok(self.asn) {
            Some("asn")
        } else if test != self.test.replace('_', "") {
            Some("test_name")
        } else {
            None
        }
    }
}

fn fault(record: &Record, kind: &str, cc: &str, asn: u32, details: serde_json::Value) -> FaultyMeasurement {
    FaultyMeasurement {
        ts: record.received.date_time().to_string(),
        kind: kind.to_owned(),
        uid: record.uid.clone(),
        probe_cc: cc.to_owned(),
        probe_asn: asn,
        details: details.to_string(),
    }
}

/// A text of a probe; empty for other values. Its length is bounded, as it is kept beside the row.
fn text(value: &Json) -> String {
    let text = value.as_str().unwrap_or_default();
    text[..text.floor_char_boundary(200)].to_owned()
}
