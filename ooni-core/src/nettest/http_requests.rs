//! `http_requests` (scoring spec §7.14).

use super::context::{Context, Nettest};
use super::matches::{Search, confirm};
use crate::error::Error;
use crate::json::{Field, Value};
use crate::python::is_truthy;
use crate::scores::{BLOCKING_GENERAL, Scores};
use crate::trace::HasPath;

pub(super) const NETTEST: Nettest = Nettest {
    name: "http_requests",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-003-http-requests.md",
    about: "The response differs from the response over Tor, or is a known blockpage",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    let matching = [tk.get("body_length_match")?, tk.field("headers_match")];
    if is_failed(context, matching) {
        return Ok(Scores::failed());
    }
    let mut scores = Scores::initial();
    let differing: Vec<_> = matching.iter().filter(|field| !is_truthy(field.value())).collect();
    if !differing.is_empty() {
        let places: Vec<&dyn HasPath> = differing.into_iter().map(|field| field as &dyn HasPath).collect();
        context.fired("body or headers differ from those of the control", BLOCKING_GENERAL, &places);
        scores.block(1.0);
    }
    let mut search = Search::new(context);
    for request in tk.field("requests").objects()? {
        let request = request?;
        let tor = request.field("request").if_null(Value::EMPTY_OBJECT).get("tor")?.if_null(Value::EMPTY_OBJECT);
        if !is_truthy(tor.get("is_tor")?.value()) {
            search.response(request.field("response").if_null(Value::EMPTY_OBJECT))?;
        }
    }
    confirm(context, &search.matches, &mut scores)?;
    if search.skipped {
        scores.inaccurate();
    }
    Ok(scores)
}

/// Whether the measurement failed; the failures are read at the top level, not from the test keys.
fn is_failed(context: &Context<'_>, matching: [Field<'_>; 2]) -> bool {
    let failures = ["control_failure", "experiment_failure"].map(|key| context.field(key));
    let failed = failures.iter().filter(|field| is_truthy(field.value()));
    let missing = matching.iter().filter(|field| field.is_null());
    let reasons: Vec<&dyn HasPath> = failed.chain(missing).map(|field| field as &dyn HasPath).collect();
    if reasons.is_empty() {
        return false;
    }
    context.fired("the measurement failed, or was not compared", "accuracy", &reasons);
    true
}

#[cfg(test)]
mod tests {
    use crate::error::Code;
    use crate::nettest::tests::{check, check_listed, check_with, error_listed, found_listed, records_of, vector_list};
    use crate::rules::Rules;

    const FAILED: &str = r#"0.0,"accuracy":0.0}"#;

