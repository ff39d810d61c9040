//! Writes values as text for the JSON reader, with descriptions of values that JSON cannot represent.

use super::value::{Stamp, YamlValue};
use crate::error::{Code, Error};
use crate::hex::hex;
use crate::json::{FOREIGN, FOREIGN_FALSE};
use crate::number::write_f64;

/// Appends a value with a limit on its levels of nesting.
///
/// # Errors
/// `E-LIMIT` when it has more.
pub(super) fn write(value: &YamlValue<'_>, levels: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    match value {
        YamlValue::Null => out.extend_from_slice(b"null"),
        YamlValue::Bool(true) => out.extend_from_slice(b"true"),
        YamlValue::Bool(false) => out.extend_from_slice(b"false"),
        YamlValue::Int(int) => out.extend_from_slice(int.to_string().as_bytes()),
        YamlValue::Float(float) => write_f64(out, *float),
        YamlValue::Text(text) => write_text(text, out),
        YamlValue::Sequence(items) => {
            let levels = inner(levels)?;
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, levels, out)?;
            }
            out.push(b']');
        }
        YamlValue::Mapping(members) => {
            let levels = inner(levels)?;
            out.push(b'{');
            for (i, (key, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                match key {
                    YamlValue::Text(text) => write_text(text, out),
                    other => write_foreign(&describe(other), out),
                }
                out.push(b':');
                write(value, levels, out)?;
            }
            out.push(b'}');
        }
        YamlValue::Bytes(_) | YamlValue::Date(_) | YamlValue::DateTime(_) | YamlValue::Set(_) => {
            write_foreign(&describe(value), out)
        }
    }
    Ok(())
}

fn inner(levels: usize) -> Result<usize, Error> {
    levels.checked_sub(1).ok_or_else(|| Error::new(Code::Limit, "", "too many levels of nesting after normalization"))
}

/// Unlike in scores, non-ASCII characters are not escaped. Neither are surrogates, because two escaped surrogates would be
/// read as one character.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| ESCAPED[usize::from(byte)]) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// The bytes that must be escaped.
const ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    let mut byte = 0;
    while byte < b' ' as usize {
        table[byte] = true;
        byte += 1;
    }
    table
};

fn write_foreign(description: &str, out: &mut Vec<u8>) {
    out.push(FOREIGN);
    write_text(description.as_bytes(), out);
}

/// The description of a value that JSON cannot represent, or not as a key.
fn describe(value: &YamlValue<'_>) -> String {
    let description = match value {
        YamlValue::Bool(value) => format!("bool {value}"),
        YamlValue::Int(int) => format!("int {int}"),
        YamlValue::Float(float) => format!("float {float}"),
        YamlValue::Bytes(bytes) => format!("bytes {}", hex(bytes.iter().copied())),
        YamlValue::Date(day) => format!("date {}", day.date_text()),
        YamlValue::DateTime(Stamp { local, micros, offset }) => {
            let zone = offset.map_or(String::new(), |offset| format!(" {offset:+} s"));
            format!("date {local}.{micros:06}{zone}")
        }
        YamlValue::Set(items) => {
            let items: Vec<_> = items.iter().map(describe).collect();
            format!("set {}", items.join(", "))
        }
        YamlValue::Text(text) => format!("text {}", String::from_utf8_lossy(text)),
        YamlValue::Null | YamlValue::Sequence(_) | YamlValue::Mapping(_) => "null".into(),
    };
    match value {
        YamlValue::Bytes(_) | YamlValue::Set(_) if !value.is_truthy() => {
            format!("{}{}", String::from_utf8_lossy(FOREIGN_FALSE), description.trim_end())
        }
        _ => description,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Kind, Limits, Reader};
    use crate::normalize::yaml;
    use crate::python::is_truthy;

    fn written(yaml: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write(&yaml::load(yaml.as_bytes(), Limits::default()).unwrap(), 1024, &mut out).unwrap();
        out
    }

    #[test]
    fn json_values() {
        for (yaml, json) in [
            (
                "[~, yes, off, 0x10, 1.0, 1e3, .inf, -.inf, .nan]",
                r#"[null,true,false,16,1.0,"1e3",Infinity,-Infinity,NaN]"#,
            ),
            (
                "{a: {b: []}, \"c\\n\\t\\r\\0\\\"\\\\/é\\x7f\": {}}",
                "{\"a\":{\"b\":[]},\"c\\n\\t\\r\\u0000\\\"\\\\/é\x7f\":{}}",
            ),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(String::from_utf8(written(yaml)).unwrap(), json);
            assert!(Reader::new().read(&written(yaml)).is_ok());
        }
        // Two adjacent surrogates stay two.
        assert_eq!(written(r#""\ud83d\ude00""#), b"\"\xed\xa0\xbd\xed\xb8\x80\"");
    }

    #[test]
    fn foreign_values() {
        for (yaml, description, truthy) in [
            ("!!binary aGk=", "bytes 6869", true),
            ("!!binary ''", "empty bytes", false),
            ("2014-02-20", "date 2014-02-20", true),
            ("2014-02-20 01:02:03.5", "date 2014-02-20 01:02:03.500000", true),
            ("2014-02-20 01:02:03 -1:30", "date 2014-02-20 01:02:03.000000 -5400 s", true),
            ("!!set {a, 1}", "set text a, int 1", true),
            ("!!set {}", "empty set", false),
        ] {
            let text = written(yaml);
            let mut reader = Reader::new();
            let document = reader.read_normalized(&text).unwrap();
            assert_eq!(document.root().kind(), Kind::Foreign);
            assert_eq!(&*document.root().foreign().unwrap(), description.as_bytes());
            assert_eq!(is_truthy(document.root()), truthy, "{yaml}");
            assert!(document.root().document_has_foreign() && document.root().text().is_none());
            assert!(reader.read(&text).is_err(), "no JSON");
        }
    }

    #[test]
    fn keys_that_are_not_text_are_never_found() {
        let text = written("{1: a, ~: b, 2014-01-01: c, int 1: d, no: e, 0.5: f}");
        let mut reader = Reader::new();
        let document = reader.read_normalized(&text).unwrap();
        assert!(document.root().field("int 1").value().is_text("d"));
        assert!(document.root().field("null").is_missing() && document.root().field("").is_missing());
        assert_eq!(document.root().members().count(), 6);
        let paths: Vec<_> = document.root().members().map(|(_, value)| value.path()).collect();
        assert_eq!(paths, ["/int 1", "/null", "/date 2014-01-01", "/int 1", "/bool false", "/float 0.5"]);
        assert!(reader.read(&text).is_err(), "no JSON");
    }

    #[test]
    fn nesting_is_limited() {
        let deep = YamlValue::Sequence(vec![YamlValue::Sequence(vec![])]);
        assert!(write(&deep, 2, &mut Vec::new()).is_ok());
        assert_eq!(write(&deep, 1, &mut Vec::new()).unwrap_err().code, Code::Limit);
    }
}
