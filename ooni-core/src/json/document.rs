//! The flat tree of a text that has been read: what [`Reader`](super::Reader) fills and [`Value`](super::Value) walks.

use super::scan::Spelling;

/// A JSON text that has been read: the bytes and the flat tree over them.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    pub(super) text: &'a [u8],
    pub(super) nodes: &'a [Node],
    /// The path of the root: not empty if the document is the default for a missing value of another document.
    pub(super) base: &'static str,
    /// Whether it contains values of [`Kind::Foreign`](super::Kind::Foreign).
    pub(super) has_foreign: bool,
}

impl<'a> Document<'a> {
    /// The same document as part of another one, where its root has this path.
    #[cfg(feature = "legacy-yaml")]
    pub(crate) fn at(self, base: &'static str) -> Document<'a> {
        Document { base, ..self }
    }

    /// The text that was read.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }
}

/// A string that is not in the document that was read: it has a document of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SingleText<'a> {
    text: &'a str,
    nodes: [Node; 1],
}

impl<'a> SingleText<'a> {
    /// This text, up to 4 GiB of it.
    pub(crate) fn new(text: &'a str) -> SingleText<'a> {
        let spelling = if text.is_ascii() { Spelling::PLAIN } else { Spelling::NON_ASCII };
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        SingleText { text, nodes: [Node { start: 0, len, next: 1, tag: Tag::Text, spelling }] }
    }

    /// The document, whose root has this path.
    pub(crate) fn document(&self, base: &'static str) -> Document<'_> {
        Document { text: self.text.as_bytes(), nodes: &self.nodes, base, has_foreign: false }
    }
}

/// The type of a node; as [`Kind`](super::Kind), with one variant for each boolean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    True,
    False,
    Int,
    Float,
    Text,
    Array,
    Object,
    Foreign,
}

/// A value or key. Children follow their container; in an object, keys and values alternate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Offset of the value's first byte; for a string, of the byte after the quote.
    pub(super) start: u32,
    /// Length in bytes; for a container, the number of its elements or members.
    pub(super) len: u32,
    /// Index of the node after this one and its descendants.
    pub(super) next: u32,
    pub(super) tag: Tag,
    pub(super) spelling: Spelling,
}

impl Node {
    /// What a node is before it is filled.
    pub(super) const NULL: Node = Node { start: 0, len: 0, next: 1, tag: Tag::Null, spelling: Spelling::PLAIN };
}
