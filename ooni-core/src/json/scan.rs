//! Finds the end of a JSON string, 64 bytes at a time, and records how the string is spelled.
//!
//! Nothing is decoded here: see `unescape`.

use super::block::{BLOCK, equal, greater, last_block};

/// How the inside of a JSON string is spelled, for searches in the undecoded bytes: a set of flags.
///
/// In a string without [`Spelling::ODD`] and [`Spelling::LONE`] every printable ASCII character but
/// `" \ / < > &` is unescaped; `<`, `>` and `&` are unescaped or `\u003c`, `\u003e`, `\u0026`; and the characters
/// outside ASCII are either all unescaped or all lower-case `\uxxxx`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spelling(u8);

impl Spelling {
    /// No flag: the raw bytes are the text.
    pub const PLAIN: Spelling = Spelling(0);
    /// A backslash occurs.
    pub const ESCAPED: Spelling = Spelling(1);
    /// A byte of 0x80 or more occurs.
    pub const NON_ASCII: Spelling = Spelling(2);
    /// A `\u` escape of a character outside ASCII occurs.
    pub const U_NON_ASCII: Spelling = Spelling(4);
    /// Characters may be escaped in ways that no known writer uses.
    pub const ODD: Spelling = Spelling(8);
    /// A lone surrogate occurs, or may occur.
    pub const LONE: Spelling = Spelling(16);

    /// True when all flags of `other` are set.
    pub const fn has(self, other: Spelling) -> bool {
        self.0 & other.0 == other.0
    }

    /// The union of both.
    #[must_use]
    pub const fn with(self, other: Spelling) -> Spelling {
        Spelling(self.0 | other.0)
    }

    /// The number of bits of all flags.
    pub(super) const BITS: u32 = 5;

    /// The flags as a number of [`Spelling::BITS`] bits.
    #[inline]
    pub(super) const fn to_bits(self) -> u32 {
        self.0 as u32
    }

    /// The flags in the lowest bits of a number.
    #[inline]
    pub(super) const fn of_bits(bits: u32) -> Spelling {
        Spelling(bits as u8 & ((1 << Spelling::BITS) - 1))
    }

    /// How the inside of a JSON string is spelled; `None` if `raw` is not the inside of one.
    ///
    /// The reader determines the spelling while reading; this function is for other text.
    pub fn of(raw: &[u8]) -> Option<Spelling> {
        let mut quoted = raw.to_vec();
        quoted.push(b'"');
        let (end, spelling) = StringScanner::new(&quoted, raw.is_ascii()).string_end(0).ok()?;
        let lone = std::str::from_utf8(raw).is_err();
        (end == raw.len()).then_some(if lone { spelling.with(Spelling::LONE) } else { spelling })
    }
}

/// Why a string could not be read, and where.
pub(super) type StringError = (usize, &'static str);

/// Finds the ends of strings. Each block of 64 bytes is examined once, however many quotes and escapes it contains.
#[derive(Debug)]
pub(super) struct StringScanner<'a> {
    text: &'a [u8],
    /// No byte is 0x80 or more, as in most texts, so blocks are not checked for such bytes.
    is_ascii: bool,
    /// Start of the examined block, a multiple of [`BLOCK`].
    block: usize,
    /// A bit for each unescaped quote of the block.
    quotes: u64,
    /// A bit for each backslash.
    backslashes: u64,
    /// A bit for each escaped `u`.
    unicode: u64,
    /// A bit for each byte that is 0x80 or more.
    high: u64,
    /// The first byte of the next block is escaped.
    carry: bool,
}

