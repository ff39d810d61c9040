//! Compares the body search with plain substring search, an automaton, and a regular expression engine, on texts that
//! consist of pieces of patterns and are spelled as by various JSON writers.

use ooni_core::fingerprint::{Body, BodyRules, Fingerprint, Fingerprints, PatternType, Scope, Scratch};
use ooni_core::json::{Spelling, unescape};
use proptest::prelude::*;
use std::sync::LazyLock;

const COMPAT: BodyRules = BodyRules { regexp: false, full: false };
const REPAIRED: BodyRules = BodyRules { regexp: true, full: true };

fn fingerprint(pattern_type: PatternType, pattern: &str) -> Fingerprint {
    Fingerprint {
        name: pattern.to_owned(),
        scope: Scope::Nat,
        other_names: String::new(),
        location_found: "body".to_owned(),
        pattern_type,
        pattern: pattern.to_owned(),
        confidence_no_fp: 5,
        expected_countries: Vec::new(),
    }
}

fn list(patterns: &[(PatternType, String)]) -> Fingerprints {
    let http = patterns.iter().map(|(pattern_type, pattern)| fingerprint(*pattern_type, pattern)).collect();
    Fingerprints::new(Vec::new(), http, "test").unwrap()
}

static PUBLIC: LazyLock<Fingerprints> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../ooni-archive/data/fingerprints/");
    let read = |name: &str| std::fs::read(format!("{folder}{name}")).unwrap();
    Fingerprints::from_csv(&read("fingerprints_dns.csv"), &read("fingerprints_http.csv"), "public").unwrap()
});

/// How a serializer spells strings.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// `\/`, and `\uXXXX` for everything outside ASCII.
    Collector,
    /// `\u003c`, and unescaped UTF-8.
    Go,
    /// As few escapes as JSON allows.
    Plain,
    /// Some `\/` and `\u003c`, by the bits of the number: not odd, but irregular.
    Mixed(u64),
    /// Any valid escapes, by the bits of the number.
    Odd(u64),
}

/// A code point, surrogates included.
fn push(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(&[0xed, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]),
    }
}

fn escape(code: u32, upper: bool, out: &mut Vec<u8>) {
    let units: Vec<u16> = match char::from_u32(code) {
        Some(c) => c.encode_utf16(&mut [0; 2]).to_vec(),
        None => vec![code as u16],
    };
    for unit in units {
        let text = if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
        out.extend_from_slice(text.as_bytes());
    }
}

fn spell(text: &[u32], writer: Writer) -> Vec<u8> {
    let mut out = Vec::new();
    let mut seed = if let Writer::Odd(seed) | Writer::Mixed(seed) = writer { seed } else { 1 };
    let escape_text = matches!(writer, Writer::Collector) || matches!(writer, Writer::Mixed(seed) if seed & 1 > 0);
    let mixed = matches!(writer, Writer::Odd(_) | Writer::Mixed(_));
    for &code in text {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let dice = seed >> 40;
        let odd = matches!(writer, Writer::Odd(_));
        let c = char::from_u32(code).filter(char::is_ascii).unwrap_or('é');
        match c {
            _ if odd && dice % 8 == 0 => escape(code, dice & 64 > 0, &mut out),
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\0'..' ' => escape(code, false, &mut out),
            '/' if matches!(writer, Writer::Collector) || mixed && dice & 8 > 0 => out.extend_from_slice(b"\\/"),
            '<' | '>' | '&' if matches!(writer, Writer::Go) || mixed && dice & 8 > 0 => escape(code, false, &mut out),
            // A lone surrogate is not UTF-8: always escaped, except in odd texts.
            'é' if escape_text => escape(code, false, &mut out),
            'é' if char::from_u32(code).is_none() && !odd => escape(code, false, &mut out),
            _ => push(code, &mut out),
        }
    }
    out
}

/// Code points of a text; adjacent surrogates of a pair are omitted, because no decoder distinguishes them from a character.
fn code_points(text: &str) -> Vec<u32> {
    text.chars().map(u32::from).collect()
}

fn writer() -> impl Strategy<Value = Writer> {
    prop_oneof![
        2 => Just(Writer::Collector),
        2 => Just(Writer::Go),
        1 => Just(Writer::Plain),
        2 => any::<u64>().prop_map(Writer::Mixed),
        3 => any::<u64>().prop_map(Writer::Odd),
    ]
}

