//! Reads documents as probes wrote them straight into values, without tokens, events and nodes.
//!
//! Reports are dumps of PyYAML: block mappings with simple keys, block sequences, flow collections, `|`, quoted and plain
//! scalars, and the tags `!!binary` and `!!set`. [`read`] knows nothing else. At any doubt (a comment, an anchor, a tab, a
//! repeated key, an error, a limit) it returns `None`, and the stages read the document from the start. So it decides no
//! error, and what it does accept has the value that the stages give it. `scan` reads characters and scalars.

mod scan;

use super::scalar;
use super::tag::YamlTag;
use crate::base64;
use crate::json::Limits;
use crate::normalize::value::{Mapping, YamlValue};
use scan::Stop;
use std::borrow::Cow;

/// The levels of nesting that are read here, by recursion. Reports have fewer.
const MAX_LEVELS: usize = 64;

/// A simple key has at most 1024 characters, spaces before the `:` included. This is in bytes, and safely below.
const MAX_KEY_LENGTH: usize = 1000;

/// The column at the end of the document, which closes all collections.
const END: isize = -1;

/// The value of a document; `None` at any doubt.
pub(super) fn read(text: &[u8], limits: Limits) -> Option<YamlValue<'_>> {
    // No text is more than half as long again as its escapes, so that none of them exceeds the limit.
    if text.len() > limits.bytes / 2 || !scan::has_usual_characters(text) {
        return None;
    }
    let start = if text.starts_with(b"---\n") { b"---\n".len() } else { 0 };
    let values = limits.values.min(u32::MAX as usize);
    let levels = limits.depth.min(MAX_LEVELS);
    Reader { text, at: start, line: start, column: END, values, levels }.document()
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// The offset of the current line.
    line: usize,
    /// The column of the first token of the line, or [`END`]. Set before each node of a block collection, and after it.
    column: isize,
    /// How many more values the limit allows.
    values: usize,
    /// How many more levels of nesting the limit allows.
    levels: usize,
}

/// What a scalar outside flow collections is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A value; the reader is at the first token of a later line.
    Value,
    /// A key; the reader is after its `:`.
    Key,
}

