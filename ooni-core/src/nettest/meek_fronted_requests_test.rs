//! `meek_fronted_requests_test` (scoring spec §7.11).

use super::context::{Context, Nettest};
use super::shared::{Item, item_at};
use crate::error::{Code, Error};
use crate::json::{Field, Kind, Value};
use crate::python::{equals_int, is_truthy};
use crate::scores::Scores;

pub(super) const NETTEST: Nettest = Nettest {
    name: "meek_fronted_requests_test",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-013-meek-fronted-requests.md",
    about: "The fronts of Tor's meek bridges do not answer, or another server answers",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let requests = context.test_keys().get("requests")?;
    let mut scores = Scores::initial();
    if !is_truthy(requests.value()) {
        context.fired("there is no request", "blocking_general", &[&requests]);
        context.fired("there is no request", "accuracy", &[&requests]);
        scores.block(1.0);
        scores.set("accuracy", 0); // an integer in the reference, only here
        return Ok(scores);
    }
    let mut blocking = 0.0;
    for request in requests.objects()? {
        let response = request?.field("response");
        let Some(answer) = good_response(context, response)? else {
            // The score so far is discarded.
            scores.block(1.0);
            return Ok(scores);
        };
        if !is_from_front(context, answer)? {
            blocking += 0.5;
        }
    }
    scores.block(blocking);
    Ok(scores)
}

/// The response, if there is one with code 200. The record names the whole response: only the first bad response is read,
/// and with another code it might still be bad.
fn good_response<'c>(context: &Context<'_>, response: Field<'c>) -> Result<Option<Value<'c>>, Error> {
    let (answer, rule) = match response.if_missing(Value::EMPTY_OBJECT) {
        answer if answer.is_null() => (None, "there is no response"),
        answer => match answer.get("code")?.value() {
            code if equals_int(code, 200) => (Some(answer), ""),
            _ => (None, "a response has a code other than 200"),
        },
    };
    if answer.is_none() {
        context.clear_fired();
        context.fired(rule, "blocking_general", &[&response]);
    }
    Ok(answer)
}

/// Whether the server identifies itself as one of the fronts.
fn is_from_front(context: &Context<'_>, answer: Value<'_>) -> Result<bool, Error> {
    let rule = "a server does not identify itself as a front";
    let headers = answer.field("headers");
    let value = headers.if_missing(Value::EMPTY_OBJECT);
    let server = match value.kind() {
        Kind::Array => server_of_list(value)?,
        _ => value.get("Server")?.found().map(Item::Value),
    };
    if starts_as_front(server)? {
        return Ok(true);
    }
    if value.is_object() && !headers.is_missing() {
        context.fired(rule, "blocking_general", &[&value.field("Server")]);
    } else {
        context.fired(rule, "blocking_general", &[&headers]);
    }
    Ok(false)
}

fn starts_as_front(server: Option<Item<'_>>) -> Result<bool, Error> {
    match server {
        Some(Item::Value(server)) => {
            let name = server.text().ok_or_else(|| server.wrong_kind("a string"))?;
            Ok(name.starts_with(b"ECAcc "))
        }
        // Missing, or the first character of a string that should have been a list.
        None | Some(Item::Char(_)) => Ok(false),
    }
}

