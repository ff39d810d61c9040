//! Side records: a value in one has the effect of the same value in the body.

use crate::support::edit::{at, replace};
use crate::support::{FULL, fixtures, text};
use ooni_core::explain::{explain, explain_with};
use ooni_core::json::{Json, Reader};
use ooni_core::measurement::{IsVerified, SideRecord};
use ooni_core::process::{Discard, Outcome, process, process_with};
use ooni_core::rules::Rules;

const RULES: [Rules; 2] = [Rules::Compat, Rules::Fixed];

const UID: &str = "20240102030410.000000_IT_whatsapp_0123456789abcdef";

/// A report ID that JSON text must escape.
const ODD: &str = "a\"b\\u0041/é\u{1f600}\n";

fn side(report_id: Option<&str>, is_verified: Option<IsVerified>) -> SideRecord<'_> {
    SideRecord { report_id: report_id.map(Into::into), is_verified }
}

/// The outcomes of a body with a side record, by both rules.
fn outcomes(body: &str, side: &SideRecord<'_>) -> [Outcome; 2] {
    RULES.map(|rules| process_with(body.as_bytes(), UID, side, &FULL, rules))
}

/// Checks that a body with a side record has the outcome and the explanation of `edited`.
#[track_caller]
fn check_same(body: &str, side: &SideRecord<'_>, edited: &str, uid: &str) {
    for rules in RULES {
        let outcome = process_with(body.as_bytes(), uid, side, &FULL, rules);
        assert_eq!(outcome, process(edited.as_bytes(), uid, &FULL, rules), "{edited}");
        let explanation = explain_with(body.as_bytes(), uid, side, &FULL, rules);
        assert_eq!(explanation.outcome, outcome, "{edited}");
        assert_eq!(explanation, explain(edited.as_bytes(), uid, &FULL, rules), "{edited}");
    }
}

#[test]
fn values_have_the_effect_of_values_in_the_body() {
    let mut measurements = 0;
    for fixture in fixtures() {
        let mut reader = Reader::new();
        let Ok(document) = reader.read(&fixture.bytes) else { continue };
        let whole = document.root().to_json();
        let is_envelope = at(&whole, "/content").is_some() && at(&whole, "/format").is_some();
        let report_id = if is_envelope { "/content/report_id" } else { "/report_id" };
        let mut without = whole.clone();
        replace(&mut without, report_id, None);
        let mut edited = whole.clone();
        replace(&mut edited, report_id, Some(&Json::from(ODD)));
        replace(&mut edited, "/is_verified", Some(&Json::from("t")));
        let edited = text(&edited);
        for body in [&whole, &without] {
            check_same(&text(body), &side(Some(ODD), Some(IsVerified::Verified)), &edited, &fixture.uid);
        }
        measurements += 1;
    }
    assert!(measurements > 100);
}

#[test]
fn without_a_report_id_in_the_body() {
    let body = |report_id: &str| {
        format!(
            r#"{{{report_id}"probe_cc":"IT","probe_asn":"AS1","test_name":"dash","test_keys":{{}},
            "measurement_start_time":"2024-01-02 03:04:05","test_start_time":"2024-01-02 03:04:05"}}"#
        )
    };
    for report_id in ["", "\"report_id\":null,"] {
        for body in [body(report_id), format!(r#"{{"format":"json","content":{}}}"#, body(report_id))] {
            let discarded = Outcome::Discarded { reason: Discard::NoReportId };
            for without in [SideRecord::EMPTY, side(None, Some(IsVerified::Verified))] {
                assert_eq!(outcomes(&body, &without), [discarded.clone(), discarded.clone()]);
            }
            for outcome in outcomes(&body, &side(Some("R"), None)) {
                let Outcome::Stored { row, .. } = outcome else { panic!("{outcome:?}") };
                assert_eq!((row.report_id.as_str(), row.is_verified), (Some("R"), IsVerified::Unverified));
            }
        }
    }
    let wrong_kind = body("\"report_id\":[5],");
    for (side, accepted) in [(SideRecord::EMPTY, false), (side(Some("R"), None), true)] {
        for outcome in outcomes(&wrong_kind, &side) {
            let Outcome::Stored { row, .. } = outcome else { panic!("{outcome:?}") };
            assert_eq!(row.acceptance().is_ok(), accepted);
        }
    }
    // Other reasons to discard a measurement remain.
    let unknown = body("").replace("AS1", "AS0");
    let discarded = Outcome::Discarded { reason: Discard::UnknownNetwork };
    assert_eq!(outcomes(&unknown, &side(Some("R"), None)), [discarded.clone(), discarded]);
}

/// The rule of `whatsapp` requires a report ID.
#[test]
fn rules_read_the_replaced_report_id() {
    let body = r#"{"format":"json","content":{"report_id":"","probe_cc":"IT","probe_asn":"AS1","test_name":"whatsapp",
        "measurement_start_time":"2024-01-02 03:04:05","test_start_time":"2024-01-02 03:04:05",
        "test_keys":{"registration_server_status":"ok"}}}"#;
    assert!(outcomes(body, &SideRecord::EMPTY).iter().all(|outcome| matches!(outcome, Outcome::Rejected { .. })));
    let with = side(Some("R"), None);
    check_same(body, &with, &body.replacen(r#""report_id":"""#, r#""report_id":"R""#, 1), UID);
    assert!(outcomes(body, &with).iter().all(|outcome| matches!(outcome, Outcome::Stored { .. })));
}

#[test]
fn is_verified_of_the_envelope_is_replaced() {
    let body = r#"{"format":"json","is_verified":"t","content":{"report_id":"R","probe_cc":"IT","probe_asn":"AS1",
        "test_name":"openvpn","measurement_start_time":"2024-01-02 03:04:05","test_start_time":"2024-01-02 03:04:05"}}"#;
    let letter = |side: &SideRecord<'_>| {
        outcomes(body, side).map(|outcome| match outcome {
            Outcome::Stored { row, openvpn } => (row.is_verified.as_str(), openvpn.unwrap().report_id),
            other => panic!("{other:?}"),
        })
    };
    let both = |letter, report_id: &str| [(letter, Json::from(report_id)), (letter, Json::from(report_id))];
    assert_eq!(letter(&SideRecord::EMPTY), both("t", "R"));
    assert_eq!(letter(&side(Some("S"), None)), both("t", "S"));
    for is_verified in IsVerified::ALL {
        assert_eq!(letter(&side(None, Some(is_verified))), both(is_verified.as_str(), "R"));
        assert_eq!(IsVerified::of_letter(is_verified.as_str()), Some(is_verified));
    }
    assert_eq!(["", "T", "tt"].map(IsVerified::of_letter), [None; 3]);
}
