//! Tests that the pass over the index reads what the scanning pass reads, to the same nodes.
//!
//! `OONI_READER_CASES` is the number of mutated texts, 20,000 by default.

use super::*;
use crate::test_files as files;

#[path = "../../../tests/support/settings.rs"]
mod settings;

/// Reads texts both ways, with reused buffers, and counts.
#[derive(Default)]
struct Both {
    reader: Reader,
    scanning: Reader,
    /// Arrays and objects without errors.
    read: usize,
    /// Those that the pass over the index gave up on.
    unusual: usize,
}

impl Both {
    /// The index is the same on all machines.
    #[track_caller]
    fn check_index(&mut self, text: &[u8]) {
        let [chosen, other] = [&mut self.reader.index, &mut self.scanning.index];
        let max_quotes = self.reader.limits.values.saturating_mul(2);
        let expected = index::fill(text, max_quotes, chosen);
        for fill in [index::versions::of_any_machine, index::versions::with_avx2] {
            let found = fill(text, max_quotes, other);
            assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(text));
            let quotes = found.map_or(0, |found| found.quotes);
            assert_eq!(other[..quotes], chosen[..quotes], "{:?}", String::from_utf8_lossy(text));
        }
    }

    fn with_limits(limits: Limits) -> Both {
        let [reader, scanning] = [(); 2].map(|()| Reader::with_limits(limits));
        Both { reader, scanning, ..Both::default() }
    }

    #[track_caller]
    fn check(&mut self, text: &[u8], foreign: bool) {
        self.check_index(text);
        let shown = || String::from_utf8_lossy(text).into_owned();
        let expected = self.scanning.check_length(text).and_then(|()| self.scanning.read_scanning(text, foreign));
        let fits = text.len() <= self.reader.limits.bytes;
        let is_container = expected.is_ok_and(|document| document.root().is_array() || document.root().is_object());
        match self.reader.read_indexed(text).filter(|_| fits) {
            Some(count) => {
                let nodes = expected.map(|document| document.nodes.to_vec());
                assert_eq!(nodes.as_deref(), Ok(&self.reader.nodes[..count]), "{}", shown());
            }
            None => self.unusual += usize::from(is_container),
        }
        self.read += usize::from(is_container);
        let document = self.reader.read_with(text, foreign);
        assert_eq!(document.map(|document| document.nodes), expected.map(|document| document.nodes), "{}", shown());
        assert_eq!(document.map(|document| document.has_foreign), expected.map(|document| document.has_foreign));
    }
}

/// The texts of a corpus of the fuzz targets.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    files::in_folder(&format!("../fuzz/corpus/{name}")).into_iter().map(|(_, text)| text).collect()
}

fn texts() -> Vec<Vec<u8>> {
    let mut texts = corpus("json");
    // Their first bytes choose what the target does, up to the measurement.
    for input in corpus("measurement") {
        let start = input.iter().position(|&byte| byte == b'{').unwrap_or(0);
        texts.push(input[start..].to_vec());
    }
    assert!(texts.len() > 50);
    texts
}

#[test]
fn fuzz_corpora() {
    let mut both = Both::default();
    for text in texts().iter().chain(&corpus("yaml")) {
        both.check(text, false);
        both.check(text, true);
    }
    assert!(both.read > 50 && both.unusual * 4 < both.read, "{} of {}", both.unusual, both.read);
}

/// Numbers that look random (G. Steele, D. Lea, C. Flood: Fast splittable pseudorandom number generators, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\\\\",
    b"\\\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"\n\t",
    b"\r ",
    b"\0",
    b"\x01",
    b"\x1a",
    b"\x1a\"date\"",
    b"\x7f",
    b"0",
    b"-",
    b"-0",
    b"1.",
    b"-.5",
    b".",
    b"e",
    b"1e5",
    b"E+",
    b"12345678901234567",
    b"1.2454290000000001",
    b"123456789012345",
    b"1234567890.12345",
    b"true",
    b"false",
    b"null",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"nul",
    b"\\u0041",
    b"\\u003c",
    b"\\u003C",
    b"\\u00e9",
    b"\\u00E9",
    b"\\u0627",
    b"\\u0000",
    b"\\u007f",
    b"\\ud83d\\ude00",
    b"\\uD83D\\uDE00",
    b"\\ud83d",
    b"\\ude00",
    b"\\u12",
    b"\\u",
    b"\\x",
    b"\\n\\/\\b",
    "é".as_bytes(),
    "€😀".as_bytes(),
    b"\xed\xa0\x80",
    b"\xc3",
    b"\x80",
    b"\"a\":",
    b"\"b\",",
    b"{\"a\":1}",
    b"[[],{}]",
];

