//! Writes JSON text in the reference's form (scoring spec §14) to a byte buffer.
//!
//! ASCII only, no whitespace, `/` as `\/`, integers of any size, the shortest floats that round-trip, `NaN` spelled out.

use super::owned::Json;
use crate::number::{Int, write_f64};

/// Appends `value`.
pub fn write_json(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Int(int) => write_int(int, out),
        Json::Float(float) => write_f64(out, *float),
        Json::Text(text) | Json::Foreign(text) => write_text(text, out),
        Json::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_json(item, out);
            }
            out.push(b']');
        }
        Json::Object(members) => {
            out.push(b'{');
            for (i, (key, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                write_json(value, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends `"key":`, after a comma unless it is the first key of an object.
pub(crate) fn write_key(key: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_text(key.as_bytes(), out);
    out.push(b':');
}

/// Appends an integer.
pub(crate) fn write_int(int: &Int, out: &mut Vec<u8>) {
    match int {
        Int::Small(int) => out.extend_from_slice(itoa::Buffer::new().format(*int).as_bytes()),
        Int::Big(digits) => out.extend_from_slice(digits.as_bytes()),
    }
}

/// Appends generalized UTF-8 as a JSON string. Invalid bytes become U+FFFD.
pub fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while !rest.is_empty() {
        let plain = plain_length(rest);
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        let Some(&byte) = rest.first() else { break };
        if byte < 0x80 {
            write_escape(byte, out);
            rest = &rest[1..];
        } else {
            let (code, used) = code_point(rest);
            match code {
                0x10000.. => {
                    write_u(0xd800 + ((code - 0x10000) >> 10), out);
                    write_u(0xdc00 + ((code - 0x10000) & 0x3ff), out);
                }
                _ => write_u(code, out),
            }
            rest = &rest[used..];
        }
    }
    out.push(b'"');
}

/// The number of bytes at the start that are written as they are.
fn plain_length(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks();
    for (number, word) in words.iter().enumerate() {
        let other = other_than_plain(u64::from_le_bytes(*word));
        if other != 0 {
            return 8 * number + other.trailing_zeros() as usize / 8;
        }
    }
    let plain = rest.iter().position(|&byte| !PLAIN[usize::from(byte)]).unwrap_or(rest.len());
    text.len() - rest.len() + plain
}

/// Examines eight bytes at once. The lowest bit that is set is the high bit of the first byte that is not plain.
const fn other_than_plain(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    // A subtraction borrows only from the bytes after one that is found, so the first one is exact.
    const fn less(word: u64, than: u8) -> u64 {
        word.wrapping_sub(ONES * than as u64) & !word
    }
    const fn equal(word: u64, byte: u8) -> u64 {
        less(word ^ (ONES * byte as u64), 1)
    }
    let special = equal(word, b'"') | equal(word, b'\\') | equal(word, b'/');
    (word | less(word, 0x20) | special) & (ONES << 7)
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7f) && !matches!(byte, b'"' | b'\\' | b'/')
}

const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_plain(byte as u8);
        byte += 1;
    }
    table
};

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let letter = match byte {
        8 => b'b',
        9 => b't',
        10 => b'n',
        12 => b'f',
        13 => b'r',
        b'"' | b'\\' | b'/' => byte,
        _ => return write_u(u32::from(byte), out),
    };
    out.extend_from_slice(&[b'\\', letter]);
}

