//! `whatsapp` (scoring spec §7.5).

use super::context::{Context, Nettest};
use super::shared::{has_unknown_failure, tcp_counts};
use crate::error::{Code, Error};
use crate::json::{Field, Json, Value};
use crate::python::{contains, equals_int, is_truthy};
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "whatsapp",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-018-whatsapp.md",
    about: "WhatsApp's registration service, its web site or all its endpoints cannot be reached",
    score,
};

const WEB: &str = "https://web.whatsapp.com/";
const REGISTRATION: &str = "https://v.whatsapp.net/v2/register";

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let mut scores = Scores::initial();
    if has_unknown_failure(context, tk)? {
        scores.inaccurate();
    }
    if has_failed(context, tk)? {
        scores.inaccurate();
        return Ok(scores);
    }
    let requests = tk.field("requests");
    let Last { web: Some(web), registration: Some(registration) } = last_requests(requests)? else {
        context.fired("the web site or the registration service was not requested", "accuracy", &[&requests]);
        scores.inaccurate();
        return Ok(scores);
    };
    let (web_ok, registration_ok) = (is_web_ok(web), registration.is_null());
    if !web_ok {
        context.fired("the web site does not answer", "blocking_general", &[&web]);
    }
    if !registration_ok {
        context.fired("the registration service does not answer", "blocking_general", &[&registration]);
    }
    if !web_ok || !registration_ok {
        scores.block(1.0);
        return Ok(scores);
    }
    let endpoints = tcp_counts(context, tk)?;
    if endpoints.is_empty() {
        context.fired("no endpoint was tried", "accuracy", &[&tk.field("tcp_connect")]);
        scores.inaccurate();
    } else if endpoints.accessible == 0 {
        scores.block(1.0);
    }
    let analysis = [
        ("registration_server_accessible", Json::Bool(true)),
        ("whatsapp_web_accessible", Json::Bool(true)),
        ("whatsapp_endpoints_accessible", Json::Bool(endpoints.accessible > 0)),
    ];
    scores.set("analysis", Json::object(analysis));
    Ok(scores)
}

/// Whether the measurement failed: a Python error of old probes, or no requests (steps 2 and 3).
fn has_failed(context: &Context<'_>, tk: Value<'_>) -> Result<bool, Error> {
    let web_failure = tk.field("whatsapp_web_failure");
    let requests = tk.field("requests");
    if is_truthy(web_failure.value()) && contains(web_failure.value(), "unknown_failure 'ascii' co")? {
        context.fired("the probe itself failed", "accuracy", &[&web_failure]);
    } else if !is_truthy(requests.value()) {
        context.fired("there is no request", "accuracy", &[&requests]);
    } else {
        return Ok(false);
    }
    // The reference logs the report ID here, and requires one.
    let report_id = context.field("report_id").required()?;
    if !is_truthy(report_id) {
        return Err(Error::new(Code::Assert, report_id.path(), "expected a report ID"));
    }
    Ok(true)
}

/// `failure` of the last request for each URL, if there was one.
#[derive(Default)]
struct Last<'c> {
    web: Option<Field<'c>>,
    registration: Option<Field<'c>>,
}

