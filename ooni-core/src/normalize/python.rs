//! Python's operations on values of any kind: iteration, indexing, unpacking, and dates of Unix times.

use super::path::EntryPath;
use super::value::YamlValue;
use crate::error::Error;
use crate::json::push_code_point;
use crate::number::Int;
use crate::time::DateTime;
use std::borrow::Cow;

/// Python's `list(v)`: items of sequences and sets, keys of mappings, characters of texts, numbers of bytes.
pub(super) fn items<'v, 'a>(
    value: &'v YamlValue<'a>,
    place: &EntryPath<'_>,
) -> Result<Cow<'v, [YamlValue<'a>]>, Error> {
    Ok(match value {
        YamlValue::Sequence(items) | YamlValue::Set(items) => Cow::Borrowed(&items[..]),
        YamlValue::Mapping(members) => members.iter().map(|(key, _)| key.clone()).collect(),
        YamlValue::Text(text) => crate::text::chars(text).map(character).collect(),
        YamlValue::Bytes(bytes) => bytes.iter().map(|&byte| YamlValue::Int(Int::from(i64::from(byte)))).collect(),
        other => return Err(place.wrong(other, "a value with items")),
    })
}

fn character<'a>(code: u32) -> YamlValue<'a> {
    let mut text = Vec::new();
    push_code_point(code, &mut text);
    YamlValue::Text(text.into())
}

/// Python's `v[0]` or `v[1]`.
pub(super) fn index<'a>(value: &YamlValue<'a>, at: usize, place: &EntryPath<'_>) -> Result<YamlValue<'a>, Error> {
    let short = || place.error(format!("no item at index {at}"));
    match value {
        YamlValue::Sequence(items) => items.get(at).cloned().ok_or_else(short),
        YamlValue::Text(text) => crate::text::chars(text).nth(at).map(character).ok_or_else(short),
        YamlValue::Bytes(bytes) => {
            bytes.get(at).map(|&byte| YamlValue::Int(Int::from(i64::from(byte)))).ok_or_else(short)
        }
        YamlValue::Mapping(members) => {
            let wanted = YamlValue::Int(Int::from(at as i64)).identity();
            let found = members.iter().find(|(key, _)| key.identity() == wanted);
            found.map(|(_, value)| value.clone()).ok_or_else(short)
        }
        other => Err(place.wrong(other, "a value with items")),
    }
}

/// Python's `a, b = v`.
pub(super) fn pair<'a>(value: &YamlValue<'a>, place: &EntryPath<'_>) -> Result<[YamlValue<'a>; 2], Error> {
    match &*items(value, place)? {
        [first, second] => Ok([first.clone(), second.clone()]),
        _ => Err(place.error("expected two items")),
    }
}

/// Python's `bytes.decode("utf-8", "backslashreplace")`.
pub(super) fn backslashed(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        chunk.invalid().iter().for_each(|byte| text.extend_from_slice(format!("\\x{byte:02x}").as_bytes()));
    }
    text
}

/// The date of a Unix time as in Python, rounded to microseconds and then truncated to seconds.
pub(super) fn epoch(value: Option<&YamlValue<'_>>, place: &EntryPath<'_>) -> Result<DateTime, Error> {
    let seconds = match value {
        None => Some(0),
        Some(YamlValue::Bool(value)) => Some(i64::from(*value)),
        Some(YamlValue::Int(int)) => int.as_i64(),
        Some(YamlValue::Float(float)) => {
            let whole = float.trunc();
            let micros = ((float - whole) * 1e6).round_ties_even();
            let carried = whole + f64::from(i8::from(micros >= 1e6)) - f64::from(i8::from(micros < 0.0));
            (carried.abs() < 1e15).then_some(carried as i64)
        }
        Some(other) => return Err(place.wrong(other, "a Unix time")),
    };
    seconds.and_then(DateTime::from_timestamp).ok_or_else(|| place.error("Unix time outside the years 1 to 9999"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Limits;
    use crate::normalize::yaml;

    fn load(text: &str) -> YamlValue<'_> {
        yaml::load(text.as_bytes(), Limits::default()).unwrap()
    }

    #[test]
    fn iteration() {
        for (value, expected) in [
            ("[1, a]", "[1, a]"),
            ("{x: 1, 2: y}", "[x, 2]"),
            ("aé", "[a, é]"),
            ("!!binary aGk=", "[104, 105]"),
            ("!!set {a, b}", "[a, b]"),
        ] {
            let value = load(value);
            assert_eq!(YamlValue::Sequence(items(&value, &EntryPath::ROOT).unwrap().into_owned()), load(expected));
        }
        for value in ["~", "1", "0.5", "yes", "2014-01-01"] {
            assert!(items(&load(value), &EntryPath::ROOT).is_err());
            assert!(index(&load(value), 0, &EntryPath::ROOT).is_err());
        }
    }

    #[test]
    fn indexing() {
        for (value, expected) in
            [("[1, a]", "a"), ("aé", "é"), ("!!binary aGk=", "105"), ("{1: x}", "x"), ("{yes: x}", "x")]
        {
            assert_eq!(index(&load(value), 1, &EntryPath::ROOT).unwrap(), load(expected));
        }
        for value in ["[1]", "a", "{'1': x}", "{}"] {
            assert!(index(&load(value), 1, &EntryPath::ROOT).is_err());
        }
        assert!(pair(&load("[1]"), &EntryPath::ROOT).is_err() && pair(&load("abc"), &EntryPath::ROOT).is_err());
        assert_eq!(pair(&load("ab"), &EntryPath::ROOT).unwrap(), [load("a"), load("b")]);
    }

    #[test]
    fn invalid_utf8_is_escaped() {
        assert_eq!(backslashed("aé\0".as_bytes()), "aé\0".as_bytes());
        assert_eq!(backslashed(b"a\xff\xc3b\xed\xa0\x80"), b"a\\xff\\xc3b\\xed\\xa0\\x80");
    }
}
