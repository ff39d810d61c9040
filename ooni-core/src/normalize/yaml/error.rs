//! [`YamlError`]: why and where a document cannot be read.

use crate::error::{Code, Error};
use std::fmt;

/// A position in the text, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The character of the line.
    pub column: usize,
}

/// The stage of the loader that rejects a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YamlErrorKind {
    /// It is not UTF-8, or has control characters.
    Reader,
    /// Its tokens are invalid, such as a quoted text without end.
    Scanner,
    /// Its structure is invalid, such as a sequence without end.
    Parser,
    /// It has undefined aliases or duplicate anchors.
    Composer,
    /// It has unknown tags, or values that contradict their tags.
    Constructor,
    /// A scalar looks like a number or date but is not one. In Python, this is another exception than the loader's.
    Value,
    /// It exceeds a limit, or a value contains itself.
    Limit,
}

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct YamlError {
    /// The stage that rejects it.
    pub kind: YamlErrorKind,
    /// The position.
    pub mark: Mark,
    /// What is wrong, in a few words.
    pub message: String,
}

impl YamlError {
    pub(super) fn new(kind: YamlErrorKind, mark: Mark, message: impl Into<String>) -> YamlError {
        YamlError { kind, mark, message: message.into() }
    }

    /// Whether the reference aborts the can here instead of skipping the entry (formats spec §11.2, step 5).
    pub fn aborts(&self) -> bool {
        match self.kind {
            YamlErrorKind::Reader | YamlErrorKind::Scanner | YamlErrorKind::Composer | YamlErrorKind::Value => true,
            YamlErrorKind::Parser | YamlErrorKind::Constructor | YamlErrorKind::Limit => false,
        }
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { line, column } = self.mark;
        write!(f, "YAML: {}, line {}, column {}", self.message, line + 1, column + 1)
    }
}

impl From<YamlError> for Error {
    fn from(error: YamlError) -> Error {
        let code = if error.kind == YamlErrorKind::Limit { Code::Limit } else { Code::Can };
        Error::new(code, "", error.to_string())
    }
}
