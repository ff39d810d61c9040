//! `dash` (scoring spec §7.10).

use super::context::{Context, Nettest};
use super::shared::object;
use crate::error::Error;
use crate::json::Value;
use crate::python::contains;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "dash",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-021-dash.md",
    about: "Nothing: a test of streaming performance, which detects failures but not blocking",
    score,
};

/// Failures of the network or the server, not of the probe.
const NETWORK: [&str; 9] = [
    "connection_aborted",
    "json_parse_error",
    "eof_error",
    "json_processing_error",
    "http_request_failed",
    "connect_error",
    "generic_timeout_error",
    "broken_pipe",
    "connection_refused",
];

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = object(context.test_keys())?;
    if tk.count() == 0 {
        context.fired("there are no test keys", "accuracy", &[&context.field("test_keys")]);
        return Ok(Scores::failed());
    }
    let failure = tk.field("failure");
    let mut scores = Scores::initial();
    if failure.is_null() {
        return Ok(scores);
    }
    if is_network_failure(failure.value())? {
        context.fired("a network failure, which is a weak sign of blocking", "blocking_general", &[&failure]);
        context.fired("the download failed", "accuracy", &[&failure]);
        scores.block(0.1);
    } else {
        context.fired("the probe failed", "accuracy", &[&failure]);
        scores.set("msg", "Probe error");
    }
    scores.inaccurate();
    Ok(scores)
}

fn is_network_failure(failure: Value<'_>) -> Result<bool, Error> {
    // Booleans and numbers are an error only in `contains`.
    Ok(NETWORK.iter().any(|text| failure.is_text(text)) || contains(failure, "ssl_error")?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    use super::NETWORK;

    #[test]
    fn rows() {
        let check = |keys: &str, expected| check("dash", keys, expected);
        for keys in ["{}", "null", ""] {
            check(keys, r#"0.0,"accuracy":0.0}"#);
        }
        check(r#"{"x":1}"#, "0.0}");
        check(r#"{"failure":null}"#, "0.0}");
        for failure in NETWORK {
            check(&format!(r#"{{"failure":"{failure}"}}"#), r#"0.1,"accuracy":0.0}"#);
        }
        for failure in [r#""my ssl_error: x""#, r#"["a","ssl_error"]"#, r#"{"ssl_error":0}"#] {
            check(&format!(r#"{{"failure":{failure}}}"#), r#"0.1,"accuracy":0.0}"#);
        }
        for failure in [r#""boo""#, r#""""#, r#""eof_error ""#, r#"["ssl_error: x"]"#, r#"["eof_error"]"#, "{}", "[]"] {
            check(&format!(r#"{{"failure":{failure}}}"#), r#"0.0,"msg":"Probe error","accuracy":0.0}"#);
        }
        for keys in [r#"{"failure":true}"#, r#"{"failure":false}"#, r#"{"failure":0}"#, r#"{"failure":1.5}"#, "[]", "5"]
        {
            check(keys, "E-TYPE");
        }
    }
}
