//! Text as Python sees it: code points, and whole-text case mapping.
//!
//! Text is a byte slice of *generalized UTF-8*: UTF-8 in which lone surrogates may occur, encoded in
//! three bytes (`ED A0..BF xx`); two adjacent surrogates stay two code points. Nothing here fails: invalid
//! bytes are passed through.

use std::borrow::Cow;

/// The code point that replaces an invalid byte.
const REPLACEMENT: u32 = 0xFFFD;

/// The code points of `text`, surrogates included.
///
/// Each byte that does not start a well-formed sequence yields U+FFFD.
pub fn chars(text: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (code, length) = first(rest)?;
        rest = rest.get(length..).unwrap_or_default();
        Some(code)
    })
}

/// The first code point of `text` and its length in bytes; `None` when `text` is empty.
pub(crate) fn first(text: &[u8]) -> Option<(u32, usize)> {
    let (&lead, rest) = text.split_first()?;
    let (tail, value, least) = match lead {
        0..=0x7F => return Some((u32::from(lead), 1)),
        0xC2..=0xDF => (1, lead & 0x1F, 0x80),
        0xE0..=0xEF => (2, lead & 0x0F, 0x800),
        0xF0..=0xF4 => (3, lead & 0x07, 0x1_0000),
        _ => return Some((REPLACEMENT, 1)),
    };
    let mut code = u32::from(value);
    for index in 0..tail {
        match rest.get(index) {
            Some(&byte) if byte & 0xC0 == 0x80 => code = code << 6 | u32::from(byte & 0x3F),
            _ => return Some((REPLACEMENT, 1)),
        }
    }
    if code < least || code > 0x10_FFFF {
        return Some((REPLACEMENT, 1));
    }
    Some((code, tail + 1))
}

/// Text as UTF-8: a surrogate pair becomes its character; a lone surrogate or an invalid byte becomes U+FFFD.
pub fn decoded(text: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(text) {
        return Cow::Borrowed(text);
    }
    let mut codes = chars(text).peekable();
    let mut decoded = String::with_capacity(text.len());
    while let Some(high) = codes.next() {
        let low = codes.next_if(|low| (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(low));
        let code = low.map_or(high, |low| 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
        decoded.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(decoded)
}

/// Python's `str.lower()`: the full Unicode mapping, final sigma included (scoring spec §1.3).
///
/// The tables are those of the Rust standard library. Against Python 3.11 they differ only for
/// letters added or paired since Unicode 14, none of which maps to or from ASCII.
pub fn lower(text: &[u8]) -> Cow<'_, [u8]> {
    map(text, u8::is_ascii_uppercase, <[u8]>::to_ascii_lowercase, str::to_lowercase)
}

/// Python's `str.upper()`: the full Unicode mapping (scoring spec §1.3), so `ß` becomes `SS`.
///
/// The tables are those of the Rust standard library, see [`lower`].
pub fn upper(text: &[u8]) -> Cow<'_, [u8]> {
    map(text, u8::is_ascii_lowercase, <[u8]>::to_ascii_uppercase, str::to_uppercase)
}

fn map(
    text: &[u8],
    changes: fn(&u8) -> bool,
    ascii: fn(&[u8]) -> Vec<u8>,
    unicode: fn(&str) -> String,
) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return if text.iter().any(changes) { Cow::Owned(ascii(text)) } else { Cow::Borrowed(text) };
    }
    let mut mapped = Vec::with_capacity(text.len());
    // Pieces end at surrogates. These are neither cased nor ignorable, so they end a word for the
    // final-sigma rule too: mapping piece by piece is exact.
    for piece in text.utf8_chunks() {
        mapped.extend_from_slice(unicode(piece.valid()).as_bytes());
        mapped.extend_from_slice(piece.invalid());
    }
    Cow::Owned(mapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(text: &[u8]) -> Vec<u32> {
        chars(text).collect()
    }

    #[test]
    fn code_points_include_surrogates() {
        assert_eq!(points("aß€😀".as_bytes()), [0x61, 0xDF, 0x20AC, 0x1F600]);
        assert_eq!(points(b"\xED\xA0\xBD\xED\xB8\x80x"), [0xD83D, 0xDE00, 0x78]);
        assert_eq!(points(b""), [0u32; 0]);
        for code in (0..0x11_0000).filter_map(char::from_u32) {
            let text = code.to_string();
            assert_eq!(first(text.as_bytes()), Some((u32::from(code), text.len())));
        }
    }

    #[test]
    fn invalid_bytes_are_replaced_one_by_one() {
        assert_eq!(points(b"\xFFa\xC3"), [REPLACEMENT, 0x61, REPLACEMENT]);
        assert_eq!(points(b"\xC0\x80"), [REPLACEMENT; 2]);
        assert_eq!(points(b"\xF4\x90\x80\x80"), [REPLACEMENT; 4]);
        assert_eq!(points(b"\xE0\x80\x80"), [REPLACEMENT; 3]);
    }

    #[test]
    fn decoded_text_is_utf8() {
        assert!(matches!(decoded("é😀".as_bytes()), Cow::Borrowed("é😀")));
        assert_eq!(decoded(b"a\xED\xA0\xBDb\xFF"), "a\u{fffd}b\u{fffd}");
        assert_eq!(decoded(b"\xED\xA0\xBD\xED\xB8\x80\xED\xB8\x80"), "😀\u{fffd}");
    }

    #[test]
    fn case_mapping_is_full() {
        assert_eq!(&*upper("ı".as_bytes()), b"I");
        assert_eq!(&*upper("ß".as_bytes()), b"SS");
        assert_eq!(&*upper("ŉx".as_bytes()), "ʼNX".as_bytes());
        assert_eq!(&*lower("İ".as_bytes()), "i\u{307}".as_bytes());
        assert_eq!(&*lower("ΑΣ Σ ΣΑ".as_bytes()), "ας σ σα".as_bytes());
        assert_eq!(&*lower(b"Content-Type"), b"content-type");
    }

    #[test]
    fn unchanged_ascii_is_borrowed() {
        assert!(matches!(lower(b"location"), Cow::Borrowed(b"location")));
        assert!(matches!(upper(b"IT"), Cow::Borrowed(b"IT")));
    }

    #[test]
    fn surrogates_are_kept_and_end_a_word() {
        assert_eq!(&*lower(b"A\xED\xA0\x80B"), b"a\xED\xA0\x80b");
        // U+0391 U+03A3 surrogate U+0391: the sigma is final.
        assert_eq!(&*lower(b"\xCE\x91\xCE\xA3\xED\xA0\x80\xCE\x91"), b"\xCE\xB1\xCF\x82\xED\xA0\x80\xCE\xB1");
    }
}
