//! How the inside of a JSON string spells its text: the flags the search relies on, and the decoder.
//!
//! Belongs here: what can be said about one string's escapes. Must not be here: reading JSON; the
//! escapes of a string that arrives here have been validated already.

/// How a JSON string spells its characters, gathered while it is read.
///
/// A string without [`Spelling::ODD`] spells each printable ASCII character except `/ < > &` in one
/// known way, and all its other characters alike. That is what lets the search look at undecoded text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spelling(u8);

impl Spelling {
    /// There is a backslash: decoded and undecoded text differ.
    pub const ESCAPED: Self = Self(1);
    /// There is a byte of 0x80 or above.
    pub const NON_ASCII: Self = Self(2);
    /// There is a `\uXXXX` of 0x80 or above.
    pub const U_NON_ASCII: Self = Self(4);
    /// A character is spelled in a way the search does not expect: the text must be decoded first.
    pub const ODD: Self = Self(8);
    /// There is an unpaired surrogate.
    pub const LONE: Self = Self(16);

    /// No flag at all: plain ASCII without escapes.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// Both sets of flags.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of the inside of a JSON string. A reader gathers them as it goes; this is the definition.
    #[must_use]
    pub fn of(raw: &[u8]) -> Self {
        let mut flags = Self::none();
        let mut after_high = false;
        let mut at = 0;
        while at < raw.len() {
            let unit = u_escape(raw, at);
            let low = unit.is_some_and(|unit| (0xdc00..0xe000).contains(&unit));
            // A high one must be followed by a low one, and a low one must follow a high one.
            if low != after_high {
                flags = flags.with(Self::LONE);
            }
            after_high = unit.is_some_and(|unit| (0xd800..0xdc00).contains(&unit));
            if let Some(unit) = unit {
                flags = flags
                    .with(Self::ESCAPED)
                    .with(flags_of_escape(unit, &raw[at + 2..at + 6]));
                at += 6;
                continue;
            }
            match raw[at] {
                b'\\' => {
                    flags = flags.with(Self::ESCAPED);
                    at += 2;
                }
                byte => {
                    if byte >= 0x80 {
                        flags = flags.with(Self::NON_ASCII);
                    }
                    // A surrogate is ED followed by A0 or above; other characters after ED stay below.
                    if byte == 0xed && raw.get(at + 1).is_some_and(|&next| next >= 0xa0) {
                        flags = flags.with(Self::LONE);
                    }
                    at += 1;
                }
            }
        }
        if after_high {
            flags = flags.with(Self::LONE);
        }
        if flags.has(Self::NON_ASCII) && flags.has(Self::U_NON_ASCII) {
            flags = flags.with(Self::ODD);
        }
        flags
    }
}

fn flags_of_escape(unit: u32, digits: &[u8]) -> Spelling {
    let upper = digits.iter().any(u8::is_ascii_uppercase);
    match unit {
        // What Go writes: `<`, `>` and `&`.
        0x3c | 0x3e | 0x26 if !upper => Spelling::none(),
        0x20..=0x7e => Spelling::ODD,
        0x80.. if upper => Spelling::U_NON_ASCII.with(Spelling::ODD),
        0x80.. => Spelling::U_NON_ASCII,
        _ => Spelling::none(),
    }
}

/// The code unit of a `\uXXXX` that starts at `at`.
fn u_escape(raw: &[u8], at: usize) -> Option<u32> {
    let escape = raw.get(at..at.checked_add(6)?)?;
    if !escape.starts_with(b"\\u") {
        return None;
    }
    let mut unit = 0;
    for &digit in &escape[2..] {
        unit = unit << 4 | char::from(digit).to_digit(16)?;
    }
    Some(unit)
}

/// Appends the decoded text to `out`: escaped surrogate pairs become one character, a lone surrogate
/// becomes its three bytes.
///
/// An escape JSON does not know is kept as it stands: the reader has refused it before.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    out.reserve(raw.len());
    let mut rest = raw;
    while let Some(run) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..run]);
        rest = &rest[run..];
        let plain = match rest.get(1) {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'u') => {
                let used = unescape_unit(rest, out);
                if used > 0 {
                    rest = &rest[used..];
                    continue;
                }
                b'\\'
            }
            _ => b'\\',
        };
        out.push(plain);
        let used = if plain == b'\\' && rest.get(1) != Some(&b'\\') {
            1
        } else {
            2
        };
        rest = &rest[used..];
    }
    out.extend_from_slice(rest);
}

