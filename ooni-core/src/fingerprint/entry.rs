//! [`Fingerprint`]: an entry of a list, and the values of its columns.

use serde::{Deserialize, Serialize};
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
    /// Who does the blocking that the fingerprint shows.
    Scope {
        /// A whole country.
        Nat = "nat",
        /// An internet provider.
        Isp = "isp",
        /// A filtering product.
        Prod = "prod",
        /// An institution, such as a school or company.
        Inst = "inst",
        /// Vague: it is unknown who blocks.
        Vbw = "vbw",
        /// A known false positive: not blocking.
        Fp = "fp",
        /// Injected content that is not a blockpage.
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

/// A text that is not a value of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value {text:?}: expected one of {}", known.join(", "))]
pub struct UnknownText {
    text: String,
    known: &'static [&'static str],
}

/// One row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Unique within its list.
    pub name: String,
    /// Who does the blocking.
    pub scope: Scope,
    /// Its names in other lists; not used.
    pub other_names: String,
    /// `dns`, `body` or `header.` and a lower-case name.
    pub location_found: String,
    /// How `pattern` is compared.
    pub pattern_type: PatternType,
    /// The pattern.
    pub pattern: String,
    /// Confidence that a match is not a false positive, as given.
    pub confidence_no_fp: u8,
    /// Country codes, as [`prepare_countries`] returns them.
    pub expected_countries: Vec<String>,
}

/// Why a match is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmedBy {
    /// The fingerprint is expected in the country of the probe.
    Country,
    /// Its scope confirms in every country.
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

    /// The name of its header, as spelled in the list.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        self.location_found.strip_prefix("header.")
    }
}

/// The locality of a confirmed match: the suffix of its score, `blocking_*`.
#[must_use]
pub const fn locality(scope: Scope) -> &'static str {
    match scope {
        Scope::Inst => "local",
        Scope::Isp => "isp",
        Scope::Nat => "country",
        Scope::Prod | Scope::Vbw | Scope::Fp | Scope::Injb | Scope::Prov => "general",
    }
}

/// Country codes of a comma-separated text: without `ZZ`, sorted, each once.
///
/// Only the whole text is trimmed, so a space after a comma is part of a code.
#[must_use]
pub fn prepare_countries(text: &str) -> Vec<String> {
    prepare_codes(text.trim().split(','))
}

pub(super) fn prepare_codes<'a>(codes: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut codes: Vec<String> = codes.map(str::to_uppercase).filter(|code| !code.is_empty() && code != "ZZ").collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// A pattern that cannot be searched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("HTTP fingerprint {index}: {message}")]
pub struct PatternError {
    /// Its position in the HTTP list, from 0.
    pub index: usize,
    /// What is wrong.
    pub message: String,
}
