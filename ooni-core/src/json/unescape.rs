//! Decodes the inside of a JSON string into text.
//!
//! Text is *generalized UTF-8*: UTF-8 in which lone surrogates may occur, encoded in three bytes `ED A0..BF xx`. Python's
//! strings may contain lone surrogates and the reference keeps them. Texts are equal in Python exactly if these bytes are
//! equal. Two escaped surrogates that form a pair become one character; others stay two (scoring spec §2).

use super::scan::hex4;

/// Appends the decoded form of `raw`, the inside of a JSON string whose escapes have been checked by the reader.
///
/// Invalid escapes, which a checked string does not contain, are copied.
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

/// Decodes the `\u` escape at `at`; returns its length in bytes.
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

/// Checks that `text` is generalized UTF-8; the error is the position of the first invalid byte.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(raw: &[u8]) -> Vec<u8> {
        let mut out = b"kept".to_vec();
        unescape(raw, &mut out);
        out.strip_prefix(b"kept").unwrap().to_vec()
    }

    #[test]
    fn escapes() {
        for (raw, text) in [
            ("", ""),
            ("abc", "abc"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"a\u0041b\u00e9\u20aC", "aAbé€"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\udbff\udfff", "\u{10ffff}"),
            (r"\\u0041", r"\u0041"),
            (r"\\\u0041", r"\A"),
            (r"\u0000\u007f\u0080\u07ff\u0800\uffff", "\0\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}"),
            ("é\\n😀", "é\n😀"),
        ] {
            assert_eq!(String::from_utf8(unescaped(raw.as_bytes())).unwrap(), text, "{raw}");
        }
    }

    #[test]
    fn only_escaped_surrogates_are_combined() {
        for (raw, text) in [
            (&br"\ud83d"[..], &b"\xed\xa0\xbd"[..]),
            (br"\ude00\ud83d", b"\xed\xb8\x80\xed\xa0\xbd"),
            (br"\ud83dx\ude00", b"\xed\xa0\xbdx\xed\xb8\x80"),
            (b"\\ud83d\xed\xb8\x80", b"\xed\xa0\xbd\xed\xb8\x80"),
            (b"\xed\xa0\xbd\\ude00", b"\xed\xa0\xbd\xed\xb8\x80"),
            (b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xa0\xbd\xed\xb8\x80"),
            (br"\ud83d\ud83d\ude00", b"\xed\xa0\xbd\xf0\x9f\x98\x80"),
        ] {
            assert_eq!(unescaped(raw), text, "{}", String::from_utf8_lossy(raw));
        }
    }

    /// Such text never comes from the reader, but must not cause a panic.
    #[test]
    fn invalid_escapes_are_copied() {
        for (raw, text) in [
            (&br"\"[..], &br"\"[..]),
            (br"\u12", br"\u12"),
            (br"\ud83d\u12", b"\xed\xa0\xbd\\u12"),
            (br"\ud83d\", b"\xed\xa0\xbd\\"),
            (br"\x", b"x"),
        ] {
            assert_eq!(unescaped(raw), text, "{}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn code_points_are_generalized_utf8() {
        for code in 0..0x11_0000 {
            let mut out = Vec::new();
            push_code_point(code, &mut out);
            assert_eq!(crate::text::first(&out), Some((code, out.len())));
            assert_eq!(check_generalized(&out), Ok(()));
            if let Some(c) = char::from_u32(code) {
                assert_eq!(out, c.to_string().as_bytes());
            }
        }
    }

    #[test]
    fn invalid_generalized_utf8() {
        for (text, at) in [
            (&b"abc\x80"[..], 3),
            (b"\xed\xa0\xbd\xed\xa0", 3),
            (b"\xed\xa0\x80\xed\xbf\xbf\xff", 6),
            (b"\xed\x9f\xc0", 0),
            (b"\xf4\x90\x80\x80", 0),
            (b"\xc0\x80", 0),
            ("é\u{d7ff}x".as_bytes(), 99),
            (b"\xed\xa0\x80x\xed\xb0\x80", 99),
        ] {
            assert_eq!(check_generalized(text), if at == 99 { Ok(()) } else { Err(at) }, "{text:x?}");
        }
    }
}
