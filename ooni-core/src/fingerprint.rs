//! Known blockpages and false answers: the two lists, and looking things up in them.
//!
//! Belongs here: the list types, preparation of a row, lookups by address and header. Must not be here:
//! reading files, hashing a list, scoring. The caller loads the bytes and says what their hash is.

mod body_index;
mod check;
mod headers;
mod literal_search;
mod load;
mod matching;
mod needles;
mod qgram;
mod rarity;
mod regexp;

pub use check::Finding;
pub use headers::{Header, HeaderMatch};
pub use load::LoadError;
pub use matching::{Body, BodyMatch, BodyRules, Scratch};

use body_index::BodyIndex;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::str::FromStr;

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The text in lists and rows.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownText;

            fn from_str(text: &str) -> Result<Self, UnknownText> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownText { text: text.to_owned(), known: &[$($text),+] }),
                }
            }
        }
    };
}

text_enum! {
    /// Who blocks where a fingerprint is seen.
    Scope {
        /// A whole country.
        Nat = "nat",
        /// One provider.
        Isp = "isp",
        /// A product, sold to many.
        Prod = "prod",
        /// An institution: a school, a company.
        Inst = "inst",
        /// Vague: it is not known who.
        Vbw = "vbw",
        /// Known to be no blocking.
        Fp = "fp",
        /// Injected content that is no blockpage.
        Injb = "injb",
        /// The provider of the content.
        Prov = "prov",
    }
}

text_enum! {
    /// How a pattern is compared.
    PatternType {
        /// Equal.
        Full = "full",
        /// At the start.
        Prefix = "prefix",
        /// Anywhere.
        Contains = "contains",
        /// A regular expression.
        Regexp = "regexp",
    }
}

/// A text that is none of an enumeration's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is none of {}", known.join(", "))]
pub struct UnknownText {
    text: String,
    known: &'static [&'static str],
}

/// One row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Unique within its list.
    pub name: String,
    /// Who blocks.
    pub scope: Scope,
    /// Names other lists have for it; not used.
    pub other_names: String,
    /// `dns`, `body` or `header.` and a lower-case name.
    pub location_found: String,
    /// How `pattern` is compared.
    pub pattern_type: PatternType,
    /// What is looked for.
    pub pattern: String,
    /// How sure it is that a match is no accident, as given.
    pub confidence_no_fp: u8,
    /// Country codes as [`prepare_countries`] gives them.
    pub expected_countries: Vec<String>,
}

/// Why a match is a confirmed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmedBy {
    /// The fingerprint is expected in the country of the probe.
    Country,
    /// Its scope confirms anywhere.
    Scope(Scope),
}

impl Fingerprint {
    /// Whether a match confirms blocking for a probe in `cc` (upper case), and why.
    #[must_use]
    pub fn confirmed_by(&self, cc: &str) -> Option<ConfirmedBy> {
        if cc != "ZZ" && self.expected_countries.iter().any(|country| country == cc) {
            return Some(ConfirmedBy::Country);
        }
        matches!(self.scope, Scope::Isp | Scope::Nat).then_some(ConfirmedBy::Scope(self.scope))
    }

    /// The header it is for, as spelled in the list.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        self.location_found.strip_prefix("header.")
    }
}

/// The locality a confirmed match counts for: `blocking_` and this is the score's name.
#[must_use]
pub const fn locality(scope: Scope) -> &'static str {
    match scope {
        Scope::Inst => "local",
        Scope::Isp => "isp",
        Scope::Nat => "country",
        Scope::Prod | Scope::Vbw | Scope::Fp | Scope::Injb | Scope::Prov => "general",
    }
}

/// Country codes of a list's comma text: without `ZZ`, sorted, each once.
///
/// Only the text as a whole is trimmed, so a blank after a comma stays part of a code.
#[must_use]
pub fn prepare_countries(text: &str) -> Vec<String> {
    prepare_codes(text.trim().split(','))
}

fn prepare_codes<'a>(codes: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut codes: Vec<String> = codes.map(str::to_uppercase).filter(|code| !code.is_empty() && code != "ZZ").collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// A pattern the search cannot use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("HTTP fingerprint {index}: {message}")]
pub struct PatternError {
    /// Its place in the HTTP list, from 0.
    pub index: usize,
    /// What is wrong.
    pub message: String,
}

/// Both lists, in the order they were loaded, ready to search with.
#[derive(Clone, Debug, Default)]
pub struct Fingerprints {
    dns: Vec<Fingerprint>,
    http: Vec<Fingerprint>,
    list_sha256: String,
    by_address: HashMap<String, Vec<u32>>,
    /// There are a handful.
    headers: Vec<Header>,
    body: BodyIndex,
}

impl Fingerprints {
    /// No fingerprints: what a scorer has before its first list.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Prepares two lists. `list_sha256` names them in results; it is the caller's and not checked.
    ///
    /// # Errors
    /// If a `regexp` pattern for bodies is no regular expression.
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

    /// The hash of the lists, as the caller gave it.
    #[must_use]
    pub fn list_sha256(&self) -> &str {
        &self.list_sha256
    }

    /// Places in [`dns`](Self::dns) of the fingerprints with this address, whatever their location and type.
    ///
    /// The address is text of a document and may hold lone surrogates; then nothing matches.
    #[must_use]
    pub fn dns_matches(&self, address: &[u8]) -> &[u32] {
        let found = std::str::from_utf8(address).ok().and_then(|address| self.by_address.get(address));
        found.map_or(&[], Vec::as_slice)
    }
}
