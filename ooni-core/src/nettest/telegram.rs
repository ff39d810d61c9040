//! `telegram` (scoring spec §7.1).

use super::context::{Context, Nettest};
use super::shared::{ratio, tcp_counts};
use crate::error::Error;
use crate::json::{Field, Json, Value};
use crate::python;
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "telegram",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-020-telegram.md",
    about: "Telegram's access points or its web site cannot be reached",
    score,
};

const WEB: [&str; 2] = ["https://web.telegram.org/", "http://web.telegram.org/"];

/// The results of the requests.
struct Requests<'c> {
    /// The last failure of the web site, or null.
    web_failure: Value<'c>,
    ok: i64,
    bad: i64,
}

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let web_status = tk.get("telegram_web_status")?;
    let endpoints = tcp_counts(context, tk)?;
    let Some(requests) = count_requests(context, tk.field("requests"))? else {
        return Ok(Scores::failed());
    };
    if endpoints.is_empty() {
        context.fired("no endpoint was tried, which counts as half", "blocking_general", &[&tk.field("tcp_connect")]);
    }
    if requests.ok + requests.bad == 0 {
        context.fired("no access point was tried, which counts as half", "blocking_general", &[&tk.field("requests")]);
    }
    // The order of the additions affects the last digits.
    let mut blocking = ratio(endpoints.unreachable, endpoints.accessible);
    blocking += ratio(requests.bad, requests.ok);
    if web_status.value().is_text("blocked") {
        blocking += 1.0;
        context.fired("the probe reports that the web site is blocked", "blocking_general", &[&web_status]);
    }
    let mut scores = Scores::initial();
    scores.block(blocking);
    let web_failure = requests.web_failure.to_json();
    let message = (!requests.web_failure.is_null()).then(|| [b"failure: ", &*python::to_text(&web_failure)].concat());
    scores.set("web_failure", web_failure);
    scores.set("accessible_endpoints", endpoints.accessible);
    scores.set("unreachable_endpoints", endpoints.unreachable);
    scores.set("http_success_cnt", requests.ok);
    scores.set("http_failure_cnt", requests.bad);
    if let Some(message) = message {
        context.fired("the web site fails", "web_failure", &[&requests.web_failure]);
        scores.set("msg", Json::Text(message));
    }
    Ok(scores)
}

