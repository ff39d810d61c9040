//! Lists from untrusted bytes, and their search compared with a check of every position.

use ooni_core::fingerprint::{Body, BodyRules, Fingerprint, Fingerprints, PatternType, Scratch};
use ooni_core::json::{Spelling, unescape, write_text};
use serde_json::json;

/// The maximum number of rows and bytes for a check of every position.
const SMALL: (usize, usize) = (64, 4096);

/// The input: a byte, odd (such as `c`) for CSV and even (such as `j`) for JSON, then the DNS list, a line `%%`, the HTTP
/// list, a line `%%` and a text to search in.
pub fn run(data: &[u8]) {
    let Some((&form, rest)) = data.split_first() else { return };
    let (dns, rest) = section(rest);
    let (http, text) = section(rest);
    let load = if form & 1 == 1 { Fingerprints::from_csv } else { Fingerprints::from_json };
    let list = match load(dns, http, "fuzzed") {
        Ok(list) => list,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    for finding in list.self_test() {
        assert!(!finding.to_string().contains('\n'), "{finding}");
    }
    loads_the_same_from_json(&list);
    if list.http().len() > SMALL.0 || text.len() > SMALL.1 {
        return;
    }
    dns_is_equality(&list, text);
    headers_are_compared(&list, text);

    let mut scratch = Scratch::default();
    for rules in [BodyRules::default(), BodyRules { regexp: true, full: true }] {
        check(&list, Body::Bytes(text), text, rules, &mut scratch);
        // The text as the inside of a JSON string, if it is one, and as the reference would write it.
        if let Some(spelling) = Spelling::of(text) {
            let mut decoded = Vec::new();
            unescape(text, &mut decoded);
            check(&list, Body::Raw { raw: text, spelling }, &decoded, rules, &mut scratch);
        }
        if std::str::from_utf8(text).is_ok() {
            let mut quoted = Vec::new();
            write_text(text, &mut quoted);
            let raw = &quoted[1..quoted.len() - 1];
            let spelling = Spelling::of(raw);
            assert!(spelling.is_some(), "written text is the inside of a string");
            let spelling = spelling.unwrap_or_default();
            check(&list, Body::Raw { raw, spelling }, text, rules, &mut scratch);
        }
    }
}

/// The data before and after the next line `%%`.
fn section(data: &[u8]) -> (&[u8], &[u8]) {
    const LINE: &[u8] = b"\n%%\n";
    match data.windows(LINE.len()).position(|window| window == LINE) {
        Some(at) => (&data[..at + 1], &data[at + LINE.len()..]),
        None => (data, b""),
    }
}

/// The list is the same after it is written as JSON and loaded.
fn loads_the_same_from_json(list: &Fingerprints) {
    let text = |rows: &[Fingerprint]| {
        let row = |row: &Fingerprint| {
            json!({
                "name": row.name,
                "scope": row.scope,
                "other_names": row.other_names,
                "location_found": row.location_found,
                "pattern_type": row.pattern_type,
                "pattern": row.pattern,
                "confidence_no_fp": row.confidence_no_fp,
                "expected_countries": row.expected_countries,
            })
        };
        rows.iter().map(row).collect::<serde_json::Value>().to_string()
    };
    let again = Fingerprints::from_json(text(list.dns()).as_bytes(), text(list.http()).as_bytes(), "fuzzed");
    let again = again.map(|again| (again.dns().to_vec(), again.http().to_vec()));
    assert_eq!(again, Ok((list.dns().to_vec(), list.http().to_vec())));
}

fn places(rows: &[Fingerprint], matches: impl Fn(&Fingerprint) -> bool) -> Vec<u32> {
    (0..).zip(rows).filter(|(_, row)| matches(row)).map(|(at, _)| at).collect()
}

fn dns_is_equality(list: &Fingerprints, text: &[u8]) {
    assert_eq!(list.dns_matches(text), places(list.dns(), |row| row.pattern.as_bytes() == text));
}

fn headers_are_compared(list: &Fingerprints, value: &[u8]) {
    for name in list.http().iter().filter_map(Fingerprint::header) {
        let Some(header) = list.header(name.as_bytes()) else {
            // Names are looked up in lower case, so only lower-case names can be found.
            assert_ne!(name, name.to_lowercase());
            continue;
        };
        for (full, contains) in [(true, false), (false, true)] {
            let matches = |row: &Fingerprint| {
                let pattern = row.pattern.as_bytes();
                row.header() == Some(header.name())
                    && match row.pattern_type {
                        PatternType::Full => full && value == pattern,
                        PatternType::Prefix => value.starts_with(pattern),
                        PatternType::Contains => contains && first(value, pattern).is_some(),
                        PatternType::Regexp => false,
                    }
            };
            let mut found = Vec::new();
            header.find(list.http(), value, full, contains, &mut found);
            let found: Vec<u32> = found.into_iter().map(|found| found.http_index).collect();
            assert_eq!(found, places(list.http(), matches), "header {name:?}");
        }
    }
}

/// Compares the search in a body with a check of every position of its decoded text.
fn check(list: &Fingerprints, body: Body<'_>, text: &[u8], rules: BodyRules, scratch: &mut Scratch) {
    let found = list.find_in_body(body, rules, scratch).to_vec();
    let all = list.find_all_in_body(body, rules, scratch);
    let firsts: Vec<_> = all.iter().map(|(at, places)| (*at, places.first().copied())).collect();
    let found: Vec<_> = found.iter().map(|found| (found.http_index, Some(found.offset))).collect();
    assert_eq!(found, firsts, "find_in_body returns the first place of find_all_in_body, {rules:?}");

    for (at, row) in (0..).zip(list.http()).filter(|(_, row)| row.location_found == "body") {
        let expected = match row.pattern_type {
            PatternType::Regexp if rules.regexp => match by_engine(&row.pattern, text) {
                Some(expected) => expected,
                None => continue,
            },
            PatternType::Full if rules.full => (text == row.pattern.as_bytes()).then_some(0),
            _ => first(text, row.pattern.as_bytes()),
        };
        let ours = found.iter().find(|(index, _)| *index == at).and_then(|(_, offset)| *offset);
        assert_eq!(ours, expected, "{row:?} in {:?}, {rules:?}", String::from_utf8_lossy(text));
    }
}

/// The first position of a pattern.
fn first(text: &[u8], pattern: &[u8]) -> Option<usize> {
    (0..=text.len()).find(|&at| text[at..].starts_with(pattern))
}

/// The result of a regular expression engine, where its syntax and its reading of the text match Python's.
fn by_engine(pattern: &str, text: &[u8]) -> Option<Option<usize>> {
    if pattern.contains(['{', '\\']) || pattern.contains("(?") {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let engine = regex_lite::Regex::new(pattern).ok()?;
    Some(engine.find(text).map(|found| found.start()))
}
