//! [`Made`]: one measurement.

use super::envelope::inside;

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// `YYYYmmddHHMMSS.ffffff_CC_testname_hash`, increasing; the hash is the beginning of the SHA-512 of `post`.
    pub uid: String,
    /// The measurement as a probe may have sent it, including odd and broken text. One line.
    pub content: Vec<u8>,
    /// The POST body as the collector stores it: the envelope around `content`, with odd text normalized and
    /// `is_verified` added; or as it was sent, if it cannot be parsed.
    pub post: Vec<u8>,
    /// Hour in which it was received, `YYYYmmddHH`.
    pub hour: String,
    /// Country of the probe, as in `uid`.
    pub cc: &'static str,
    /// Name of the test as in `test_name`, with underscores.
    pub test_name: String,
    /// How it was modified.
    pub kind: Kind,
    /// Whether `post` can be parsed.
    pub readable: bool,
    /// Whether it contains an HTTP body.
    pub has_body: bool,
}

impl Made {
    /// The test name as it is in uids and paths, without underscores.
    #[must_use]
    pub fn path_name(&self) -> String {
        self.test_name.replace('_', "")
    }

    /// The measurement as the collector stores it; `None` if it cannot be parsed.
    #[must_use]
    pub fn stored(&self) -> Option<&[u8]> {
        self.readable.then(|| inside(&self.post))
    }
}

/// How a measurement was modified, besides filling the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nothing.
    Plain,
    /// A fingerprint of the lists was inserted.
    Fingerprint,
    /// Odd text was inserted at its start; it may or may not be JSON.
    Odd,
    /// Truncated; not JSON.
    Truncated,
    /// JSON, but a value has the wrong type or is missing. It may not be an object.
    WrongType,
}

impl Kind {
    /// Its name in summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Fingerprint => "fingerprint",
            Self::Odd => "odd",
            Self::Truncated => "truncated",
            Self::WrongType => "wrong type",
        }
    }
}
