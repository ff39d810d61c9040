//! `stunreachability` (scoring spec §7.17).

use super::context::{Context, Nettest};
use crate::error::Error;
use crate::json::Json;
use crate::python::is_truthy;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "stunreachability",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-025-stun-reachability.md",
    about: "The STUN endpoint cannot be reached",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let mut extra = vec![(b"endpoint".to_vec(), tk.get("endpoint")?.value().to_json())];
    let failure = tk.field("failure");
    let mut scores = Scores::initial();
    if is_truthy(failure.value()) {
        context.fired("the exchange with the endpoint fails", "blocking_general", &[&failure]);
        scores.block(1.0);
        extra.push((b"failure".to_vec(), failure.value().to_json()));
    }
    scores.set("extra", Json::Object(extra));
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn rows() {
        let check = |keys: &str, expected| check("stunreachability", keys, expected);
        check(r#"{"endpoint":"s:1","failure":"x"}"#, r#"1.0,"extra":{"endpoint":"s:1","failure":"x"}}"#);
        check(r#"{"failure":[0]}"#, r#"1.0,"extra":{"endpoint":null,"failure":[0]}}"#);
        check(r#"{"endpoint":"s:1","failure":null}"#, r#"0.0,"extra":{"endpoint":"s:1"}}"#);
        check(r#"{"endpoint":1.50,"failure":""}"#, r#"0.0,"extra":{"endpoint":1.5}}"#);
        check("", r#"0.0,"extra":{"endpoint":null}}"#);
        check("[]", "E-TYPE");
    }
}
