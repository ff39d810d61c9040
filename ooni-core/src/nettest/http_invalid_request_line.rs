//! `http_invalid_request_line` (scoring spec §7.4).

use super::shared::Item;
use super::{Context, Nettest};
use crate::error::Error;
use crate::json::{Kind, Value};
use crate::python::length;
use crate::scores::Scores;
use crate::text::first;

pub(super) const NETTEST: Nettest = Nettest {
    name: "http_invalid_request_line",
    spec: "https://github.com/ooni/spec/blob/master/nettests/ts-007-http-invalid-request-line.md",
    about: "An echo service got something other than what was sent: a middlebox changes requests",
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

/// Compares as far as the shorter one goes: what was not received at all does not count.
fn differ(context: &Context<'_>, sent: Value<'_>, received: Value<'_>) -> bool {
    let rule = "what was received is not what was sent";
    let mut differ = false;
    for pair in items(sent).zip(items(received)) {
        if pair.0.equals(pair.1) {
            continue;
        }
        differ = true;
        match pair {
            // Each pair is a reason, so each is noted.
            (Item::Value(a), Item::Value(b)) if sent.is_array() && received.is_array() => {
                context.fired(rule, "blocking_general", &[&a, &b]);
            }
            // Characters and keys have no place of their own.
            _ => {
                context.fired(rule, "blocking_general", &[&sent, &received]);
                break;
            }
        }
    }
    differ
}

/// What Python finds when it goes through a value: elements, keys, characters.
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
