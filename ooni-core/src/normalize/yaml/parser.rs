//! Turns tokens into events, like the parser of PyYAML.

use super::error::{Mark, YamlError, YamlErrorKind};
use super::scanner::{Directive, Scanner, Token, TokenKind};

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) mark: Mark,
}

#[derive(Clone, Debug)]
pub(super) enum EventKind {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias(Vec<u8>),
    /// A scalar; if it is `plain` and has no tag, its text determines its kind.
    Scalar {
        properties: Properties,
        text: Vec<u8>,
        plain: bool,
    },
    SequenceStart(Properties),
    MappingStart(Properties),
    /// The end of a sequence or mapping.
    End,
}

/// What precedes a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Properties {
    pub(super) anchor: Option<Vec<u8>>,
    pub(super) tag: Option<Vec<u8>>,
}

/// What is parsed next.
#[derive(Clone, Copy, Debug)]
enum State {
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceEntry { first: bool },
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

#[derive(Debug)]
pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    handles: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Whether the next token is one of these.
macro_rules! next_is {
    ($parser:expr, $pattern:pat) => {
        matches!($parser.scanner.peek()?, $pattern)
    };
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a [u8]) -> Result<Parser<'a>, YamlError> {
        let scanner = Scanner::new(text)?;
        Ok(Parser { scanner, state: State::ImplicitDocumentStart, states: Vec::new(), handles: Vec::new() })
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Result<Event, YamlError> {
        match self.state {
            State::ImplicitDocumentStart => self.implicit_document_start(),
            State::DocumentStart => self.document_start(),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceEntry { first } => self.flow_sequence_entry(first),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_pair_value(),
            State::FlowPairEnd => {
                self.state = State::FlowSequenceEntry { first: false };
                self.event_here(EventKind::End)
            }
            State::FlowMappingKey { first } => self.flow_mapping_key(first),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingEmptyValue => self.empty(State::FlowMappingKey { first: false }),
            State::End => self.event_here(EventKind::StreamEnd),
        }
    }

    fn event_here(&mut self, kind: EventKind) -> Result<Event, YamlError> {
        Ok(Event { kind, mark: self.scanner.peek_mark()? })
    }

