//! `signal` (scoring spec §7.16).

use super::context::{Context, Nettest};
use super::shared::object;
use crate::error::Error;
use crate::json::{Field, Json, Value};
use crate::python::is_truthy;
use crate::scores::Scores;
use crate::time::DateTime;
use crate::trace::HasPath;
use crate::version::Version;
use std::cmp::Ordering;

pub(super) const NETTEST: Nettest = Nettest {
    name: "signal",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-029-signal.md",
    about: "Signal's servers cannot be reached",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = object(context.test_keys())?;
    let mut scores = Scores::initial();
    for field in [tk.field("failed_operation"), tk.field("failure")] {
        // Missing counts as failed.
        if is_truthy(field.if_missing(Value::TRUE)) {
            context.fired("an operation of the test failed", "accuracy", &[&field]);
            scores.inaccurate();
        }
    }
    if !is_probe_valid(context) {
        scores.inaccurate();
        return Ok(scores);
    }
    let status = tk.field("signal_backend_status");
    if status.value().is_text("blocked") {
        context.fired("the probe reports that Signal is blocked", "blocking_general", &[&status]);
        scores.block(1.0);
        let failure = tk.field("signal_backend_failure").value();
        scores.set("analysis", Json::object([("signal_backend_failure", failure.to_json())]));
    } else if !status.value().is_text("ok") {
        context.fired("the status is neither ok nor blocked", "accuracy", &[&status]);
        scores.inaccurate();
    }
    Ok(scores)
}

/// Whether the probe's certificates and addresses were valid at the time of the measurement (steps 2 to 7).
///
/// Any error, even a wrong kind, gives false: the reference catches every exception here.
fn is_probe_valid(context: &Context<'_>) -> bool {
    let invalid = |rule, places: &[&dyn HasPath]| {
        context.fired(rule, "accuracy", places);
        false
    };
    let start = context.field("measurement_start_time");
    let Some(time) = start.value().text().and_then(|text| DateTime::parse(&text)) else {
        return invalid("the start time cannot be read", &[&start]);
    };
    let test = context.field("test_version");
    // As text: 0.2.4.0 and v0.2.4 pass.
    if test.value().is_text("0.2.4") {
        return invalid("version 0.2.4 of the test is broken", &[&test]);
    }
    let Some(test_version) = version(test) else {
        return invalid("the version of the test cannot be read", &[&test]);
    };
    if test_version.cmp_release(&[0, 2, 3]) != Ordering::Greater && is_since(time, 2023, 11, 7) {
        return invalid("the version of the test is too old for the date", &[&test, &start]);
    }
    if test_version.cmp_release(&[0, 2, 2]) == Ordering::Less && is_since(time, 2022, 10, 19) {
        return invalid("the version of the test is too old for the date", &[&test, &start]);
    }
    let annotations = context.field("annotations");
    let Ok(engine) = annotations.if_null(Value::EMPTY_OBJECT).get("engine_version") else {
        return invalid("the annotations are not an object", &[&annotations]);
    };
    let place = if annotations.is_null() { annotations } else { engine };
    let Some(engine_version) = version(engine) else {
        return invalid("the version of the engine cannot be read", &[&place]);
    };
    if engine_version.cmp_release(&[3, 17, 2]) == Ordering::Less && is_since(time, 2023, 5, 2) {
        return invalid("the version of the engine is too old for the date", &[&place, &start]);
    }
    true
}

/// The version in a field, 0.0.0 when missing or null; `None` if it is invalid.
fn version(field: Field<'_>) -> Option<Version> {
    if field.is_null() {
        return Version::parse(b"0.0.0");
    }
    Version::parse(&field.value().text()?)
}

