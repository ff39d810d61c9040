//! JSON as the reference reads and writes it: a lenient reader, its tree, owned values, and a writer.
//!
//! [`Reader`] turns bytes into a [`Document`], a flat tree that borrows them; [`Value`] is a node of it and [`Field`]
//! a member that may be missing. [`Json`] is an owned value, for rows. Python's semantics of values (truth, equality,
//! conversions) are in `python`.

mod owned;
mod read;
mod scan;
mod serialize;
mod surrogate;
mod unescape;
mod value;
mod write;

pub use self::owned::Json;
pub use self::read::{Limits, MAX_DEPTH, ReadError, Reader};
pub use self::scan::Spelling;
pub use self::surrogate::replace_lone_surrogates;
pub(crate) use self::unescape::push_code_point;
pub use self::unescape::unescape;
pub use self::value::{Field, Members, Pairs, Text, Value};
pub(crate) use self::write::write_key;
pub use self::write::{write_json, write_text};

/// A JSON text that has been read: the bytes and the flat tree over them.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    text: &'a [u8],
    nodes: &'a [Node],
    /// The path of the root: not empty if the document is the default for a missing value of another document.
    base: &'static str,
    /// Whether it contains values of [`Kind::Foreign`].
    has_foreign: bool,
}

impl<'a> Document<'a> {
    /// The root value.
    pub fn root(&'a self) -> Value<'a> {
        Value::new(self, 0)
    }

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

/// The kinds of JSON values. Integers and floats are different kinds (scoring spec §1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number without decimal point and exponent, of any size.
    Int,
    /// Any other number, `NaN` and the infinities included.
    Float,
    /// A string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
    /// A value that JSON cannot represent: bytes, dates and sets, only in normalized YAML. No rule accepts it.
    Foreign,
}

impl Kind {
    /// The name of the kind, with an article.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "a boolean",
            Kind::Int => "an integer",
            Kind::Float => "a float",
            Kind::Text => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
            Kind::Foreign => "a value that JSON cannot represent",
        }
    }
}

/// The type of a node; as [`Kind`], with one variant for each boolean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
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

/// A byte that marks the string after it as the description of a foreign value, for readers that accept such values.
pub(crate) const FOREIGN: u8 = 0x1a;

/// The prefix of the descriptions of foreign values that are falsy in Python.
pub(crate) const FOREIGN_FALSE: &[u8] = b"empty ";

/// A value or key. Children follow their container; in an object, keys and values alternate.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Offset of the value's first byte; for a string, of the byte after the quote.
    start: u32,
    /// Length in bytes; for a container, the number of its elements or members.
    len: u32,
    /// Index of the node after this one and its descendants.
    next: u32,
    tag: Tag,
    spelling: Spelling,
}
