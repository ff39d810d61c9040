//! Derives the strings (needles) to search in undecoded text, so that no pattern is missed.
//!
//! JSON writers spell most characters in one way; runs of these in a pattern are searched directly. `/ < > &` and non-ASCII
//! text have two spellings, so for a pattern without a long enough run, all spellings of a piece of it are searched. Text
//! with other spellings has the flag [`Spelling::ODD`](crate::json::Spelling::ODD) and is decoded first.

use super::qgram::MIN_NEEDLE;
use std::ops::Range;

/// The maximum number of spellings of one piece of a pattern; more would fill the bitmap.
const MAX_VARIANTS: usize = 32;

/// One spelling of a piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawNeedle {
    pub(super) bytes: Vec<u8>,
    /// The part of `bytes` that the scan may take its groups from.
    pub(super) window: Range<usize>,
    /// The part of the pattern that the needle spells.
    pub(super) part: Range<usize>,
}

/// How to search undecoded text for a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RawSearch {
    /// The pattern can occur only if one of these does; each has [`MIN_NEEDLE`] bytes or more.
    Needles(Vec<RawNeedle>),
    /// The pattern can occur only if one of these short strings does.
    Short(Vec<Vec<u8>>),
    /// No needles: the text has to be decoded.
    Decode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// One spelling.
    One,
    /// Two spellings, chosen for each occurrence.
    PerPlace,
    /// Two spellings; all such characters of a text have the same one.
    PerText,
    /// Other spellings, which are not supported here.
    Unknown,
}

fn class(c: char) -> Class {
    match c {
        '/' | '<' | '>' | '&' => Class::PerPlace,
        ' '..='~' => Class::One,
        '\0'..='\x7f' => Class::Unknown,
        _ => Class::PerText,
    }
}

/// One character and its spellings.
struct Spelled {
    bytes: [u8; 12],
    len: usize,
}