/// A piece of a pattern of the list, or other text.
fn piece(patterns: Vec<String>) -> impl Strategy<Value = Vec<u32>> {
    let whole = proptest::sample::select(patterns.clone()).prop_map(|pattern| code_points(&pattern));
    let part = (proptest::sample::select(patterns), any::<(u16, u16)>()).prop_map(|(pattern, (from, length))| {
        let points = code_points(&pattern);
        let from = usize::from(from) % (points.len() + 1);
        let length = usize::from(length) % (points.len() - from + 1);
        points[from..from + length].to_vec()
    });
    prop_oneof![
        4 => whole,
        3 => part,
        3 => "[ -~\n]{0,9}".prop_map(|text| code_points(&text)),
        1 => "[é禁�😀\u{7f}\u{1}<>&/\"\\\\a]{0,4}".prop_map(|text| code_points(&text)),
        1 => Just(vec![0xdc12]),
        1 => Just(vec![0xd83d, 0x20]),
    ]
}

fn text(patterns: Vec<String>) -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(piece(patterns), 0..12).prop_map(|pieces| pieces.concat())
}

/// Patterns that overlap, end with one another, and use every class of character.
fn small_pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]{0,12}",
        3 => "[a</>&\"\\\\é禁😀]{0,12}",
        1 => "[a\n\u{7f}/]{0,12}",
        2 => "[a-z]{5,9}",
        1 => "[/<>&]{5,9}",
    ]
}

fn naive(list: &Fingerprints, text: &[u8]) -> Vec<(u32, Vec<usize>)> {
    let places = |pattern: &[u8]| -> Vec<usize> {
        (0..=text.len())
            .filter(|&at| text[at..].starts_with(pattern))
            .take(if pattern.is_empty() { 1 } else { usize::MAX })
            .collect()
    };
    let all = (0..).zip(list.http()).filter(|(_, fingerprint)| fingerprint.location_found == "body");
    let all = all.map(|(at, fingerprint)| (at, places(fingerprint.pattern.as_bytes())));
    all.filter(|(_, places)| !places.is_empty()).collect()
}