/// White space, of which there may be much.
const SPACES: &[u8] = &[b' '; 200];

/// A JSON text, mostly without errors.
fn generate(random: &mut Random, depth: usize, text: &mut Vec<u8>) {
    let kind = match depth {
        0 if random.below(9) > 0 => 6 + random.below(3),
        0..=5 => random.below(9),
        _ => random.below(6),
    };
    match kind {
        0 => text.extend_from_slice(random.one_of::<[u8]>(&[b"true", b"false", b"null", b"NaN", b"Infinity"])),
        1 => text.extend_from_slice(format!("{}", random.next() as i32 >> random.below(32)).as_bytes()),
        2 => text.extend_from_slice(format!("{:?}", random.next() as f64 / 1e15).as_bytes()),
        3..6 => string(random, text),
        6 => {
            text.push(b'[');
            for i in 0..random.below(6) {
                text.extend_from_slice(if i > 0 { b"," } else { b"" });
                generate(random, depth + 1, text);
            }
            text.push(b']');
        }
        _ => {
            text.push(b'{');
            for i in 0..random.below(6) {
                text.extend_from_slice(if i > 0 { b"," } else { b"" });
                string(random, text);
                text.extend_from_slice(random.one_of::<[u8]>(&[b":", b" : ", b":\n"]));
                generate(random, depth + 1, text);
            }
            text.push(b'}');
        }
    }
}

fn string(random: &mut Random, text: &mut Vec<u8>) {
    const PLAIN: &[&[u8]] = &[b"", b"a", b"failure", b"network_events", b"http://example.org/?a=b", &[b'x'; 60]];
    const COMMON: &[&[u8]] =
        &[b"\\\"", b"\\\\", b"\\n", b"\\/", b"\\u0627\\u0644", b"\\u003cb\\u003e", "é€😀".as_bytes()];
    const RARE: &[&[u8]] =
        &[b"\\u00e9", b"\\ud83d\\ude00", b"\\ud83d", b"\\uDE00", b"\\u0041", b"\x01", &[b'\\'; 64], b"\xed\xa0\x80"];
    text.push(b'"');
    for _ in 0..random.below(4) {
        let pieces = match random.below(60) {
            0 => RARE,
            1..12 => COMMON,
            _ => PLAIN,
        };
        text.extend_from_slice(random.one_of(pieces));
    }
    text.push(b'"');
}

/// Changes some bytes.
fn mutate(random: &mut Random, text: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..1 + random.below(3) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(70)).min(text.len());
        match random.below(9) {
            0 => text.truncate(at),
            1 => drop(text.splice(at..end, [])),
            2 => drop(text.splice(at..at, SPACES[..random.below(130)].iter().copied())),
            3 if at < text.len() => text[at] = random.next() as u8,
            4 if at < text.len() => text[at] ^= 1 << random.below(8),
            5 => {
                let from = random.below(other.len() + 1);
                let piece = &other[from..(from + random.below(200)).min(other.len())];
                drop(text.splice(at..end, piece.iter().copied()));
            }
            6 => {
                let again = text[at..end].to_vec();
                drop(text.splice(at..at, again));
            }
            _ => drop(text.splice(at..at, random.one_of(TOKENS).iter().copied())),
        }
    }
}

#[test]
fn mutated_texts() {
    let cases = settings::number("OONI_READER_CASES", 20_000);
    let short: Vec<_> = texts().into_iter().filter(|text| text.len() < 4000).collect();
    let mut random = Random(1);
    let mut both = [Both::default(), Both::with_limits(Limits { bytes: 1500, depth: 3, values: 24 })];
    let mut text = Vec::new();
    for case in 0..cases {
        text.clear();
        match case % 4 {
            0 => text.extend_from_slice(&short[random.below(short.len())]),
            _ => generate(&mut random, 0, &mut text),
        }
        let (spaces, other) = (random.below(130), random.below(short.len()));
        drop(text.splice(0..0, SPACES[..spaces].iter().copied()));
        if case % 3 > 0 {
            mutate(&mut random, &mut text, &short[other]);
        }
        for both in &mut both {
            both.check(&text, case % 5 == 0);
        }
    }
    let [Both { read, unusual, .. }, limited] = both;
    eprintln!("{cases} texts: {read} read, of these {unusual} not by the index; {} within small limits", limited.read);
    assert!(read * 3 > cases && unusual * 10 < read && limited.read * 10 > cases, "{read} {unusual} {}", limited.read);
}

