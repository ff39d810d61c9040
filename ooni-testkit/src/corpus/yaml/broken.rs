//! Entries that cannot be read.

use super::super::rng::Rng;
use super::tests_of_the_time::Fit;

/// How an entry was broken.
pub(super) struct Spoiled {
    pub(super) why: &'static str,
    /// Whether it is still a complete YAML document; then normalization fails.
    pub(super) parsed: bool,
}

/// Breaks the entry that begins at `start` in `bytes` and has no end marker yet.
pub(super) fn spoil(bytes: &mut Vec<u8>, start: usize, rng: &mut Rng, fit: Fit) -> Spoiled {
    if rng.chance(0.1) {
        bytes.truncate(start);
        bytes.extend_from_slice(b"---\n- not\n- a mapping\n");
        return Spoiled { why: "not a mapping", parsed: false };
    }
    if rng.chance(0.15) {
        // The last of repeated keys wins.
        let line: &[u8] = match fit {
            Fit::Dns => b"queries: null\n",
            Fit::Http => b"requests: null\n",
            Fit::InvalidRequestLine => b"received: null\n",
            Fit::Tcp | Fit::WebsiteProbe | Fit::Free => b"test_start_time: 5\n",
        };
        bytes.extend_from_slice(line);
        return Spoiled { why: "normalization fails", parsed: true };
    }
    let (line, why) = *rng.pick(&LINES);
    bytes.extend_from_slice(line);
    Spoiled { why, parsed: false }
}

/// Lines that make an entry unparsable, one for each kind of error.
const LINES: [(&[u8], &str); 10] = [
    (b"odd: !unknown tag\n", "unknown tag"),
    (b"odd: !!python/object/apply:os.getcwd []\n", "unknown tag"),
    (b"odd: [1\n", "flow sequence without end"),
    (b"odd: \"unclosed\n", "quote without end"),
    (b"odd: *nowhere\n", "alias of nothing"),
    (b"odd: 2014-02-30\n", "impossible date"),
    (b"odd: a\x01b\n", "control character"),
    (b"odd: \xff\xfe\n", "not UTF-8"),
    (b"? [1, 2]\n: odd\n", "a key that cannot be one"),
    (b"odd: a: b\n", "mapping in a line"),
];
