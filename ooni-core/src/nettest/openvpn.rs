//! `openvpn` (scoring spec §7.19).

use super::context::{Context, Nettest};
use crate::error::Error;
use crate::json::Json;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "openvpn",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-040-openvpn.md",
    about: "No handshake with the OpenVPN endpoint succeeds",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let success = context.test_keys().get("success")?;
    let mut scores = Scores::initial();
    if success.value().is_false() {
        context.fired("the handshake fails", "blocking_general", &[&success]);
        scores.block(1.0);
    } else if success.is_null() {
        context.fired("the probe does not report whether the handshake succeeds", "accuracy", &[&success]);
        scores.inaccurate();
    }
    scores.set("extra", Json::object([("test_runtime", context.field("test_runtime").value().to_json())]));
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_with};

    #[test]
    fn rows() {
        let check = |keys: &str, expected| check("openvpn", keys, expected);
        check(r#"{"success":false}"#, r#"1.0,"extra":{"test_runtime":null}}"#);
        for keys in ["", "{}", r#"{"success":null}"#] {
            check(keys, r#"0.0,"accuracy":0.0,"extra":{"test_runtime":null}}"#);
        }
        for success in ["true", "0", "0.0", r#""""#, r#""false""#, "[]"] {
            check(&format!(r#"{{"success":{success}}}"#), r#"0.0,"extra":{"test_runtime":null}}"#);
        }
        for keys in ["[]", "5", r#""success""#] {
            check(keys, "E-TYPE");
        }
        check_with(
            "openvpn",
            r#"{"success":true}"#,
            &[("test_runtime", "1e3")],
            r#"0.0,"extra":{"test_runtime":1000.0}}"#,
        );
    }
}
