//! The pass that searches strings itself: it reads every text, foreign values included, and says what is wrong and where.

use super::number::number;
use super::{Limits, MAX_DEPTH, ReadError};
use crate::json::document::{Node, Tag};
use crate::json::kind::FOREIGN;
use crate::json::scan::{Spelling, StringScanner};
use crate::json::unescape::check_generalized;

/// A container that has not been closed yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    node: u32,
    count: u32,
    is_object: bool,
}

/// Reads `text`, which is not longer than the limit, into `nodes`.
pub(super) fn read(
    text: &[u8],
    foreign: bool,
    limits: Limits,
    nodes: &mut Vec<Node>,
    open: &mut Vec<Open>,
) -> Result<(), ReadError> {
    let is_ascii = is_plain_ascii(text);
    let lone = !is_ascii && check_bytes(text)?;
    nodes.clear();
    open.clear();
    let mut pass = Pass {
        text,
        scanner: StringScanner::new(text, is_ascii),
        at: 0,
        nodes,
        open,
        limits,
        lone: if lone { Spelling::LONE } else { Spelling::PLAIN },
        foreign,
    };
    pass.document()
}

/// Whether all bytes are ASCII and none is NUL, as in most texts. Such a text needs no further check of its bytes.
fn is_plain_ascii(text: &[u8]) -> bool {
    text.chunks(256).all(|bytes| bytes.iter().fold(true, |plain, &byte| plain & (byte as i8 > 0)))
}

/// Checks the whole text: no NUL, and valid (generalized) UTF-8. True when it contains unescaped surrogates.
///
/// Outside strings such bytes are errors anyway, so the check need not know where strings are.
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
    scanner: StringScanner<'a>,
    at: usize,
    nodes: &'a mut Vec<Node>,
    open: &'a mut Vec<Open>,
    limits: Limits,
    lone: Spelling,
    /// Whether values that JSON cannot represent are accepted.
    foreign: bool,
}

impl Pass<'_> {
    /// The next byte; 0 at the end, as a NUL cannot occur.
    #[inline]
    fn byte(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn skip_whitespace(&mut self) -> u8 {
        loop {
            match self.byte() {
                other if other > b' ' => return other,
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
        self.skip_whitespace();
        loop {
            let opened = self.value()?;
            if opened && !self.first_of_container()? {
                continue;
            }
            if !self.after_value()? {
                break;
            }
        }
        match self.skip_whitespace() {
            0 if self.at == self.text.len() => Ok(()),
            _ => self.error("unexpected data after the document"),
        }
    }

    /// Reads a value. For a container, reads only its bracket and returns true.
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
            0 => return self.error("the text ends where a value is expected"),
            FOREIGN if self.foreign => self.foreign_value()?,
            _ => return self.error("expected a value"),
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

    /// Continues after an opening bracket. True if the container is empty and has been closed, false before its first value.
    #[inline]
    fn first_of_container(&mut self) -> Result<bool, ReadError> {
        let byte = self.skip_whitespace();
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

    /// Continues after a value and closes containers that end here. True before the next value, false if the document is
    /// complete.
    #[inline]
    fn after_value(&mut self) -> Result<bool, ReadError> {
        loop {
            let Some(open) = self.open.last() else { return Ok(false) };
            let is_object = open.is_object;
            match self.skip_whitespace() {
                b',' => {
                    self.at += 1;
                    if let Some(open) = self.open.last_mut() {
                        open.count += 1;
                    }
                    self.skip_whitespace();
                    if is_object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                b'}' if is_object => self.close(),
                b']' if !is_object => self.close(),
                0 => return self.error("the text ends inside an object or array"),
                _ => return self.error("expected a comma or the end of the object or array"),
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

    /// Reads a key and its colon, up to its value.
    #[inline]
    fn key(&mut self) -> Result<(), ReadError> {
        match self.byte() {
            b'"' => self.string()?,
            FOREIGN if self.foreign => self.foreign_value()?,
            _ => return self.error("expected a key"),
        }
        if self.skip_whitespace() != b':' {
            return self.error("expected a colon after a key");
        }
        self.at += 1;
        self.skip_whitespace();
        Ok(())
    }

    #[inline]
    fn string(&mut self) -> Result<(), ReadError> {
        let start = self.at + 1;
        if let Some(end) = self.scanner.plain_end(start) {
            self.at = end + 1;
            return self.push(Tag::Text, Spelling::PLAIN, start, end - start);
        }
        self.long_string(start)
    }

    /// Reads a string that has escapes or non-ASCII characters, or crosses a block. A separate function, so that other
    /// strings are not slowed down.
    #[inline(never)]
    fn long_string(&mut self, start: usize) -> Result<(), ReadError> {
        let (end, spelling) =
            self.scanner.string_end(start).map_err(|(at, message)| ReadError::Syntax { at, message })?;
        self.at = end + 1;
        let spelling = if spelling.has(Spelling::NON_ASCII) { spelling.with(self.lone) } else { spelling };
        self.push(Tag::Text, spelling, start, end - start)
    }

    /// Reads a mark and a string. The mark is part of the value, so that a foreign key is never mistaken for text.
    #[cold]
    fn foreign_value(&mut self) -> Result<(), ReadError> {
        let start = self.at;
        self.at += 1;
        if self.byte() != b'"' {
            return self.error("expected the description of a foreign value");
        }
        self.string()?;
        let end = self.at;
        if let Some(node) = self.nodes.last_mut() {
            node.start = start as u32;
            node.len = (end - start) as u32;
            node.tag = Tag::Foreign;
        }
        Ok(())
    }

    fn literal(&mut self, word: &'static [u8], tag: Tag) -> Result<(), ReadError> {
        let start = self.at;
        if self.text.get(start..start + word.len()) != Some(word) {
            return self.error("expected a value");
        }
        self.at += word.len();
        self.push(tag, Spelling::PLAIN, start, word.len())
    }

    fn number(&mut self) -> Result<(), ReadError> {
        let start = self.at;
        if self.byte() == b'-' && self.text.get(start + 1) == Some(&b'I') {
            self.at += 1;
            self.literal(b"Infinity", Tag::Float)?;
            // The sign belongs to the number.
            if let Some(node) = self.nodes.last_mut() {
                node.start -= 1;
                node.len += 1;
            }
            return Ok(());
        }
        let (end, tag) = number(self.text, start).map_err(|(at, message)| ReadError::Syntax { at, message })?;
        self.at = end;
        self.push(tag, Spelling::PLAIN, start, end - start)
    }
}
