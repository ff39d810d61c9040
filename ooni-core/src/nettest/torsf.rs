//! `torsf` (scoring spec §7.18).

use super::context::{Context, Nettest};
use crate::error::Error;
use crate::json::Json;
use crate::python::is_truthy;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "torsf",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-030-torsf.md",
    about: "Tor does not start over Snowflake",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    if is_broken_probe(context)? {
        return Ok(Scores::failed());
    }
    let tk = context.test_keys();
    let failure = tk.get("failure")?;
    let mut scores = Scores::initial();
    if is_truthy(failure.value()) {
        context.fired("Tor does not start", "blocking_general", &[&failure]);
        scores.block(1.0);
        return Ok(scores);
    }
    let bootstrap_time = tk.field("bootstrap_time").value();
    let runtime = context.field("test_runtime").value();
    let extra = [("bootstrap_time", bootstrap_time.to_json()), ("test_runtime", runtime.to_json())];
    scores.set("extra", Json::object(extra));
    Ok(scores)
}

/// Version 3.8.3 of the probe for Android has a broken Snowflake.
fn is_broken_probe(context: &Context<'_>) -> Result<bool, Error> {
    let version = context.field("software_version");
    let name = context.field("software_name");
    // The name is read only for this version: with other versions it may be of any kind.
    if !version.value().is_text("3.8.3") || name.is_missing() {
        return Ok(false);
    }
    let text = name.value().text().ok_or_else(|| name.value().wrong_kind("a string"))?;
    let broken = text.starts_with(b"ooniprobe-android");
    if broken {
        context.fired("this version of the probe is broken", "accuracy", &[&version, &name]);
    }
    Ok(broken)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_with};

    const VERSION: (&str, &str) = ("software_version", r#""3.8.3""#);

    #[test]
    fn rows() {
        let check = |keys: &str, expected| check("torsf", keys, expected);
        check(r#"{"failure":"x","bootstrap_time":5}"#, "1.0}");
        check(r#"{"failure":[null]}"#, "1.0}");
        let good = r#"0.0,"extra":{"bootstrap_time":5.5,"test_runtime":null}}"#;
        check(r#"{"failure":null,"bootstrap_time":5.5}"#, good);
        check(r#"{"failure":"","bootstrap_time":5.5}"#, good);
        check("", r#"0.0,"extra":{"bootstrap_time":null,"test_runtime":null}}"#);
        check("[]", "E-TYPE");
    }

    #[test]
    fn broken_probe() {
        let named = |version, name, expected| {
            let changes = [("software_version", version), ("software_name", name)];
            check_with("torsf", r#"{"failure":"x"}"#, &changes, expected);
        };
        named(VERSION.1, r#""ooniprobe-android""#, r#"0.0,"accuracy":0.0}"#);
        named(VERSION.1, r#""ooniprobe-android-unattended""#, r#"0.0,"accuracy":0.0}"#);
        named(VERSION.1, r#""ooniprobe-ios""#, "1.0}");
        named(VERSION.1, "", "1.0}");
        named(r#""3.8.30""#, r#""ooniprobe-android""#, "1.0}");
        named("", r#""ooniprobe-android""#, "1.0}");
        named(VERSION.1, "null", "E-TYPE");
        named(VERSION.1, "[]", "E-TYPE");
        named("383", "[]", "1.0}");
        let android = ("software_name", r#""ooniprobe-android""#);
        check_with("torsf", "[]", &[VERSION, android], r#"0.0,"accuracy":0.0}"#);
    }
}