/// Every special byte and escape at every place of a block, before and after the end of the text, and runs of backslashes.
#[test]
fn block_boundaries() {
    let mut both = Both::default();
    let mut text = Vec::new();
    for special in TOKENS {
        for before in 0..140 {
            for after in [0, 1, 2, 63, 64, 65] {
                for (open, close) in [(&b"[\""[..], &b"\"]"[..]), (b"", b""), (b"\"", b"\"")] {
                    text.clear();
                    text.extend_from_slice(open);
                    text.extend_from_slice(&[b'x'; 140][..before]);
                    text.extend_from_slice(special);
                    text.extend_from_slice(&[b'x'; 140][..after]);
                    text.extend_from_slice(close);
                    both.check(&text, false);
                }
            }
        }
    }
    for run in 0..140 {
        for before in 0..66 {
            let (fill, run) = (&[b'y'; 66][..before], &[b'\\'; 140][..run]);
            for after in [&b"\""[..], b"\",\"\\\"\"", b"n\"", b"u0041\"", b"u06", b"", b"x\""] {
                both.check(&[b"[\"", fill, run, after, b"]"].concat(), false);
            }
        }
    }
    assert!(both.read > 10_000 && both.unusual * 10 < both.read, "{} {}", both.read, both.unusual);
}

/// All texts of a kind up to 200 bytes, cut everywhere.
#[test]
fn every_length() {
    let mut both = Both::default();
    let whole = br#" {"a\\":["b","\"",1.5,-7,true,null,{}],"\u0627\u0644":{"c":[[],["x"]]},"d":"a longer string, which fills blocks: 0123456789","e":12345678901234567890, "f":[{"g":false}] , "h":"","i":"\\","j":"k" } "#;
    for start in 0..whole.len() {
        for end in start..=whole.len() {
            both.check(&whole[start..end], false);
        }
        both.check(&[&SPACES[..start], &whole[..]].concat(), false);
    }
    assert!(both.read > whole.len() && both.unusual == 0, "{} {}", both.read, both.unusual);
}

/// Each limit at its value, one above and one below.
#[test]
fn limits_are_exact() {
    let text = br#"{"a":[1,[2,[3]]],"b":{"c":"d"},"e":[],"f":{}}"#;
    for bytes in text.len() - 2..text.len() + 2 {
        for depth in 0..6 {
            for values in 0..24 {
                let mut both = Both::with_limits(Limits { bytes, depth, values });
                for _ in 0..2 {
                    both.check(text, false);
                    both.check(b"[[[[[[]]]]]]", true);
                }
            }
        }
    }
}

/// Texts that are no JSON, with many quotes, brackets or numbers, do not take more memory than the limit of values allows.
#[test]
fn memory_is_bounded() {
    let values = 4000;
    let mut both = Both::with_limits(Limits { values, ..Limits::default() });
    for text in ["\"", "[\"\",", "\\\"", "[", "[[],", "1,", "\"\\u0041\",", "[1]", "{\"\":"] {
        both.check(text.repeat(100_000).as_bytes(), false);
        both.check(format!("[{}0]", text.repeat(100_000)).as_bytes(), false);
        assert!(both.reader.index.capacity() <= 4 * values && both.reader.nodes.capacity() <= 2 * values, "{text}");
    }
}

/// Texts of very different sizes with the same buffers, and after these were freed.
#[test]
fn buffers_are_reused() {
    let mut both = Both::default();
    let large = format!("[{}\"\\u0627\"]", r#"{"key":["value",1,2.5,true]},"#.repeat(30_000));
    for text in
        [&large, "[1]", "{\"a\":", &large, "[", "\"\\ud83d\"", "", &large, "7", &large[..large.len() - 1], "[2]"]
    {
        both.check(text.as_bytes(), false);
        if text.len() == 3 {
            both.reader.shrink();
            assert!(both.reader.nodes.capacity() <= KEPT && both.reader.index.capacity() <= KEPT);
        }
    }
    // Numbers alone need more nodes than there are quotes.
    let numbers = format!("[{}0]", "1,".repeat(5000));
    both.check(numbers.as_bytes(), false);
    assert_eq!(both.unusual, 0);
}