/// Counts the requests to access points. `None` when any request has no URL: the measurement failed.
fn count_requests<'c>(context: &Context<'_>, requests: Field<'c>) -> Result<Option<Requests<'c>>, Error> {
    let mut counts = Requests { web_failure: Value::NULL, ok: 0, bad: 0 };
    for request in requests.objects()? {
        let request = request?;
        let sent = request.field("request");
        // A null request is not a missing one, but an error.
        let url = match sent.found() {
            Some(sent) => sent.get("url")?.found(),
            None => None,
        };
        let Some(url) = url else {
            context.clear_fired();
            context.fired("a request has no URL", "accuracy", &[&sent]);
            return Ok(None);
        };
        let failure = request.field("failure").required()?;
        if WEB.iter().any(|web| url.is_text(web)) {
            if !failure.is_null() {
                counts.web_failure = failure;
            }
        } else if failure.is_null() {
            counts.ok += 1;
            context.fired("an access point answers over HTTP", "blocking_general", &[&failure]);
        } else {
            counts.bad += 1;
            context.fired("an access point does not answer over HTTP", "blocking_general", &[&failure]);
        }
    }
    Ok(Some(counts))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, error_of};

    const NAME: &str = "telegram";
    const FAILED: &str = r#"0.0,"accuracy":0.0}"#;

    #[test]
    fn vectors() {
        let counts = r#""web_failure":null,"accessible_endpoints":0,"unreachable_endpoints":0,"http_success_cnt":0,"http_failure_cnt":0"#;
        for keys in ["{}", "null", "", r#"{"telegram_web_status":"ok"}"#, r#"{"tcp_connect":null,"requests":{}}"#] {
            check(NAME, keys, &format!("1.0,{counts}}}"));
        }
        check(NAME, r#"{"telegram_web_status":"blocked"}"#, &format!("2.0,{counts}}}"));
        check(
            NAME,
            r#"{"telegram_web_status":"blocked",
                "tcp_connect":[{"status":{"success":true}},{"status":{"success":false}},{"status":{"success":null}}],
                "requests":[{"request":{"url":"https://web.telegram.org/"},"failure":"eof_error"},
                    {"request":{"url":"a"},"failure":null},{"request":{"url":"b"},"failure":"t"},
                    {"request":{"url":"c"},"failure":""}]}"#,
            r#"2.1666666666666665,"web_failure":"eof_error","accessible_endpoints":1,"unreachable_endpoints":1,"http_success_cnt":1,"http_failure_cnt":2,"msg":"failure: eof_error"}"#,
        );
        check(NAME, r#"{"requests":[{"request":{}}]}"#, FAILED);
        check(NAME, r#"{"requests":[{"request":{"url":"x"}}]}"#, "E-KEY");
    }

    #[test]
    fn requests_without_url() {
        let good = r#"{"request":{"url":"u"},"failure":"x"}"#;
        for bad in ["{}", r#"{"failure":null}"#, r#"{"request":{"method":"GET"}}"#] {
            check(NAME, &format!(r#"{{"telegram_web_status":"blocked","requests":[{good},{bad},5]}}"#), FAILED);
        }
        for wrong in ["5", "null", r#"{"request":null}"#, r#"{"request":"url"}"#, r#"{"request":[]}"#] {
            check(NAME, &format!(r#"{{"requests":[{good},{wrong}]}}"#), "E-TYPE");
        }
    }

    #[test]
    fn web_failures() {
        let web = |failure: &str| format!(r#"{{"request":{{"url":"http://web.telegram.org/"}},"failure":{failure}}}"#);
        let check_web = |failures: [&str; 2], web_failure: &str, message: &str| {
            let [a, b] = failures.map(web);
            let counts =
                r#""accessible_endpoints":0,"unreachable_endpoints":0,"http_success_cnt":0,"http_failure_cnt":0"#;
            let expected = format!(r#"1.0,"web_failure":{web_failure},{counts}{message}}}"#);
            check(NAME, &format!(r#"{{"requests":[{a},{b}]}}"#), &expected);
        };
        check_web(["null", "null"], "null", "");
        check_web([r#""a""#, "null"], r#""a""#, r#","msg":"failure: a""#);
        check_web([r#""a""#, r#""b""#], r#""b""#, r#","msg":"failure: b""#);
        check_web(["null", "false"], "false", r#","msg":"failure: False""#);
        check_web(["null", "[1e-5]"], "[1e-5]", r#","msg":"failure: [1e-05]""#);
        check_web(["null", r#"{"k":null}"#], r#"{"k":null}"#, r#","msg":"failure: {'k': None}""#);
    }

    #[test]
    fn wrong_kinds() {
        for keys in [
            "[]",
            "5",
            r#"{"tcp_connect":true}"#,
            r#"{"tcp_connect":0}"#,
            r#"{"tcp_connect":"x"}"#,
            r#"{"tcp_connect":{"a":1}}"#,
            r#"{"tcp_connect":[1]}"#,
            r#"{"tcp_connect":[{"status":[]}]}"#,
            r#"{"requests":true}"#,
            r#"{"requests":"x"}"#,
        ] {
            check(NAME, keys, "E-TYPE");
        }
        let (code, path) = error_of(NAME, r#"{"tcp_connect":[{},{"status":5}]}"#);
        assert_eq!((code.as_str(), path.as_str()), ("E-TYPE", "/test_keys/tcp_connect/1/status"));
    }
}
