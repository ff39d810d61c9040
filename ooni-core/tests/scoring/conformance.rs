//! Real measurements have exactly the rows of the reference; the repairs change exactly what is listed.

use crate::support::{FULL, Fixture, fixture, fixtures, json, lines, root, text};
use ooni_core::explain::explain;
use ooni_core::json::Json;
use ooni_core::process::{Discard, Outcome, process};
use ooni_core::rules::Rules;

/// The columns as written.
fn written(write: impl Fn(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_fixture_has_the_row_of_the_reference() {
    let openvpn = lines("measurements/expected_openvpn.jsonl");
    let (mut rows, mut discards, mut errors, mut openvpn_rows) = (0, 0, 0, 0);
    for fixture in fixtures() {
        let file = &fixture.file;
        match process(&fixture.bytes, &fixture.uid, &FULL, Rules::Compat) {
            Outcome::Stored { row, openvpn: openvpn_row } => {
                let expected = fixture.expected.get("row").unwrap_or_else(|| panic!("{file} has no row"));
                let ours = written(|out| row.write_json(out));
                // The exact text: kinds, precision, order of columns and of the keys of the scores.
                assert_eq!(ours, text(expected), "{file}");
                assert_eq!(row.scores.to_json_text(), text(expected.get("scores").unwrap()), "{file}");
                rows += 1;
                let expected = openvpn.iter().find(|line| line.get("file").and_then(Json::as_str) == Some(file));
                let ours = openvpn_row.map(|row| written(|out| row.write_json(out)));
                assert_eq!(ours, expected.map(|line| text(line.get("row").unwrap())), "{file}");
                openvpn_rows += usize::from(ours.is_some());
            }
            Outcome::Discarded { .. } => {
                assert_eq!(fixture.expected.get("discard"), Some(&Json::Bool(true)), "{file}");
                discards += 1;
            }
            Outcome::Rejected { error } => {
                let class = fixture.expected.get("error").and_then(Json::as_str);
                assert_eq!((class, error.code.as_str()), (Some("KeyError"), "E-KEY"), "{file}: {error}");
                errors += 1;
            }
        }
    }
    assert_eq!((rows, discards, errors, openvpn_rows), (103, 3, 5, openvpn.len()));
}

/// `fixed.jsonl` lists exactly what `fixed/1` changes on the fixtures: a file that it does not list has the same outcome
/// under both rules, and a file that it lists has another outcome because of the repairs that it names.
#[test]
fn the_repairs_change_exactly_what_is_listed() {
    let mut changed = String::new();
    for Fixture { file, uid, bytes, .. } in fixtures() {
        let explanation = explain(&bytes, &uid, &FULL, Rules::Fixed);
        let compat = process(&bytes, &uid, &FULL, Rules::Compat);
        let repairs: Vec<_> = explanation.differences.iter().map(|d| format!("\"{}\"", d.repair)).collect();
        let scores = |outcome: &Outcome| match outcome {
            Outcome::Stored { row, .. } => row.scores.to_json_text(),
            other => panic!("{file}: {other:?}"),
        };
        match &explanation.outcome {
            fixed @ Outcome::Stored { .. } if scores(fixed) != scores(&compat) => {
                let repairs = repairs.join(",");
                changed += &format!("{{\"file\":\"{file}\",\"repairs\":[{repairs}],\"scores\":{}}}\n", scores(fixed));
            }
            _ => assert!(repairs.is_empty(), "{file}: {repairs:?}"),
        }
    }
    let expected = String::from_utf8(fixture("fixed.jsonl")).unwrap();
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(root().join("ooni-core/tests/fixtures/fixed.jsonl"), &changed).unwrap();
    } else {
        assert!(changed == expected, "now:\n{changed}\nin fixed.jsonl:\n{expected}");
    }
}

/// Scores may differ from those that were published when a measurement was uploaded, but its identity may not. Times are
/// not compared, because the pipeline of 2019 converted them from the time zone of the probe.
#[test]
fn identity_fields_match_the_published_ones() {
    let published = lines("measurements/published.jsonl");
    let fixtures = fixtures();
    for answer in &published {
        let file = answer.get("file").and_then(Json::as_str).unwrap();
        let fixture = fixtures.iter().find(|fixture| fixture.file == file).unwrap();
        let Outcome::Stored { row, .. } = process(&fixture.bytes, &fixture.uid, &FULL, Rules::Fixed) else {
            panic!("{file} is not stored");
        };
        let ours = json(written(|out| row.write_json(out)).as_bytes());
        let answer = answer.get("answer").unwrap();
        for key in ["measurement_uid", "report_id", "input", "test_name", "probe_asn", "probe_cc"] {
            assert_eq!(ours.get(key), answer.get(key), "{file} {key}");
        }
    }
    assert_eq!(published.len(), 28);
}

#[test]
fn discards() {
    let outcome = |text: &str| process(text.as_bytes(), "x", &FULL, Rules::Compat);
    for (text, reason) in [
        (r#"{}"#, Discard::NoReportId),
        (r#"{"report_id":null}"#, Discard::NoReportId),
        (r#"{"format":"json","content":{}}"#, Discard::NoReportId),
        (r#"{"report_id":"","probe_cc":"zz"}"#, Discard::UnknownCountry),
        (r#"{"report_id":"R","probe_cc":"IT","probe_asn":"as0"}"#, Discard::UnknownNetwork),
        // The upper case of the long s is S.
        (r#"{"report_id":"R","probe_cc":"IT","probe_asn":"a\u017f0"}"#, Discard::UnknownNetwork),
    ] {
        assert_eq!(outcome(text), Outcome::Discarded { reason }, "{text}");
    }
    for text in [
        r#"{"report_id":"","probe_asn":"AS00"}"#,
        r#"{"report_id":"R","probe_asn":"AS 0"}"#,
        r#"{"report_id":"R","probe_cc":null}"#,
        r#"{"report_id":"R","probe_asn":5}"#,
    ] {
        assert!(matches!(outcome(text), Outcome::Rejected { .. }), "{text}");
    }
}
