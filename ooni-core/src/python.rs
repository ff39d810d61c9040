//! Python's semantics for JSON values: truth, equality, membership, conversion (scoring spec §1.3).
//!
//! Rules about text alone, such as `int("5")`, are in `python_text`.

use crate::error::{Code, Error};
use crate::json::{FOREIGN_FALSE, Json, Kind, Text, Value, push_code_point};
use crate::number::{Int, write_f64_python};
use crate::python_text;
use std::cmp::Ordering;

/// Python's `bool(v)`.
pub fn is_truthy(value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Null => false,
        Kind::Bool => value.is_true(),
        Kind::Int => value.int().is_some_and(|int| !int.is_zero()),
        Kind::Float => value.float() != Some(0.0),
        Kind::Text => value.raw_text().is_some_and(|(raw, _)| !raw.is_empty()),
        Kind::Array | Kind::Object => value.count() > 0,
        Kind::Foreign => value.foreign().is_some_and(|text| !text.starts_with(FOREIGN_FALSE)),
    }
}

/// A number in Python's comparisons: booleans are 0 and 1.
#[derive(Debug)]
enum Number {
    Int(Int),
    Float(f64),
}

fn number(value: Value<'_>) -> Option<Number> {
    match value.kind() {
        Kind::Bool => Some(Number::Int(Int::from(i64::from(value.is_true())))),
        Kind::Int => value.int().map(Number::Int),
        Kind::Float => value.float().map(Number::Float),
        _ => None,
    }
}

/// Python's `v == n` for a small whole number: numeric across booleans, integers and floats.
pub fn equals_int(value: Value<'_>, wanted: i64) -> bool {
    match number(value) {
        Some(Number::Int(int)) => int.as_i64() == Some(wanted),
        Some(Number::Float(float)) => Int::from(wanted).cmp_f64(float) == Some(Ordering::Equal),
        None => false,
    }
}

/// Python's `a == b`: deep, numeric across kinds of numbers, objects regardless of order.
pub fn equals(a: Value<'_>, b: Value<'_>) -> bool {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return match (a, b) {
            (Number::Int(a), Number::Int(b)) => a == b,
            (Number::Float(a), Number::Float(b)) => a == b,
            (Number::Int(int), Number::Float(float)) | (Number::Float(float), Number::Int(int)) => {
                int.cmp_f64(float) == Some(Ordering::Equal)
            }
        };
    }
    match (a.kind(), b.kind()) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Text, Kind::Text) => a.text() == b.text(),
        (Kind::Foreign, Kind::Foreign) => a.foreign() == b.foreign(),
        (Kind::Array, Kind::Array) => {
            a.count() == b.count() && a.elements().zip(b.elements()).all(|(a, b)| equals(a, b))
        }
        (Kind::Object, Kind::Object) => {
            let (a, b) = (sorted_members(a), sorted_members(b));
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && equals(a.1, b.1))
        }
        _ => false,
    }
}

fn sorted_members(value: Value<'_>) -> Vec<(Text<'_>, Value<'_>)> {
    let mut members: Vec<_> = value.members().map(|(key, value)| (key.key(), value)).collect();
    members.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    members
}

/// Python's ordering of two values, for `a > b`: numbers, strings, arrays; `None` if a NaN makes them incomparable.
///
/// # Errors
/// `E-TYPE` for kinds that cannot be ordered.
pub fn order(a: Value<'_>, b: Value<'_>) -> Result<Option<Ordering>, Error> {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return Ok(match (a, b) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b),
            (Number::Int(int), Number::Float(float)) => int.cmp_f64(float),
            (Number::Float(float), Number::Int(int)) => int.cmp_f64(float).map(Ordering::reverse),
        });
    }
    match (a.kind(), b.kind()) {
        // Generalized UTF-8 sorts like its code points.
        (Kind::Text, Kind::Text) => Ok(Some(a.text().cmp(&b.text()))),
        (Kind::Array, Kind::Array) => match a.elements().zip(b.elements()).find(|(a, b)| !equals(*a, *b)) {
            Some((a, b)) => order(a, b),
            None => Ok(Some(a.count().cmp(&b.count()))),
        },
        _ => Err(a.wrong_kind("a value that can be ordered")),
    }
}

/// Python's `text in v`: part of a string, element of an array, key of an object.
///
/// # Errors
/// `E-TYPE` for null, booleans and numbers.
pub fn contains(value: Value<'_>, text: &str) -> Result<bool, Error> {
    match value.kind() {
        Kind::Text => Ok(value.text().is_some_and(|whole| memchr::memmem::find(&whole, text.as_bytes()).is_some())),
        Kind::Array => Ok(value.elements().any(|element| element.is_text(text))),
        Kind::Object => Ok(value.members().any(|(key, _)| key.is_text(text))),
        _ => Err(value.wrong_kind("a string, array or object")),
    }
}

/// Python's `len(v)`: code points, elements or keys.
///
/// # Errors
/// `E-TYPE` for null, booleans and numbers.
pub fn length(value: Value<'_>) -> Result<usize, Error> {
    match value.kind() {
        Kind::Text => Ok(value.text().map_or(0, |text| crate::text::chars(&text).count())),
        Kind::Array => Ok(value.count()),
        Kind::Object => Ok(value.members().count()),
        _ => Err(value.wrong_kind("a string, array or object")),
    }
}