    /// Scoring spec §16, 30.
    #[test]
    fn vector() {
        for rules in [Rules::Compat, Rules::Fixed] {
            check_listed(
                &vector_list(),
                rules,
                "http_requests",
                r#"{"body_length_match":true,"headers_match":false,"requests":[
                    {"response":{"body":"BLOCK","headers":{"Location":"http://b/"}}}]}"#,
                &[],
                r#"1.0 country=1.0,"fingerprints":[h1,h3],"confirmed":true}"#,
            );
        }
    }

    #[test]
    fn matching() {
        let keys = |body: &str, headers: &str| format!(r#"{{"body_length_match":{body},"headers_match":{headers}}}"#);
        for lacking in ["{}", "", "null", r#"{"body_length_match":true}"#, r#"{"headers_match":true}"#] {
            check("http_requests", lacking, FAILED);
        }
        check("http_requests", &keys("true", "null"), FAILED);
        check("http_requests", &keys("null", "false"), FAILED);
        for (body, headers, general) in [
            ("true", "true", "0.0}"),
            ("1", "\"x\"", "0.0}"),
            ("true", "false", "1.0}"),
            ("0", "true", "1.0}"),
            ("\"\"", "[]", "1.0}"),
        ] {
            check("http_requests", &keys(body, headers), general);
        }
        assert_eq!(
            records_of("http_requests", &keys("true", "false")),
            [("blocking_general", vec!["/test_keys/headers_match".to_owned()])]
        );
        for keys in ["5", "[]", "\"x\"", "false"] {
            check("http_requests", keys, "E-TYPE");
        }
    }

    #[test]
    fn failures_are_read_at_the_top_level() {
        let keys = r#"{"body_length_match":true,"headers_match":true,"control_failure":"x"}"#;
        check("http_requests", keys, "0.0}");
        for key in ["control_failure", "experiment_failure"] {
            for truthy in ["\"x\"", "1", "[0]", "true"] {
                check_with("http_requests", keys, &[(key, truthy)], FAILED);
            }
            for falsy in ["null", "\"\"", "0", "false", "{}"] {
                check_with("http_requests", keys, &[(key, falsy)], "0.0}");
            }
        }
        // Not read earlier.
        check_with("http_requests", r#"{"requests":5}"#, &[], FAILED);
    }

    #[test]
    fn requests_over_tor_are_ignored() {
        let keys = |request: &str| {
            format!(
                r#"{{"body_length_match":true,"headers_match":true,"requests":[{{"request":{request},"response":{{"body":"BLOCK"}}}}]}}"#
            )
        };
        let check = |request: &str, expected: &str| {
            check_listed(&vector_list(), Rules::Compat, "http_requests", &keys(request), &[], expected);
        };
        let found = r#"0.0 country=1.0,"fingerprints":[h1],"confirmed":true}"#;
        for request in
            ["null", "{}", r#"{"tor":null}"#, r#"{"tor":{}}"#, r#"{"tor":{"is_tor":false}}"#, r#"{"tor":{"is_tor":0}}"#]
        {
            check(request, found);
        }
        for request in [r#"{"tor":{"is_tor":true}}"#, r#"{"tor":{"is_tor":"x"}}"#, r#"{"tor":{"is_tor":1}}"#] {
            check(request, "0.0}");
        }
        for request in ["5", "[]", r#"{"tor":true}"#, r#"{"tor":[]}"#, r#"{"tor":""}"#] {
            check(request, "E-TYPE");
        }
    }

    #[test]
    fn responses() {
        let keys =
            |requests: &str| format!(r#"{{"body_length_match":true,"headers_match":true,"requests":{requests}}}"#);
        let check = |requests: &str, expected: &str| {
            check_listed(&vector_list(), Rules::Compat, "http_requests", &keys(requests), &[], expected);
        };
        for none in ["null", "[]", "{}", "\"\"", "[{}]", r#"[{"response":null}]"#, r#"[{"response":{}}]"#] {
            check(none, "0.0}");
        }
        for odd in ["5", "true", "\"x\"", r#"{"a":1}"#, "[5]", "[null]", r#"[{"response":5}]"#, r#"[{"response":[]}]"#]
        {
            check(odd, "E-TYPE");
        }
        // The answers to queries are not read.
        check_listed(
            &vector_list(),
            Rules::Compat,
            "http_requests",
            r#"{"body_length_match":true,"headers_match":true,"queries":[{"answers":[{"ipv4":"10.10.34.36"}]}]}"#,
            &[],
            "0.0}",
        );
        check_listed(&vector_list(), Rules::Compat, "http_requests", &keys("[]"), &[("probe_cc", "5")], "E-TYPE");
        check_listed(&vector_list(), Rules::Compat, "http_requests", &keys("[]"), &[("probe_cc", "")], "0.0}");
    }

    /// Unlike in `web_connectivity`, a value that cannot be decoded rejects the measurement, unless that is repaired.
    #[test]
    fn undecodable_values() {
        for (data, code) in
            [("\"QkxPQ0s\"", Code::Pad), ("5", Code::Type), ("null", Code::Type), ("\"é\"", Code::Value)]
        {
            let keys = format!(
                r#"{{"body_length_match":true,"headers_match":true,"requests":[
                    {{"response":{{"body":{{"format":"base64","data":{data}}},"headers":{{"server":"Wall"}}}}}},
                    {{"response":{{"body":"a BLOCK"}}}}]}}"#
            );
            let list = vector_list();
            assert_eq!(
                error_listed(&list, Rules::Compat, "http_requests", &keys),
                (code, "/test_keys/requests/0/response/body/data".to_owned())
            );
            check_listed(
                &list,
                Rules::Fixed,
                "http_requests",
                &keys,
                &[],
                r#"0.0 country=1.0 local=1.0,"fingerprints":[h4,h1],"confirmed":true,"accuracy":0.0}"#,
            );
            let found = found_listed(&list, Rules::Fixed, "http_requests", &keys);
            let places: Vec<_> = found.iter().map(|found| (&*found.name, &*found.path, found.offset)).collect();
            assert_eq!(
                places,
                [
                    ("h4", "/test_keys/requests/0/response/headers/server", 0),
                    ("h1", "/test_keys/requests/1/response/body", 2),
                ]
            );
        }
    }
}
