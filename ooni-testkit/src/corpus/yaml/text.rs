//! Scalars as PyYAML writes them.

use std::fmt::Write as _;

/// Single-quoted, so that nothing is parsed as a date, number or boolean.
pub(super) fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Double-quoted, with escapes.
pub(super) fn double(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            ' '..='~' => out.push(c),
            _ => {
                let code = u32::from(c);
                let _ = match code {
                    0..0x100 => write!(out, "\\x{code:02x}"),
                    0x100..0x10000 => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                }; // a String takes everything
            }
        }
    }
    out.push('"');
    out
}

/// Bytes as `!!binary`, with lines indented by `indent` spaces.
pub(super) fn binary(bytes: &[u8], indent: usize) -> String {
    let mut out = String::from("!!binary |\n");
    for line in bytes.chunks(57) {
        out.extend(std::iter::repeat_n(' ', indent));
        for three in line.chunks(3) {
            let bits = three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - three.len()));
            for digit in 0..4 {
                let value = bits >> (18 - 6 * digit) & 63;
                out.push(if digit > three.len() { '=' } else { char::from(BASE64[value as usize]) });
            }
        }
        out.push('\n');
    }
    out
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars() {
        assert_eq!(single("it's"), "'it''s'");
        assert_eq!(double("a\"\\\n\u{0}\u{e9}\u{434}\u{1f600}"), r#""a\"\\\n\0\xe9\u0434\U0001f600""#);
        assert_eq!(binary(b"M\xc3\xbcnchen", 2), "!!binary |\n  TcO8bmNoZW4=\n");
        assert_eq!(binary(b"Roma", 4), "!!binary |\n    Um9tYQ==\n");
        assert_eq!(binary(&[0; 58], 0).lines().count(), 3);
    }
}
