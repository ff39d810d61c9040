//! Requests and responses (formats spec §11.6).

use super::python::{backslashed, items, pair};
use super::value::{Mapping, Members, Value, update};
use super::{Place, python};
use crate::error::Error;
use crate::text::{chars, lower};

/// A header value of this many characters or more is refused.
const LONGEST_HEADER: usize = 10_000;

/// Step 1: the input follows `--url` or `-u` in the options.
pub(super) fn set_input(entry: &mut Mapping) -> Result<(), Error> {
    let Some(options) = entry.at("options") else { return Ok(()) };
    let found = match options {
        Value::Sequence(items) => {
            let find = |wanted: &str| items.iter().position(|item| item.is_text(wanted));
            find("-u").or_else(|| find("--url"))
        }
        Value::Text(text) => {
            let find = |wanted: &[u8]| memchr::memmem::find(text, wanted).map(|at| chars(&text[..at]).count());
            find(b"-u").or_else(|| find(b"--url"))
        }
        _ => None,
    };
    if let Some(at) = found
        && entry.at("input").is_none_or(Value::is_null)
    {
        let input = python::index(options, at + 1, &Place::ROOT.member("options"))?;
        entry.set("input", input);
    }
    Ok(())
}

/// Steps 2 to 5.
pub(super) fn normalize(test_keys: &mut Mapping) -> Result<(), Error> {
    let place = Place::TEST_KEYS.member("requests");
    let is_truthy = |key| test_keys.at(key).is_some_and(Value::is_truthy);
    if is_truthy("request") && is_truthy("response") {
        let moved = ["response", "request"].map(|key| (Value::text(key), test_keys.take(key).unwrap_or(Value::Null)));
        if test_keys.at("requests").is_none() {
            test_keys.set("requests", Value::Sequence(Vec::new()));
        }
        match test_keys.at_mut("requests") {
            Some(Value::Sequence(requests)) => requests.push(Value::Mapping(moved.into())),
            other => return Err(place.wrong(other.map_or(&Value::Null, |value| value), "a list")),
        }
    }
    let requests = match test_keys.take("requests") {
        None => Vec::new(),
        Some(Value::Sequence(requests)) => requests,
        // The items of other values are never mappings.
        Some(other) => items(&other, &place)?.into_owned(),
    };
    let (mut direct, mut over_tor) = (Vec::new(), Vec::new());
    for (i, request) in requests.into_iter().enumerate() {
        let place = place.item(i);
        let Value::Mapping(mut session) = request else { return Err(place.wrong(&request, "a mapping")) };
        let list = if normalize_session(&mut session, &place)? { &mut over_tor } else { &mut direct };
        list.push(Value::Mapping(session));
    }
    let mut sorted: Vec<Value> = Vec::new();
    let (mut direct, mut over_tor) = (direct.into_iter(), over_tor.into_iter());
    sorted.extend(direct.next());
    sorted.extend(over_tor.next());
    sorted.extend(direct);
    sorted.extend(over_tor);
    test_keys.set("requests", Value::Sequence(sorted));
    list_headers_diff(test_keys)
}

/// Step 5.
pub(super) fn list_headers_diff(test_keys: &mut Mapping) -> Result<(), Error> {
    if let Some(diff) = test_keys.at_mut("headers_diff")
        && !diff.is_null()
    {
        *diff = Value::Sequence(items(diff, &Place::TEST_KEYS.member("headers_diff"))?.into_owned());
    }
    Ok(())
}

/// A request with its response; whether it used Tor.
fn normalize_session(session: &mut Mapping, place: &Place<'_>) -> Result<bool, Error> {
    for key in ["response", "request"] {
        let place = place.member(key);
        match session.at_mut(key) {
            Some(Value::Mapping(side)) => {
                let body = side.at_mut("body").ok_or_else(|| place.member("body").missing())?;
                *body = text(std::mem::replace(body, Value::Null), &place.member("body"))?;
                let headers = side.at_mut("headers").ok_or_else(|| place.member("headers").missing())?;
                *headers = Value::Mapping(normalize_headers(headers, &place.member("headers"))?);
            }
            _ => {
                let nothing =
                    [(Value::text("body"), Value::Null), (Value::text("headers"), Value::Mapping(Vec::new()))];
                session.set(key, Value::Mapping(nothing.into()));
            }
        }
    }
    let request = session.at_mut("request");
    let Some(Value::Mapping(request)) = request else { return Err(place.member("request").missing()) };
    let (is_tor, tor) = tor(request, &place.member("request"))?;
    request.set("tor", Value::Mapping(tor.into()));
    let length = content_length(session, place)?;
    session.set("response_length", length);
    Ok(is_tor)
}

