//! Which rules are applied: the reference's, or the reference's with its errors repaired.
//!
//! Each repair is made in one place: `grep -rn Repair::BodyFull` finds it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The scoring rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rules {
    /// Exactly the reference, its errors included.
    Compat,
    /// The reference with the repairs of [`Repair`].
    #[default]
    Fixed,
}

impl Rules {
    /// The name on the command line and in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Rules::Compat => "compat",
            Rules::Fixed => "fixed",
        }
    }

    /// The rules of a [name](Rules::name); `None` if it is another one.
    pub fn named(name: &str) -> Option<Rules> {
        [Rules::Compat, Rules::Fixed].into_iter().find(|rules| rules.name() == name)
    }

    /// Name and version, such as `fixed/1`. The version increases whenever a row may change.
    pub const fn version(self) -> &'static str {
        match self {
            Rules::Compat => "compat/1",
            Rules::Fixed => "fixed/1",
        }
    }

    /// The repairs of these rules.
    pub fn repairs(self) -> Repairs {
        match self {
            Rules::Compat => Repairs::NONE,
            Rules::Fixed => Repair::ALL.into_iter().fold(Repairs::NONE, Repairs::with),
        }
    }
}

/// A difference between [`Rules::Fixed`] and the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repair {
    /// Header fingerprints of type `contains` match; in the reference they never do.
    HeaderContains,
    /// Body fingerprints of type `regexp` are regular expressions; in the reference they are literal text.
    BodyRegexp,
    /// Body fingerprints of type `full` match equal bodies; in the reference, bodies that contain them.
    BodyFull,
    /// A body or header that cannot be decoded is skipped and `accuracy` becomes 0.0; the reference loses all matches of the
    /// measurement, or the whole measurement.
    BadBase64,
}

impl Repair {
    /// Every repair.
    pub const ALL: [Repair; 4] = [Repair::HeaderContains, Repair::BodyRegexp, Repair::BodyFull, Repair::BadBase64];

    /// The name in explanations.
    pub const fn name(self) -> &'static str {
        match self {
            Repair::HeaderContains => "header-contains",
            Repair::BodyRegexp => "body-regexp",
            Repair::BodyFull => "body-full",
            Repair::BadBase64 => "bad-base64",
        }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of repairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repairs(u8);

impl Repairs {
    /// No repairs: the reference.
    pub const NONE: Repairs = Repairs(0);

    /// Whether the set contains `repair`.
    pub const fn has(self, repair: Repair) -> bool {
        self.0 & 1 << repair as u8 != 0
    }

    /// The set with `repair`.
    #[must_use]
    pub const fn with(self, repair: Repair) -> Repairs {
        Repairs(self.0 | 1 << repair as u8)
    }

    /// The set without `repair`.
    #[must_use]
    pub const fn without(self, repair: Repair) -> Repairs {
        Repairs(self.0 & !(1 << repair as u8))
    }
}

/// Identifies the rules and lists that produced a row, so that it can be reproduced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ruleset {
    /// Name and version of the rules, such as `fixed/1`.
    pub rules: String,
    /// Version of this crate.
    pub version: String,
    /// SHA-256 of the fingerprint lists in order, as the caller computed it; 64 hexadecimal digits, or `""`.
    pub fingerprints: String,
}

impl Ruleset {
    /// The ruleset for these rules, this version of the crate and lists with this hash.
    pub fn new(rules: Rules, list_sha256: &str) -> Ruleset {
        Ruleset {
            rules: rules.version().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprints: list_sha256.to_owned(),
        }
    }
}
