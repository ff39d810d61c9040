//! Finding the end of a JSON string, thirty-two bytes at a time, and noting on the way how it is spelled.
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

    /// How the inside of a JSON string is spelled; nothing if it is not the inside of one.
    ///
    /// The reader finds this out as it goes; this is for text that did not come through it.
    pub fn of(raw: &[u8]) -> Option<Spelling> {
        let mut quoted = raw.to_vec();
        quoted.push(b'"');
        let (end, spelling) = string_end(&quoted, 0).ok()?;
        let lone = std::str::from_utf8(raw).is_err();
        (end == raw.len()).then_some(if lone { spelling.with(Spelling::LONE) } else { spelling })
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
    let mut high = false;
    let mut spelling = Spelling::PLAIN;
    loop {
        let (offset, top) = match text.get(at..at + 32).and_then(|s| <&[u8; 32]>::try_from(s).ok()) {
            Some(block) => first_special(block),
            None => {
                let mut block = [0; 32];
                let rest = text.get(at..).unwrap_or_default();
                block[..rest.len()].copy_from_slice(rest);
                match first_special(&block) {
                    (32, _) => return Err((text.len(), "the text ends inside a string")),
                    found => found,
                }
            }
        };
        high |= top;
        at += offset;
        if offset == 32 {
            continue;
        }
        if text[at] == b'"' {
            break;
        }
        // Escapes like company: a word of another script is one after the other.
        while text.get(at) == Some(&b'\\') {
            at = escape(text, at, &mut spelling)?;
        }
        spelling = spelling.with(Spelling::ESCAPED);
    }
    if high {
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

/// The position of the first quote or backslash among these bytes, 32 if there is none, and whether a byte of 0x80 or
/// more comes before it.
///
/// Plain arithmetic on words of eight bytes, which compilers turn into vector instructions.
#[inline]
fn first_special(block: &[u8; 32]) -> (usize, bool) {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    /// A high bit for each byte that is zero; true up to the first of them, which is all that is used.
    const fn zeros(x: u64) -> u64 {
        x.wrapping_sub(0x0101_0101_0101_0101) & !x & HIGH
    }
    let mut words = [0; 4];
    let mut special = [0; 4];
    for ((word, special), bytes) in words.iter_mut().zip(&mut special).zip(block.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
        *special = zeros(*word ^ 0x2222_2222_2222_2222) | zeros(*word ^ 0x5c5c_5c5c_5c5c_5c5c);
    }
    if special[0] | special[1] | special[2] | special[3] == 0 {
        return (32, (words[0] | words[1] | words[2] | words[3]) & HIGH != 0);
    }
    let mut high = 0;
    for i in 0..4 {
        if special[i] != 0 {
            let bit = special[i].trailing_zeros();
            high |= words[i] & HIGH & ((1 << bit) - 1);
            return (i * 8 + bit as usize / 8, high != 0);
        }
        high |= words[i] & HIGH;
    }
    (32, high != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Reader, Value};
    use proptest::prelude::*;

    /// The flags by their definitions, a character at a time. `raw_halves`: the document has raw halves of surrogates.
    fn naive(raw: &[u8], raw_halves: bool) -> Spelling {
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
            let beside = |j: usize| units.get(j).and_then(|unit| unit.0);
            match code {
                0..0x20 | 0x7f => {}
                0x3c | 0x3e | 0x26 => *odd |= upper,
                0x20..0x7f => *odd = true,
                _ => {
                    *u_non_ascii = true;
                    *odd |= upper;
                }
            }
            // Of a run of high halves only the one right before a low half has a partner.
            let high = |code: u32| (0xd800..0xdc00).contains(&code);
            let low = |code: u32| (0xdc00..0xe000).contains(&code);
            *lone |= high(code) && !beside(i + 1).is_some_and(low);
            *lone |= low(code) && !(i > 0 && beside(i - 1).is_some_and(high));
        }
        *lone |= *non_ascii && raw_halves;
        *odd |= *non_ascii && *u_non_ascii;
        let flags = [Spelling::ESCAPED, Spelling::NON_ASCII, Spelling::U_NON_ASCII, Spelling::ODD, Spelling::LONE];
        flags.into_iter().zip(is).filter(|(_, is)| *is).fold(Spelling::PLAIN, |all, (flag, _)| all.with(flag))
    }

    /// Pieces of strings as different writers have them; the last few are such as no writer has.
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
        fn spelling_is_what_it_says(strings in prop::collection::vec(pieces(), 1..4)) {
            let mut text = b"[".to_vec();
            for string in &strings {
                text.extend_from_slice(&[b"\"", &string[..], b"\","].concat());
            }
            text.extend_from_slice(b"0]");
            let mut reader = Reader::new();
            let document = reader.read(&text).unwrap();
            let halves = std::str::from_utf8(&text).is_err();
            for (value, string) in document.root().elements().zip(&strings) {
                let (raw, spelling) = Value::raw_text(value).unwrap();
                prop_assert_eq!(raw, &string[..]);
                prop_assert_eq!(spelling, naive(raw, halves), "{:?}", String::from_utf8_lossy(raw));
                prop_assert_eq!(Spelling::of(raw), Some(naive(raw, std::str::from_utf8(raw).is_err())));
                if !spelling.has(Spelling::ESCAPED) {
                    prop_assert_eq!(&*value.text().unwrap(), raw);
                }
            }
        }
    }

    #[test]
    fn spelling_of_what_is_no_inside_of_a_string() {
        for raw in [&b"a\"b"[..], b"\"", b"\\", b"a\\", b"\\x", b"\\u12"] {
            assert_eq!(Spelling::of(raw), None);
        }
        assert_eq!(Spelling::of(b""), Some(Spelling::PLAIN));
        assert_eq!(Spelling::of(b"\xed\xa0\x80"), Some(Spelling::NON_ASCII.with(Spelling::LONE)));
    }

    #[test]
    fn first_special_in_every_block() {
        for special in [b'"', b'\\'] {
            for at in 0..=32 {
                for high in 0..=32 {
                    for later in [0x22u8, 0x23, 0x5d, 0x80, 0xff] {
                        let mut block = [b'x'; 32];
                        block.iter_mut().skip(at).for_each(|byte| *byte = later);
                        if high < 32 {
                            block[high] = 0x80;
                        }
                        if at < 32 {
                            block[at] = special;
                        }
                        let place = block.iter().position(|&byte| byte == b'"' || byte == b'\\').unwrap_or(32);
                        let expected = (place, block[..place].iter().any(|&byte| byte >= 0x80));
                        assert_eq!(first_special(&block), expected, "{block:x?}");
                    }
                }
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