/// Decodes the `\u` escape at the start of `rest`; how many bytes it took, 0 if it is none.
fn unescape_unit(rest: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(unit) = u_escape(rest, 0) else {
        return 0;
    };
    if (0xd800..0xdc00).contains(&unit)
        && let Some(low @ 0xdc00..0xe000) = u_escape(rest, 6)
    {
        push_code_point(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), out);
        return 12;
    }
    push_code_point(unit, out);
    6
}

/// Generalized UTF-8: surrogates are encoded like any other code point of their size.
fn push_code_point(code: u32, out: &mut Vec<u8>) {
    let tail = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend_from_slice(&[0xc0 | (code >> 6) as u8, tail(0)]),
        0x800..0x10000 => out.extend_from_slice(&[0xe0 | (code >> 12) as u8, tail(6), tail(0)]),
        _ => out.extend_from_slice(&[0xf0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> Vec<u8> {
        let mut out = Vec::new();
        unescape(raw.as_bytes(), &mut out);
        out
    }

    #[test]
    fn decodes_every_escape() {
        assert_eq!(decoded(r#"a\"\\\/\b\f\n\r\tz"#), b"a\"\\/\x08\x0c\n\r\tz");
        assert_eq!(
            decoded(r"\u0041\u00e9\u20AC\ud83d\ude00"),
            "Aé€😀".as_bytes()
        );
        assert_eq!(decoded(r"\\u0041"), b"\\u0041");
    }

    #[test]
    fn lone_surrogates_become_three_bytes() {
        assert_eq!(decoded(r"\ud83d"), b"\xed\xa0\xbd");
        assert_eq!(decoded(r"\ude00\ud83d"), b"\xed\xb8\x80\xed\xa0\xbd");
        assert_eq!(decoded(r"\ud83d\u0041"), b"\xed\xa0\xbdA");
        assert_eq!(
            decoded(r"\ud83d\ud83d\ude00"),
            b"\xed\xa0\xbd\xf0\x9f\x98\x80"
        );
    }

    #[test]
    fn broken_escapes_are_kept() {
        assert_eq!(decoded(r"a\"), b"a\\");
        assert_eq!(decoded(r"\u12"), b"\\u12");
        assert_eq!(decoded(r"\x\"), b"\\x\\");
    }

    #[test]
    fn flags() {
        let of = |raw: &str| Spelling::of(raw.as_bytes());
        let escaped = Spelling::ESCAPED;
        assert_eq!(of("plain <b>/"), Spelling::none());
        assert_eq!(of(r"\/\n\u003c\u003e\u0026\u000a"), escaped);
        assert_eq!(of(r"\u003C"), escaped.with(Spelling::ODD));
        assert_eq!(of(r"\u0041"), escaped.with(Spelling::ODD));
        assert_eq!(of("é"), Spelling::NON_ASCII);
        assert_eq!(of(r"\u00e9"), escaped.with(Spelling::U_NON_ASCII));
        assert_eq!(
            of(r"\u00E9"),
            escaped.with(Spelling::U_NON_ASCII).with(Spelling::ODD)
        );
        assert!(of(r"é\u00e9").has(Spelling::ODD));
        assert!(!of(r"\ud83d\ude00").has(Spelling::LONE));
        for lone in [
            r"\ud83d",
            r"\ude00",
            r"\ud83dx",
            r"\ude00\ud83d",
            r"\ud83d\ud83d\ude00",
            r"\ud83d\n",
        ] {
            assert!(of(lone).has(Spelling::LONE), "{lone}");
        }
        assert!(Spelling::of(b"\xed\xa0\xbd").has(Spelling::LONE));
        assert!(!Spelling::of("\u{d7ff}".as_bytes()).has(Spelling::LONE));
    }
}
