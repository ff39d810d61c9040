//! Turns characters into tokens, and resolves indentation and simple keys (`key: value` without `?`).
//!
//! This follows the scanner of PyYAML step by step, because the stage that rejects a text decides whether an entry or a
//! whole can is lost. `scalars` scans scalars.

use super::cursor::Cursor;
use super::error::{Mark, YamlError, YamlErrorKind};
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) mark: Mark,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    StreamEnd,
    /// `%YAML` with its major version, `%TAG` with handle and prefix, or another.
    Directive(Directive),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowMappingStart,
    FlowSequenceEnd,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(Vec<u8>),
    Anchor(Vec<u8>),
    /// The handle, if any, and the rest.
    Tag(Option<Vec<u8>>, Vec<u8>),
    /// The text, and whether it is unquoted.
    Scalar(Vec<u8>, bool),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Yaml { is_version_1: bool },
    Tag { handle: Vec<u8>, prefix: Vec<u8> },
    Other,
}

/// A token that is a key if a `:` follows soon enough.
#[derive(Clone, Copy, Debug)]
struct SimpleKey {
    level: i64,
    token: usize,
    required: bool,
    index: usize,
    mark: Mark,
}

/// The maximum number of characters of a simple key.
const MAX_KEY_LENGTH: usize = 1024;