/// The last `Server` of headers, all of which must have the form `[name, [value, …]]`.
fn server_of_list(headers: Value<'_>) -> Result<Option<Item<'_>>, Error> {
    let mut server = None;
    for header in headers.elements().filter(|header| is_truthy(*header)) {
        let name = item_at(header, 0)?;
        let value = match item_at(header, 1)? {
            Item::Value(values) => item_at(values, 0)?,
            same @ Item::Char(_) => same,
        };
        let Item::Value(name) = name else {
            continue; // a name of one character
        };
        if matches!(name.kind(), Kind::Array | Kind::Object) {
            return Err(Error::new(Code::Type, name.path(), "expected a header name that is a string or number"));
        }
        if name.is_text("Server") {
            server = Some(value);
        }
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    const NAME: &str = "meek_fronted_requests_test";

    fn answers(answers: &[&str], expected: &str) {
        let requests: Vec<_> = answers.iter().map(|answer| format!(r#"{{"response":{answer}}}"#)).collect();
        check(NAME, &format!(r#"{{"requests":[{}]}}"#, requests.join(",")), expected);
    }

    fn headers(headers: &str, expected: &str) {
        answers(&[&format!(r#"{{"code":200,"headers":{headers}}}"#)], expected);
    }

    #[test]
    fn no_requests() {
        for keys in ["", "{}", r#"{"requests":[]}"#, r#"{"requests":{}}"#, r#"{"requests":0}"#, r#"{"requests":false}"#]
        {
            check(NAME, keys, r#"1.0,"accuracy":0}"#);
        }
        for keys in
            [r#"{"requests":true}"#, r#"{"requests":5}"#, r#"{"requests":"x"}"#, r#"{"requests":{"a":1}}"#, "[]"]
        {
            check(NAME, keys, "E-TYPE");
        }
        check(NAME, r#"{"requests":[5]}"#, "E-TYPE");
    }

    #[test]
    fn answers_of_servers() {
        let front = r#"{"code":200,"headers":{"Server":"ECAcc (x)"}}"#;
        let none = r#"{"code":200.0}"#;
        answers(&[r#"{"code":200,"headers":[["Server",["nginx"]]]}"#, front, none], "1.0}");
        answers(&[front, front], "0.0}");
        answers(&[none, none, none], "1.5}");
        answers(&[none, none, none, "null", "5"], "1.0}");
        for bad in ["null", "{}", r#"{"code":"200"}"#, r#"{"code":null}"#, r#"{"code":302}"#, r#"{"code":true}"#] {
            answers(&[front, bad], "1.0}");
            // The codes and headers after the first bad answer are not read.
            answers(&[bad, r#"{"code":0}"#, r#"{"code":200,"headers":5}"#], "1.0}");
        }
        check(NAME, r#"{"requests":[{}]}"#, "1.0}");
        answers(&["5"], "E-TYPE");
        answers(&[none, "[]"], "E-TYPE");
    }

    #[test]
    fn headers_as_an_object() {
        headers(r#"{"Server":"ECAcc (x)"}"#, "0.0}");
        for other in
            [r#"{"Server":"ECAcc"}"#, r#"{"server":"ECAcc (x)"}"#, r#"{"Server":" ECAcc "}"#, "{}", r#"{"Server":""}"#]
        {
            headers(other, "0.5}");
        }
        for wrong in
            [r#"{"Server":null}"#, r#"{"Server":["ECAcc "]}"#, r#"{"Server":5}"#, "null", "5", r#""x""#, "false"]
        {
            headers(wrong, "E-TYPE");
        }
    }

    #[test]
    fn headers_as_a_list() {
        headers(r#"[["Server",["ECAcc (x)"]]]"#, "0.0}");
        headers(r#"[["Server",["nginx"]],null,[],"",0,["A",["b"]],["Server",["ECAcc (x)","n"],5]]"#, "0.0}");
        headers(r#"[["Server",["ECAcc (x)"]],["Server",["nginx"]]]"#, "0.5}");
        headers(r#"[["Server","ECAcc (x)"]]"#, "0.5}");
        headers(r#"["Se",["Server",["ECAcc "]]]"#, "0.0}");
        headers(r#"[[null,["x"]],[5,"y"]]"#, "0.5}");
        headers("[]", "0.5}");
        for short in [r#"["S"]"#, r#"["😀"]"#, r#"[["Server"]]"#, r#"[["Server",""]]"#, r#"[["Server",[]]]"#] {
            headers(short, "E-INDEX");
        }
        for object in [r#"[{"a":1}]"#, r#"[["Server",{"a":1}]]"#, r#"[["Server",{}]]"#] {
            headers(object, "E-KEY");
        }
        for wrong in [
            "[5]",
            "[true]",
            r#"[["Server",null]]"#,
            r#"[["Server",5]]"#,
            r#"[[[],["x"]]]"#,
            r#"[[{},["x"]]]"#,
            r#"[["Server",[5]]]"#,
            r#"[["Server",[["ECAcc "]]]]"#,
        ] {
            headers(wrong, "E-TYPE");
        }
    }
}