/// Whether `time` is on that day or later.
fn is_since(time: DateTime, year: u16, month: u8, day: u8) -> bool {
    DateTime::new(year, month, day, 0, 0, 0).is_some_and(|midnight| time >= midnight)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_with};

    const FAILED: &str = r#"0.0,"accuracy":0.0}"#;
    const GOOD: &str = r#"{"failed_operation":null,"failure":null,"signal_backend_status":"ok"}"#;

    /// A good measurement with these fields changed.
    fn with(changes: &[(&str, &str)], expected: &str) {
        check_with("signal", GOOD, changes, expected);
    }

    #[test]
    fn status() {
        let check = |keys: &str, expected| check("signal", keys, expected);
        let blocked = r#"1.0,"accuracy":0.0,"analysis":{"signal_backend_failure":null}}"#;
        check(r#"{"signal_backend_status":"blocked"}"#, blocked);
        check(GOOD, "0.0}");
        let blocked = r#""failed_operation":null,"failure":null,"signal_backend_status":"blocked""#;
        check(
            &format!(r#"{{{blocked},"signal_backend_failure":"eof"}}"#),
            r#"1.0,"analysis":{"signal_backend_failure":"eof"}}"#,
        );
        for status in ["null", r#""x""#, r#""OK""#, "true", r#"["ok"]"#] {
            let keys = format!(r#"{{"failed_operation":"","failure":false,"signal_backend_status":{status}}}"#);
            check(&keys, FAILED);
        }
        for keys in ["", "{}", r#"{"signal_backend_status":"ok"}"#] {
            check(keys, FAILED);
        }
        check(r#"{"failed_operation":"connect","failure":null,"signal_backend_status":"ok"}"#, FAILED);
        check(r#"{"failure":null,"signal_backend_status":"ok"}"#, FAILED);
        check(r#"{"failed_operation":null,"signal_backend_status":"ok"}"#, FAILED);
        check("[]", "E-TYPE");
        check(r#""x""#, "E-TYPE");
    }

    #[test]
    fn versions_of_the_test() {
        for version in [
            r#""0.2.4""#,
            r#""0.2.3""#,
            r#""0.2.3-alpha""#,
            r#""0.0.1""#,
            r#""""#,
            r#""x""#,
            r#""0.2.x""#,
            "5",
            "[]",
            "",
            "null",
        ] {
            with(&[("test_version", version)], FAILED);
        }
        for version in [
            r#""0.2.4.0""#,
            r#""v0.2.4""#,
            r#""0.2.3.1""#,
            r#""0.2.3-1""#,
            r#""0.2.3+a""#,
            r#""0.2.5-beta""#,
            r#""1!0""#,
        ] {
            with(&[("test_version", version)], "0.0}");
        }
    }

    #[test]
    fn dates() {
        let at = |time, version, expected: &str| {
            with(&[("measurement_start_time", time), ("test_version", version)], expected);
        };
        at(r#""2023-11-06 23:59:59""#, r#""0.2.3""#, "0.0}");
        at(r#""2023-11-07 00:00:00""#, r#""0.2.3""#, FAILED);
        at(r#""2022-10-18 23:59:59""#, r#""0.2.1""#, "0.0}");
        at(r#""2022-10-19 00:00:00""#, r#""0.2.1""#, FAILED);
        at(r#""2022-10-19 00:00:00""#, r#""0.2.2""#, "0.0}");
        at(r#""2022-10-19 00:00:00""#, r#""0.2.2-rc1""#, FAILED);
        at(r#""2022-1-2  3:4:5""#, "", "0.0}");
        at(r#""2022-1-2 3:4:5""#, r#""0.2.4""#, FAILED);
        at(r#""2022-1-2 3:4:5""#, r#""x""#, FAILED);
        for time in [
            "",
            "null",
            "5",
            r#""""#,
            r#""2022-01-02T03:04:05""#,
            r#""2022-02-30 03:04:05""#,
            r#""2022-01-02 03:04:60""#,
        ] {
            at(time, r#""0.5.0""#, FAILED);
        }
    }

    #[test]
    fn versions_of_the_engine() {
        let at = |time, annotations, expected: &str| {
            with(&[("measurement_start_time", time), ("annotations", annotations)], expected);
        };
        let (before, after) = (r#""2023-05-01 23:59:59""#, r#""2023-05-02 00:00:00""#);
        for old in [
            r#"{"engine_version":"3.17.2-alpha"}"#,
            r#"{"engine_version":null}"#,
            "{}",
            "null",
            "",
            r#"{"engine_version":"3.9"}"#,
        ] {
            at(before, old, "0.0}");
            at(after, old, FAILED);
        }
        for new in
            [r#"{"engine_version":"3.17.2"}"#, r#"{"engine_version":"3.17.2-1"}"#, r#"{"engine_version":"3.100"}"#]
        {
            at(after, new, "0.0}");
        }
        for wrong in [
            r#"{"engine_version":"3.17.2-dirty"}"#,
            r#"{"engine_version":5}"#,
            r#"{"engine_version":""}"#,
            "[]",
            r#""x""#,
            "5",
        ] {
            at(before, wrong, FAILED);
        }
    }

    #[test]
    fn old_probes_are_not_scored() {
        let keys = r#"{"failed_operation":null,"failure":null,"signal_backend_status":"blocked"}"#;
        check_with("signal", keys, &[("test_version", r#""0.2.4""#)], FAILED);
    }
}
