//! YAML 1.1 with the safe schema, as the pure-Python loader of PyYAML reads it (formats spec §11.2).
//!
//! An entry that cannot be read is lost alone or with the whole can, depending on which part of that loader refuses it.
//! So the parts are the same here: characters (`cursor`), tokens (`scanner`, `scalars`, `indicators`), events
//! (`parser`), nodes (`compose`) and values (`construct`), and each refuses what its model does. None of them
//! recurses; the value that comes out is no deeper than the limits say, and aliases are counted as often as they are
//! used, so that a few lines cannot stand for gigabytes.

mod compose;
mod construct;
mod cursor;
mod indicators;
mod merge;
mod parser;
mod scalars;
mod scanner;

pub(super) use self::compose::Tag;
use super::value::Value;
use crate::error::{Code, Error};
use crate::json::Limits;
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

/// Reads a text that holds one document, or none, which is `null`.
///
/// # Errors
/// What the reference's loader refuses, and what is beyond `limits`.
pub fn load(text: &[u8], limits: Limits) -> Result<Value, Trouble> {
    if text.len() > limits.bytes {
        let message = format!("more than {} bytes", limits.bytes);
        return Err(Trouble::new(TroubleKind::Limit, Mark::default(), message));
    }
    match compose::compose(text, limits)? {
        Some(mut nodes) => construct::construct(&mut nodes, limits),
        None => Ok(Value::Null),
    }
}

#[cfg(test)]
mod tests;
