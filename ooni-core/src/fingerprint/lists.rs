//! Both lists and their indexes.

use super::body_index::BodyIndex;
use super::entry::{Fingerprint, PatternError};
use super::headers::{Header, by_header};
use crate::text::lower;
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
        let mut by_address: HashMap<String, Vec<u32>> = HashMap::with_capacity(dns.len());
        for (at, fingerprint) in (0..).zip(&dns) {
            by_address.entry(fingerprint.pattern.clone()).or_default().push(at);
        }
        let headers = by_header(&http)?;
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

    /// The fingerprints for a header. Its name is converted to lower case, so a fingerprint whose header is not in lower
    /// case is never found.
    #[must_use]
    pub fn header(&self, name: &[u8]) -> Option<&Header> {
        let is_ascii = name.is_ascii();
        let same = |wanted: &str| match is_ascii {
            true => {
                wanted.len() == name.len()
                    && wanted.bytes().zip(name).all(|(wanted, byte)| wanted == byte.to_ascii_lowercase())
            }
            false => *lower(name) == *wanted.as_bytes(),
        };
        self.headers.iter().find(|header| same(header.name()))
    }
}
