//! Both lists and their indexes.

use super::body_index::BodyIndex;
use super::entry::{Fingerprint, PatternError};
use super::headers::{Header, by_header};
use crate::text::lower;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Both lists in their original order, indexed for searches.
#[derive(Clone, Debug, Default)]
pub struct Fingerprints {
    dns: Vec<Fingerprint>,
    http: Vec<Fingerprint>,
    list_sha256: String,
    by_address: HashMap<String, Vec<u32>, BuildHasherDefault<WordHasher>>,
    /// One for each header name; there are only a few.
    headers: Vec<Header>,
    /// The [`header_mark`]s of all of them.
    header_marks: u64,
    pub(super) body: BodyIndex,
}

impl Fingerprints {
    /// No fingerprints.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Indexes two lists. `list_sha256` identifies them in results and is not checked.
    ///
    /// # Errors
    /// A `regexp` pattern for bodies is not a valid regular expression.
    pub fn new(
        dns: Vec<Fingerprint>,
        http: Vec<Fingerprint>,
        list_sha256: impl Into<String>,
    ) -> Result<Self, PatternError> {
        let body = BodyIndex::new(&http)?;
        let mut by_address: HashMap<String, Vec<u32>, _> = HashMap::default();
        for (at, fingerprint) in (0..).zip(&dns) {
            by_address.entry(fingerprint.pattern.clone()).or_default().push(at);
        }
        let headers = by_header(&http)?;
        let header_marks = headers.iter().fold(0, |marks, header| marks | header_mark(header.name().as_bytes()));
        Ok(Self { dns, http, list_sha256: list_sha256.into(), by_address, headers, header_marks, body })
    }

    /// The DNS list.
    #[must_use]
    pub fn dns(&self) -> &[Fingerprint] {
        &self.dns
    }

    /// The HTTP list: bodies and headers.
    #[must_use]
    pub fn http(&self) -> &[Fingerprint] {
        &self.http
    }

    /// The hash of the lists, as given to [`Fingerprints::new`].
    #[must_use]
    pub fn list_sha256(&self) -> &str {
        &self.list_sha256
    }

    /// Positions in [`dns`](Self::dns) of the fingerprints with this address, of any location and type.
    ///
    /// An address with lone surrogates matches nothing.
    #[must_use]
    pub fn dns_matches(&self, address: &[u8]) -> &[u32] {
        let found = std::str::from_utf8(address).ok().and_then(|address| self.by_address.get(address));
        found.map_or(&[], Vec::as_slice)
    }

    /// The fingerprints for a header. Its name is converted to lower case, so a fingerprint whose header is not in lower
    /// case is never found.
    #[must_use]
    pub fn header(&self, name: &[u8]) -> Option<&Header> {
        if name.is_ascii() {
            return self.ascii_header(name);
        }
        let name = lower(name);
        self.headers.iter().find(|header| header.name().as_bytes() == &*name)
    }

    /// The fingerprints for a header whose name is ASCII.
    #[inline]
    pub(crate) fn ascii_header(&self, name: &[u8]) -> Option<&Header> {
        // Most headers of a response have no fingerprints, which their length and first letter show.
        let mark = header_mark(name);
        if self.header_marks & mark != mark {
            return None;
        }
        let same = |wanted: &str| {
            wanted.len() == name.len()
                && wanted.bytes().zip(name).all(|(wanted, byte)| wanted == byte.to_ascii_lowercase())
        };
        self.headers.iter().find(|header| same(header.name()))
    }
}

/// Two bits, for the length and the first letter of the name of a header in any case.
fn header_mark(name: &[u8]) -> u64 {
    let first = name.first().map_or(0, u8::to_ascii_lowercase);
    1 << (name.len() % 32) | 1 << (32 + first % 32)
}

/// A fast hash of addresses. Only those of the list are in the table, so a measurement cannot fill it.
#[derive(Clone, Copy, Debug, Default)]
struct WordHasher(u64);

impl WordHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.add(u64::from_le_bytes(*word)));
        self.add(rest.iter().fold(rest.len() as u64, |word, &byte| word << 8 | u64::from(byte)));
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
