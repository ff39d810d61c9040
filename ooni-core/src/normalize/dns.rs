//! Queries and answers (formats spec §11.7).

use super::path::EntryPath;
use super::python::{index, items};
use super::value::{Mapping, MappingAccess, YamlValue};
use crate::error::Error;
use crate::python_text::decimal_digit;
use crate::text::first;

pub(super) fn normalize(test_keys: &mut Mapping<'_>, is_dns_consistency: bool) -> Result<(), Error> {
    test_keys.take("test_resolvers");
    match test_keys.take("tampering") {
        Some(tampering) if tampering.is_truthy() => {
            let [successful, failed, inconsistent] = by_result(&tampering)?;
            test_keys.set("errors", tampering);
            test_keys.set("successful", YamlValue::Sequence(successful));
            test_keys.set("failed", YamlValue::Sequence(failed));
            test_keys.set("inconsistent", YamlValue::Sequence(inconsistent));
        }
        _ if is_dns_consistency => {
            test_keys.set("errors", YamlValue::Mapping(Vec::new()));
            for key in ["successful", "failed", "inconsistent"] {
                test_keys.set(key, YamlValue::Sequence(Vec::new()));
            }
        }
        _ => {}
    }
    let place = EntryPath::TEST_KEYS.member("queries");
    let mut queries = match test_keys.take("queries") {
        None => Vec::new(),
        Some(YamlValue::Sequence(queries)) => queries,
        // The items of other values are never mappings.
        Some(other) => items(&other, &place)?.into_owned(),
    };
    for (i, query) in queries.iter_mut().enumerate() {
        let place = place.item(i);
        match query {
            YamlValue::Mapping(query) => normalize_query(query, &place)?,
            other => return Err(place.wrong(other, "a mapping")),
        }
    }
    test_keys.set("queries", YamlValue::Sequence(queries));
    Ok(())
}

/// Step 2: resolvers by result. As in the reference, `failed` contains the successful ones too.
fn by_result<'a>(tampering: &YamlValue<'a>) -> Result<[Vec<YamlValue<'a>>; 3], Error> {
    let place = EntryPath::TEST_KEYS.member("tampering");
    let mut lists = [Vec::new(), Vec::new(), Vec::new()];
    let [successful, failed, inconsistent] = &mut lists;
    for (i, item) in items(tampering, &place)?.iter().enumerate() {
        let place = place.item(i);
        let resolver = index(item, 0, &place)?;
        match index(item, 1, &place)? {
            YamlValue::Bool(true) => inconsistent.push(resolver),
            YamlValue::Bool(false) => {
                successful.push(resolver.clone());
                failed.push(resolver);
            }
            _ => failed.push(resolver),
        }
    }
    Ok(lists)
}

fn normalize_query(query: &mut Mapping<'_>, place: &EntryPath<'_>) -> Result<(), Error> {
    let hostname = match query.take("query") {
        Some(YamlValue::Text(text)) => YamlValue::Text(queried_name(&text).unwrap_or_default().to_vec().into()),
        _ => YamlValue::Null,
    };
    query.set("hostname", hostname);
    let [host, port] = match query.take("resolver") {
        Some(YamlValue::Sequence(resolver)) => resolver.try_into().unwrap_or([YamlValue::Null, YamlValue::Null]),
        _ => [YamlValue::Null, YamlValue::Null],
    };
    query.set("resolver_hostname", host);
    query.set("resolver_port", port);
    query.take("addrs");
    let place = place.member("answers");
    let answers = query.take("answers").unwrap_or(YamlValue::Sequence(Vec::new()));
    let answers = items(&answers, &place)?;
    let normalized = answers.iter().enumerate().map(|(i, answer)| normalize_answer(answer, &place.item(i)));
    let normalized = normalized.collect::<Result<Vec<_>, _>>()?;
    let failure = query.take("failure").unwrap_or(YamlValue::Null);
    let has_no_answer = !failure.is_truthy() && normalized.is_empty();
    query.set("failure", if has_no_answer { YamlValue::text("no_answer") } else { failure });
    query.set("answers", YamlValue::Sequence(normalized));
    Ok(())
}