impl<'a> StringScanner<'a> {
    /// A scanner of a text without NUL bytes; with `is_ascii`, without bytes of 0x80 or more.
    pub(super) fn new(text: &'a [u8], is_ascii: bool) -> StringScanner<'a> {
        StringScanner {
            text,
            is_ascii,
            block: usize::MAX,
            quotes: 0,
            backslashes: 0,
            unicode: 0,
            high: 0,
            carry: false,
        }
    }

    /// The end of a string that ends in the current block and has no flags, which is the most common case.
    #[inline(always)]
    pub(super) fn plain_end(&self, start: usize) -> Option<usize> {
        let block = start & !(BLOCK - 1);
        if block != self.block {
            return None;
        }
        let from = u64::MAX << (start - block);
        let quotes = self.quotes & from;
        let before_end = (quotes & quotes.wrapping_neg()).wrapping_sub(1) & from;
        let plain = quotes != 0 && (self.backslashes | self.high) & before_end == 0;
        plain.then(|| block + quotes.trailing_zeros() as usize)
    }

    /// The position of the closing quote of the string after an opening quote, and the spelling of the string.
    pub(super) fn string_end(&mut self, start: usize) -> Result<(usize, Spelling), StringError> {
        let (mut high, mut backslashes) = (0, 0);
        let mut spelling = Spelling::PLAIN;
        let mut block = start & !(BLOCK - 1);
        // Bits of the block that belong to the string, before its end.
        let mut inside = u64::MAX << (start - block);
        let end = loop {
            if block != self.block {
                self.examine(block)?;
            }
            let quotes = self.quotes & inside;
            if quotes != 0 {
                inside &= (quotes & quotes.wrapping_neg()) - 1;
            }
            high |= self.high & inside;
            backslashes |= self.backslashes & inside;
            let mut unicode = self.unicode & inside;
            while unicode != 0 {
                unicode_escape(self.text, block + unicode.trailing_zeros() as usize, &mut spelling)?;
                unicode &= unicode - 1;
            }
            if quotes != 0 {
                break block + quotes.trailing_zeros() as usize;
            }
            block += BLOCK;
            inside = u64::MAX;
        };
        if backslashes != 0 {
            spelling = spelling.with(Spelling::ESCAPED);
        }
        if high != 0 {
            spelling = spelling.with(Spelling::NON_ASCII);
            if spelling.has(Spelling::U_NON_ASCII) {
                spelling = spelling.with(Spelling::ODD);
            }
        }
        Ok((end, spelling))
    }

    /// Examines the block that starts at `block`; bytes after the end of the text count as NUL.
    ///
    /// A document has no backslashes outside strings, so escapes are checked for the whole block.
    #[inline]
    fn examine(&mut self, block: usize) -> Result<(), StringError> {
        let last;
        let bytes = match self.text.get(block..block + BLOCK).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => bytes,
            None if block >= self.text.len() => return Err((self.text.len(), "the text ends inside a string")),
            None => {
                last = last_block(self.text, block, 0);
                &last
            }
        };
        // A block that was skipped contained no string and no escape.
        let carry = self.carry && self.block.wrapping_add(BLOCK) == block;
        let (quotes, backslashes) = (equal(bytes, b'"'), equal(bytes, b'\\'));
        (self.quotes, self.backslashes, self.unicode, self.carry) = (quotes, backslashes, 0, false);
        if backslashes != 0 || carry {
            let (escaped, next) = escaped(backslashes, carry);
            let letters = b"/bfnrt".iter().fold(0, |all, &letter| all | equal(bytes, letter));
            let u = equal(bytes, b'u');
            let unknown = escaped & !(quotes | backslashes | letters | u);
            if unknown != 0 {
                return Err(self.unknown_escape(block + unknown.trailing_zeros() as usize));
            }
            (self.quotes, self.unicode, self.carry) = (quotes & !escaped, escaped & u, next);
        }
        self.high = if self.is_ascii { 0 } else { !greater(bytes, 0) & !equal(bytes, 0) };
        self.block = block;
        Ok(())
    }

    #[cold]
    fn unknown_escape(&self, at: usize) -> StringError {
        match self.text.get(at) {
            Some(_) => (at - 1, "an invalid escape"),
            None => (self.text.len(), "the text ends inside a string"),
        }
    }
}

