//! Requests and responses (formats spec §11.6).

use super::path::EntryPath;
use super::python::{self, backslashed, items, pair};
use super::value::{Mapping, MappingAccess, YamlValue, update};
use crate::error::Error;
use crate::text::{chars, lower};

/// A header value of this many characters or more is refused.
const LONGEST_HEADER: usize = 10_000;

/// Step 1: the input follows `--url` or `-u` in the options.
pub(super) fn set_input(entry: &mut Mapping<'_>) -> Result<(), Error> {
    let Some(options) = entry.at("options") else { return Ok(()) };
    let found = match options {
        YamlValue::Sequence(items) => {
            let find = |wanted: &str| items.iter().position(|item| item.is_text(wanted));
            find("-u").or_else(|| find("--url"))
        }
        YamlValue::Text(text) => {
            let find = |wanted: &[u8]| memchr::memmem::find(text, wanted).map(|at| chars(&text[..at]).count());
            find(b"-u").or_else(|| find(b"--url"))
        }
        _ => None,
    };
    if let Some(at) = found
        && entry.at("input").is_none_or(YamlValue::is_null)
    {
        let input = python::index(options, at + 1, &EntryPath::ROOT.member("options"))?;
        entry.set("input", input);
    }
    Ok(())
}

/// Steps 2 to 5.
pub(super) fn normalize(test_keys: &mut Mapping<'_>) -> Result<(), Error> {
    let place = EntryPath::TEST_KEYS.member("requests");
    let is_truthy = |key| test_keys.at(key).is_some_and(YamlValue::is_truthy);
    if is_truthy("request") && is_truthy("response") {
        let moved =
            ["response", "request"].map(|key| (YamlValue::text(key), test_keys.take(key).unwrap_or(YamlValue::Null)));
        if test_keys.at("requests").is_none() {
            test_keys.set("requests", YamlValue::Sequence(Vec::new()));
        }
        match test_keys.at_mut("requests") {
            Some(YamlValue::Sequence(requests)) => requests.push(YamlValue::Mapping(moved.into())),
            other => return Err(place.wrong(other.map_or(&YamlValue::Null, |value| value), "a list")),
        }
    }
    let requests = match test_keys.take("requests") {
        None => Vec::new(),
        Some(YamlValue::Sequence(requests)) => requests,
        // The items of other values are never mappings.
        Some(other) => items(&other, &place)?.into_owned(),
    };
    let (mut direct, mut over_tor) = (Vec::new(), Vec::new());
    for (i, request) in requests.into_iter().enumerate() {
        let place = place.item(i);
        let YamlValue::Mapping(mut session) = request else { return Err(place.wrong(&request, "a mapping")) };
        let list = if normalize_session(&mut session, &place)? { &mut over_tor } else { &mut direct };
        list.push(YamlValue::Mapping(session));
    }
    let mut sorted: Vec<YamlValue<'_>> = Vec::new();
    let (mut direct, mut over_tor) = (direct.into_iter(), over_tor.into_iter());
    sorted.extend(direct.next());
    sorted.extend(over_tor.next());
    sorted.extend(direct);
    sorted.extend(over_tor);
    test_keys.set("requests", YamlValue::Sequence(sorted));
    list_headers_diff(test_keys)
}

/// Step 5.
pub(super) fn list_headers_diff(test_keys: &mut Mapping<'_>) -> Result<(), Error> {
    if let Some(diff) = test_keys.at_mut("headers_diff")
        && !diff.is_null()
    {
        *diff = YamlValue::Sequence(items(diff, &EntryPath::TEST_KEYS.member("headers_diff"))?.into_owned());
    }
    Ok(())
}

/// A request with its response; whether it used Tor.
fn normalize_session(session: &mut Mapping<'_>, place: &EntryPath<'_>) -> Result<bool, Error> {
    for key in ["response", "request"] {
        let place = place.member(key);
        match session.at_mut(key) {
            Some(YamlValue::Mapping(side)) => {
                let body = side.at_mut("body").ok_or_else(|| place.member("body").missing())?;
                *body = text(std::mem::replace(body, YamlValue::Null), &place.member("body"))?;
                let headers = side.at_mut("headers").ok_or_else(|| place.member("headers").missing())?;
                *headers = YamlValue::Mapping(normalize_headers(headers, &place.member("headers"))?);
            }
            _ => {
                let nothing = [
                    (YamlValue::text("body"), YamlValue::Null),
                    (YamlValue::text("headers"), YamlValue::Mapping(Vec::new())),
                ];
                session.set(key, YamlValue::Mapping(nothing.into()));
            }
        }
    }
    let request = session.at_mut("request");
    let Some(YamlValue::Mapping(request)) = request else { return Err(place.member("request").missing()) };
    let (is_tor, tor) = tor(request, &place.member("request"))?;
    request.set("tor", YamlValue::Mapping(tor.into()));
    let length = content_length(session, place)?;
    session.set("response_length", length);
    Ok(is_tor)
}

