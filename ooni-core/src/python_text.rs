//! Python's `int()` and `float()` of text, and its definitions of whitespace and digits.
//!
//! Text is generalized UTF-8, see `text`. The tables are those of Python 3.11 (Unicode 14). JSON numbers
//! are not read here.

use crate::number::{Int, MAX_DIGITS, parse_f64};
use crate::text::{chars, first};

/// Code points of the digit zero; nine more digits follow each.
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
    0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620,
    0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0,
    0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60,
    0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

/// Whether Python's `str.isspace()` and the `\s` of its patterns accept this code point.
pub fn is_space(code: u32) -> bool {
    matches!(
        code,
        0x09..=0x0D | 0x1C..=0x20 | 0x85 | 0xA0 | 0x1680 | 0x2000..=0x200A | 0x2028 | 0x2029
            | 0x202F | 0x205F | 0x3000
    )
}

/// The value 0 to 9 of a Unicode decimal digit (category Nd, the `\d` of Python's patterns).
pub fn decimal_digit(code: u32) -> Option<u8> {
    if code < 0x80 {
        return u8::try_from(code.wrapping_sub(0x30)).ok().filter(|&digit| digit < 10);
    }
    let after = ZEROS.partition_point(|&zero| zero <= code);
    let zero = *ZEROS.get(after.checked_sub(1)?)?;
    u8::try_from(code - zero).ok().filter(|&digit| digit < 10)
}

/// Python's `int(text)` (scoring spec §1.4); `None` where Python raises `ValueError`.
pub fn to_int(text: &[u8]) -> Option<Int> {
    if text.iter().all(u8::is_ascii_digit) && (1..=MAX_DIGITS).contains(&text.len()) {
        return Int::parse_decimal(text);
    }
    let mut number = ascii_number(strip(text))?;
    // The limit counts leading zeros, unlike that of the JSON reader.
    if number.iter().filter(|byte| byte.is_ascii_digit()).count() > MAX_DIGITS {
        return None;
    }
    if number.first() == Some(&b'+') {
        number.remove(0);
        if number.first() == Some(&b'-') {
            return None;
        }
    }
    if !number.last()?.is_ascii_digit() {
        return None; // only a sign
    }
    Int::parse_decimal(&number)
}

/// Python's `float(text)` (scoring spec §1.4); `None` where Python raises `ValueError`.
///
/// Overflow gives an infinity; `inf`, `infinity` and `nan` are read in any case.
pub fn to_float(text: &[u8]) -> Option<f64> {
    let number = ascii_number(strip(text))?;
    let (negative, unsigned) = match number.as_slice() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let value = if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
        f64::INFINITY
    } else if unsigned.eq_ignore_ascii_case(b"nan") {
        f64::NAN
    } else if is_float(unsigned) {
        parse_f64(unsigned)
    } else {
        return None;
    };
    Some(if negative { -value } else { value })
}

/// Whether `text` is digits with an optional point and exponent.
fn is_float(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    let mut rest = text.get(whole..).unwrap_or_default();
    let mut fraction = 0;
    if let [b'.', after @ ..] = rest {
        fraction = digits(after);
        rest = after.get(fraction..).unwrap_or_default();
    }
    if whole + fraction == 0 {
        return false;
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', power @ ..] | [b'e' | b'E', power @ ..] => {
            !power.is_empty() && digits(power) == power.len()
        }
        _ => false,
    }
}

/// `text` with every digit converted to ASCII and underscores between digits removed; `None` if it has any other
/// underscore or non-ASCII character.
fn ascii_number(text: &[u8]) -> Option<Vec<u8>> {
    let mut number = Vec::with_capacity(text.len());
    let mut after_digit = false;
    let mut codes = chars(text).peekable();
    while let Some(code) = codes.next() {
        if code == u32::from(b'_') {
            let between = after_digit && codes.peek().is_some_and(|&next| decimal_digit(next).is_some());
            if !between {
                return None;
            }
        } else if let Some(digit) = decimal_digit(code) {
            number.push(b'0' + digit);
            after_digit = true;
        } else {
            number.push(u8::try_from(code).ok().filter(u8::is_ascii)?);
            after_digit = false;
        }
    }
    Some(number)
}

