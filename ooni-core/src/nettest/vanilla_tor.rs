//! `vanilla_tor` (scoring spec §7.6).

use super::context::{Context, Nettest};
use super::shared::object;
use crate::error::Error;
use crate::json::Value;
use crate::python::{contains, is_truthy, to_float};
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "vanilla_tor",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-016-vanilla-tor.md",
    about: "Tor does not start completely",
    score,
};

const DONE: [&str; 2] = ["Bootstrapped 100%: Done", "Bootstrapped 100% (done): Done"];

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = object(context.test_keys())?;
    let (logs, old_log) = (tk.field("tor_logs"), tk.field("tor_log"));
    let log = if is_truthy(logs.value()) { logs } else { old_log };
    if log.is_null() {
        context.fired("Tor's log is missing", "accuracy", &[&logs, &old_log]);
        return Ok(Scores::failed());
    }
    let mut scores = Scores::initial();
    if is_done(log.value())? {
        return Ok(scores);
    }
    let progress_field = tk.field("tor_progress");
    let progress = clamped(to_float(progress_field.if_missing(Value::ZERO))?);
    if progress != 100.0 {
        context.fired("Tor has not started completely", "blocking_general", &[&log, &progress_field]);
        scores.block(1.0 - progress * 0.004);
    }
    Ok(scores)
}

fn is_done(log: Value<'_>) -> Result<bool, Error> {
    Ok(contains(log, DONE[0])? || contains(log, DONE[1])?)
}

/// Between 0 and 100; 0 if it is not a number.
fn clamped(progress: f64) -> f64 {
    if progress > 0.0 { progress.min(100.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn logs() {
        let check = |keys: &str, expected| check("vanilla_tor", keys, expected);
        for none in ["", "{}", r#"{"tor_logs":"","tor_progress":"33.3"}"#, r#"{"tor_logs":[],"tor_log":null}"#] {
            check(none, r#"0.0,"accuracy":0.0}"#);
        }
        for done in [
            r#"{"tor_logs":"x Bootstrapped 100%: Done\n"}"#,
            r#"{"tor_log":"Bootstrapped 100% (done): Done"}"#,
            r#"{"tor_logs":["x","Bootstrapped 100%: Done"]}"#,
            r#"{"tor_log":{"Bootstrapped 100%: Done":0},"tor_progress":null}"#,
        ] {
            check(done, "0.0}");
        }
        check(r#"{"tor_logs":["x Bootstrapped 100%: Done"]}"#, "1.0}");
        check(r#"{"tor_log":""}"#, "1.0}");
        check(r#"{"tor_logs":"x","tor_log":"Bootstrapped 100%: Done"}"#, "1.0}");
        for wrong in [r#"{"tor_log":false}"#, r#"{"tor_log":0}"#, r#"{"tor_logs":5}"#, r#"{"tor_logs":true}"#, "[]"] {
            check(wrong, "E-TYPE");
        }
    }

    #[test]
    fn progress() {
        for (progress, expected) in [
            ("5", "0.98}"),
            ("80", "0.6799999999999999}"),
            ("0", "1.0}"),
            ("-7", "1.0}"),
            ("NaN", "1.0}"),
            ("true", "0.996}"),
            ("99.5", "0.602}"),
            ("100", "0.0}"),
            ("100.0", "0.0}"),
            ("1000", "0.0}"),
            ("Infinity", "0.0}"),
            (r#"" 33.3 ""#, "0.8668}"),
            (r#""1e400""#, "0.0}"),
            (r#""nan""#, "1.0}"),
            ("null", "E-TYPE"),
            ("[]", "E-TYPE"),
            ("{}", "E-TYPE"),
            (r#""""#, "E-VALUE"),
            (r#""5%""#, "E-VALUE"),
        ] {
            check("vanilla_tor", &format!(r#"{{"tor_log":"x","tor_progress":{progress}}}"#), expected);
        }
        let huge = "9".repeat(400);
        check("vanilla_tor", &format!(r#"{{"tor_log":"x","tor_progress":{huge}}}"#), "E-VALUE");
    }
}