/// A body or the value of a header.
fn text<'a>(value: YamlValue<'a>, place: &EntryPath<'_>) -> Result<YamlValue<'a>, Error> {
    match value {
        YamlValue::Null => Ok(YamlValue::Null),
        YamlValue::Bytes(bytes) => Ok(YamlValue::Text(backslashed(&bytes).into())),
        YamlValue::Text(mut text) => {
            if memchr::memchr(0, &text).is_some() {
                text.to_mut().retain(|&byte| byte != 0);
            }
            Ok(YamlValue::Text(text))
        }
        other => Err(place.wrong(&other, "text or bytes")),
    }
}

fn normalize_headers<'a>(headers: &YamlValue<'a>, place: &EntryPath<'_>) -> Result<Mapping<'a>, Error> {
    let mut normalized = Mapping::new();
    for (i, header) in items(headers, place)?.iter().enumerate() {
        let place = place.item(i);
        let [name, values] = pair(header, &place)?;
        if matches!(name, YamlValue::Sequence(_) | YamlValue::Mapping(_) | YamlValue::Set(_)) {
            return Err(place.wrong(&name, "the name of a header"));
        }
        let mut value = python::index(&values, 0, &place)?;
        if let YamlValue::Sequence(inner) = &value {
            value = inner.first().cloned().ok_or_else(|| place.error("a header with an empty value"))?;
        }
        let value = text(value, &place)?;
        if value.as_text().is_some_and(|text| chars(text).nth(LONGEST_HEADER - 1).is_some()) {
            return Err(place.error(format!("a header of {LONGEST_HEADER} characters or more")));
        }
        normalized.push((name, value));
    }
    // A later header of the same name replaces the first one, at its position.
    let mut distinct = Mapping::new();
    update(&mut distinct, normalized);
    Ok(distinct)
}

/// Whether a request used Tor, and its normalized form.
fn tor<'a>(
    request: &mut Mapping<'a>,
    place: &EntryPath<'_>,
) -> Result<(bool, [(YamlValue<'a>, YamlValue<'a>); 3]), Error> {
    let normalized = |is_tor: bool, of: Option<&Mapping<'a>>| {
        let of = |key| of.and_then(|of| of.at(key)).cloned().unwrap_or(YamlValue::Null);
        let members = [("is_tor", YamlValue::Bool(is_tor)), ("exit_ip", of("exit_ip")), ("exit_name", of("exit_name"))];
        (is_tor, members.map(|(key, value)| (YamlValue::text(key), value)))
    };
    let url = request.at_mut("url").ok_or_else(|| place.member("url").missing())?;
    let YamlValue::Text(text) = url else { return Err(place.member("url").wrong(url, "a string")) };
    if text.starts_with(b"shttp") {
        let mut plain = Vec::with_capacity(text.len());
        let mut from = 0;
        for at in memchr::memmem::find_iter(text, b"shttp://") {
            plain.extend_from_slice(&text[from..at]);
            from = at + 1;
        }
        plain.extend_from_slice(&text[from..]);
        *url = YamlValue::Text(plain.into());
        return Ok(normalized(true, None));
    }
    match request.at("tor") {
        Some(YamlValue::Bool(true)) => Ok(normalized(true, None)),
        None | Some(YamlValue::Null | YamlValue::Bool(false)) => Ok(normalized(false, None)),
        Some(YamlValue::Int(int)) if int.is_zero() => Ok(normalized(false, None)),
        Some(YamlValue::Float(float)) if *float == 0.0 => Ok(normalized(false, None)),
        Some(YamlValue::Mapping(tor)) => match tor.at("is_tor") {
            Some(YamlValue::Bool(true)) => Ok(normalized(true, Some(tor))),
            _ => Ok(normalized(false, None)),
        },
        Some(other) => Err(place.member("tor").wrong(other, "true, false or a mapping")),
    }
}

fn content_length<'a>(session: &Mapping<'a>, place: &EntryPath<'_>) -> Result<YamlValue<'a>, Error> {
    let mut length = YamlValue::Null;
    let headers = match session.at("response") {
        Some(YamlValue::Mapping(response)) => response.at("headers"),
        _ => None,
    };
    let Some(YamlValue::Mapping(headers)) = headers else { return Ok(length) };
    for (name, value) in headers {
        match name {
            YamlValue::Text(name) if &*lower(name) == b"content-length" => length = value.clone(),
            YamlValue::Text(_) | YamlValue::Bytes(_) => {}
            other => return Err(place.member("response").member("headers").wrong(other, "the name of a header")),
        }
    }
    Ok(length)
}
