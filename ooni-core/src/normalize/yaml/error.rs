//! [`Trouble`]: why a document could not be read, and where.

use crate::error::{Code, Error};
use std::fmt;

/// A place in the text, both counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// Which part of the loader refuses a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// It is not UTF-8, or has control characters.
    Reader,
    /// Its tokens are broken, such as a quoted text that does not end.
    Scanner,
    /// Its structure is broken, such as a sequence that does not end.
    Parser,
    /// It has aliases that are not defined, or anchors that are defined twice.
    Composer,
    /// It has tags that are not known, or values that cannot be what their tags say.
    Constructor,
    /// A scalar looks like a number or date and is none. In Python no error of the loader but a plain exception.
    Value,
    /// A limit of ours was passed, or a value contains itself.
    Limit,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Trouble {
    /// Which part refuses it.
    pub kind: TroubleKind,
    /// Where.
    pub mark: Mark,
    /// What is wrong, a few words.
    pub message: String,
}

impl Trouble {
    pub(super) fn new(kind: TroubleKind, mark: Mark, message: impl Into<String>) -> Trouble {
        Trouble { kind, mark, message: message.into() }
    }

    /// Whether the reference gives up the can here and does not only skip the entry (formats spec §11.2, step 5).
    pub fn aborts(&self) -> bool {
        match self.kind {
            TroubleKind::Reader | TroubleKind::Scanner | TroubleKind::Composer | TroubleKind::Value => true,
            TroubleKind::Parser | TroubleKind::Constructor | TroubleKind::Limit => false,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { line, column } = self.mark;
        write!(f, "YAML: {}, line {}, column {}", self.message, line + 1, column + 1)
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Error {
        let code = if trouble.kind == TroubleKind::Limit { Code::Limit } else { Code::Can };
        Error::new(code, "", trouble.to_string())
    }
}
