//! Errors of one measurement: a code, a position in the document and a sentence.
//!
//! A measurement that is discarded on purpose is not an error: see `process::Discard`.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// Why a measurement is rejected. The first seven are defined in scoring spec §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Code {
    /// The text is not JSON.
    #[serde(rename = "E-PARSE")]
    Parse,
    /// A value has a kind that the rule cannot handle.
    #[serde(rename = "E-TYPE")]
    Type,
    /// A required key is missing.
    #[serde(rename = "E-KEY")]
    Key,
    /// An index beyond the end of a list or text.
    #[serde(rename = "E-INDEX")]
    Index,
    /// A value of the right kind whose content is invalid.
    #[serde(rename = "E-VALUE")]
    Value,
    /// Base64 that ends inside a group.
    #[serde(rename = "E-PAD")]
    Pad,
    /// A check of the rule itself failed.
    #[serde(rename = "E-ASSERT")]
    Assert,
    /// A limit that the reference does not have was exceeded.
    #[serde(rename = "E-LIMIT")]
    Limit,
    /// A container is corrupt, or its content has no known format.
    #[serde(rename = "E-CAN")]
    Can,
}

impl Code {
    /// Every code.
    pub const ALL: [Code; 9] =
        [Code::Parse, Code::Type, Code::Key, Code::Index, Code::Value, Code::Pad, Code::Assert, Code::Limit, Code::Can];

    /// The code as it is written, such as `E-TYPE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::Parse => "E-PARSE",
            Code::Type => "E-TYPE",
            Code::Key => "E-KEY",
            Code::Index => "E-INDEX",
            Code::Value => "E-VALUE",
            Code::Pad => "E-PAD",
            Code::Assert => "E-ASSERT",
            Code::Limit => "E-LIMIT",
            Code::Can => "E-CAN",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a measurement was rejected, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub struct Error {
    /// The kind of error.
    pub code: Code,
    /// The position, as a JSON pointer into the document as it was read (RFC 6901); `""` is the whole document.
    pub path: String,
    /// What is wrong, in a sentence without the path.
    pub message: String,
}

impl Error {
    /// An error at a position.
    pub fn new(code: Code, path: impl Into<String>, message: impl Into<String>) -> Error {
        Error { code, path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { code, path, message } = self;
        match path.as_str() {
            "" => write!(f, "{code}: {message}"),
            path => write!(f, "{code} at {path}: {message}"),
        }
    }
}