fn automaton(list: &Fingerprints, text: &[u8]) -> Vec<u32> {
    let bodies: Vec<(u32, &Fingerprint)> =
        (0..).zip(list.http()).filter(|(_, fingerprint)| fingerprint.location_found == "body").collect();
    let automaton = aho_corasick::AhoCorasick::new(bodies.iter().map(|(_, fingerprint)| &fingerprint.pattern)).unwrap();
    let mut found: Vec<u32> = automaton.find_overlapping_iter(text).map(|hit| bodies[hit.pattern()].0).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Searches a text in each form and compares the results with the oracles.
fn check(list: &Fingerprints, points: &[u32], writer: Writer) -> Result<(), TestCaseError> {
    let raw = spell(points, writer);
    let mut decoded = Vec::new();
    unescape(&raw, &mut decoded);
    let expected = naive(list, &decoded);
    let spelling = Spelling::of(&raw).unwrap();
    let body = Body::Raw { raw: &raw, spelling };
    let mut scratch = Scratch::default();
    let found: Vec<_> =
        list.find_in_body(body, COMPAT, &mut scratch).iter().map(|m| (m.http_index, m.offset)).collect();
    let first: Vec<_> = expected.iter().map(|(at, places)| (*at, places[0])).collect();
    prop_assert_eq!(&found, &first, "raw {:?}", String::from_utf8_lossy(&raw));
    prop_assert_eq!(list.find_all_in_body(body, COMPAT, &mut scratch), expected);
    let bytes = list.find_in_body(Body::Bytes(&decoded), COMPAT, &mut scratch);
    let bytes: Vec<_> = bytes.iter().map(|m| (m.http_index, m.offset)).collect();
    prop_assert_eq!(&bytes, &first);
    let found: Vec<u32> = found.into_iter().map(|(at, _)| at).collect();
    prop_assert_eq!(found, automaton(list, &decoded));
    Ok(())
}

/// Text decoded lossily: one U+FFFD for each lone surrogate.
fn lossy(decoded: &[u8]) -> String {
    let mut bytes = decoded.to_vec();
    for at in 0..bytes.len().saturating_sub(2) {
        if bytes[at] == 0xed && bytes[at + 1] >= 0xa0 {
            bytes[at..at + 3].copy_from_slice("�".as_bytes());
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn public_patterns() -> Vec<String> {
    PUBLIC.http().iter().filter(|f| f.location_found == "body").map(|f| f.pattern.clone()).collect()
}

const EXPRESSIONS: [&str; 24] = [
    "�.*�",
    "aa.*bb",
    "aa.bb",
    "a.*",
    "ab{2}",
    "x{\"m\":.*\"id\":",
    "[ab]+�",
    "a|b",
    "(ab)+c",
    "\\d\\dab",
    "é.禁",
    "a\\.b",
    "b.*a.*b",
    "ab?c",
    "a.*a",
    "^ab",
    "ab$",
    "�",
    "�a",
    ".a",
    "(?i)AB",
    "a\\sb",
    "a.*?b",
    "..",
];

proptest! {
    #[test]
    fn small_lists(
        (patterns, points) in proptest::collection::vec(small_pattern(), 1..12)
            .prop_flat_map(|patterns| (Just(patterns.clone()), text(patterns))),
        writer in writer(),
    ) {
        let patterns: Vec<_> = patterns.into_iter().map(|pattern| (PatternType::Contains, pattern)).collect();
        check(&list(&patterns), &points, writer)?;
    }

    #[test]
    fn public_list(points in text(public_patterns()), writer in writer()) {
        check(&PUBLIC, &points, writer)?;
    }

    /// One long pattern in a long text, at each alignment.
    #[test]
    fn at_any_offset_of_a_long_text(pattern in proptest::sample::select(public_patterns()), before in 0usize..300, after in 0usize..80, writer in writer()) {
        let mut points = vec![u32::from(b'.'); before];
        points.extend(code_points(&pattern));
        points.extend(vec![u32::from(b'.'); after]);
        check(&PUBLIC, &points, writer)?;
    }

    #[test]
    fn expressions(
        points in text(["aa", "bb", "ab", "�", "\n", "1 ", "é", "禁", "{\"m\":", "\"id\":", "c", "AB"].map(str::to_owned).to_vec()),
        writer in writer(),
    ) {
        let patterns = EXPRESSIONS.map(|pattern| (PatternType::Regexp, pattern.to_owned()));
        let list = list(&patterns);
        let raw = spell(&points, writer);
        let mut decoded = Vec::new();
        unescape(&raw, &mut decoded);
        let text = lossy(&decoded);
        let expected: Vec<_> = (0..).zip(EXPRESSIONS).filter_map(|(at, pattern)| {
            let places: Vec<_> = regex_lite::Regex::new(&pattern.replace("x{\"", "x\\{\"")).unwrap()
                .find_iter(&text).map(|found| found.start()).collect();
            (!places.is_empty()).then_some((at, places))
        }).collect();
        // A lone surrogate and U+FFFD are both three bytes long: offsets are the same in both.
        let body = Body::Raw { raw: &raw, spelling: Spelling::of(&raw).unwrap() };
        let mut scratch = Scratch::default();
        prop_assert_eq!(list.find_all_in_body(body, REPAIRED, &mut scratch), expected);
    }

    #[test]
    fn expressions_over_bytes(bytes in proptest::collection::vec(proptest::sample::select(b"aabb\n\xff\xed\xa0\x80\xf0\x9f\xef\xbf\xbd".to_vec()), 0..40)) {
        let patterns = ["�.*�", "a.b", "a.*b", "�a"];
        let list = list(&patterns.map(|pattern| (PatternType::Regexp, pattern.to_owned())));
        let text = String::from_utf8_lossy(&bytes);
        let expected: Vec<u32> = (0..).zip(patterns)
            .filter(|(_, pattern)| regex_lite::Regex::new(pattern).unwrap().is_match(&text)).map(|(at, _)| at).collect();
        let mut scratch = Scratch::default();
        let found = list.find_in_body(Body::Bytes(&bytes), REPAIRED, &mut scratch);
        for hit in found {
            let rest = String::from_utf8_lossy(&bytes[hit.offset..]);
            let regex = regex_lite::Regex::new(patterns[hit.http_index as usize]).unwrap();
            prop_assert_eq!(regex.find(&rest).map(|found| found.start()), Some(0), "the offset is in the bytes");
        }
        prop_assert_eq!(found.iter().map(|hit| hit.http_index).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn arbitrary_bytes_cause_no_panic(raw in proptest::collection::vec(any::<u8>(), 0..200), flags in any::<bool>()) {
        let spelling = if flags { Spelling::of(&raw).unwrap_or_default() } else { Spelling::PLAIN };
        let mut scratch = Scratch::default();
        for rules in [COMPAT, REPAIRED] {
            let _ = PUBLIC.find_in_body(Body::Raw { raw: &raw, spelling }, rules, &mut scratch);
            let _ = PUBLIC.find_all_in_body(Body::Bytes(&raw), rules, &mut scratch);
        }
    }
}

/// In text with candidates everywhere, the search abandons the scan and its results are still exact.
#[test]
fn text_that_defeats_the_scan() {
    let many: Vec<_> = (0..200).map(|n| (PatternType::Contains, format!("aaaaaaaa{n}b"))).collect();
    let list = list(&many);
    let mut text = "a".repeat(20_000);
    text.push_str("17b");
    let mut scratch = Scratch::default();
    for body in [Body::Bytes(text.as_bytes()), Body::Raw { raw: text.as_bytes(), spelling: Spelling::ESCAPED }] {
        let found = list.find_in_body(body, COMPAT, &mut scratch);
        assert_eq!(found.iter().map(|hit| (hit.http_index, hit.offset)).collect::<Vec<_>>(), [(17, 19_992)]);
    }
}

#[test]
fn compat_and_repaired_types() {
    let list = list(&[
        (PatternType::Full, "<p></p>".to_owned()),
        (PatternType::Regexp, "U.L".to_owned()),
        (PatternType::Prefix, "mid".to_owned()),
        (PatternType::Contains, String::new()),
        (PatternType::Full, String::new()),
    ]);
    let mut scratch = Scratch::default();
    let mut find = |text: &str, rules| -> Vec<u32> {
        let body = Body::Raw { raw: text.as_bytes(), spelling: Spelling::of(text.as_bytes()).unwrap() };
        list.find_in_body(body, rules, &mut scratch).iter().map(|hit| hit.http_index).collect()
    };
    assert_eq!(find("a<p><\\/p>U.L mid", COMPAT), [0, 1, 2, 3, 4]);
    assert_eq!(find("a<p><\\/p>URL mid", COMPAT), [0, 2, 3, 4]);
    assert_eq!(find("a<p><\\/p>URL mid", REPAIRED), [1, 2, 3]);
    assert_eq!(find("<p><\\/p>", REPAIRED), [0, 3]);
    assert_eq!(find("U\\nL u.l", REPAIRED), [3]);
    assert_eq!(find("", REPAIRED), [3, 4]);
    assert_eq!(find("\\n", REPAIRED), [3]);
}

#[test]
fn without_body_fingerprints_nothing_matches() {
    let mut header = fingerprint(PatternType::Contains, "");
    header.location_found = "header.server".to_owned();
    let list = Fingerprints::new(Vec::new(), vec![header], "").unwrap();
    assert!(!list.has_body_fingerprints() && !Fingerprints::empty().has_body_fingerprints());
    assert!(list.find_in_body(Body::Bytes(b"x"), COMPAT, &mut Scratch::default()).is_empty());
}

#[test]
fn replacement_characters_are_triggers() {
    let mut scratch = Scratch::default();
    let position = PUBLIC.http().iter().position(|f| f.pattern == "�.*�").unwrap() as u32;
    for text in ["\\ufffd x \\ufffd", "� x �", "\\ud800 x \\uFFFD", "\\udc00\\udc00"] {
        let body = Body::Raw { raw: text.as_bytes(), spelling: Spelling::of(text.as_bytes()).unwrap() };
        let found = PUBLIC.find_in_body(body, REPAIRED, &mut scratch);
        assert!(found.iter().any(|hit| hit.http_index == position), "{text}");
        assert!(PUBLIC.find_in_body(body, COMPAT, &mut scratch).is_empty(), "{text}");
    }
    let found = PUBLIC.find_in_body(Body::Bytes(b"\xff\xff"), REPAIRED, &mut scratch);
    assert_eq!(found.iter().map(|hit| hit.http_index).collect::<Vec<_>>(), [position]);
}