impl Spelled {
    /// The first spelling or, if there are two, the second.
    fn new(c: char, second: bool) -> Self {
        let mut out = Self { bytes: [0; 12], len: 0 };
        match c {
            '"' => out.push(b"\\\""),
            '\\' => out.push(b"\\\\"),
            '/' if second => out.push(b"\\/"),
            '<' | '>' | '&' | '\u{80}'.. if second => {
                for &mut unit in c.encode_utf16(&mut [0; 2]) {
                    let digit = |shift: u32| b"0123456789abcdef"[usize::from(unit >> shift & 15)];
                    out.push(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
                }
            }
            _ => out.push(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        out
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Plans the search of `pattern` in undecoded text; `cost` is the expected frequency of a string.
pub(super) fn plan(pattern: &str, cost: impl Fn(&[u8]) -> u32) -> RawSearch {
    let chars: Vec<(usize, char)> = pattern.char_indices().collect();
    let price = |needles: &Vec<RawNeedle>| -> u64 {
        needles.iter().map(|needle| u64::from(cost(&needle.bytes[needle.window.clone()])) + 1).sum()
    };
    let single = runs(&chars, |class| class == Class::One)
        .into_iter()
        .map(|run| vec![spelled(pattern, &chars, run.clone(), run, 0)])
        .filter(|needles| needles[0].bytes.len() >= MIN_NEEDLE);
    if let Some(needles) = single.min_by_key(price) {
        return RawSearch::Needles(needles);
    }
    let spelled_out = runs(&chars, |class| class != Class::Unknown).into_iter().flat_map(|run| {
        let pieces = run.clone().filter_map(|start| needle_piece(&chars, start..run.end));
        pieces.filter_map(|piece| variants(pattern, &chars, piece)).collect::<Vec<_>>()
    });
    if let Some(needles) = spelled_out.min_by_key(price) {
        return RawSearch::Needles(needles);
    }
    short(pattern, &chars)
}

/// Maximal runs of characters of the wanted classes.
fn runs(chars: &[(usize, char)], wanted: impl Fn(Class) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for at in 0..=chars.len() {
        if chars.get(at).is_none_or(|&(_, c)| !wanted(class(c))) {
            if start < at {
                found.push(start..at);
            }
            start = at + 1;
        }
    }
    found
}

/// The shortest piece from the start of `run` that has enough bytes in each spelling.
fn needle_piece(chars: &[(usize, char)], run: Range<usize>) -> Option<Range<usize>> {
    let mut length = 0;
    for at in run.clone() {
        // The first spelling is the shortest.
        length += Spelled::new(chars[at].1, false).len;
        if length >= MIN_NEEDLE {
            return Some(run.start..at + 1);
        }
    }
    None
}

/// All spellings of a piece, if they are not too many.
fn variants(pattern: &str, chars: &[(usize, char)], piece: Range<usize>) -> Option<Vec<RawNeedle>> {
    let inside = &chars[piece.clone()];
    let per_place = inside.iter().filter(|&&(_, c)| class(c) == Class::PerPlace).count();
    let per_text = inside.iter().any(|&(_, c)| class(c) == Class::PerText);
    let count = 1usize.checked_shl((per_place + usize::from(per_text)) as u32)?;
    if count > MAX_VARIANTS {
        return None;
    }
    // Adjacent characters with a single spelling make the needle more selective at no cost.
    let mut around = piece.clone();
    while around.start > 0 && class(chars[around.start - 1].1) == Class::One {
        around.start -= 1;
    }
    while chars.get(around.end).is_some_and(|&(_, c)| class(c) == Class::One) {
        around.end += 1;
    }
    Some((0..count).map(|choice| spelled(pattern, chars, around.clone(), piece.clone(), choice)).collect())
}

/// Spells the characters of `around`. The bits of `choice` select among two spellings: the first bit is for all non-ASCII
/// text, if there is any in `window`, and each other bit for one character.
fn spelled(
    pattern: &str,
    chars: &[(usize, char)],
    around: Range<usize>,
    window: Range<usize>,
    choice: usize,
) -> RawNeedle {
    let has_text = chars[window.clone()].iter().any(|&(_, c)| class(c) == Class::PerText);
    let mut places = choice >> usize::from(has_text);
    let mut bytes = Vec::new();
    let mut bounds = 0..0;
    for at in around.clone() {
        if at == window.start {
            bounds.start = bytes.len();
        }
        let c = chars[at].1;
        let second = match class(c) {
            Class::PerPlace => {
                let second = places & 1 == 1;
                places >>= 1;
                second
            }
            Class::PerText => choice & 1 == 1,
            Class::One | Class::Unknown => false,
        };
        bytes.extend_from_slice(Spelled::new(c, second).as_bytes());
        if at + 1 == window.end {
            bounds.end = bytes.len();
        }
    }
    let place = |at: usize| chars.get(at).map_or(pattern.len(), |&(start, _)| start);
    RawNeedle { bytes, window: bounds, part: place(around.start)..place(around.end) }
}

/// A short piece in all its spellings, or else the longest run of characters with one spelling.
fn short(pattern: &str, chars: &[(usize, char)]) -> RawSearch {
    let pieces = runs(chars, |class| class != Class::Unknown);
    let all = pieces.into_iter().filter_map(|piece| variants(pattern, chars, piece)).max_by_key(|needles| {
        (needles.iter().map(|needle| needle.bytes.len()).min(), std::cmp::Reverse(needles.len()))
    });
    if let Some(needles) = all {
        return RawSearch::Short(needles.into_iter().map(|needle| needle.bytes).collect());
    }
    let longest = runs(chars, |class| class == Class::One).into_iter().max_by_key(Range::len);
    longest.map_or(RawSearch::Decode, |run| RawSearch::Short(vec![spelled(pattern, chars, run.clone(), run, 0).bytes]))
}

/// Whether undecoded text may start with `pattern`; true if a character has an unknown spelling.
pub(super) fn may_start_with(mut text: &[u8], pattern: &str) -> bool {
    for c in pattern.chars() {
        if class(c) == Class::Unknown {
            return true;
        }
        let spelled = |second| text.strip_prefix(Spelled::new(c, second).as_bytes());
        match spelled(false).or_else(|| spelled(true)) {
            Some(after) => text = after,
            None => return false,
        }
    }
    true
}

/// Whether undecoded text may end with `pattern`; true if in doubt.
pub(super) fn may_end_with(mut text: &[u8], pattern: &str) -> bool {
    for c in pattern.chars().rev() {
        // From the end, `\\/` may be a slash after a backslash or a slash in its second spelling.
        if class(c) == Class::Unknown || c == '/' && text.ends_with(b"\\\\/") {
            return true;
        }
        let spelled = |second| text.strip_suffix(Spelled::new(c, second).as_bytes());
        match spelled(true).or_else(|| spelled(false)) {
            Some(before) => text = before,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needles(pattern: &str) -> Vec<String> {
        match plan(pattern, |bytes| bytes.len() as u32) {
            RawSearch::Needles(needles) => {
                needles.iter().map(|needle| String::from_utf8_lossy(&needle.bytes).into_owned()).collect()
            }
            RawSearch::Short(pieces) => {
                pieces.iter().map(|piece| format!("short {}", String::from_utf8_lossy(piece))).collect()
            }
            RawSearch::Decode => vec!["decode".to_owned()],
        }
    }

    #[test]
    fn runs_with_one_spelling_are_preferred() {
        assert_eq!(needles("<p>Not found</p>"), ["Not found"]);
        assert_eq!(needles("a=\"b\\c\""), [r#"a=\"b\\c\""#]);
    }

    #[test]
    fn patterns_without_a_run_have_all_spellings() {
        assert_eq!(needles("ab/cde/"), ["ab/cde/", "ab\\/cde/", "ab/cde\\/", "ab\\/cde\\/"]);
        assert_eq!(needles("Марк"), ["Марк", r"\u043c\u0430\u0440\u043a".replace("043c", "041c").as_str()]);
        assert_eq!(needles("😀😀"), ["😀😀", r"\ud83d\ude00\ud83d\ude00"]);
        assert_eq!(needles("<b>éaaaaa").len(), 2, "a piece with fewer spellings is cheaper");
    }

    #[test]
    fn short_patterns() {
        assert_eq!(needles("BUSY"), ["short BUSY"]);
        assert_eq!(needles("80.216"), ["short 80.216"]);
        assert_eq!(needles("a\nbc\n"), ["short bc"]);
        assert_eq!(needles("a/\n"), ["short a/", "short a\\/"]);
        assert_eq!(needles("\n"), ["decode"]);
        assert_eq!(needles(""), ["decode"]);
    }

    #[test]
    fn windows_are_inside_their_needles() {
        for pattern in ["xx/yy/zz<a>", "é</é></é>", "\"<<<<<<<<<<\"", "禁止访问", "�.*�"] {
            let RawSearch::Needles(needles) = plan(pattern, |_| 1) else {
                panic!("{pattern}");
            };
            assert!(needles.len() <= MAX_VARIANTS);
            for needle in needles {
                assert!(needle.window.len() >= MIN_NEEDLE && needle.window.end <= needle.bytes.len());
                assert!(pattern.get(needle.part).is_some());
            }
        }
    }

    #[test]
    fn text_after_a_needle() {
        assert!(may_start_with(br#"\/a\u003c\"\u00e9x"#, "/a<\"é"));
        assert!(may_start_with("/a<\\\"é".as_bytes(), "/a<\"é"));
        assert!(!may_start_with(b"/b", "/a"));
        assert!(!may_start_with(b"/", "/a"));
        assert!(may_start_with(b"/", "/\na"));
    }

    #[test]
    fn text_before_a_needle() {
        assert!(may_end_with(br#"x\u00e9\"\u003ca\/"#, "é\"<a/"));
        assert!(may_end_with("xé\\\"<a/".as_bytes(), "é\"<a/"));
        assert!(!may_end_with(b"a/", "b/"));
        assert!(!may_end_with(b"/", "a/"));
        assert!(may_end_with(br"\\/", r"\/"), "an escaped backslash and a slash");
        assert!(may_end_with(br"\\\/", r"\/"));
    }
}
