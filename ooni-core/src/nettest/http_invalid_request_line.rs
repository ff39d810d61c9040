//! `http_invalid_request_line` (scoring spec §7.4).

use super::context::{Context, Nettest};
use super::shared::Item;
use crate::error::Error;
use crate::json::{Kind, Value};
use crate::python::length;
use crate::scores::Scores;
use crate::text::first;

pub(super) const NETTEST: Nettest = Nettest {
    name: "http_invalid_request_line",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-007-http-invalid-request-line.md",
    about: "An echo service received something other than what was sent: a middlebox changes requests",
    score,
};

fn score(context: &Context<'_>) -> Result<Scores, Error> {
    let tk = context.test_keys();
    context.field("report_id").required()?;
    let (sent_field, received_field) = (tk.get("sent")?, tk.get("received")?);
    let sent = sent_field.if_missing(Value::EMPTY_ARRAY);
    let received = received_field.if_missing(Value::EMPTY_ARRAY);
    let (sent_length, received_length) = (length(sent)?, length(received)?);
    if sent_length == 0 && received_length == 0 {
        context.fired("nothing was sent or received", "accuracy", &[&sent_field, &received_field]);
        return Ok(Scores::failed());
    }
    let mut scores = Scores::initial();
    if differ(context, sent, received) {
        scores.block(1.0);
    }
    Ok(scores)
}

/// Compares up to the end of the shorter one: missing lines at the end do not count.
fn differ(context: &Context<'_>, sent: Value<'_>, received: Value<'_>) -> bool {
    let rule = "what was received is not what was sent";
    let mut differ = false;
    for pair in items(sent).zip(items(received)) {
        if pair.0.equals(pair.1) {
            continue;
        }
        differ = true;
        match pair {
            // Every differing pair is decisive, so each is recorded.
            (Item::Value(a), Item::Value(b)) if sent.is_array() && received.is_array() => {
                context.fired(rule, "blocking_general", &[&a, &b]);
            }
            // Characters and keys have no path.
            _ => {
                context.fired(rule, "blocking_general", &[&sent, &received]);
                break;
            }
        }
    }
    differ
}

/// What Python iterates over: elements, keys or characters.
fn items<'v>(value: Value<'v>) -> Box<dyn Iterator<Item = Item<'v>> + 'v> {
    match value.kind() {
        Kind::Array => Box::new(value.elements().map(Item::Value)),
        Kind::Object => Box::new(value.members().map(|(key, _)| Item::Value(key))),
        _ => {
            let (text, mut at) = (value.text().unwrap_or_default(), 0);
            Box::new(std::iter::from_fn(move || {
                let (code, size) = first(text.get(at..)?)?;
                at += size;
                Some(Item::Char(code))
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_with, records_of};

    #[test]
    fn rows() {
        let check = |keys: &str, expected| check("http_invalid_request_line", keys, expected);
        check(r#"{"sent":["a","b"],"received":["a"]}"#, "0.0}");
        check(r#"{"sent":["a"],"received":[]}"#, "0.0}");
        check(r#"{"received":["a"]}"#, "0.0}");
        for empty in ["{}", "", r#"{"sent":"","received":{}}"#, r#"{"tampering":true,"sent":[]}"#] {
            check(empty, r#"0.0,"accuracy":0.0}"#);
        }
        check(r#"{"sent":["a","b"],"received":["a","c"]}"#, "1.0}");
        check(r#"{"sent":["a","b","c"],"received":["b","c"]}"#, "1.0}");
        check(r#"{"sent":[1,{"a":[1],"b":0}],"received":[true,{"b":false,"a":[1.0]}]}"#, "0.0}");
        check(r#"{"sent":[null],"received":[false]}"#, "1.0}");
        for wrong in [
            r#"{"sent":null}"#,
            r#"{"received":null}"#,
            r#"{"sent":5}"#,
            r#"{"sent":["a"],"received":true}"#,
            "[]",
            "5",
        ] {
            check(wrong, "E-TYPE");
        }
    }

    #[test]
    fn strings_by_character_objects_by_key() {
        let check = |keys: &str, expected| check("http_invalid_request_line", keys, expected);
        check(r#"{"sent":"aé😀","received":["a","\u00e9","😀"]}"#, "0.0}");
        check(r#"{"sent":"ab","received":["ab"]}"#, "1.0}");
        check(r#"{"sent":"ab","received":"a"}"#, "0.0}");
        check(r#"{"sent":"ab","received":"xb"}"#, "1.0}");
        check(r#"{"sent":{"a":1,"b":2},"received":"ab"}"#, "0.0}");
        check(r#"{"sent":{"a":1,"b":2},"received":{"a":3,"b":4}}"#, "0.0}");
        check(r#"{"sent":{"a":1},"received":["b"]}"#, "1.0}");
    }

    #[test]
    fn report_id() {
        check_with("http_invalid_request_line", r#"{"sent":["a"]}"#, &[("report_id", "")], "E-KEY");
        check_with("http_invalid_request_line", "5", &[("report_id", "")], "E-KEY");
        check_with("http_invalid_request_line", r#"{"sent":["a"]}"#, &[("report_id", "null")], "0.0}");
    }

    #[test]
    fn every_difference_is_recorded() {
        let records = records_of("http_invalid_request_line", r#"{"sent":["a","b","c"],"received":["x","b","y"]}"#);
        let paths: Vec<_> = records.into_iter().flat_map(|(_, paths)| paths).collect();
        assert_eq!(paths, ["/test_keys/sent/0", "/test_keys/received/0", "/test_keys/sent/2", "/test_keys/received/2"]);
    }
}