/// Removes whitespace at both ends as `int()` and `float()` do.
///
/// Unlike `str.strip()` they keep U+001C to U+001F: in ASCII, only the space and U+0009 to U+000D are whitespace.
fn strip(text: &[u8]) -> &[u8] {
    let strippable = |code: u32| is_space(code) && !matches!(code, 0x1C..=0x1F);
    let mut text = text;
    while let Some((code, length)) = first(text) {
        if !strippable(code) {
            break;
        }
        text = text.get(length..).unwrap_or_default();
    }
    loop {
        // Step back over the continuation bytes to the start of the last character.
        let Some(start) = text.iter().rposition(|byte| byte & 0xC0 != 0x80) else {
            return text;
        };
        let last = text.get(start..).unwrap_or_default();
        match first(last) {
            Some((code, length)) if length == last.len() && strippable(code) => {
                text = text.get(..start).unwrap_or_default();
            }
            _ => return text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(text: &str) -> Option<String> {
        to_int(text.as_bytes()).map(|int| int.to_string())
    }

    fn float(text: &str) -> Option<f64> {
        to_float(text.as_bytes())
    }

    #[test]
    fn digits_and_spaces() {
        assert_eq!((0..0x11_0000).filter(|&code| decimal_digit(code).is_some()).count(), 660);
        assert_eq!((0..0x11_0000).filter(|&code| is_space(code)).count(), 29);
        assert_eq!(decimal_digit(0x665), Some(5));
        assert_eq!(decimal_digit(0xFF19), Some(9));
        assert_eq!(decimal_digit(0x1FBF9), Some(9));
        assert_eq!(decimal_digit(0x2F), None);
        assert_eq!(decimal_digit(0xB2), None); // superscript two is not a decimal digit
        assert_eq!(decimal_digit(u32::MAX), None);
        assert!(ZEROS.is_sorted());
    }

    #[test]
    fn integers() {
        for (text, value) in [
            ("5", "5"),
            (" 5", "5"),
            ("\u{A0}\t5\u{3000}\n", "5"),
            ("+5", "5"),
            ("-5", "-5"),
            ("-0", "0"),
            ("007", "7"),
            ("1_0", "10"),
            ("0_0_7", "7"),
            ("٥", "5"),
            ("５", "5"),
            ("1_٥", "15"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(int(text).as_deref(), Some(value), "{text:?}");
        }
        for text in [
            "",
            " ",
            "5.",
            "1e2",
            "0x1",
            "_5",
            "5_",
            "1__0",
            "+ 5",
            "+",
            "-",
            "+-5",
            "-+5",
            "--5",
            "1 2",
            "+_5",
            "²",
            "5\0",
            "1x",
            "\u{1C}5",
            "5\u{1F}",
            "\u{1C}٥",
            "\u{200B}5",
            "é",
        ] {
            assert_eq!(int(text), None, "{text:?}");
        }
        assert_eq!(to_int(b"5\xED\xA0\x80"), None);
        assert_eq!(to_int(b"\x80"), None);
        assert_eq!(to_int(b"5\xA0"), None);
    }

    #[test]
    fn integer_limit_counts_leading_zeros() {
        assert!(int(&"1".repeat(4300)).is_some());
        assert!(int(&"1".repeat(4301)).is_none());
        assert!(int(&format!("{}1", "0".repeat(4300))).is_none());
        assert!(int(&format!("-{}1", "1_".repeat(4299))).is_some());
        assert!(int(&format!("{}1", " ".repeat(5000))).is_some());
    }

    #[test]
    fn floats() {
        for (text, value) in [
            ("5", 5.0),
            ("5.", 5.0),
            (".5", 0.5),
            ("1e2", 100.0),
            ("1E-2", 0.01),
            ("1_0", 10.0),
            ("1_0.0_1e0_1", 100.1),
            (" +٥.٥\u{2003}", 5.5),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+INF", f64::INFINITY),
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("-0", -0.0),
        ] {
            assert_eq!(float(text).map(f64::to_bits), Some(value.to_bits()), "{text:?}");
        }
        assert!(float("nan").is_some_and(f64::is_nan));
        assert!(float("-NaN").is_some_and(f64::is_nan));
        for text in [
            "0x10", "", "5,0", "_5", "1__0", "1_.5", "1._5", "1e_5", "1_e5", ".", "e5", "1e", "1e+", "+", "in_f",
            "infinit", "nan1", "--5", "+-5", "+ 5", "1 2", "5\0", "1.2.3", "\u{1C}5", "1f", "é",
        ] {
            assert_eq!(float(text), None, "{text:?}");
        }
        assert_eq!(float(&"1".repeat(5000)), Some(f64::INFINITY));
    }
}
