//! `http_header_field_manipulation` (scoring spec §7.3).

use super::context::{Context, Nettest};
use super::shared::{Item, item_at, object};
use crate::error::{Code, Error};
use crate::json::{Document, Field, Kind, ReadError, Reader, Text, Value};
use crate::scores::Scores;
use std::collections::HashMap;

pub(super) const NETTEST: Nettest = Nettest {
    name: "http_header_field_manipulation",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-006-header-field-manipulation.md",
    about: "An echo service received headers other than those sent: a middlebox changes them",
    score,
};

/// Headers by name. In the reference they are sets of pairs, in which no name occurs twice.
type Headers<'a> = HashMap<Text<'a>, Item<'a>>;

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    context.field("report_id").required()?;
    let Some(request) = first_request(context)? else {
        return Ok(Scores::failed());
    };
    let response = request.get("response")?;
    if response.found().is_some_and(Value::is_null) {
        context.fired("there is no response", "accuracy", &[&response]);
        return Ok(Scores::failed());
    }
    let body = response.if_missing(Value::EMPTY_OBJECT).get("body")?;
    if body.is_null() {
        // Without a response, its body has no path.
        let place = if response.is_missing() { response } else { body };
        context.fired("the echo service's answer has no body", "blocking_general", &[&place]);
        let mut scores = Scores::initial();
        scores.set("total_tampering", true);
        scores.block(1.0);
        scores.set("msg", "Empty body");
        return Ok(scores);
    }
    compare(context, request, body.value())
}

/// The first request; `None` and a record when there is none. Unlike in other tests, test keys that are not an object are
/// a failure of the measurement.
fn first_request<'c>(context: &Context<'c>) -> Result<Option<Value<'c>>, Error> {
    let tk = context.test_keys();
    if !tk.is_object() {
        context.fired("the test keys are not an object", "accuracy", &[&tk]);
        return Ok(None);
    }
    let requests = tk.field("requests");
    let value = requests.value();
    match (value.elements().next(), value.raw_text()) {
        (Some(first), _) => Ok(Some(first)),
        (None, Some((raw, _))) if !raw.is_empty() => Err(value.wrong_kind("an array of objects")),
        _ => {
            context.fired("there is no request", "accuracy", &[&requests]);
            Ok(None)
        }
    }
}

/// Compares what the echo service received with what was sent.
fn compare(context: &Context<'_>, request: Value<'_>, body: Value<'_>) -> Result<Scores, Error> {
    let mut scores = Scores::initial();
    let text = body.text().unwrap_or_default();
    let mut reader = Reader::new();
    let document = read(&mut reader, body, &text)?;
    let echoed = document.as_ref().and_then(|document| document.root().field("headers_dict").found());
    let Some(echoed) = echoed else {
        context.fired("the echo service's answer cannot be read", "blocking_general", &[&body]);
        scores.block(1.0);
        scores.set("msg", "Malformed ctrl_headers");
        return Ok(scores);
    };
    // Paths in the answer follow the path of the answer.
    let echoed = echoed_headers(echoed).map_err(|error| Error { path: body.path() + &error.path, ..error })?;
    let sent_field = sent_headers_field(request)?;
    let sent = sent_headers(sent_field)?;
    let count = changes(&echoed, &sent);
    if count > 0 {
        // Without a request, its headers have no path.
        let sent_request = request.field("request");
        let place = if sent_request.is_missing() { sent_request } else { sent_field };
        context.fired("the echo service received headers other than those sent", "blocking_general", &[&body, &place]);
        scores.block(1.1);
        scores.set("msg", format!("{count} unexpected header change"));
    }
    Ok(scores)
}

/// The answer as a separate document; `None` when it is not a string or not JSON.
fn read<'a>(reader: &'a mut Reader, body: Value<'_>, text: &'a [u8]) -> Result<Option<Document<'a>>, Error> {
    if body.raw_text().is_none() {
        return Ok(None);
    }
    match reader.read(text) {
        Ok(document) => Ok(Some(document)),
        Err(ReadError::Syntax { .. }) => Ok(None),
        // The reference might accept the answer.
        Err(error @ ReadError::Limit { .. }) => Err(Error::new(Code::Limit, body.path(), error.to_string())),
    }
}

