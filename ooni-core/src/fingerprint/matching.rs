//! Finds the body fingerprints that match one response body.
//!
//! Undecoded text is first searched for strings that every match requires. Only if one is found is the text decoded and
//! searched in full. The first search does not affect the results.

use super::body_index::{BodyMatch, BodyRules, Work};
use super::lists::Fingerprints;
use super::regexp::Lossy;
use crate::json::{Spelling, unescape};

/// A response body, as the JSON reader returns it.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// The inside of a JSON string, between the quotes; its escapes are valid but not yet decoded.
    Raw {
        /// The bytes in the document.
        raw: &'a [u8],
        /// How they are spelled.
        spelling: Spelling,
    },
    /// Bytes that were base64 in the document.
    Bytes(&'a [u8]),
}

/// Buffers that are reused from body to body.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    decoded: Vec<u8>,
    work: Work,
}

impl Fingerprints {
    /// Whether there are fingerprints for bodies; without any, no body is searched.
    #[must_use]
    pub fn has_body_fingerprints(&self) -> bool {
        self.body.is_used()
    }

    /// The body fingerprints that match, in list order, each with its first offset.
    pub fn find_in_body<'s>(&self, body: Body<'_>, rules: BodyRules, scratch: &'s mut Scratch) -> &'s [BodyMatch] {
        let Scratch { decoded, work } = scratch;
        let (text, is_empty) = match body {
            _ if !self.body.is_used() => (None, false),
            Body::Bytes(bytes) => (Some((bytes, Lossy::Bytes)), bytes.is_empty()),
            Body::Raw { raw, spelling } if !spelling.has(Spelling::ESCAPED) => {
                (Some((raw, Lossy::Text)), raw.is_empty())
            }
            Body::Raw { raw, spelling } => {
                let may_match = self.body.may_match(raw, spelling, rules);
                (may_match.then(|| (decode(raw, decoded), Lossy::Text)), raw.is_empty())
            }
        };
        self.body.find(text, is_empty, rules, work);
        &work.matches
    }

    /// Like [`find_in_body`](Self::find_in_body), with all offsets of each match. Slower: for explanations. Matches of a
    /// regular expression do not overlap, those of literal text may.
    #[must_use]
    pub fn find_all_in_body(&self, body: Body<'_>, rules: BodyRules, scratch: &mut Scratch) -> Vec<(u32, Vec<usize>)> {
        let matches = self.find_in_body(body, rules, scratch).to_vec();
        let (text, mode) = match body {
            Body::Bytes(bytes) => (bytes, Lossy::Bytes),
            Body::Raw { raw, .. } => (decode(raw, &mut scratch.decoded), Lossy::Text),
        };
        let places = |found: &BodyMatch| {
            let fingerprint = self.http().get(found.http_index as usize)?;
            Some((found.http_index, self.body.all_places(text, mode, fingerprint, found.http_index, rules)))
        };
        matches.iter().filter_map(places).collect()
    }
}

fn decode<'d>(raw: &[u8], decoded: &'d mut Vec<u8>) -> &'d [u8] {
    decoded.clear();
    unescape(raw, decoded);
    decoded
}
