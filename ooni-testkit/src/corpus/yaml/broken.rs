//! Entries that cannot be read.

use super::super::rng::Rng;
use super::probe_tests::KeyKind;

/// How an entry was broken.
pub(super) struct Broken {
    pub(super) why: &'static str,
    /// Whether it is still a complete YAML document; then normalization fails.
    pub(super) parsed: bool,
}

/// Breaks the entry that begins at `start` in `bytes` and has no end marker yet.
pub(super) fn break_entry(bytes: &mut Vec<u8>, start: usize, rng: &mut Rng, key_kind: KeyKind) -> Broken {
    if rng.chance(0.1) {
        bytes.truncate(start);
        bytes.extend_from_slice(b"---\n- not\n- a mapping\n");
        return Broken { why: "not a mapping", parsed: false };
    }
    if rng.chance(0.15) {
        // The last of repeated keys wins.
        let line: &[u8] = match key_kind {
            KeyKind::Dns => b"queries: null\n",
            KeyKind::Http => b"requests: null\n",
            KeyKind::InvalidRequestLine => b"received: null\n",
            KeyKind::Tcp | KeyKind::WebsiteProbe | KeyKind::Other => b"test_start_time: 5\n",
        };
        bytes.extend_from_slice(line);
        return Broken { why: "normalization fails", parsed: true };
    }
    let (line, why) = *rng.pick(&LINES);
    bytes.extend_from_slice(line);
    Broken { why, parsed: false }
}

/// Lines that make an entry unparsable, one for each kind of error.
const LINES: [(&[u8], &str); 10] = [
    (b"odd: !unknown tag\n", "unknown tag"),
    (b"odd: !!python/object/apply:os.getcwd []\n", "unknown tag"),
    (b"odd: [1\n", "unterminated flow sequence"),
    (b"odd: \"unclosed\n", "unterminated quote"),
    (b"odd: *nowhere\n", "undefined alias"),
    (b"odd: 2014-02-30\n", "invalid date"),
    (b"odd: a\x01b\n", "control character"),
    (b"odd: \xff\xfe\n", "not UTF-8"),
    (b"? [1, 2]\n: odd\n", "sequence as a key"),
    (b"odd: a: b\n", "mapping inside a line"),
];
