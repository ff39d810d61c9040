//! `psiphon` (scoring spec §7.12).

use super::context::{Context, Nettest};
use crate::error::Error;
use crate::json::{Json, Value};
use crate::python::equals_int;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "psiphon",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-015-psiphon.md",
    about: "Psiphon does not start",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let failure = tk.get("failure")?;
    let time_field = tk.field("bootstrap_time");
    let bootstrap_time = time_field.if_missing(Value::ZERO);
    let mut scores = Scores::initial();
    if !failure.is_null() {
        context.fired("Psiphon fails", "blocking_general", &[&failure]);
        scores.set("accuracy", 1.0);
        scores.block(1.0);
    } else if equals_int(bootstrap_time, 0) {
        context.fired("no failure, but no bootstrap time either", "accuracy", &[&failure, &time_field]);
        scores.inaccurate();
    } else {
        scores.set("accuracy", 1.0);
    }
    let resolver = context.field("resolver_ip");
    if resolver.is_missing() {
        context.fired("the address of the resolver is missing", "accuracy", &[&resolver]);
        scores.inaccurate();
    }
    let runtime = context.field("test_runtime").value();
    let extra = [("test_runtime", runtime.to_json()), ("bootstrap_time", bootstrap_time.to_json())];
    scores.set("extra", Json::object(extra));
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_with};

    const RESOLVER: (&str, &str) = ("resolver_ip", "null");

    #[test]
    fn without_resolver() {
        let check = |keys: &str, expected| check("psiphon", keys, expected);
        check(r#"{"failure":"x"}"#, r#"1.0,"accuracy":0.0,"extra":{"test_runtime":null,"bootstrap_time":0}}"#);
        check(r#"{"bootstrap_time":5}"#, r#"0.0,"accuracy":0.0,"extra":{"test_runtime":null,"bootstrap_time":5}}"#);
        for keys in ["", "{}", r#"{"failure":null}"#] {
            check(keys, r#"0.0,"accuracy":0.0,"extra":{"test_runtime":null,"bootstrap_time":0}}"#);
        }
        check("[]", "E-TYPE");
    }

    #[test]
    fn with_resolver() {
        for time in ["0", "0.0", "false", "-0.0"] {
            let keys = format!(r#"{{"bootstrap_time":{time}}}"#);
            let expected = format!(r#"0.0,"accuracy":0.0,"extra":{{"test_runtime":null,"bootstrap_time":{time}}}}}"#);
            check_with("psiphon", &keys, &[RESOLVER], &expected);
        }
        for time in ["5", "null", "true", r#""0""#, "[]", "NaN"] {
            let keys = format!(r#"{{"failure":null,"bootstrap_time":{time}}}"#);
            let expected = format!(r#"0.0,"accuracy":1.0,"extra":{{"test_runtime":1.5,"bootstrap_time":{time}}}}}"#);
            check_with("psiphon", &keys, &[RESOLVER, ("test_runtime", "1.5")], &expected);
        }
        for failure in [r#""x""#, r#""""#, "false", "0", "[]"] {
            let keys = format!(r#"{{"failure":{failure},"bootstrap_time":0}}"#);
            let expected = r#"1.0,"accuracy":1.0,"extra":{"test_runtime":null,"bootstrap_time":0}}"#;
            check_with("psiphon", &keys, &[RESOLVER], expected);
        }
    }
}