impl<'a> Reader<'a> {
    fn document(mut self) -> Option<YamlValue<'a>> {
        self.begin_line();
        if self.column == END {
            return None;
        }
        let root = self.block_node(self.column, END)?;
        let rest = self.text.get(self.at..)?;
        let is_complete = match rest.strip_prefix(b"...") {
            Some(rest) => rest.iter().all(|byte| matches!(byte, b' ' | b'\n')),
            None => rest.is_empty(),
        };
        (self.column == END && is_complete).then_some(root)
    }

    /// Counts a value that begins.
    fn count(&mut self) -> Option<()> {
        self.values = self.values.checked_sub(1)?;
        Some(())
    }

    /// Counts a collection that begins.
    fn enter(&mut self) -> Option<()> {
        self.levels = self.levels.checked_sub(1)?;
        self.count()
    }

    // --- block collections ---

    /// A node in this column, where a key may begin. `indent` is the column of the collection around it.
    fn block_node(&mut self, column: isize, indent: isize) -> Option<YamlValue<'a>> {
        if self.is_entry() {
            return self.block_sequence(column, false);
        }
        match self.block_value(indent)? {
            (value, Role::Value) => Some(value),
            (key, Role::Key) => self.block_mapping(column, key),
        }
    }

    /// `- ` and what follows. A sequence in a mapping may have the column of the mapping, whose next key ends it.
    fn block_sequence(&mut self, column: isize, in_mapping: bool) -> Option<YamlValue<'a>> {
        self.enter()?;
        let mut items = Vec::new();
        loop {
            self.at += 1;
            self.skip_spaces();
            match self.byte(0) {
                b'\n' | 0 => self.begin_line(),
                _ => self.column = self.here(),
            }
            if self.column <= column {
                return None;
            }
            items.push(self.block_node(self.column, column)?);
            match self.column {
                next if next > column => return None,
                next if next == column && self.is_entry() => {}
                next if next == column && !in_mapping => return None,
                _ => break,
            }
        }
        self.levels += 1;
        Some(YamlValue::Sequence(items))
    }

    /// The reader is after the `:` of the first key.
    fn block_mapping(&mut self, column: isize, first: YamlValue<'a>) -> Option<YamlValue<'a>> {
        self.enter()?;
        let mut members = Mapping::new();
        let mut key = first;
        loop {
            self.skip_spaces();
            let value = match self.byte(0) {
                b'\n' | 0 => self.value_below(column)?,
                _ => self.value_beside(column)?,
            };
            members.push((key, value));
            if self.column != column {
                break;
            }
            key = match self.block_value(column)? {
                (key, Role::Key) => key,
                (_, Role::Value) => return None,
            };
        }
        if self.column > column || has_repeated_key(&members) {
            return None;
        }
        self.levels += 1;
        Some(YamlValue::Mapping(members))
    }

    fn value_beside(&mut self, column: isize) -> Option<YamlValue<'a>> {
        match self.block_value(column)? {
            (value, Role::Value) => Some(value),
            (_, Role::Key) => None,
        }
    }

    fn value_below(&mut self, column: isize) -> Option<YamlValue<'a>> {
        self.begin_line();
        match self.column {
            below if below > column => self.block_node(below, column),
            below if below == column && self.is_entry() => self.block_sequence(column, true),
            _ => {
                self.count()?;
                Some(YamlValue::Null)
            }
        }
    }

    /// A scalar or a flow collection.
    fn block_value(&mut self, indent: isize) -> Option<(YamlValue<'a>, Role)> {
        let (start, line) = (self.at, self.line);
        let value = match self.byte(0) {
            b'|' => {
                self.count()?;
                return Some((YamlValue::Text(self.literal(indent)?.into()), Role::Value));
            }
            b'!' if self.text.get(self.at..)?.starts_with(b"!!binary |") => {
                self.count()?;
                self.at += b"!!binary ".len();
                let text = self.literal(indent)?;
                return Some((YamlValue::Bytes(base64::decode(&text).ok()?), Role::Value));
            }
            b'[' | b'{' | b'\'' | b'"' | b'!' => self.flow_node()?,
            _ => {
                self.count()?;
                let (text, stop) = self.plain(Some(indent + 1))?;
                let value = plain_value(text)?;
                if stop == Stop::Line {
                    return Some((value, Role::Value));
                }
                value
            }
        };
        self.skip_spaces();
        match self.byte(0) {
            b'\n' | 0 => {
                self.begin_line();
                Some((value, Role::Value))
            }
            b':' => {
                self.colon(start, line)?;
                is_scalar(&value).then_some((value, Role::Key))
            }
            _ => None,
        }
    }

    /// Skips the `:` after a key that began there.
    fn colon(&mut self, start: usize, line: usize) -> Option<()> {
        let is_simple = self.line == line && self.at - start <= MAX_KEY_LENGTH;
        if !is_simple || self.byte(0) != b':' || !self.is_blank(1) {
            return None;
        }
        self.at += 1;
        Some(())
    }

    // --- flow collections ---

    /// `[…]`, `{…}`, a quoted or plain scalar, or one of the first three with a tag.
    fn flow_node(&mut self) -> Option<YamlValue<'a>> {
        match self.byte(0) {
            b'[' => self.flow_sequence(),
            b'{' => self.flow_mapping().map(YamlValue::Mapping),
            b'\'' | b'"' => {
                self.count()?;
                self.quoted().map(YamlValue::Text)
            }
            b'!' => self.tagged(),
            _ => {
                self.count()?;
                let (text, _) = self.plain(None)?;
                plain_value(text)
            }
        }
    }

    fn tagged(&mut self) -> Option<YamlValue<'a>> {
        let rest = self.text.get(self.at..)?;
        if rest.starts_with(b"!!set {") {
            self.at += b"!!set ".len();
            let members = self.flow_mapping()?;
            return Some(YamlValue::Set(members.into_iter().map(|(key, _)| key).collect()));
        }
        if rest.starts_with(b"!!binary \"") || rest.starts_with(b"!!binary '") {
            self.count()?;
            self.at += b"!!binary ".len();
            return base64::decode(&self.quoted()?).ok().map(YamlValue::Bytes);
        }
        None
    }

    fn flow_sequence(&mut self) -> Option<YamlValue<'a>> {
        self.enter()?;
        self.at += 1;
        let mut items = Vec::new();
        while self.flow_token()? != b']' {
            items.push(self.flow_node()?);
            match self.flow_token()? {
                b',' => self.at += 1,
                b']' => {}
                _ => return None,
            }
        }
        self.at += 1;
        self.levels += 1;
        Some(YamlValue::Sequence(items))
    }

    fn flow_mapping(&mut self) -> Option<Mapping<'a>> {
        self.enter()?;
        self.at += 1;
        let mut members = Mapping::new();
        while self.flow_token()? != b'}' {
            let (start, line) = (self.at, self.line);
            let key = self.flow_node().filter(is_scalar)?;
            self.skip_spaces();
            self.colon(start, line)?;
            self.flow_token()?;
            members.push((key, self.flow_node()?));
            match self.flow_token()? {
                b',' => self.at += 1,
                b'}' => {}
                _ => return None,
            }
        }
        self.at += 1;
        self.levels += 1;
        (!has_repeated_key(&members)).then_some(members)
    }
}

/// The value of a plain scalar, unless only a key may have it.
fn plain_value<'a>(text: Cow<'a, [u8]>) -> Option<YamlValue<'a>> {
    match scalar::resolve(&text) {
        YamlTag::Text => Some(YamlValue::Text(text)),
        YamlTag::Merge | YamlTag::Default | YamlTag::Other(_) => None,
        tag => scalar::construct(&tag, &text).ok(),
    }
}

fn is_scalar(value: &YamlValue<'_>) -> bool {
    !matches!(value, YamlValue::Sequence(_) | YamlValue::Mapping(_) | YamlValue::Set(_))
}

/// Whether two keys are equal in Python.
fn has_repeated_key(members: &Mapping<'_>) -> bool {
    // Most mappings have a few keys of text, whose lengths differ.
    const FEW: usize = 8;
    let texts = || members.iter().map_while(|(key, _)| key.as_text());
    if texts().count() < members.len() {
        has_repeated(members.iter().map(|(key, _)| key.identity()).collect())
    } else if members.len() > FEW {
        has_repeated(texts().collect())
    } else {
        texts().enumerate().any(|(i, key)| texts().take(i).any(|earlier| earlier == key))
    }
}

fn has_repeated<T: Ord>(mut keys: Vec<T>) -> bool {
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests;