fn write_u(code: u32, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |shift: u32| DIGITS[(code >> shift & 15) as usize];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

/// The first code point of generalized UTF-8 and its length.
fn code_point(text: &[u8]) -> (u32, usize) {
    let tail = |i: usize| text.get(i).map_or(0, |byte| u32::from(byte & 0x3f));
    match text.first() {
        Some(&lead @ 0xc2..=0xdf) if text.len() >= 2 => (u32::from(lead & 0x1f) << 6 | tail(1), 2),
        Some(&lead @ 0xe0..=0xef) if text.len() >= 3 => (u32::from(lead & 15) << 12 | tail(1) << 6 | tail(2), 3),
        Some(&lead @ 0xf0..=0xf4) if text.len() >= 4 => {
            ((u32::from(lead & 7) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3)).clamp(0x10000, 0x10ffff), 4)
        }
        _ => (0xfffd, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{MAX_DEPTH, Reader};

    fn written(value: &Json) -> String {
        let mut out = Vec::new();
        write_json(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn text(text: &[u8]) -> String {
        written(&Json::Text(text.to_vec()))
    }

    /// Scoring spec §14.
    #[test]
    fn strings_are_ascii() {
        for (value, expected) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            (r#"a"b\c/d"#, r#""a\"b\\c\/d""#),
            ("\u{8}\t\n\u{c}\r", r#""\b\t\n\f\r""#),
            ("\0\x01\x0b\x0e\x1f", r#""\u0000\u0001\u000b\u000e\u001f""#),
            ("\x7f", "\"\x7f\""),
            ("<>&'", r#""<>&'""#),
            ("\u{80}é\u{7ff}\u{800}\u{2028}\u{feff}\u{ffff}", r#""\u0080\u00e9\u07ff\u0800\u2028\ufeff\uffff""#),
            ("\u{10000}😀\u{10ffff}", r#""\ud800\udc00\ud83d\ude00\udbff\udfff""#),
        ] {
            assert_eq!(text(value.as_bytes()), expected);
        }
        // Surrogates are escaped, so a pair of them is read as one character.
        assert_eq!(text(b"\xed\xa0\xbd"), r#""\ud83d""#);
        assert_eq!(text(b"\xed\xb8\x80\xed\xa0\xbd"), r#""\ude00\ud83d""#);
        assert_eq!(text(b"a\xed\xbf\xbfb"), r#""a\udfffb""#);
        // Invalid bytes are replaced.
        assert_eq!(text(b"\xffa\xc3"), r#""\ufffda\ufffd""#);
    }

    #[test]
    fn every_character_is_read_back() {
        for code in 0..0x11_0000 {
            let mut raw = b"x".to_vec();
            crate::json::push_code_point(code, &mut raw);
            raw.push(b'y');
            let written = text(&raw);
            assert!(written.is_ascii());
            let mut reader = Reader::new();
            assert_eq!(*reader.read(written.as_bytes()).unwrap().root().text().unwrap(), raw, "{code:x}");
        }
    }

    #[test]
    fn numbers_and_literals() {
        for (value, expected) in [
            (Json::Null, "null"),
            (Json::Bool(true), "true"),
            (Json::Bool(false), "false"),
            (Json::from(0), "0"),
            (Json::from(680), "680"),
            (Json::from(i64::MIN), "-9223372036854775808"),
            (Json::Float(1.0), "1.0"),
            (Json::Float(-0.0), "-0.0"),
            (Json::Float(0.0001), "0.0001"),
            (Json::Float(1e-5), "1e-5"),
            (Json::Float(1.25e-7), "1.25e-7"),
            (Json::Float(1e15), "1000000000000000.0"),
            (Json::Float(1e16), "1e+16"),
            (Json::Float(1.5e21), "1.5e+21"),
            (Json::Float(0.6799999999999999), "0.6799999999999999"),
            (Json::Float(5e-324), "5e-324"),
            (Json::Float(f64::NAN), "NaN"),
            (Json::Float(f64::INFINITY), "Infinity"),
            (Json::Float(f64::NEG_INFINITY), "-Infinity"),
        ] {
            assert_eq!(written(&value), expected);
        }
        for digits in ["18446744073709551616", "-9223372036854775809", &"9".repeat(4300)] {
            assert_eq!(written(&Json::Int(Int::parse_decimal(digits.as_bytes()).unwrap())), digits);
        }
    }

    #[test]
    fn containers_have_no_whitespace_and_keep_their_order() {
        let value = Json::object([
            ("b", Json::Array(vec![])),
            ("a/", Json::Array(vec![Json::from(1), Json::from("x"), Json::Null])),
            ("", Json::object([("z", Json::Bool(true)), ("é", Json::object([]))])),
        ]);
        assert_eq!(written(&value), r#"{"b":[],"a\/":[1,"x",null],"":{"z":true,"\u00e9":{}}}"#);
        let deep = (0..MAX_DEPTH).fold(Json::Null, |inner, _| Json::Array(vec![inner]));
        assert_eq!(written(&deep), format!("{}null{}", "[".repeat(1024), "]".repeat(1024)));
    }

    #[test]
    fn plain_bytes_are_found_by_words() {
        for byte in 0..=255 {
            for at in 0..20 {
                for before in *b"a !\x7f" {
                    let mut text = [before; 20];
                    text[at] = byte;
                    let expected = if is_plain(byte) { 20 } else { at };
                    assert_eq!(plain_length(&text), expected, "{byte:x} at {at}");
                    if let Some(next) = text.get_mut(at + 1) {
                        *next = b'"';
                        assert_eq!(plain_length(&text), if is_plain(byte) { at + 1 } else { at });
                    }
                }
            }
        }
    }

    #[test]
    fn keys() {
        let mut out = b"{".to_vec();
        write_key("a", &mut out);
        out.push(b'1');
        write_key("b/", &mut out);
        assert_eq!(out, br#"{"a":1,"b\/":"#);
    }
}