/// Python's `float(v)`.
///
/// # Errors
/// `E-TYPE` for null, arrays and objects, `E-VALUE` for text that is not a number and integers too large for a float.
pub fn to_float(value: Value<'_>) -> Result<f64, Error> {
    let bad = |message: &str| Error::new(Code::Value, value.path(), message);
    match value.kind() {
        Kind::Bool => Ok(f64::from(u8::from(value.is_true()))),
        Kind::Int => value.int().and_then(|int| int.to_f64()).ok_or_else(|| bad("an integer too large for a float")),
        Kind::Float => Ok(value.float().unwrap_or(f64::NAN)),
        Kind::Text => {
            value.text().and_then(|text| python_text::to_float(&text)).ok_or_else(|| bad("text that is not a number"))
        }
        _ => Err(value.wrong_kind("a number")),
    }
}

/// Python's `str(v)`, as generalized UTF-8 (scoring spec §7.1).
pub fn to_text(value: &Json) -> Vec<u8> {
    match value {
        Json::Text(text) => text.clone(),
        other => {
            let mut out = Vec::new();
            write_repr(other, &mut out);
            out
        }
    }
}

/// Python's `repr(v)`.
fn write_repr(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend_from_slice(b"None"),
        Json::Bool(true) => out.extend_from_slice(b"True"),
        Json::Bool(false) => out.extend_from_slice(b"False"),
        Json::Int(int) => out.extend_from_slice(int.to_string().as_bytes()),
        Json::Float(float) => write_f64_python(out, *float),
        Json::Text(text) => write_text_repr(text, out),
        Json::Foreign(text) => out.extend_from_slice(text),
        Json::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                write_repr(item, out);
            }
            out.push(b']');
        }
        Json::Object(members) => {
            out.push(b'{');
            for (i, (key, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                write_text_repr(key, out);
                out.extend_from_slice(b": ");
                write_repr(value, out);
            }
            out.push(b'}');
        }
    }
}

fn write_text_repr(text: &[u8], out: &mut Vec<u8>) {
    let quote = if text.contains(&b'\'') && !text.contains(&b'"') { b'"' } else { b'\'' };
    out.push(quote);
    for code in crate::text::chars(text) {
        match code {
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            13 => out.extend_from_slice(b"\\r"),
            0x5c => out.extend_from_slice(b"\\\\"),
            _ if code == u32::from(quote) => out.extend_from_slice(&[b'\\', quote]),
            _ if is_printable(code) => push_code_point(code, out),
            0..0x100 => out.extend_from_slice(format!("\\x{code:02x}").as_bytes()),
            0x100..0x10000 => out.extend_from_slice(format!("\\u{code:04x}").as_bytes()),
            _ => out.extend_from_slice(format!("\\U{code:08x}").as_bytes()),
        }
    }
    out.push(quote);
}

/// Python's `str.isprintable`. Rust's escaping of strings depends on the same categories.
fn is_printable(code: u32) -> bool {
    match code {
        0x20..0x7f => true,
        0..0x7f => false,
        _ => char::from_u32(code).is_some_and(|c| {
            // Rust escapes some characters only at the start, so another one precedes it.
            let text = String::from_iter(['a', c]);
            text.escape_debug().eq(text.chars())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    fn with<T>(text: &str, f: impl Fn(Value<'_>) -> T) -> T {
        f(Reader::new().read(text.as_bytes()).unwrap().root())
    }

    #[test]
    fn truth() {
        for text in ["null", "false", "0", "-0", "0.0", "-0.0", "\"\"", "[]", "{}", "-"] {
            assert!(!with(text, is_truthy), "{text}");
        }
        for text in ["true", "1", "NaN", "0.1", "\"0\"", "\"false\"", "[null]", "{\"a\":null}", "1e400"] {
            assert!(with(text, is_truthy), "{text}");
        }
    }

    #[test]
    fn equality() {
        let same = |a: &str, b: &str| {
            with(&format!("[{a},{b}]"), |pair| {
                let items: Vec<_> = pair.elements().collect();
                equals(items[0], items[1])
            })
        };
        for (a, b) in [
            ("false", "0"),
            ("0", "-0.0"),
            ("true", "1.0"),
            ("1", "1.0"),
            ("null", "null"),
            ("\"a\"", "\"\\u0061\""),
            ("[1,[2]]", "[1.0,[2]]"),
            ("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"),
            ("{\"a\":1,\"a\":2}", "{\"a\":2}"),
            ("18446744073709551616", "18446744073709551616.0"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("NaN", "NaN"),
            ("null", "false"),
            ("null", "0"),
            ("\"1\"", "1"),
            ("[1]", "[1,2]"),
            ("{}", "[]"),
            ("9007199254740993", "9007199254740992.0"),
            ("{\"a\":1}", "{\"b\":1}"),
            ("\"\\ud83d\\ude00\"", "\"\\ud83d\""),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn membership() {
        assert!(with("\"network_events\"", |v| contains(v, "work")).unwrap());
        assert!(with("[\"a\",\"work\"]", |v| contains(v, "work")).unwrap());
        assert!(!with("[\"network\"]", |v| contains(v, "work")).unwrap());
        assert!(with("{\"work\":null}", |v| contains(v, "work")).unwrap());
        for text in ["null", "true", "5", "1.5"] {
            assert_eq!(with(text, |v| contains(v, "work")).unwrap_err().code, Code::Type);
        }
    }

    #[test]
    fn text_form() {
        let form = |text: &str| String::from_utf8(with(text, |v| to_text(&v.to_json()))).unwrap();
        assert_eq!(form("\"plain\""), "plain");
        assert_eq!(
            form("[true,null,1e-5,1.0,\"it's\",\"q\\\"'\",{\"k\":[]}]"),
            "[True, None, 1e-05, 1.0, \"it's\", 'q\"\\'', {'k': []}]"
        );
        assert_eq!(form("[\"\\u00e9\\u200b\\n\\u0001\\ud83d\"]"), "['é\\u200b\\n\\x01\\ud83d']");
        assert_eq!(form("[\"\\u0301\"]"), "['\u{301}']");
    }
}
