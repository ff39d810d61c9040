//! `tor` (scoring spec §7.13).

use super::context::{Context, Nettest};
use super::shared::object;
use crate::error::{Code, Error};
use crate::json::{Json, Value};
use crate::python::{contains, is_truthy};
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "tor",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-023-tor.md",
    about: "Bridges and authorities of Tor cannot be reached",
    score,
};

/// The results of the targets.
#[derive(Default)]
struct Targets {
    ok: i64,
    blocked: i64,
}

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let field = context.test_keys().get("targets")?;
    let targets = field.value();
    if !is_truthy(targets) || targets.is_array() {
        context.fired("there are no targets", "accuracy", &[&field]);
        return Ok(Scores::failed());
    }
    let Some(counts) = count(context, object(targets)?)? else {
        return Ok(Scores::failed());
    };
    let mut scores = Scores::initial();
    let tried = counts.blocked + counts.ok;
    if tried > 0 {
        scores.block(counts.blocked as f64 / tried as f64);
    } else {
        context.fired("no target was tried", "accuracy", &[&field]);
        scores.inaccurate();
    }
    scores.set("extra", Json::object([("test_runtime", context.field("test_runtime").value().to_json())]));
    Ok(scores)
}

/// Counts the targets; `None` when any is incomplete.
fn count(context: &Context<'_>, targets: Value<'_>) -> Result<Option<Targets>, Error> {
    let mut counts = Targets::default();
    for (_, target) in targets.members() {
        // A string or array may contain both words, which is an error below.
        if !contains(target, "failure")? || !contains(target, "network_events")? {
            context.clear_fired();
            context.fired("a target has no failure or no network events", "accuracy", &[&target]);
            return Ok(None);
        }
        let failure = target.get("failure")?.required()?;
        if failure.is_false() {
            continue; // not tried
        }
        if failure.is_null() {
            counts.ok += 1;
            context.fired("a target can be reached", "blocking_general", &[&failure]);
        } else if failure.is_text("") {
            return Err(Error::new(Code::Assert, failure.path(), "an empty failure"));
        } else {
            counts.blocked += 1;
            context.fired("a target cannot be reached", "blocking_general", &[&failure]);
        }
    }
    Ok(Some(counts))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_with};

    const FAILED: &str = r#"0.0,"accuracy":0.0}"#;

    /// Targets with these failures and all required fields.
    fn targets(failures: &[&str], expected: &str) {
        let targets: Vec<_> = failures
            .iter()
            .enumerate()
            .map(|(i, failure)| format!(r#""t{i}":{{"failure":{failure},"network_events":[]}}"#))
            .collect();
        check("tor", &format!(r#"{{"targets":{{{}}}}}"#, targets.join(",")), expected);
    }

    #[test]
    fn shares() {
        targets(&["null", r#""x""#, "false"], r#"0.5,"extra":{"test_runtime":null}}"#);
        targets(&["false"], r#"0.0,"accuracy":0.0,"extra":{"test_runtime":null}}"#);
        targets(&["null", "null"], r#"0.0,"extra":{"test_runtime":null}}"#);
        targets(&["0", "true", "[]", "{}"], r#"1.0,"extra":{"test_runtime":null}}"#);
        targets(&["null", r#""x""#, r#""y""#], r#"0.6666666666666666,"extra":{"test_runtime":null}}"#);
        targets(&["null", r#""""#], "E-ASSERT");
    }

    #[test]
    fn incomplete_targets() {
        let blocked = r#""a":{"failure":"x","network_events":[]}"#;
        for incomplete in
            ["{}", r#"{"failure":null}"#, r#"{"network_events":[]}"#, "[]", r#""failure""#, r#"["failure"]"#]
        {
            check("tor", &format!(r#"{{"targets":{{{blocked},"b":{incomplete},"c":5}}}}"#), FAILED);
        }
        for wrong in ["null", "true", "5", r#""failure network_events""#, r#"["failure","network_events"]"#] {
            check("tor", &format!(r#"{{"targets":{{{blocked},"b":{wrong}}}}}"#), "E-TYPE");
        }
    }

    #[test]
    fn no_targets() {
        for keys in [
            "",
            "{}",
            r#"{"targets":null}"#,
            r#"{"targets":{}}"#,
            r#"{"targets":0}"#,
            r#"{"targets":""}"#,
            r#"{"targets":[1]}"#,
        ] {
            check("tor", keys, FAILED);
        }
        for keys in [r#"{"targets":true}"#, r#"{"targets":"x"}"#, r#"{"targets":5}"#, "[]"] {
            check("tor", keys, "E-TYPE");
        }
    }

    #[test]
    fn runtime_is_copied() {
        let keys = r#"{"targets":{"a":{"failure":null,"network_events":null}}}"#;
        check_with("tor", keys, &[("test_runtime", "5")], r#"0.0,"extra":{"test_runtime":5}}"#);
    }
}