/// A body or the value of a header.
fn text(value: Value, place: &Place<'_>) -> Result<Value, Error> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Bytes(bytes) => Ok(Value::Text(backslashed(&bytes))),
        Value::Text(mut text) => {
            text.retain(|&byte| byte != 0);
            Ok(Value::Text(text))
        }
        other => Err(place.wrong(&other, "text or bytes")),
    }
}

fn normalize_headers(headers: &Value, place: &Place<'_>) -> Result<Mapping, Error> {
    let mut normalized = Mapping::new();
    for (i, header) in items(headers, place)?.iter().enumerate() {
        let place = place.item(i);
        let [name, values] = pair(header, &place)?;
        if matches!(name, Value::Sequence(_) | Value::Mapping(_) | Value::Set(_)) {
            return Err(place.wrong(&name, "the name of a header"));
        }
        let mut value = python::index(&values, 0, &place)?;
        if let Value::Sequence(inner) = &value {
            value = inner.first().cloned().ok_or_else(|| place.error("a header with an empty value"))?;
        }
        let value = text(value, &place)?;
        if value.as_text().is_some_and(|text| chars(text).nth(LONGEST_HEADER - 1).is_some()) {
            return Err(place.error(format!("a header of {LONGEST_HEADER} characters or more")));
        }
        normalized.push((name, value));
    }
    // A later one of the same name replaces the first, at its position.
    let mut distinct = Mapping::new();
    update(&mut distinct, normalized);
    Ok(distinct)
}

/// Whether a request used Tor, and its normalized form.
fn tor(request: &mut Mapping, place: &Place<'_>) -> Result<(bool, [(Value, Value); 3]), Error> {
    let said = |is_tor: bool, of: Option<&Mapping>| {
        let of = |key| of.and_then(|of| of.at(key)).cloned().unwrap_or(Value::Null);
        let members = [("is_tor", Value::Bool(is_tor)), ("exit_ip", of("exit_ip")), ("exit_name", of("exit_name"))];
        (is_tor, members.map(|(key, value)| (Value::text(key), value)))
    };
    let url = request.at_mut("url").ok_or_else(|| place.member("url").missing())?;
    let Value::Text(text) = url else { return Err(place.member("url").wrong(url, "a string")) };
    if text.starts_with(b"shttp") {
        let mut plain = Vec::with_capacity(text.len());
        let mut from = 0;
        for at in memchr::memmem::find_iter(text, b"shttp://") {
            plain.extend_from_slice(&text[from..at]);
            from = at + 1;
        }
        plain.extend_from_slice(&text[from..]);
        *url = Value::Text(plain);
        return Ok(said(true, None));
    }
    match request.at("tor") {
        Some(Value::Bool(true)) => Ok(said(true, None)),
        None | Some(Value::Null | Value::Bool(false)) => Ok(said(false, None)),
        Some(Value::Int(int)) if int.is_zero() => Ok(said(false, None)),
        Some(Value::Float(float)) if *float == 0.0 => Ok(said(false, None)),
        Some(Value::Mapping(tor)) => match tor.at("is_tor") {
            Some(Value::Bool(true)) => Ok(said(true, Some(tor))),
            _ => Ok(said(false, None)),
        },
        Some(other) => Err(place.member("tor").wrong(other, "true, false or a mapping")),
    }
}

fn content_length(session: &Mapping, place: &Place<'_>) -> Result<Value, Error> {
    let mut length = Value::Null;
    let headers = match session.at("response") {
        Some(Value::Mapping(response)) => response.at("headers"),
        _ => None,
    };
    let Some(Value::Mapping(headers)) = headers else { return Ok(length) };
    for (name, value) in headers {
        match name {
            Value::Text(name) if &*lower(name) == b"content-length" => length = value.clone(),
            Value::Text(_) | Value::Bytes(_) => {}
            other => return Err(place.member("response").member("headers").wrong(other, "the name of a header")),
        }
    }
    Ok(length)
}
