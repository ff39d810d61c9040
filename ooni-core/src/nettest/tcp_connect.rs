//! `tcp_connect` (scoring spec §7.9).

use super::context::{Context, Nettest};
use crate::error::{Code, Error};
use crate::python::is_truthy;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "tcp_connect",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-008-tcp-connect.md",
    about: "No TCP connection to the endpoint can be established",
    score,
};

/// Failures that may also mean that the server is down.
const COMMON: [&str; 4] = ["generic_timeout_error", "connection_refused_error", "connect_error", "tcp_timed_out_error"];

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let input = context.field("input").required()?;
    if !is_truthy(input) {
        return Err(Error::new(Code::Assert, input.path(), "expected an input"));
    }
    let connection = context.test_keys().get("connection")?;
    let value = connection.value();
    let mut scores = Scores::initial();
    if value.is_text("success") {
        return Ok(scores);
    }
    if COMMON.iter().any(|failure| value.is_text(failure)) {
        context.fired("the connection fails in a way that may not be blocking", "blocking_general", &[&connection]);
        scores.block(0.8);
    } else {
        context.fired("the connection fails", "blocking_general", &[&connection]);
        scores.block(1.0);
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_with};

    use super::COMMON;

    #[test]
    fn rows() {
        let check = |keys: &str, expected| check("tcp_connect", keys, expected);
        check(r#"{"connection":"success"}"#, "0.0}");
        for failure in COMMON {
            check(&format!(r#"{{"connection":"{failure}"}}"#), "0.8}");
        }
        for keys in [
            "",
            "{}",
            r#"{"connection":null}"#,
            r#"{"connection":"x"}"#,
            r#"{"connection":""}"#,
            r#"{"connection":["success"]}"#,
        ] {
            check(keys, "1.0}");
        }
        check("[]", "E-TYPE");
    }

    #[test]
    fn input() {
        let input = |value, keys, expected| check_with("tcp_connect", keys, &[("input", value)], expected);
        input("", "[]", "E-KEY");
        for falsy in ["null", r#""""#, "0", "[]"] {
            input(falsy, "[]", "E-ASSERT");
        }
        input("[0]", "[]", "E-TYPE");
        input("[0]", r#"{"connection":"success"}"#, "0.0}");
    }
}
