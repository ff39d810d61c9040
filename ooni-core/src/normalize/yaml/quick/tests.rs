//! What is read here has the value that the stages give it, and everything else is left to them.

use super::*;
use crate::normalize::yaml::{YamlError, load, load_in_stages};
use crate::normalize::{Framed, frame};
use crate::test_files as files;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 100, values: 1 << 14 };

/// Texts instead of values, because NaN is not equal to itself.
fn shown(value: Result<YamlValue<'_>, YamlError>) -> Result<String, YamlError> {
    value.map(|value| format!("{value:?}"))
}

/// Whether a text is read here; if so, the value is right.
fn is_read(text: &[u8], limits: Limits) -> bool {
    let Some(value) = read(text, limits) else { return false };
    let (value, expected) = (shown(Ok(value)), shown(load_in_stages(text, limits)));
    assert_eq!(value, expected, "{:?}", String::from_utf8_lossy(text));
    true
}

const DOCUMENTS: [&str; 27] = [
    "---\na: b\nc:\n  d: [1, 0.5, 'x', \"y\"]\n  e: {f: null, g: yes}\nh: ~\n...\n",
    "---\na:\n- b\n- c: 1\n  d: 2\n- - e\n  - f\n-  - g\ni: []\nj: {}\n...\n",
    "a:\n  - b\n  -   c: d\n      e: f\n  - [g]\n",
    "---\n- a\n- b c\n-\n  d: e\n...  \n\n",
    "a: 'it''s'\nb: ''\nc: \"\"\n'd e' : f\n\"g\\x41\": h\n1: i\n2014-02-20: j\n~: k\nno: l",
    "a: b c\n  d\n\n\n  e\nf: g\n",
    "a: 'b\n  c  \n\n\n   d '\ne: \"f\n  g\\n h \\\n  \\ i\\\n\n  j\\x20  \n k\"\n",
    "a: \"\\0\\a\\b\\t\\n\\v\\f\\r\\e\\ \\\"\\\\\\/\\N\\_\\L\\P\\xe9\\u00e9\\U0001f600\\ud83d\\ude00\\ud800\"\n",
    "a: [b, c d\n    e, 'f\n  g',\n]\nh: {i: j,\n k: l m\n\n n, }\n",
    "a: [[b], [[c, {d: [e]}]], {f: {g: h}}]\n",
    "a: |\n  b\n   c\n\n  d\n\n\ne: |-\n f\ng: |+\n  h\n\ni: j\n",
    "- |\n a\n- |+\n  b\n  \n\n",
    "|\n a\n  b",
    "a: !!binary |\n  aGk=\nb: !!binary \"aGk=\"\nc: [!!binary 'aGk=']\n!!binary \"aGk=\" : d\n",
    "- !!binary |\n    aGVs\n    bG8=\n- !!set {a: null, b: null}\n- !!set {}\n- {!!binary \"aGk=\" : x}\n",
    "a: 1:30\nb: 0x1F\nc: 010\nd: 1_000\ne: -.inf\nf: .nan\ng: 1e3\nh: 1.5e+3\ni: 2014-02-20 01:02:03.5 Z\nj: +1\n",
    "a: b:c\nd: -e\nf: ?g\nh: :i\nj: k#l\nm: n, o] {p}\nq: r'\ns: http://x/?t=u&v=w#y\n",
    "a: [-b, c:d, e&f, '?', g#h]\ni: {j:k: l}\n",
    "a:\n\n\n  b: c\n\n\nd:\n",
    "a:\n  b\n  c\nd:\n  'e'\n",
    "a:\nb:\n- c\nd:",
    "a b  : c   \n",
    "---a: b\n....: c\n",
    "\u{e9}: \u{65e5}\u{672c} \u{1f600}\n\"\u{a0}\": '\u{fffd}\n  \u{e9}'\n",
    "'a'",
    "a",
    "[a,\nb]\n",
];

const DOUBTS: [&str; 73] = [
    "",
    "\n",
    "---\n",
    "---\n...\n",
    "--- a: b\n",
    "...\n",
    "%YAML 1.1\n---\na: b\n",
    "a: b\n--- c\n",
    "a: b\n...\nc: d\n",
    "a: b\n... c\n",
    "# c\na: b\n",
    "a: b # c\n",
    "a: # c\n  b\n",
    "a: b\n# c\n",
    "a: 'b' # c\n",
    "a: b\n  # c\n",
    "a:\tb\n",
    "a: b\r\nc: d\n",
    "a: \u{85}\n",
    "a: b\u{2028}c\n",
    "\u{feff}a: b\n",
    "a: \u{7f}\n",
    "a: \0\n",
    "a: \u{fffe}\n",
    "a: &x b\n",
    "a: *x\n",
    "a: !t b\n",
    "a: !!str b\n",
    "a: !!binary b\n",
    "a: !!binary '@'\nb: !!binary 'a'\n",
    "a: >\n  b\n",
    "a: |2\n   b\n",
    "a: |\n\n  b\n",
    "a: |\nb: c\n",
    "a: | \n  b\n",
    "? a\n: b\n",
    "a: - b\n",
    "a: b: c\n",
    "a: 'b': c\n",
    "a: b\n c: d\n",
    "  a: b\n c: d\n",
    "a:\n  b: c\n d: e\n",
    "a: b\n- c\n",
    "- a\nb: c\n",
    "a:\n  - b\n  c: d\n",
    "- a\n - b\n  - c\n- d: e\n   f: g\n",
    "-\n- a\n",
    "- a\n-",
    "a: b\na: c\n",
    "1: a\n1.0: b\n",
    "{a: 1, a: 2}",
    "<<: {a: b}\n",
    "=: a\n",
    "a: =\n",
    "a: <<\n",
    "a: 2014-02-30\n",
    "[a: b]",
    "{a}",
    "{a: }",
    "{a: b: c}",
    "{? a : b}",
    "[a?b]",
    "[a, , b]",
    "[a",
    "{a: b",
    "[a] b",
    "'a",
    "\"a",
    "\"\\q\"",
    "\"\\x4\"",
    "\"\\U00110000\"",
    "'a\n---\n b'",
    "[a,\n... ,\nb]",
];

