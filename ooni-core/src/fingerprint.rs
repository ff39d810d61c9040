//! Fingerprints of known blockpages and false DNS answers: the two lists, and searches for them.
//!
//! Nothing here reads files, hashes a list or scores: the caller loads the bytes and computes their hash.

mod body_index;
mod check;
mod entry;
mod headers;
mod literal_search;
mod load;
mod matching;
mod needles;
mod qgram;
mod rarity;
mod regexp;

pub use body_index::{BodyMatch, BodyRules};
pub use check::Finding;
pub use entry::{ConfirmedBy, Fingerprint, PatternError, PatternType, Scope, UnknownText, locality, prepare_countries};
pub use headers::{Header, HeaderMatch};
pub use load::LoadError;
pub use matching::{Body, Scratch};

use body_index::BodyIndex;
use std::collections::HashMap;

/// Both lists in their original order, indexed for searches.
#[derive(Clone, Debug, Default)]
pub struct Fingerprints {
    dns: Vec<Fingerprint>,
    http: Vec<Fingerprint>,
    list_sha256: String,
    by_address: HashMap<String, Vec<u32>>,
    /// One for each header name; there are only a few.
    headers: Vec<Header>,
    body: BodyIndex,
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
        let mut by_address: HashMap<String, Vec<u32>> = HashMap::with_capacity(dns.len());
        for (at, fingerprint) in (0..).zip(&dns) {
            by_address.entry(fingerprint.pattern.clone()).or_default().push(at);
        }
        let headers = headers::by_header(&http)?;
        Ok(Self { dns, http, list_sha256: list_sha256.into(), by_address, headers, body })
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
}
