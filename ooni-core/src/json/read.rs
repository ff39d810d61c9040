//! The lenient JSON reader: one pass over borrowed bytes into a flat tree (scoring spec §2).
//!
//! It accepts what the reference's parser accepts, no more and no less. Strings are neither copied nor decoded and
//! numbers are not converted: that happens when somebody looks at them.

use super::scan::Scanner;
use super::unescape::check_generalized;
use super::{Document, Node, Spelling, Tag};
use thiserror::Error;

/// Nesting that the reference accepts; one level more is an error (scoring spec §2).
pub const MAX_DEPTH: usize = 1024;

/// More decimal digits than this make an integer an error (scoring spec §2).
const MAX_DIGITS: usize = 4300;

/// What the reader refuses although the reference might read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in bytes.
    pub bytes: usize,
    /// Levels of nesting, at most [`MAX_DEPTH`].
    pub depth: usize,
    /// Values, keys included: each takes 16 bytes of memory.
    pub values: usize,
}

impl Default for Limits {
    /// 200 MiB, 1024 levels, 16 Mi values (256 MiB of memory).
    fn default() -> Self {
        Limits { bytes: 200 << 20, depth: MAX_DEPTH, values: 16 << 20 }
    }
}

/// Why a text could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The text is not JSON, even for a lenient reader.
    #[error("{message} at byte {at}")]
    Syntax {
        /// Offset of the trouble in the text.
        at: usize,
        /// What is wrong, a few words.
        message: &'static str,
    },
    /// A limit of [`Limits`] was passed.
    #[error("{what} beyond the limit of {limit} at byte {at}")]
    Limit {
        /// Offset at which the limit was passed.
        at: usize,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// A JSON reader with buffers that serve for one text after another.
#[derive(Debug, Default)]
pub struct Reader {
    nodes: Vec<Node>,
    open: Vec<Open>,
    limits: Limits,
}

/// A container that has not been closed yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    node: u32,
    count: u32,
    is_object: bool,
}

impl Reader {
    /// A reader with the default limits.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// A reader with limits of the caller's. A depth beyond [`MAX_DEPTH`] is taken as that.
    pub fn with_limits(limits: Limits) -> Reader {
        Reader { limits: Limits { depth: limits.depth.min(MAX_DEPTH), ..limits }, ..Reader::default() }
    }

    /// Reads one JSON text.
    ///
    /// # Errors
    /// [`ReadError::Syntax`] for what the reference's parser refuses, [`ReadError::Limit`] for too much of anything.
    pub fn read<'a>(&'a mut self, text: &'a [u8]) -> Result<Document<'a>, ReadError> {
        if text.len() > self.limits.bytes.min(u32::MAX as usize - 64) {
            return Err(ReadError::Limit { at: 0, what: "bytes", limit: self.limits.bytes });
        }
        let lone = check_bytes(text)?;
        self.nodes.clear();
        self.open.clear();
        let mut pass = Pass {
            text,
            scanner: Scanner::new(text),
            at: 0,
            nodes: &mut self.nodes,
            open: &mut self.open,
            limits: self.limits,
            lone: if lone { Spelling::LONE } else { Spelling::PLAIN },
        };
        pass.document()?;
        Ok(Document { text, nodes: &self.nodes, base: "" })
    }
}

/// Checks what holds for the whole text: no NUL, and sound (generalized) UTF-8. True when it has raw surrogates.
///
/// Outside of strings such bytes are errors anyway, so the check need not know where it is.
fn check_bytes(text: &[u8]) -> Result<bool, ReadError> {
    if let Some(at) = memchr::memchr(0, text) {
        return Err(ReadError::Syntax { at, message: "a NUL byte" });
    }
    if simdutf8::basic::from_utf8(text).is_ok() {
        return Ok(false);
    }
    match check_generalized(text) {
        Ok(()) => Ok(true),
        Err(at) => Err(ReadError::Syntax { at, message: "not UTF-8" }),
    }
}

struct Pass<'a> {
    text: &'a [u8],
    scanner: Scanner<'a>,
    at: usize,
    nodes: &'a mut Vec<Node>,
    open: &'a mut Vec<Open>,
    limits: Limits,
    lone: Spelling,
}

