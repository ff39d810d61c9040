//! The lenient JSON reader: borrowed bytes into a flat tree (scoring spec §2).
//!
//! It accepts exactly what the reference's parser accepts. Strings are not copied or decoded, and numbers are not
//! converted, until they are accessed.
//!
//! A text is read in two phases. [`index`] goes over blocks of 64 bytes and writes down where all quotes are that begin or
//! end a string, and how each string is spelled. [`indexed`] goes from token to token, from the beginning of each string to
//! its end without looking inside, and makes the nodes. Neither reports errors: at anything unusual they give up, and
//! [`scanning`] reads the text from the start. It searches every string itself, takes nearly twice as long, and knows every
//! error. Unusual are errors, exceeded limits, unescaped surrogates, `-Infinity`, values that JSON cannot represent, and
//! texts that are neither an object nor an array. What both passes can read they read to the same nodes: see the tests in
//! `both_passes`.
//!
//! A reader keeps its nodes (16 bytes each) and its index (4 bytes for each quote) for the next text.

mod index;
mod indexed;
mod number;
mod scanning;

use super::document::{Document, Node, Tag};
use crate::error::{Code, Error};

/// The maximum depth of nesting that the reference accepts (scoring spec §2).
pub const MAX_DEPTH: usize = 1024;

/// The number of nodes, and of entries of the index, for which a reader keeps memory between texts: 1 MiB, and 256 KiB.
const KEPT: usize = 64 << 10;

/// Limits of the reader that the reference does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in bytes.
    pub bytes: usize,
    /// Levels of nesting, at most [`MAX_DEPTH`].
    pub depth: usize,
    /// Number of values and keys: each takes 16 bytes of memory, and strings 8 more in the index.
    pub values: usize,
}

impl Default for Limits {
    /// 200 MiB, 1024 levels, 8 Mi values (128 MiB of memory, and at most 64 MiB of index).
    fn default() -> Self {
        Limits { bytes: 200 << 20, depth: MAX_DEPTH, values: 8 << 20 }
    }
}

/// Why a text could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The text is not JSON, even for a lenient reader.
    #[error("{message} at byte {at}")]
    Syntax {
        /// Offset of the error in the text.
        at: usize,
        /// What is wrong, in a few words.
        message: &'static str,
    },
    /// A limit of [`Limits`] was exceeded.
    #[error("too many {what} at byte {at}: the limit is {limit}")]
    Limit {
        /// Offset at which the limit was exceeded.
        at: usize,
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Error {
        let code = match error {
            ReadError::Syntax { .. } => Code::Parse,
            ReadError::Limit { .. } => Code::Limit,
        };
        Error::new(code, "", error.to_string())
    }
}

/// A JSON reader that reuses its buffers.
#[derive(Debug, Default)]
pub struct Reader {
    nodes: Vec<Node>,
    index: Vec<u32>,
    open: Vec<scanning::Open>,
    limits: Limits,
}

impl Reader {
    /// A reader with the default limits.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// A reader with these limits. A depth greater than [`MAX_DEPTH`] counts as [`MAX_DEPTH`].
    pub fn with_limits(limits: Limits) -> Reader {
        Reader { limits: Limits { depth: limits.depth.min(MAX_DEPTH), ..limits }, ..Reader::default() }
    }

    /// Frees memory that only an unusually large text needed.
    pub fn shrink(&mut self) {
        self.nodes.truncate(KEPT);
        self.nodes.shrink_to(KEPT);
        self.index.truncate(KEPT);
        self.index.shrink_to(KEPT);
    }

    /// Reads a normalized measurement (`normalize::Report::entry`): JSON that may contain values of [`Kind::Foreign`],
    /// also as keys.
    ///
    /// # Errors
    /// As [`Reader::read`].
    ///
    /// [`Kind::Foreign`]: super::Kind::Foreign
    pub fn read_normalized<'a>(&'a mut self, text: &'a [u8]) -> Result<Document<'a>, ReadError> {
        self.read_with(text, true)
    }

    /// Reads one JSON text.
    ///
    /// # Errors
    /// [`ReadError::Syntax`] for what the reference's parser refuses, [`ReadError::Limit`] for an exceeded limit.
    pub fn read<'a>(&'a mut self, text: &'a [u8]) -> Result<Document<'a>, ReadError> {
        self.read_with(text, false)
    }

    fn read_with<'a>(&'a mut self, text: &'a [u8], foreign: bool) -> Result<Document<'a>, ReadError> {
        self.check_length(text)?;
        match self.read_indexed(text) {
            Some(count) => Ok(Document { text, nodes: &self.nodes[..count], base: "", has_foreign: false }),
            None => self.read_scanning(text, foreign),
        }
    }

    /// Reads the text by its index, if it contains nothing unusual, and returns the number of nodes.
    fn read_indexed(&mut self, text: &[u8]) -> Option<usize> {
        // Each string is a value and has two quotes.
        let found = index::fill(text, self.limits.values.saturating_mul(2), &mut self.index)?;
        if !found.is_ascii && simdutf8::basic::from_utf8(text).is_err() {
            return None;
        }
        indexed::read(text, &self.index[..found.quotes], &mut self.nodes, self.limits)
    }

    /// Reads one JSON text without an index, only more slowly. For tests: the result is that of [`Reader::read`].
    ///
    /// # Errors
    /// As [`Reader::read`].
    #[doc(hidden)]
    pub fn read_without_index<'a>(&'a mut self, text: &'a [u8]) -> Result<Document<'a>, ReadError> {
        self.check_length(text)?;
        self.read_scanning(text, false)
    }

    fn check_length(&self, text: &[u8]) -> Result<(), ReadError> {
        // Positions and lengths must fit the nodes.
        if text.len() > self.limits.bytes.min(u32::MAX as usize - 64) {
            return Err(ReadError::Limit { at: 0, what: "bytes", limit: self.limits.bytes });
        }
        Ok(())
    }

    fn read_scanning<'a>(&'a mut self, text: &'a [u8], foreign: bool) -> Result<Document<'a>, ReadError> {
        scanning::read(text, foreign, self.limits, &mut self.nodes, &mut self.open)?;
        let has_foreign = foreign && self.nodes.iter().any(|node| node.tag == Tag::Foreign);
        Ok(Document { text, nodes: &self.nodes, base: "", has_foreign })
    }
}

#[cfg(test)]
mod both_passes;
#[cfg(test)]
mod tests;