/// The first value of each header, or the first character of a value that is not a list.
fn echoed_headers(headers: Value<'_>) -> Result<Headers<'_>, Error> {
    let mut found = Headers::new();
    for (name, values) in object(headers)?.members() {
        let item = item_at(values, 0)?;
        if let Item::Value(value) = item {
            check_scalar(value)?;
        }
        insert(&mut found, name, item);
    }
    Ok(found)
}

fn sent_headers_field(request: Value<'_>) -> Result<Field<'_>, Error> {
    request.field("request").if_missing(Value::EMPTY_OBJECT).get("headers")
}

fn sent_headers(headers: Field<'_>) -> Result<Headers<'_>, Error> {
    let mut found = Headers::new();
    for (name, value) in object(headers.if_missing(Value::EMPTY_OBJECT))?.members() {
        check_scalar(value)?;
        insert(&mut found, name, Item::Value(value));
    }
    Ok(found)
}

/// Python's sets accept only hashable values.
fn check_scalar(value: Value<'_>) -> Result<(), Error> {
    match value.kind() {
        Kind::Array | Kind::Object => Err(value.wrong_kind("a string or number")),
        _ => Ok(()),
    }
}

/// Some probes send `Connection: close` and some do not, so that pair is ignored on both sides.
fn insert<'a>(headers: &mut Headers<'a>, name: Value<'a>, item: Item<'a>) {
    let closes = matches!(item, Item::Value(value) if value.is_text("close"));
    if !(closes && name.is_text("Connection")) {
        headers.insert(name.text().unwrap_or_default(), item);
    }
}

/// The number of pairs that are on one side only; a changed value counts on both.
fn changes(echoed: &Headers<'_>, sent: &Headers<'_>) -> usize {
    let same = |(name, item): (&Text<'_>, &Item<'_>)| sent.get(name).is_some_and(|other| item.equals(*other));
    let common = echoed.iter().filter(|pair| same(*pair)).count();
    echoed.len() + sent.len() - 2 * common
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_with, error_of};

    use crate::error::Code;

    const NAME: &str = "http_header_field_manipulation";
    const FAILED: &str = r#"0.0,"accuracy":0.0}"#;
    const MALFORMED: &str = r#"1.0,"msg":"Malformed ctrl_headers"}"#;
    const EMPTY: &str = r#"1.0,"total_tampering":true,"msg":"Empty body"}"#;

    /// A request with these headers, and an answer that lists the headers received.
    fn keys(echoed: &str, sent: &str) -> String {
        let body = format!(r#"{{"headers_dict":{echoed}}}"#).replace('\\', r"\\").replace('"', r#"\""#);
        format!(r#"{{"requests":[{{"response":{{"body":"{body}"}},"request":{{"headers":{sent}}}}}]}}"#)
    }

    fn changes(echoed: &str, sent: &str, count: usize) {
        let expected = match count {
            0 => "0.0}".to_owned(),
            _ => format!(r#"1.1,"msg":"{count} unexpected header change"}}"#),
        };
        check(NAME, &keys(echoed, sent), &expected);
    }

    #[test]
    fn header_changes() {
        changes(r#"{"A":["x"],"B":["y","z"],"Connection":["close"]}"#, r#"{"A":"x","B":"q"}"#, 2);
        changes("{}", "{}", 0);
        changes(r#"{"A":["x"]}"#, r#"{"A":"x","Connection":"close"}"#, 0);
        changes(r#"{"Connection":["close"]}"#, r#"{"Connection":"close"}"#, 0);
        changes(r#"{"connection":["close"]}"#, "{}", 1);
        changes(r#"{"Connection":["Close"]}"#, r#"{"Connection":"close"}"#, 1);
        changes(r#"{"Connection":"close"}"#, "{}", 1);
        changes(r#"{"A":["x"]}"#, r#"{"a":"x"}"#, 2);
        changes(r#"{"A":["x"]}"#, r#"{"A":"x","B":"y","C":"z"}"#, 2);
        changes(r#"{"A":["x","more"]}"#, r#"{"A":"x"}"#, 0);
        changes(r#"{"A":"xyz"}"#, r#"{"A":"x"}"#, 0);
        changes(r#"{"A":"é"}"#, r#"{"A":"\u00e9"}"#, 0);
        changes(r#"{"A":[1],"B":[0.0],"C":[null]}"#, r#"{"A":true,"B":false,"C":null}"#, 0);
        changes(r#"{"A":[NaN]}"#, r#"{"A":NaN}"#, 2);
        changes(r#"{"A":["y"],"A":["x"]}"#, r#"{"A":"x"}"#, 0);
    }

    #[test]
    fn many_headers() {
        let list = |value: &str| {
            let members: Vec<_> = (0..20_000).map(|i| format!(r#""h{i}":{value}"#)).collect();
            format!("{{{}}}", members.join(","))
        };
        changes(&list(r#"["x"]"#), &list(r#""y""#), 40_000);
    }

    #[test]
    fn failed() {
        for keys in ["", "null", "{}", r#"{"requests":null}"#, r#"{"requests":true}"#, r#"{"requests":5}"#] {
            check(NAME, keys, FAILED);
        }
        for keys in [r#"{"requests":{}}"#, r#"{"requests":{"0":{}}}"#, r#"{"requests":[]}"#, r#"{"requests":""}"#] {
            check(NAME, keys, FAILED);
        }
        check(NAME, r#"{"requests":[{"response":null}]}"#, FAILED);
        // This is an error in all other tests.
        for keys in ["[]", "5", "true", r#""requests""#] {
            check(NAME, keys, FAILED);
        }
    }

    #[test]
    fn answers_without_headers() {
        check(NAME, r#"{"requests":[{"response":{"body":null}}]}"#, EMPTY);
        check(NAME, r#"{"requests":[{"response":{}}]}"#, EMPTY);
        check(NAME, r#"{"requests":[{}]}"#, EMPTY);
        for body in
            [r#""{}""#, r#""""#, r#""bad""#, r#""[]""#, r#""null""#, "5", "{}", r#"{"format":"base64","data":"e30="}"#]
        {
            check(NAME, &format!(r#"{{"requests":[{{"response":{{"body":{body}}}}}]}}"#), MALFORMED);
        }
        let deep = "[".repeat(1025) + &"]".repeat(1025);
        check(NAME, &keys(&deep[1..deep.len() - 1], "{}"), MALFORMED);
    }

    #[test]
    fn errors() {
        check_with(NAME, "[]", &[("report_id", "")], "E-KEY");
        for keys in [
            r#"{"requests":"x"}"#,
            r#"{"requests":["x"]}"#,
            r#"{"requests":[null]}"#,
            r#"{"requests":[{"response":"x"}]}"#,
            r#"{"requests":[{"response":false}]}"#,
        ] {
            check(NAME, keys, "E-TYPE");
        }
        for (echoed, sent, code) in [
            ("null", "{}", "E-TYPE"),
            ("[]", "{}", "E-TYPE"),
            (r#"{"A":[]}"#, "{}", "E-INDEX"),
            (r#"{"A":""}"#, "{}", "E-INDEX"),
            (r#"{"A":{}}"#, "{}", "E-KEY"),
            (r#"{"A":null}"#, "{}", "E-TYPE"),
            (r#"{"A":1}"#, "{}", "E-TYPE"),
            (r#"{"A":[[]]}"#, "{}", "E-TYPE"),
            (r#"{"A":[{}]}"#, "{}", "E-TYPE"),
            ("{}", "null", "E-TYPE"),
            ("{}", "[]", "E-TYPE"),
            ("{}", r#"{"A":["x"]}"#, "E-TYPE"),
            ("{}", r#"{"A":{}}"#, "E-TYPE"),
        ] {
            check(NAME, &keys(echoed, sent), code);
        }
        check(NAME, r#"{"requests":[{"response":{"body":"{\"headers_dict\":{}}"},"request":null}]}"#, "E-TYPE");
        check(NAME, r#"{"requests":[{"response":{"body":"{\"headers_dict\":{}}"}}]}"#, "0.0}");
    }

    #[test]
    fn paths_in_the_answer() {
        let place = "/test_keys/requests/0/response/body/headers_dict/A~1".to_owned();
        assert_eq!(error_of(NAME, &keys(r#"{"A/":[]}"#, "{}")), (Code::Index, place));
        let place = "/test_keys/requests/0/request/headers/B".to_owned();
        assert_eq!(error_of(NAME, &keys("{}", r#"{"B":[]}"#)), (Code::Type, place));
    }
}