    fn error<T>(&self, mark: Mark, message: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError::new(YamlErrorKind::Parser, mark, message.into()))
    }

    /// Returns to the enclosing state.
    fn leave(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// An empty node, then `state`.
    fn empty(&mut self, state: State) -> Result<Event, YamlError> {
        self.state = state;
        let kind = EventKind::Scalar { properties: Properties::default(), text: Vec::new(), plain: true };
        self.event_here(kind)
    }

    /// A node, then `state`.
    fn node_then(&mut self, state: State, block: bool, indentless: bool) -> Result<Event, YamlError> {
        self.states.push(state);
        self.node(block, indentless)
    }

    // --- documents ---

    fn implicit_document_start(&mut self) -> Result<Event, YamlError> {
        if next_is!(self, TokenKind::Directive(_) | TokenKind::DocumentStart | TokenKind::StreamEnd) {
            return self.document_start();
        }
        self.handles = Vec::new();
        self.add_default_handles();
        self.states.push(State::DocumentEnd);
        self.state = State::BlockNode;
        self.event_here(EventKind::DocumentStart)
    }

    fn document_start(&mut self) -> Result<Event, YamlError> {
        while next_is!(self, TokenKind::DocumentEnd) {
            self.scanner.next()?;
        }
        if next_is!(self, TokenKind::StreamEnd) {
            self.state = State::End;
            return self.event_here(EventKind::StreamEnd);
        }
        self.directives()?;
        let mark = self.scanner.peek_mark()?;
        if !next_is!(self, TokenKind::DocumentStart) {
            return self.error(mark, "unexpected content after the document");
        }
        self.scanner.next()?;
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok(Event { kind: EventKind::DocumentStart, mark })
    }

    fn directives(&mut self) -> Result<(), YamlError> {
        self.handles = Vec::new();
        let mut has_version = false;
        while next_is!(self, TokenKind::Directive(_)) {
            let Token { kind: TokenKind::Directive(directive), mark } = self.scanner.next()? else { break };
            match directive {
                Directive::Yaml { .. } if has_version => return self.error(mark, "duplicate %YAML"),
                Directive::Yaml { is_version_1: false } => {
                    return self.error(mark, "unsupported YAML version: expected 1");
                }
                Directive::Yaml { .. } => has_version = true,
                Directive::Tag { handle, .. } if self.handles.iter().any(|(known, _)| *known == handle) => {
                    return self.error(mark, "duplicate %TAG handle");
                }
                Directive::Tag { handle, prefix } => self.handles.push((handle, prefix)),
                Directive::Other => {}
            }
        }
        self.add_default_handles();
        Ok(())
    }

    /// Adds the default handles after those of the document, which are found first.
    fn add_default_handles(&mut self) {
        self.handles.push((b"!".to_vec(), b"!".to_vec()));
        self.handles.push((b"!!".to_vec(), b"tag:yaml.org,2002:".to_vec()));
    }

    fn document_content(&mut self) -> Result<Event, YamlError> {
        use TokenKind::{Directive, DocumentEnd, DocumentStart, StreamEnd};
        if next_is!(self, Directive(_) | DocumentStart | DocumentEnd | StreamEnd) {
            let state = self.states.pop().unwrap_or(State::End);
            return self.empty(state);
        }
        self.node(true, false)
    }

    fn document_end(&mut self) -> Result<Event, YamlError> {
        let mark = self.scanner.peek_mark()?;
        if next_is!(self, TokenKind::DocumentEnd) {
            self.scanner.next()?;
        }
        self.state = State::DocumentStart;
        Ok(Event { kind: EventKind::DocumentEnd, mark })
    }

    // --- nodes ---

    fn node(&mut self, block: bool, indentless: bool) -> Result<Event, YamlError> {
        let mark = self.scanner.peek_mark()?;
        if next_is!(self, TokenKind::Alias(_)) {
            self.leave();
            let TokenKind::Alias(name) = self.scanner.next()?.kind else { return self.event_here(EventKind::End) };
            return Ok(Event { kind: EventKind::Alias(name), mark });
        }
        let properties = self.properties(mark)?;
        let kind = if indentless && next_is!(self, TokenKind::BlockEntry) {
            self.state = State::IndentlessSequenceEntry;
            EventKind::SequenceStart(properties)
        } else {
            match self.scanner.peek()? {
                TokenKind::Scalar(..) => {
                    self.leave();
                    let (text, plain) = match self.scanner.next()?.kind {
                        TokenKind::Scalar(text, plain) => (text, plain),
                        _ => (Vec::new(), true),
                    };
                    // With the tag `!`, quoted text counts as plain.
                    let plain = plain && properties.tag.is_none() || properties.tag.as_deref() == Some(b"!");
                    EventKind::Scalar { properties, text, plain }
                }
                TokenKind::FlowSequenceStart => {
                    self.scanner.next()?;
                    self.state = State::FlowSequenceEntry { first: true };
                    EventKind::SequenceStart(properties)
                }
                TokenKind::FlowMappingStart => {
                    self.scanner.next()?;
                    self.state = State::FlowMappingKey { first: true };
                    EventKind::MappingStart(properties)
                }
                TokenKind::BlockSequenceStart if block => {
                    self.scanner.next()?;
                    self.state = State::BlockSequenceEntry;
                    EventKind::SequenceStart(properties)
                }
                TokenKind::BlockMappingStart if block => {
                    self.scanner.next()?;
                    self.state = State::BlockMappingKey;
                    EventKind::MappingStart(properties)
                }
                _ if properties.anchor.is_some() || properties.tag.is_some() => {
                    self.leave();
                    let plain = matches!(properties.tag.as_deref(), None | Some(b"!"));
                    EventKind::Scalar { properties, text: Vec::new(), plain }
                }
                _ => {
                    let mark = self.scanner.peek_mark()?;
                    return self.error(mark, "expected a value");
                }
            }
        };
        Ok(Event { kind, mark })
    }

    /// Anchor and tag, in either order.
    fn properties(&mut self, mark: Mark) -> Result<Properties, YamlError> {
        let mut anchor = None;
        let mut tag = None;
        for _ in 0..2 {
            match self.scanner.peek()? {
                TokenKind::Anchor(_) if anchor.is_none() => {
                    if let TokenKind::Anchor(name) = self.scanner.next()?.kind {
                        anchor = Some(name);
                    }
                }
                TokenKind::Tag(..) if tag.is_none() => {
                    if let TokenKind::Tag(handle, suffix) = self.scanner.next()?.kind {
                        tag = Some((handle, suffix));
                    }
                }
                _ => break,
            }
        }
        let tag = match tag {
            None => None,
            Some((None, uri)) => Some(uri),
            Some((Some(handle), suffix)) => match self.handles.iter().find(|(known, _)| *known == handle) {
                Some((_, prefix)) => Some([&prefix[..], &suffix].concat()),
                None => return self.error(mark, "undefined tag handle"),
            },
        };
        Ok(Properties { anchor, tag })
    }

    // --- block collections ---

    fn block_sequence_entry(&mut self) -> Result<Event, YamlError> {
        if next_is!(self, TokenKind::BlockEntry) {
            self.scanner.next()?;
            return match self.scanner.peek()? {
                TokenKind::BlockEntry | TokenKind::BlockEnd => self.empty(State::BlockSequenceEntry),
                _ => self.node_then(State::BlockSequenceEntry, true, false),
            };
        }
        self.block_end("expected an entry or the end of the sequence")
    }

    fn block_end(&mut self, message: &str) -> Result<Event, YamlError> {
        let mark = self.scanner.peek_mark()?;
        if !next_is!(self, TokenKind::BlockEnd) {
            return self.error(mark, message);
        }
        self.end()
    }

    /// The current token ends a collection.
    fn end(&mut self) -> Result<Event, YamlError> {
        let mark = self.scanner.next()?.mark;
        self.leave();
        Ok(Event { kind: EventKind::End, mark })
    }

    fn indentless_sequence_entry(&mut self) -> Result<Event, YamlError> {
        if next_is!(self, TokenKind::BlockEntry) {
            self.scanner.next()?;
            return match self.scanner.peek()? {
                TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                    self.empty(State::IndentlessSequenceEntry)
                }
                _ => self.node_then(State::IndentlessSequenceEntry, true, false),
            };
        }
        let event = self.event_here(EventKind::End);
        self.leave();
        event
    }

    fn block_mapping_key(&mut self) -> Result<Event, YamlError> {
        if next_is!(self, TokenKind::Key) {
            self.scanner.next()?;
            return match self.scanner.peek()? {
                TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => self.empty(State::BlockMappingValue),
                _ => self.node_then(State::BlockMappingValue, true, true),
            };
        }
        self.block_end("expected a key or the end of the mapping")
    }

    fn block_mapping_value(&mut self) -> Result<Event, YamlError> {
        if !next_is!(self, TokenKind::Value) {
            return self.empty(State::BlockMappingKey);
        }
        self.scanner.next()?;
        match self.scanner.peek()? {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => self.empty(State::BlockMappingKey),
            _ => self.node_then(State::BlockMappingKey, true, true),
        }
    }

    // --- flow collections ---

    fn comma(&mut self, message: &str) -> Result<(), YamlError> {
        let mark = self.scanner.peek_mark()?;
        if !next_is!(self, TokenKind::FlowEntry) {
            return self.error(mark, message);
        }
        self.scanner.next().map(|_| ())
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Result<Event, YamlError> {
        if !next_is!(self, TokenKind::FlowSequenceEnd) {
            if !first {
                self.comma("expected ',' or ']' in a sequence")?;
            }
            match self.scanner.peek()? {
                TokenKind::Key => {
                    self.state = State::FlowPairKey;
                    return self.event_here(EventKind::MappingStart(Properties::default()));
                }
                TokenKind::FlowSequenceEnd => {}
                _ => return self.node_then(State::FlowSequenceEntry { first: false }, false, false),
            }
        }
        self.end()
    }

    fn flow_pair_key(&mut self) -> Result<Event, YamlError> {
        self.scanner.next()?;
        match self.scanner.peek()? {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => self.empty(State::FlowPairValue),
            _ => self.node_then(State::FlowPairValue, false, false),
        }
    }

    fn flow_pair_value(&mut self) -> Result<Event, YamlError> {
        if !next_is!(self, TokenKind::Value) {
            return self.empty(State::FlowPairEnd);
        }
        self.scanner.next()?;
        match self.scanner.peek()? {
            TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => self.empty(State::FlowPairEnd),
            _ => self.node_then(State::FlowPairEnd, false, false),
        }
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result<Event, YamlError> {
        if !next_is!(self, TokenKind::FlowMappingEnd) {
            if !first {
                self.comma("expected ',' or '}' in a mapping")?;
            }
            match self.scanner.peek()? {
                TokenKind::Key => {
                    self.scanner.next()?;
                    return match self.scanner.peek()? {
                        TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => {
                            self.empty(State::FlowMappingValue)
                        }
                        _ => self.node_then(State::FlowMappingValue, false, false),
                    };
                }
                TokenKind::FlowMappingEnd => {}
                _ => return self.node_then(State::FlowMappingEmptyValue, false, false),
            }
        }
        self.end()
    }

    fn flow_mapping_value(&mut self) -> Result<Event, YamlError> {
        let next = State::FlowMappingKey { first: false };
        if !next_is!(self, TokenKind::Value) {
            return self.empty(next);
        }
        self.scanner.next()?;
        match self.scanner.peek()? {
            TokenKind::FlowEntry | TokenKind::FlowMappingEnd => self.empty(next),
            _ => self.node_then(next, false, false),
        }
    }
}