impl Pass<'_> {
    /// The byte to be read next; 0 at the end, as a NUL cannot occur.
    #[inline]
    fn byte(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn skip_blank(&mut self) -> u8 {
        loop {
            match self.byte() {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                other => return other,
            }
        }
    }

    #[cold]
    fn error<T>(&self, message: &'static str) -> Result<T, ReadError> {
        Err(ReadError::Syntax { at: self.at, message })
    }

    #[inline]
    fn push(&mut self, tag: Tag, spelling: Spelling, start: usize, len: usize) -> Result<(), ReadError> {
        if self.nodes.len() >= self.limits.values {
            return Err(ReadError::Limit { at: self.at, what: "values", limit: self.limits.values });
        }
        // Lossless: `read` has checked that the text, and so all of these, fit.
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { start: start as u32, len: len as u32, next, tag, spelling });
        Ok(())
    }

    fn document(&mut self) -> Result<(), ReadError> {
        self.skip_blank();
        loop {
            let opened = self.value()?;
            if opened && !self.first_of_container()? {
                continue;
            }
            if !self.after_value()? {
                break;
            }
        }
        match self.skip_blank() {
            0 if self.at == self.text.len() => Ok(()),
            _ => self.error("something follows the document"),
        }
    }

    /// Reads a value; for a container only its bracket, and returns true.
    #[inline]
    fn value(&mut self) -> Result<bool, ReadError> {
        match self.byte() {
            b'"' => self.string()?,
            b'{' => return self.opened(Tag::Object).map(|()| true),
            b'[' => return self.opened(Tag::Array).map(|()| true),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.literal(b"true", Tag::True)?,
            b'f' => self.literal(b"false", Tag::False)?,
            b'n' => self.literal(b"null", Tag::Null)?,
            b'N' => self.literal(b"NaN", Tag::Float)?,
            b'I' => self.literal(b"Infinity", Tag::Float)?,
            0 => return self.error("the text ends where a value should be"),
            _ => return self.error("no value starts here"),
        }
        Ok(false)
    }

    #[inline]
    fn opened(&mut self, tag: Tag) -> Result<(), ReadError> {
        if self.open.len() >= self.limits.depth {
            if self.limits.depth < MAX_DEPTH {
                return Err(ReadError::Limit { at: self.at, what: "levels of nesting", limit: self.limits.depth });
            }
            return self.error("nested deeper than 1024 levels");
        }
        let node = self.nodes.len() as u32;
        self.push(tag, Spelling::PLAIN, self.at, 0)?;
        self.open.push(Open { node, count: 0, is_object: tag == Tag::Object });
        self.at += 1;
        Ok(())
    }

    /// After an opening bracket: true when the container is empty and has been closed, false before its first value.
    #[inline]
    fn first_of_container(&mut self) -> Result<bool, ReadError> {
        let byte = self.skip_blank();
        match self.open.last_mut() {
            Some(open) if open.is_object => {
                if byte == b'}' {
                    self.close();
                    return Ok(true);
                }
                open.count = 1;
                self.key()?;
            }
            Some(_) if byte == b']' => {
                self.close();
                return Ok(true);
            }
            Some(open) => open.count = 1,
            None => {}
        }
        Ok(false)
    }

    /// After a value: closes what ends here; true before the next value, false when the document is complete.
    #[inline]
    fn after_value(&mut self) -> Result<bool, ReadError> {
        loop {
            let Some(open) = self.open.last() else { return Ok(false) };
            let is_object = open.is_object;
            match self.skip_blank() {
                b',' => {
                    self.at += 1;
                    if let Some(open) = self.open.last_mut() {
                        open.count += 1;
                    }
                    self.skip_blank();
                    if is_object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                b'}' if is_object => self.close(),
                b']' if !is_object => self.close(),
                0 => return self.error("the text ends inside an object or array"),
                _ => return self.error("neither a comma nor the end of the object or array"),
            }
        }
    }

    #[inline]
    fn close(&mut self) {
        self.at += 1;
        if let Some(open) = self.open.pop() {
            let next = self.nodes.len() as u32;
            let node = &mut self.nodes[open.node as usize];
            node.next = next;
            node.len = open.count;
        }
    }

    /// A key with its colon, up to its value.
    #[inline]
    fn key(&mut self) -> Result<(), ReadError> {
        if self.byte() != b'"' {
            return self.error("no key where one should be");
        }
        self.string()?;
        if self.skip_blank() != b':' {
            return self.error("no colon after a key");
        }
        self.at += 1;
        self.skip_blank();
        Ok(())
    }

    #[inline]
    fn string(&mut self) -> Result<(), ReadError> {
        let start = self.at + 1;
        if let Some(end) = self.scanner.plain_end(start) {
            self.at = end + 1;
            return self.push(Tag::Text, Spelling::PLAIN, start, end - start);
        }
        let (end, spelling) =
            self.scanner.string_end(start).map_err(|(at, message)| ReadError::Syntax { at, message })?;
        self.at = end + 1;
        let spelling = if spelling.has(Spelling::NON_ASCII) { spelling.with(self.lone) } else { spelling };
        self.push(Tag::Text, spelling, start, end - start)
    }

    fn literal(&mut self, word: &'static [u8], tag: Tag) -> Result<(), ReadError> {
        let start = self.at;
        if self.text.get(start..start + word.len()) != Some(word) {
            return self.error("no value starts here");
        }
        self.at += word.len();
        self.push(tag, Spelling::PLAIN, start, word.len())
    }

    /// Digits from here on.
    #[inline]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
    }

    /// A number. Leading zeros, `1.`, `-.5` and a lone `-`, read as 0, are accepted; `.5`, `-.`, `1e` are not.
    fn number(&mut self) -> Result<(), ReadError> {
        let start = self.at;
        if self.byte() == b'-' {
            self.at += 1;
            if self.byte() == b'I' {
                self.literal(b"Infinity", Tag::Float)?;
                // The sign belongs to the number.
                if let Some(node) = self.nodes.last_mut() {
                    node.start -= 1;
                    node.len += 1;
                }
                return Ok(());
            }
        }
        let zeros = self.at;
        while self.byte() == b'0' {
            self.at += 1;
        }
        let significant = self.digits();
        let whole = self.at - zeros;
        let mut tag = Tag::Int;
        if self.byte() == b'.' && (whole > 0 || self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit)) {
            self.at += 1;
            self.digits();
            tag = Tag::Float;
        }
        if matches!(self.byte(), b'e' | b'E') && (whole > 0 || tag == Tag::Float) {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.error("an exponent without digits");
            }
            tag = Tag::Float;
        }
        if tag == Tag::Int && significant > MAX_DIGITS {
            return Err(ReadError::Syntax { at: start, message: "an integer of more than 4300 digits" });
        }
        self.push(tag, Spelling::PLAIN, start, self.at - start)
    }
}
