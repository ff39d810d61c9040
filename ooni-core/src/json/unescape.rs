//! Decoding the inside of a JSON string into text.
//!
//! Text here is *generalized UTF-8*: UTF-8 in which halves of surrogate pairs may stand alone, as three bytes
//! `ED A0..BF xx`. Python's strings hold such halves and the reference passes them on, so equality of these bytes is
//! equality of Python's code points. Two halves that were both written as escapes become one character; any others
//! stay two (scoring spec §2).

use super::scan::hex4;

/// Appends the decoded form of `raw`, the inside of a JSON string whose escapes have been checked by the reader.
///
/// Escapes that are not valid, which a checked string does not have, are copied as they stand.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    out.reserve(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (byte, used) = match rest.get(at + 1) {
            Some(b'b') => (8, 2),
            Some(b'f') => (12, 2),
            Some(b'n') => (10, 2),
            Some(b'r') => (13, 2),
            Some(b't') => (9, 2),
            Some(b'u') => {
                let used = push_unicode(rest, at, out);
                rest = &rest[(at + used).min(rest.len())..];
                continue;
            }
            Some(&other) => (other, 2),
            None => (b'\\', 1),
        };
        out.push(byte);
        rest = &rest[at + used..];
    }
    out.extend_from_slice(rest);
}

/// Decodes the `\u` escape at `at` and returns how many bytes it took.
fn push_unicode(raw: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let Some((code, _)) = hex4(raw, at + 2) else {
        out.push(b'\\');
        return 1;
    };
    if (0xd800..0xdc00).contains(&code)
        && raw.get(at + 6..at + 8) == Some(b"\\u")
        && let Some((low @ 0xdc00..0xe000, _)) = hex4(raw, at + 8)
    {
        push_code_point(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), out);
        return 12;
    }
    push_code_point(code, out);
    6
}

/// Appends a code point, surrogates included.
pub(crate) fn push_code_point(code: u32, out: &mut Vec<u8>) {
    let low = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend_from_slice(&[0xc0 | (code >> 6) as u8, low(0)]),
        0x800..0x10000 => out.extend_from_slice(&[0xe0 | (code >> 12) as u8, low(6), low(0)]),
        _ => out.extend_from_slice(&[0xf0 | (code >> 18) as u8, low(12), low(6), low(0)]),
    }
}

/// Whether `text` is generalized UTF-8; the position of the first byte that is not.
pub(super) fn check_generalized(text: &[u8]) -> Result<(), usize> {
    let mut at = 0;
    while at < text.len() {
        match std::str::from_utf8(&text[at..]) {
            Ok(_) => return Ok(()),
            Err(error) => {
                at += error.valid_up_to();
                match text.get(at..at + 3) {
                    Some([0xed, 0xa0..=0xbf, 0x80..=0xbf]) => at += 3,
                    _ => return Err(at),
                }
            }
        }
    }
    Ok(())
}
