//! The writer: JSON text in the reference's form (scoring spec §14), straight into a byte buffer.
//!
//! ASCII only, no blanks, `/` as `\/`, integers of any size, floats as short as round-trips, `NaN` spelled out.

use super::Json;
use crate::number::{Int, write_f64};

/// Appends `value`.
pub fn write_json(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Int(Int::Small(int)) => write_i64(*int, out),
        Json::Int(Int::Big(digits)) => out.extend_from_slice(digits.as_bytes()),
        Json::Float(float) => write_f64(out, *float),
        Json::Text(text) => write_text(text, out),
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

/// Appends `"key":`, after a comma unless an object has just been opened.
pub(crate) fn write_key(key: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    // The names of columns and scores are plain; those that were read back may be anything.
    match key.bytes().all(is_plain) {
        true => {
            out.push(b'"');
            out.extend_from_slice(key.as_bytes());
            out.push(b'"');
        }
        false => write_text(key.as_bytes(), out),
    }
    out.push(b':');
}

fn write_i64(int: i64, out: &mut Vec<u8>) {
    use std::io::Write as _;
    // Writing into a vector does not fail.
    let _ = write!(out, "{int}");
}

/// Appends generalized UTF-8 as a JSON string. Bytes that are no such text become U+FFFD.
pub fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.iter().position(|&byte| !PLAIN[usize::from(byte)]).unwrap_or(rest.len());
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