#[derive(Debug)]
pub(super) struct Scanner<'a> {
    pub(super) cursor: Cursor<'a>,
    done: bool,
    /// The number of open brackets. An extra closing bracket makes it negative, which counts as inside brackets.
    level: i64,
    tokens: VecDeque<Token>,
    taken: usize,
    /// The column of the innermost block collection; -1 outside all of them.
    pub(super) indent: i64,
    indents: Vec<i64>,
    pub(super) allow_simple_key: bool,
    /// At most one for each level, outermost and thus oldest first.
    simple_keys: VecDeque<SimpleKey>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Result<Scanner<'a>, YamlError> {
        Ok(Scanner {
            cursor: Cursor::new(text)?,
            done: false,
            level: 0,
            tokens: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            allow_simple_key: true,
            simple_keys: VecDeque::new(),
        })
    }

    /// The next token, without consuming it. After the last one, always the end of the stream.
    pub(super) fn peek(&mut self) -> Result<&TokenKind, YamlError> {
        self.fill()?;
        Ok(self.tokens.front().map_or(&TokenKind::StreamEnd, |token| &token.kind))
    }

    /// The position of the next token.
    pub(super) fn peek_mark(&mut self) -> Result<Mark, YamlError> {
        self.fill()?;
        Ok(self.tokens.front().map_or(self.cursor.mark(), |token| token.mark))
    }

    /// Consumes the next token.
    pub(super) fn next(&mut self) -> Result<Token, YamlError> {
        self.fill()?;
        self.taken += 1;
        let mark = self.cursor.mark();
        Ok(self.tokens.pop_front().unwrap_or(Token { kind: TokenKind::StreamEnd, mark }))
    }

    fn fill(&mut self) -> Result<(), YamlError> {
        while self.needs_more()? {
            self.fetch()?;
        }
        Ok(())
    }

    /// Whether more tokens are needed because the next one may still become a key.
    fn needs_more(&mut self) -> Result<bool, YamlError> {
        if self.done {
            return Ok(false);
        }
        if self.tokens.is_empty() {
            return Ok(true);
        }
        self.drop_stale_keys()?;
        Ok(self.simple_keys.front().is_some_and(|key| key.token == self.taken))
    }

    pub(super) fn in_flow(&self) -> bool {
        self.level != 0
    }

    pub(super) fn error<T>(&self, message: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError::new(YamlErrorKind::Scanner, self.cursor.mark(), message.into()))
    }

    fn push(&mut self, kind: TokenKind, mark: Mark) {
        self.tokens.push_back(Token { kind, mark });
    }

    /// Appends a token of this many characters.
    fn push_indicator(&mut self, kind: TokenKind, length: usize) {
        self.push(kind, self.cursor.mark());
        self.cursor.take(length);
    }

    fn fetch(&mut self) -> Result<(), YamlError> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        self.unwind(self.cursor.column as i64);
        let in_flow = self.in_flow();
        let blank_next = self.cursor.is_blank_or_end(1);
        match self.cursor.peek() {
            0 => self.stream_end(),
            b'%' if self.cursor.column == 0 => self.directive(),
            b'-' | b'.' if self.cursor.column == 0 && self.cursor.is_document_marker() => self.document_marker(),
            b'[' => self.flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.flow_start(TokenKind::FlowMappingStart),
            b']' => self.flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.flow_end(TokenKind::FlowMappingEnd),
            b',' => {
                self.allow_simple_key = true;
                self.remove_simple_key()?;
                self.push_indicator(TokenKind::FlowEntry, 1);
                Ok(())
            }
            b'-' if blank_next => self.block_entry(),
            b'?' if in_flow || blank_next => self.key(),
            b':' if in_flow || blank_next => self.value(),
            b'*' | b'&' => {
                self.begin_scalar()?;
                let mark = self.cursor.mark();
                let kind = self.scan_anchor()?;
                self.push(kind, mark);
                Ok(())
            }
            b'!' => {
                self.begin_scalar()?;
                let mark = self.cursor.mark();
                let kind = self.scan_tag()?;
                self.push(kind, mark);
                Ok(())
            }
            b'|' | b'>' if !in_flow => {
                self.allow_simple_key = true;
                self.remove_simple_key()?;
                self.scalar(Self::scan_block_scalar, false)
            }
            b'\'' | b'"' => {
                self.begin_scalar()?;
                self.scalar(Self::scan_flow_scalar, false)
            }
            byte if self.starts_plain(byte, blank_next) => {
                self.begin_scalar()?;
                self.scalar(|scanner| Ok(scanner.scan_plain()), true)
            }
            _ => self.error(format!("unexpected character {}", self.cursor.character())),
        }
    }

    fn starts_plain(&self, byte: u8, blank_next: bool) -> bool {
        match byte {
            b'-' => !blank_next,
            b'?' | b':' => !blank_next && !self.in_flow(),
            b'\t' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
            | b'%' | b'@' | b'`' => false,
            _ => !self.cursor.is_space_or_end(0),
        }
    }

    /// Begins a scalar, which may be a simple key. No other simple key can start right after it.
    fn begin_scalar(&mut self) -> Result<(), YamlError> {
        self.save_simple_key()?;
        self.allow_simple_key = false;
        Ok(())
    }

    fn scalar(&mut self, scan: fn(&mut Self) -> Result<Vec<u8>, YamlError>, is_plain: bool) -> Result<(), YamlError> {
        let mark = self.cursor.mark();
        let text = scan(self)?;
        self.push(TokenKind::Scalar(text, is_plain), mark);
        Ok(())
    }

    /// Skips spaces, comments and line breaks.
    fn skip_to_token(&mut self) {
        loop {
            self.cursor.skip_spaces();
            if self.cursor.peek() == b'#' {
                self.cursor.skip_line();
            }
            if self.cursor.take_line_break().is_empty() {
                return;
            }
            if !self.in_flow() {
                self.allow_simple_key = true;
            }
        }
    }

    // --- simple keys ---

    fn drop_stale_keys(&mut self) -> Result<(), YamlError> {
        while let Some(key) = self.simple_keys.front() {
            if key.mark.line == self.cursor.line && self.cursor.index - key.index <= MAX_KEY_LENGTH {
                break;
            }
            if key.required {
                return self.error("expected ':' after a key");
            }
            self.simple_keys.pop_front();
        }
        Ok(())
    }

    fn save_simple_key(&mut self) -> Result<(), YamlError> {
        if self.allow_simple_key {
            self.remove_simple_key()?;
            self.simple_keys.push_back(SimpleKey {
                level: self.level,
                token: self.taken + self.tokens.len(),
                required: !self.in_flow() && self.indent == self.cursor.column as i64,
                index: self.cursor.index,
                mark: self.cursor.mark(),
            });
        }
        Ok(())
    }

    fn remove_simple_key(&mut self) -> Result<(), YamlError> {
        match self.simple_key() {
            Some(key) if key.required => self.error("expected ':' after a key"),
            _ => Ok(()),
        }
    }

    /// Removes the possible key of this level.
    fn simple_key(&mut self) -> Option<SimpleKey> {
        let is_here = self.simple_keys.back().is_some_and(|key| key.level == self.level);
        is_here.then(|| self.simple_keys.pop_back()).flatten()
    }

    // --- indentation ---

    fn unwind(&mut self, column: i64) {
        while !self.in_flow() && self.indent > column {
            self.indent = self.indents.pop().unwrap_or(-1);
            self.push(TokenKind::BlockEnd, self.cursor.mark());
        }
    }

    fn add_indent(&mut self, column: usize) -> bool {
        let column = column as i64;
        let deeper = self.indent < column;
        if deeper {
            self.indents.push(self.indent);
            self.indent = column;
        }
        deeper
    }

    // --- tokens ---

    fn stream_end(&mut self) -> Result<(), YamlError> {
        self.unwind(-1);
        self.remove_simple_key()?;
        self.simple_keys.clear();
        self.allow_simple_key = false;
        self.push(TokenKind::StreamEnd, self.cursor.mark());
        self.done = true;
        Ok(())
    }

    fn directive(&mut self) -> Result<(), YamlError> {
        self.unwind(-1);
        self.remove_simple_key()?;
        self.allow_simple_key = false;
        let mark = self.cursor.mark();
        let directive = self.scan_directive()?;
        self.push(TokenKind::Directive(directive), mark);
        Ok(())
    }

    fn document_marker(&mut self) -> Result<(), YamlError> {
        self.unwind(-1);
        self.remove_simple_key()?;
        self.allow_simple_key = false;
        let starts = self.cursor.peek() == b'-';
        self.push_indicator(if starts { TokenKind::DocumentStart } else { TokenKind::DocumentEnd }, 3);
        Ok(())
    }

    fn flow_start(&mut self, kind: TokenKind) -> Result<(), YamlError> {
        self.save_simple_key()?;
        self.level += 1;
        self.allow_simple_key = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn flow_end(&mut self, kind: TokenKind) -> Result<(), YamlError> {
        self.remove_simple_key()?;
        self.level -= 1;
        self.allow_simple_key = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    /// Opens a block collection here, unless it is already open.
    fn open_block(&mut self, kind: TokenKind, what: &str) -> Result<(), YamlError> {
        if self.in_flow() {
            return Ok(());
        }
        if !self.allow_simple_key {
            return self.error(format!("{what} is not allowed here"));
        }
        if self.add_indent(self.cursor.column) {
            self.push(kind, self.cursor.mark());
        }
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), YamlError> {
        self.open_block(TokenKind::BlockSequenceStart, "an entry of a sequence")?;
        self.allow_simple_key = true;
        self.remove_simple_key()?;
        self.push_indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn key(&mut self) -> Result<(), YamlError> {
        self.open_block(TokenKind::BlockMappingStart, "a key")?;
        self.allow_simple_key = !self.in_flow();
        self.remove_simple_key()?;
        self.push_indicator(TokenKind::Key, 1);
        Ok(())
    }

    fn value(&mut self) -> Result<(), YamlError> {
        if let Some(key) = self.simple_key() {
            let at = key.token - self.taken;
            self.tokens.insert(at, Token { kind: TokenKind::Key, mark: key.mark });
            if !self.in_flow() && self.add_indent(key.mark.column) {
                self.tokens.insert(at, Token { kind: TokenKind::BlockMappingStart, mark: key.mark });
            }
            self.allow_simple_key = false;
        } else {
            self.open_block(TokenKind::BlockMappingStart, "a value")?;
            self.allow_simple_key = !self.in_flow();
            self.remove_simple_key()?;
        }
        self.push_indicator(TokenKind::Value, 1);
        Ok(())
    }
}