#[test]
fn documents() {
    for text in DOCUMENTS {
        assert!(is_read(text.as_bytes(), LIMITS), "{text:?}");
    }
}

#[test]
fn doubts() {
    for text in DOUBTS {
        assert!(read(text.as_bytes(), LIMITS).is_none(), "{text:?}");
    }
    let key = |length: usize| format!("{}: b\n", "a".repeat(length));
    assert!(is_read(key(MAX_KEY_LENGTH).as_bytes(), LIMITS) && !is_read(key(MAX_KEY_LENGTH + 1).as_bytes(), LIMITS));
    let many: String = (0..20).map(|i| format!("k{i}: v\n")).collect();
    assert!(is_read(many.as_bytes(), LIMITS) && !is_read(format!("{many}k7: w\n").as_bytes(), LIMITS));
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(is_read(deep(MAX_LEVELS).as_bytes(), LIMITS) && !is_read(deep(MAX_LEVELS + 1).as_bytes(), LIMITS));
}

/// With any limits, the result is that of the stages.
#[test]
fn limits() {
    for text in DOCUMENTS.map(str::as_bytes) {
        for limit in 0..40 {
            for limits in [
                Limits { values: limit, ..LIMITS },
                Limits { depth: limit, ..LIMITS },
                Limits { bytes: text.len() / 2 + limit, ..LIMITS },
            ] {
                assert_eq!(shown(load(text, limits)), shown(load_in_stages(text, limits)), "{limits:?}");
            }
        }
    }
}

/// The entries of real reports and of the fuzz corpus.
fn entries() -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        ["tests/fixtures/yaml", "../fuzz/corpus/yaml"].into_iter().flat_map(files::in_folder).collect();
    files.retain(|(path, _)| path.extension().is_none_or(|extension| extension == "yaml"));
    let mut entries = Vec::new();
    for (_, stream) in files {
        let mut rest = &stream[..];
        loop {
            match frame(rest, 0) {
                Framed::Entry(length) => {
                    entries.push(rest[..length].to_vec());
                    rest = &rest[length..];
                }
                Framed::Skip(length) => rest = &rest[length..],
                Framed::More | Framed::Broken => break,
            }
        }
    }
    entries
}

/// Otherwise reports are read slowly.
#[test]
fn entries_of_reports_are_read() {
    let entries = entries();
    let count = entries.iter().filter(|entry| is_read(entry, LIMITS)).count();
    assert!(entries.len() >= 20 && count * 10 >= entries.len() * 5, "{count} of {}", entries.len());
}

/// A small xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn range(&mut self, text: &[u8], most: usize) -> std::ops::Range<usize> {
        let start = self.below(text.len() + 1);
        start..(start + self.below(most + 1)).min(text.len())
    }

    /// Inserts, removes, repeats and replaces parts.
    fn mutate(&mut self, text: &mut Vec<u8>, other: &[u8]) {
        let range = self.range(text, 8);
        match self.below(8) {
            0 => text.truncate(range.start.max(1)),
            1 => drop(text.drain(range)),
            2 => {
                let copied = self.range(text, 40);
                let part = text[copied].to_vec();
                text.splice(range.start..range.start, part);
            }
            3 => {
                let copied = self.range(other, 40);
                text.splice(range.start..range.start, other[copied].iter().copied());
            }
            4 => text.splice(range, [self.below(256) as u8]).for_each(drop),
            _ => {
                let piece = PIECES[self.below(PIECES.len())];
                text.splice(range.start..range.start, piece.bytes());
            }
        }
    }
}

const PIECES: [&str; 64] = [
    "\n",
    "\n\n",
    " ",
    "  ",
    "\n ",
    "\n  ",
    ": ",
    ":",
    "- ",
    "-",
    "\n- ",
    "\n  - ",
    "?",
    "? ",
    ",",
    ", ",
    "[",
    "]",
    "{",
    "}",
    "'",
    "''",
    "\"",
    "\\",
    "\\\n",
    "\\x41",
    "\\L",
    "#",
    " #",
    "&a ",
    "*a",
    "!!binary ",
    "!!set ",
    "! ",
    "|",
    "|\n",
    "|-\n ",
    "|+\n  ",
    ">",
    "|2\n",
    "%",
    "@",
    "\t",
    "\r",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{e9}",
    "---",
    "...",
    "\n---\n",
    "\n...\n",
    "<<: ",
    "= ",
    "~",
    "1",
    ".5",
    "1:30",
    "2014-02-20",
    "a: ",
    "\na: ",
    "{a: b}",
    "[a, b]",
    "a: |\n  b\n",
];

#[test]
fn mutated_documents() {
    const COUNT: usize = 100_000;
    let mut seeds = entries();
    seeds.retain(|entry| entry.len() < 2000);
    // The documents above often, because they have all shapes.
    for _ in 0..=seeds.len() / DOCUMENTS.len() {
        seeds.extend(DOCUMENTS.map(|text| text.as_bytes().to_vec()));
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut count = 0;
    for _ in 0..COUNT {
        let mut text = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(3) {
            let other = random.below(seeds.len());
            random.mutate(&mut text, &seeds[other]);
        }
        count += usize::from(is_read(&text, LIMITS));
    }
    assert!(count > COUNT / 10, "only {count} of {COUNT} are read here");
}
