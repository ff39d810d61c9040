//! Finding the end of a JSON string, sixteen bytes at a time, and noting on the way how it is spelled.
//!
//! Nothing is decoded here: see `unescape`. What a string holds is judged by others.

/// How the inside of a JSON string is spelled: what a search over the undecoded bytes has to know.
///
/// A set of flags. In a string without [`Spelling::ODD`] and [`Spelling::LONE`] every printable ASCII character but
/// `" \ / < > &` stands as itself, `<`, `>` and `&` as themselves or as `\u003c`, `\u003e`, `\u0026`, and the
/// characters beyond ASCII either all as themselves or all as lower-case `\uxxxx`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spelling(u8);

impl Spelling {
    /// Nothing of note: the raw bytes are the text.
    pub const PLAIN: Spelling = Spelling(0);
    /// A backslash occurs.
    pub const ESCAPED: Spelling = Spelling(1);
    /// A byte of 0x80 or more occurs.
    pub const NON_ASCII: Spelling = Spelling(2);
    /// A `\u` escape of a character beyond ASCII occurs.
    pub const U_NON_ASCII: Spelling = Spelling(4);
    /// Characters may be spelled in ways that no known writer uses.
    pub const ODD: Spelling = Spelling(8);
    /// Half of a surrogate pair occurs alone, or may.
    pub const LONE: Spelling = Spelling(16);

    /// True when all flags of `other` are set.
    pub const fn has(self, other: Spelling) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of both.
    #[must_use]
    pub const fn with(self, other: Spelling) -> Spelling {
        Spelling(self.0 | other.0)
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Spelling {
        Spelling(bits)
    }
}

/// Why a string could not be read, and where.
pub(super) type Broken = (usize, &'static str);

/// From the byte after the opening quote to the closing quote: its position, and the spelling of what is between.
///
/// The caller has made sure that the text holds no NUL byte.
#[inline]
pub(super) fn string_end(text: &[u8], start: usize) -> Result<(usize, Spelling), Broken> {
    let mut at = start;
    let mut high = 0;
    let mut spelling = Spelling::PLAIN;
    loop {
        let (special, top) = match text.get(at..at + 16).and_then(|s| <&[u8; 16]>::try_from(s).ok()) {
            Some(block) => masks(block),
            None => {
                let mut block = [0; 16];
                let rest = text.get(at..).unwrap_or_default();
                block[..rest.len()].copy_from_slice(rest);
                match masks(&block) {
                    (0, _) => return Err((text.len(), "the text ends inside a string")),
                    found => found,
                }
            }
        };
        if special == 0 {
            high |= top;
            at += 16;
            continue;
        }
        let offset = special.trailing_zeros();
        high |= top & ((1 << offset) - 1);
        at += offset as usize;
        if text[at] == b'"' {
            break;
        }
        // Escapes like company: a word of another script is one after the other.
        while text.get(at) == Some(&b'\\') {
            at = escape(text, at, &mut spelling)?;
        }
        spelling = spelling.with(Spelling::ESCAPED);
    }
    if high != 0 {
        spelling = spelling.with(Spelling::NON_ASCII);
        if spelling.has(Spelling::U_NON_ASCII) {
            spelling = spelling.with(Spelling::ODD);
        }
    }
    Ok((at, spelling))
}

/// One escape, `at` being its backslash: the position after it.
#[inline]
fn escape(text: &[u8], at: usize, spelling: &mut Spelling) -> Result<usize, Broken> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => unicode_escape(text, at, spelling),
        Some(_) => Err((at, "an escape that JSON does not know")),
        None => Err((text.len(), "the text ends inside a string")),
    }
}

fn unicode_escape(text: &[u8], at: usize, spelling: &mut Spelling) -> Result<usize, Broken> {
    let Some((code, upper)) = hex4(text, at + 2) else {
        return Err((at, "\\u without four hexadecimal digits"));
    };
    match code {
        0..0x20 | 0x7f => {}
        0x20..0x7f => {
            if upper || !matches!(code, 0x3c | 0x3e | 0x26) {
                *spelling = spelling.with(Spelling::ODD);
            }
        }
        _ => {
            *spelling = spelling.with(Spelling::U_NON_ASCII);
            if upper {
                *spelling = spelling.with(Spelling::ODD);
            }
            if (0xd800..0xdc00).contains(&code)
                && text.get(at + 6..at + 8) == Some(b"\\u")
                && let Some((low @ 0xdc00..0xe000, upper)) = hex4(text, at + 8)
            {
                debug_assert!(low >= 0xdc00);
                if upper {
                    *spelling = spelling.with(Spelling::ODD);
                }
                return Ok(at + 12);
            }
            if (0xd800..0xe000).contains(&code) {
                *spelling = spelling.with(Spelling::LONE);
            }
        }
    }
    Ok(at + 6)
}

/// Four hexadecimal digits, and whether one is an upper-case letter.
#[inline]
pub(super) fn hex4(text: &[u8], at: usize) -> Option<(u32, bool)> {
    let digits: &[u8; 4] = text.get(at..at + 4)?.try_into().ok()?;
    let mut code = 0;
    let mut seen = 0;
    for &digit in digits {
        let value = HEX[usize::from(digit)];
        seen |= value;
        code = code << 4 | u32::from(value & 15);
    }
    (seen & INVALID == 0).then_some((code, seen & UPPER != 0))
}

const INVALID: u8 = 0x80;
const UPPER: u8 = 0x40;

const HEX: [u8; 256] = {
    let mut table = [INVALID; 256];
    let mut i = 0;
    while i < 10 {
        table[b'0' as usize + i] = i as u8;
        i += 1;
    }
    let mut i = 0;
    while i < 6 {
        table[b'a' as usize + i] = 10 + i as u8;
        table[b'A' as usize + i] = UPPER | (10 + i as u8);
        i += 1;
    }
    table
};

/// A bit for each byte that is a quote or a backslash, and one for each that is 0x80 or more.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[inline]
fn masks(block: &[u8; 16]) -> (u32, u32) {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8};
    let [a, b, c, d, e, f, g, h, rest @ ..] = *block;
    let low = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let x = _mm_set_epi64x(i64::from_le_bytes(rest), low);
    let quote = _mm_cmpeq_epi8(x, _mm_set1_epi8(b'"' as i8));
    let backslash = _mm_cmpeq_epi8(x, _mm_set1_epi8(b'\\' as i8));
    let special = _mm_movemask_epi8(_mm_or_si128(quote, backslash));
    (special as u32, _mm_movemask_epi8(x) as u32)
}

/// The same for other machines.
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
#[inline]
fn masks(block: &[u8; 16]) -> (u32, u32) {
    let (mut special, mut high) = (0, 0);
    for (i, &byte) in block.iter().enumerate() {
        special |= u32::from(byte == b'"' || byte == b'\\') << i;
        high |= u32::from(byte >= 0x80) << i;
    }
    (special, high)
}
