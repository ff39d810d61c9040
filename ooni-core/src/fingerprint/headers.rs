//! Finds the header fingerprints that match one header value, in one pass over it.

use super::entry::{Fingerprint, PatternError, PatternType};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// A header fingerprint that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeaderMatch {
    /// Position in [`Fingerprints::http`](super::Fingerprints::http).
    pub http_index: u32,
    /// Byte offset of the first match in the value.
    pub offset: usize,
}

/// The fingerprints of one header.
#[derive(Clone, Debug)]
pub struct Header {
    name: String,
    http_indices: Vec<u32>,
    automaton: AhoCorasick,
    /// Positions of the first `prefix` and `contains` patterns, for which a base64 value is decoded.
    first_prefix: Option<u32>,
    first_contains: Option<u32>,
}

impl Header {
    /// The name in the list; only lower-case names are found.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The position of the first fingerprint that requires decoding a base64 value, if any.
    pub fn decoded_for(&self, contains: bool) -> Option<u32> {
        let contains = self.first_contains.filter(|_| contains);
        self.first_prefix.into_iter().chain(contains).min()
    }

    /// Appends the fingerprints that match `value`. `contains` enables `contains` patterns, which never match in the
    /// reference; `full` enables `full` patterns.
    pub fn find(&self, http: &[Fingerprint], value: &[u8], full: bool, contains: bool, out: &mut Vec<HeaderMatch>) {
        let begin = out.len();
        for found in self.automaton.find_overlapping_iter(value) {
            let http_index = self.http_indices[found.pattern().as_usize()];
            let matches = match http[http_index as usize].pattern_type {
                PatternType::Full => full && found.start() == 0 && found.end() == value.len(),
                PatternType::Prefix => found.start() == 0,
                PatternType::Contains => contains,
                PatternType::Regexp => false,
            };
            if matches {
                out.push(HeaderMatch { http_index, offset: found.start() });
            }
        }
        if out.len() > begin + 1 {
            out[begin..].sort_unstable();
            out.dedup_by_key(|found| found.http_index);
        }
    }
}

/// Groups the header fingerprints of a list by header.
pub(super) fn by_header(http: &[Fingerprint]) -> Result<Vec<Header>, PatternError> {
    let mut groups: Vec<(String, Vec<u32>)> = Vec::new();
    for (at, fingerprint) in (0..).zip(http) {
        let Some(name) = fingerprint.header() else { continue };
        match groups.iter_mut().find(|(same, _)| same == name) {
            Some((_, places)) => places.push(at),
            None => groups.push((name.to_owned(), vec![at])),
        }
    }
    groups.into_iter().map(|(name, http_indices)| Header::new(name, http_indices, http)).collect()
}

impl Header {
    fn new(name: String, http_indices: Vec<u32>, http: &[Fingerprint]) -> Result<Header, PatternError> {
        let patterns = http_indices.iter().map(|&at| http[at as usize].pattern.as_bytes());
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(patterns)
            .map_err(|error| PatternError {
                index: http_indices.first().map_or(0, |&at| at as usize),
                message: error.to_string(),
            })?;
        let first = |wanted| http_indices.iter().copied().find(|&at| http[at as usize].pattern_type == wanted);
        let (first_prefix, first_contains) = (first(PatternType::Prefix), first(PatternType::Contains));
        Ok(Header { name, http_indices, automaton, first_prefix, first_contains })
    }
}