/// The bytes that are escaped by a backslash before them, and whether the first byte of the next block is escaped.
///
/// Backslashes escape each other, so every second backslash of a run starts an escape. Adding a run to its own bits finds
/// its end, for all runs at once (G. Langdale, D. Lemire: Parsing gigabytes of JSON per second, 2019, §3.1.1).
#[inline]
pub(super) const fn escaped(backslashes: u64, carry: bool) -> (u64, bool) {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let carry = carry as u64;
    let may_escape = backslashes & !carry;
    let ends = ((may_escape << 1) | ODD).wrapping_sub(may_escape) ^ ODD;
    let escaped = ends ^ (backslashes | carry);
    (escaped, (ends & backslashes) >> 63 != 0)
}

/// The flags of a `\u` escape, whose `u` is at `at`.
pub(super) fn unicode_escape(text: &[u8], at: usize, spelling: &mut Spelling) -> Result<(), StringError> {
    let Some((code, upper)) = hex4(text, at + 1) else {
        return Err((at - 1, "\\u without four hexadecimal digits"));
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
            if code & 0xf800 == 0xd800 && !is_paired(text, at, code) {
                *spelling = spelling.with(Spelling::LONE);
            }
        }
    }
    Ok(())
}

/// Whether the escaped surrogate whose `u` is at `at` is part of a pair of escapes.
///
/// Surrogates pair from left to right. A low surrogate is paired if a high one precedes it, and a high one if a low one
/// follows it, because no other low surrogate can belong to the same high one.
fn is_paired(text: &[u8], at: usize, code: u32) -> bool {
    let neighbour = if code < 0xdc00 { Some(at + 5) } else { at.checked_sub(7) };
    let Some(neighbour) = neighbour else { return false };
    let other = match text.get(neighbour..neighbour + 2) {
        Some(b"\\u") if code < 0xdc00 || is_escape(text, neighbour) => hex4(text, neighbour + 2),
        _ => None,
    };
    other.is_some_and(|(other, _)| other & 0xfc00 == if code < 0xdc00 { 0xdc00 } else { 0xd800 })
}