/// The group of `\[Query\('(.+)'`, which ends at the last quote of the line.
fn queried_name(text: &[u8]) -> Option<&[u8]> {
    let begin = b"[Query('";
    memchr::memmem::find_iter(text, begin).find_map(|at| {
        let rest = &text[at + begin.len()..];
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        // At least one character.
        memchr::memrchr(b'\'', line).filter(|&end| end > 0).map(|end| &line[..end])
    })
}

/// The length of the value at the start of a text.
type Pattern = fn(&[u8]) -> usize;

/// The keys of an answer of a type: their names, and where their values are in the payload.
fn keys_of(answer_type: &[u8]) -> &'static [(&'static str, &'static str, Pattern)] {
    match answer_type {
        b"A" => &[("ipv4", "address=", dotted_quad)],
        b"MX" => &[("hostname", "address=", dotted_quad), ("preference", "preference=", digits)],
        b"PTR" | b"CNAME" => &[("hostname", "name=", host_name)],
        b"SOA" => &[
            ("responsible_name", "rname=", host_name),
            ("hostname", "mname=", host_name),
            ("serial_number", "serial=", digits),
            ("refresh_interval", "refresh=", digits),
            ("retry_interval", "retry=", digits),
            ("minimum_ttl", "minimum=", digits),
            ("expiration_limit", "expire=", digits),
        ],
        _ => &[],
    }
}

fn normalize_answer<'a>(answer: &YamlValue<'a>, place: &EntryPath<'_>) -> Result<YamlValue<'a>, Error> {
    let text = |at: usize| match index(answer, at, place)? {
        YamlValue::Text(text) => Ok(text),
        other => Err(place.item(at).wrong(&other, "a string")),
    };
    let record = text(0)?;
    let answer_type = find(&record, "type=", |text| text.iter().take_while(|byte| byte.is_ascii_uppercase()).count());
    let mut normalized: Mapping<'a> = vec![
        (YamlValue::text("ttl"), YamlValue::Text(find(&record, "ttl=", digits).to_vec().into())),
        (YamlValue::text("answer_type"), YamlValue::Text(answer_type.to_vec().into())),
    ];
    let keys = keys_of(answer_type);
    if !keys.is_empty() {
        let payload = text(1)?;
        for (key, name, pattern) in keys {
            normalized.push((YamlValue::text(key), YamlValue::Text(find(&payload, name, *pattern).to_vec().into())));
        }
    }
    Ok(YamlValue::Mapping(normalized))
}

/// The value after the first `name` that has one; `None` if there is none.
fn find<'t>(text: &'t [u8], name: &str, pattern: Pattern) -> &'t [u8] {
    let found = memchr::memmem::find_iter(text, name).find_map(|at| {
        let rest = &text[at + name.len()..];
        let length = pattern(rest);
        (length > 0).then(|| &rest[..length])
    });
    found.unwrap_or_default()
}

/// `\d{0,most}`: the length of decimal digits of any script, in bytes.
fn digits_up_to(text: &[u8], most: usize) -> usize {
    let mut at = 0;
    for _ in 0..most {
        match text.get(at..).and_then(first) {
            Some((code, length)) if decimal_digit(code).is_some() => at += length,
            _ => break,
        }
    }
    at
}

/// `\d+`
fn digits(text: &[u8]) -> usize {
    digits_up_to(text, usize::MAX)
}

/// `\d{1,3}(\.\d{1,3}){3}`
fn dotted_quad(text: &[u8]) -> usize {
    let mut at = 0;
    for part in 0..4 {
        if part > 0 {
            if text.get(at) != Some(&b'.') {
                return 0;
            }
            at += 1;
        }
        match digits_up_to(&text[at..], 3) {
            0 => return 0,
            length => at += length,
        }
    }
    at
}

/// Labels of letters, digits and inner hyphens, separated by dots.
fn host_name(text: &[u8]) -> usize {
    let mut end = 0;
    loop {
        let label = &text[end + usize::from(end > 0)..];
        let run = label.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        let Some(last) = label[..run].iter().rposition(u8::is_ascii_alphanumeric) else { return end };
        if label[0] == b'-' {
            return end;
        }
        end += usize::from(end > 0) + last + 1;
        if last + 1 != run || text.get(end) != Some(&b'.') {
            return end;
        }
    }
}