fn last_requests(requests: Field<'_>) -> Result<Last<'_>, Error> {
    let mut last = Last::default();
    for request in requests.objects()? {
        let request = request?;
        let url = request.field("request").if_missing(Value::EMPTY_OBJECT).get("url")?.value();
        if url.is_text(WEB) {
            last.web = Some(request.field("failure"));
        } else if url.is_text(REGISTRATION) {
            last.registration = Some(request.field("failure"));
        }
    }
    Ok(last)
}

/// Whether the web site answered: its failure is null, empty, false or zero. A missing failure counts as a failure. For the
/// registration service, on the other hand, only a missing or null failure means success.
fn is_web_ok(failure: Field<'_>) -> bool {
    failure.found().is_some_and(|value| value.is_null() || value.is_text("") || equals_int(value, 0))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_with};

    const NAME: &str = "whatsapp";
    const FAILED: &str = r#"0.0,"accuracy":0.0}"#;

    /// Test keys with requests for both URLs, each with the given failure as JSON members, and these endpoints and members.
    fn keys(web: &str, registration: &str, endpoints: &[&str], more: &str) -> String {
        let endpoints: Vec<_> =
            endpoints.iter().map(|success| format!(r#"{{"status":{{"success":{success}}}}}"#)).collect();
        format!(
            r#"{{"requests":[{{"request":{{"url":"https://web.whatsapp.com/"}}{web}}},
                {{"request":{{"url":"https://v.whatsapp.net/v2/register"}}{registration}}}],
                "tcp_connect":[{}]{more}}}"#,
            endpoints.join(",")
        )
    }

    fn analysis(start: &str, accessible: bool) -> String {
        let both = r#""registration_server_accessible":true,"whatsapp_web_accessible":true"#;
        format!(r#"{start},"analysis":{{{both},"whatsapp_endpoints_accessible":{accessible}}}}}"#)
    }

    const OK: &str = r#","failure":null"#;

    #[test]
    fn endpoints() {
        check(NAME, &keys(OK, OK, &["true", "false"], ""), &analysis("0.0", true));
        check(NAME, &keys(OK, OK, &[], ""), &analysis(r#"0.0,"accuracy":0.0"#, false));
        check(NAME, &keys(OK, OK, &["null", "1"], ""), &analysis(r#"0.0,"accuracy":0.0"#, false));
        check(NAME, &keys(OK, OK, &["false", "false"], ""), &analysis("1.0", false));
    }

    #[test]
    fn failures_of_requests() {
        for ok in [OK, r#","failure":"""#, r#","failure":false"#, r#","failure":0"#, r#","failure":-0.0"#] {
            check(NAME, &keys(ok, OK, &["true"], ""), &analysis("0.0", true));
        }
        for bad in ["", r#","failure":"x""#, r#","failure":true"#, r#","failure":[]"#, r#","failure":NaN"#] {
            check(NAME, &keys(bad, OK, &["true"], ""), "1.0}");
            check(NAME, &keys(bad, OK, &[], ""), "1.0}");
        }
        for ok in [OK, ""] {
            check(NAME, &keys(OK, ok, &["true"], ""), &analysis("0.0", true));
        }
        for bad in [r#","failure":"x""#, r#","failure":"""#, r#","failure":false"#, r#","failure":0"#] {
            check(NAME, &keys(OK, bad, &["true"], ""), "1.0}");
            check(NAME, &keys("", bad, &["true"], ""), "1.0}");
        }
    }

    #[test]
    fn the_last_request_counts() {
        let (web, registration) = ("https://web.whatsapp.com/", "https://v.whatsapp.net/v2/register");
        let request = |url: &str, failure: &str| format!(r#"{{"request":{{"url":"{url}"}},"failure":{failure}}}"#);
        let list = [
            request(web, r#""x""#),
            request(registration, r#""x""#),
            request(web, "null"),
            request(registration, "null"),
        ];
        let all = list.join(",");
        let tcp = r#""tcp_connect":[{"status":{"success":true}}]"#;
        check(NAME, &format!(r#"{{"requests":[{all}],{tcp}}}"#), &analysis("0.0", true));
        check(NAME, &format!(r#"{{"requests":[{all},{}],{tcp}}}"#, list[1]), "1.0}");
        for some in [&list[0..1], &list[1..2]] {
            check(NAME, &format!(r#"{{"requests":[{},{{}}],{tcp}}}"#, some.join(",")), FAILED);
        }
        let other = request("https://web.whatsapp.com", "null");
        check(NAME, &format!(r#"{{"requests":[{},{other},{{"request":{{"url":5}}}}]}}"#, list[1]), FAILED);
    }

    #[test]
    fn unknown_failures() {
        let unknown = r#","x_failure":"unknown_failure: x""#;
        check(NAME, &keys(OK, OK, &["true"], unknown), &analysis(r#"0.0,"accuracy":0.0"#, true));
        check(NAME, &keys("", OK, &["true"], unknown), r#"1.0,"accuracy":0.0}"#);
        check(
            NAME,
            &keys(OK, OK, &["true"], r#","x_failure":"an unknown_failure","failure":5,"y_failure":[]"#),
            &analysis("0.0", true),
        );
        check(
            NAME,
            &keys(OK, OK, &["true"], &format!(r#"{unknown},"y_failure":5"#)),
            &analysis(r#"0.0,"accuracy":0.0"#, true),
        );
        check(NAME, &keys(OK, OK, &["true"], &format!(r#","y_failure":5{unknown}"#)), "E-TYPE");
        // A Python error of the probe.
        let own = r#","whatsapp_web_failure":"an unknown_failure 'ascii' codec""#;
        check(NAME, &keys("", "", &["false"], own), FAILED);
        let listed = format!(r#"{unknown},"whatsapp_web_failure":["unknown_failure 'ascii' co"]"#);
        check(NAME, &keys("", "", &["false"], &listed), FAILED);
        check(NAME, &keys("", "", &["false"], &format!(r#"{unknown},"whatsapp_web_failure":5"#)), "E-TYPE");
    }

    #[test]
    fn no_requests() {
        for keys in ["", "{}", r#"{"requests":null}"#, r#"{"requests":0}"#, r#"{"requests":{}}"#] {
            check(NAME, keys, FAILED);
            check_with(NAME, keys, &[("report_id", "")], "E-KEY");
            check_with(NAME, keys, &[("report_id", r#""""#)], "E-ASSERT");
            check_with(NAME, keys, &[("report_id", "null")], "E-ASSERT");
            check_with(NAME, keys, &[("report_id", "5")], FAILED);
        }
        let own = r#"{"whatsapp_web_failure":"unknown_failure 'ascii' codec","requests":5}"#;
        check(NAME, own, FAILED);
        check_with(NAME, own, &[("report_id", r#""""#)], "E-ASSERT");
        check_with(NAME, &keys(OK, OK, &["false"], ""), &[("report_id", "")], &analysis("1.0", false));
    }

    #[test]
    fn wrong_kinds() {
        for keys in [
            "[]",
            r#"{"requests":true}"#,
            r#"{"requests":"x"}"#,
            r#"{"requests":[5]}"#,
            r#"{"requests":[{"request":null}]}"#,
            r#"{"requests":[{"request":[]}]}"#,
        ] {
            check(NAME, keys, "E-TYPE");
        }
    }
}