/// Whether the backslash at `at` begins an escape: an even number of backslashes precedes it.
fn is_escape(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Reader, Value};
    use proptest::prelude::*;

    /// The flags by their definitions, one character at a time. `raw_surrogates`: the document has unescaped surrogates.
    fn naive(raw: &[u8], raw_surrogates: bool) -> Spelling {
        let mut is = [false; 5];
        let [escaped, non_ascii, u_non_ascii, odd, lone] = &mut is;
        let mut units: Vec<(Option<u32>, bool)> = Vec::new(); // code of a \u escape, upper case in it
        let mut at = 0;
        while at < raw.len() {
            if raw[at] != b'\\' {
                *non_ascii |= raw[at] >= 0x80;
                units.push((None, false));
                at += 1;
                continue;
            }
            *escaped = true;
            if raw[at + 1] == b'u' {
                let digits = std::str::from_utf8(&raw[at + 2..at + 6]).unwrap();
                units.push((u32::from_str_radix(digits, 16).ok(), digits.chars().any(|c| c.is_ascii_uppercase())));
                at += 6;
            } else {
                units.push((None, false));
                at += 2;
            }
        }
        for (i, &(code, upper)) in units.iter().enumerate() {
            let Some(code) = code else { continue };
            let neighbour = |j: usize| units.get(j).and_then(|unit| unit.0);
            match code {
                0..0x20 | 0x7f => {}
                0x3c | 0x3e | 0x26 => *odd |= upper,
                0x20..0x7f => *odd = true,
                _ => {
                    *u_non_ascii = true;
                    *odd |= upper;
                }
            }
            // In a run of high surrogates only the last one, before a low surrogate, is paired.
            let high = |code: u32| (0xd800..0xdc00).contains(&code);
            let low = |code: u32| (0xdc00..0xe000).contains(&code);
            *lone |= high(code) && !neighbour(i + 1).is_some_and(low);
            *lone |= low(code) && !(i > 0 && neighbour(i - 1).is_some_and(high));
        }
        *lone |= *non_ascii && raw_surrogates;
        *odd |= *non_ascii && *u_non_ascii;
        let flags = [Spelling::ESCAPED, Spelling::NON_ASCII, Spelling::U_NON_ASCII, Spelling::ODD, Spelling::LONE];
        flags.into_iter().zip(is).filter(|(_, is)| *is).fold(Spelling::PLAIN, |all, (flag, _)| all.with(flag))
    }

    /// Pieces of strings as different writers spell them, then some that no writer produces.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            6 => "[ -!#-\\[\\]-~]{0,40}".prop_map(String::into_bytes),
            1 => prop::sample::select(vec![
                &b"\\\""[..], b"\\\\", b"\\/", b"\\n", b"\\u003c", b"\\u003C", b"\\u0026", b"\\u0041", b"\\u007f",
                b"\\u001F", b"\\u0000", b"\\u00e9", b"\\u00E9", b"\\ud83d", b"\\ude00", b"\\ud83d\\ude00",
                b"\\uD83D\\ude00", b"\\ud83d\\uDE00", b"\\ud83d\\n", "é".as_bytes(), "€".as_bytes(), "😀".as_bytes(),
                b"\x7f", b"\x01", b"\xed\xa0\x80", b"\xed\xb0\x80",
            ]).prop_map(<[u8]>::to_vec),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn spelling_matches_its_definition(strings in prop::collection::vec(pieces(), 1..4)) {
            let mut text = b"[".to_vec();
            for string in &strings {
                text.extend_from_slice(&[b"\"", &string[..], b"\","].concat());
            }
            text.extend_from_slice(b"0]");
            let mut reader = Reader::new();
            let document = reader.read(&text).unwrap();
            let raw_surrogates = std::str::from_utf8(&text).is_err();
            for (value, string) in document.root().elements().zip(&strings) {
                let (raw, spelling) = Value::raw_text(value).unwrap();
                prop_assert_eq!(raw, &string[..]);
                prop_assert_eq!(spelling, naive(raw, raw_surrogates), "{:?}", String::from_utf8_lossy(raw));
                prop_assert_eq!(Spelling::of(raw), Some(naive(raw, std::str::from_utf8(raw).is_err())));
                if !spelling.has(Spelling::ESCAPED) {
                    prop_assert_eq!(&*value.text().unwrap(), raw);
                }
            }
        }
    }

    #[test]
    fn spelling_of_invalid_strings() {
        for raw in [&b"a\"b"[..], b"\"", b"\\", b"a\\", b"\\x", b"\\u12"] {
            assert_eq!(Spelling::of(raw), None);
        }
        assert_eq!(Spelling::of(b""), Some(Spelling::PLAIN));
        assert_eq!(Spelling::of(b"\xed\xa0\x80"), Some(Spelling::NON_ASCII.with(Spelling::LONE)));
    }

    proptest! {
        #[test]
        fn escaped_bytes(a in any::<u64>(), b in any::<u64>(), c in any::<u64>(), carry in any::<bool>()) {
            for backslashes in [a, a & b, a | b, a & b & c, a | b | c, !0, 0, 1 << 63, a | 1 << 63] {
                let (mut expected, mut escapes) = (0u64, carry);
                for i in 0..64 {
                    expected |= u64::from(escapes) << i;
                    escapes = !escapes && backslashes >> i & 1 == 1;
                }
                prop_assert_eq!(escaped(backslashes, carry), (expected, escapes), "{:x}", backslashes);
            }
        }
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(hex4(b"0aF9", 0), Some((0x0af9, true)));
        assert_eq!(hex4(b"xff7f", 1), Some((0xff7f, false)));
        for byte in 0..=255u8 {
            let expected = char::from(byte).to_digit(16).map(|digit| (digit << 4, byte.is_ascii_uppercase()));
            assert_eq!(hex4(&[b'0', b'0', byte, b'0'], 0), expected);
        }
        assert_eq!(hex4(b"123", 0), None);
        assert_eq!(hex4(b"1234", 1), None);
        assert_eq!(hex4(b"1234", 9), None);
    }
}
