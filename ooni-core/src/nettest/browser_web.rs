//! `browser_web` (scoring spec §7.20).

use super::context::{Context, Nettest};
use crate::error::Error;
use crate::json::{Json, Value};
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "browser_web",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-036-browser_web.md",
    about: "A browser could not load the page",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let result = tk.get("result")?;
    let mut scores = Scores::initial();
    if result.value().is_text("error") {
        context.fired("the browser could not load the page", "blocking_general", &[&result]);
        scores.block(1.0);
    } else if !result.value().is_text("ok") {
        context.fired("the result is neither ok nor error", "accuracy", &[&result]);
        scores.inaccurate();
    }
    let browser_name = tk.field("browser_name").if_null(Value::EMPTY_TEXT);
    let load_time = tk.field("load_time_ms").if_null(Value::ZERO);
    let extra = [("browser_name", browser_name.to_json()), ("load_time_ms", load_time.to_json())];
    scores.set("extra", Json::object(extra));
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn rows() {
        let check = |keys, expected| check("browser_web", keys, expected);
        check(r#"{"result":"error","load_time_ms":680}"#, r#"1.0,"extra":{"browser_name":"","load_time_ms":680}}"#);
        let plain = r#"0.0,"extra":{"browser_name":"firefox","load_time_ms":0}}"#;
        check(r#"{"result":"ok","browser_name":"firefox","load_time_ms":null}"#, plain);
        check(
            r#"{"result":"ok","browser_name":5,"load_time_ms":"x"}"#,
            r#"0.0,"extra":{"browser_name":5,"load_time_ms":"x"}}"#,
        );
        for keys in
            ["{}", r#"{"result":null}"#, r#"{"result":"OK"}"#, r#"{"result":1}"#, r#"{"result":["ok"]}"#, "null", ""]
        {
            check(keys, r#"0.0,"accuracy":0.0,"extra":{"browser_name":"","load_time_ms":0}}"#);
        }
        check("[]", "E-TYPE");
    }
}
