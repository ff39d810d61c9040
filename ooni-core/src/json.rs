//! JSON as the reference reads and writes it: the lenient reader, the tree it makes, values of our own, the writer.
//!
//! [`Reader`] turns bytes into a [`Document`], a flat tree that borrows them; [`Value`] is a place in it and [`Field`]
//! a member that may be missing. [`Json`] is a value that owns its parts, for what is kept in rows. What Python makes
//! of values (truth, equality, conversions) is in `python`, not here.

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
    /// The path of the outermost value, when it stands in for one that is missing elsewhere.
    base: &'static str,
    /// Whether values of foreign kinds are in it.
    has_foreign: bool,
}

impl<'a> Document<'a> {
    /// The outermost value.
    pub fn root(&'a self) -> Value<'a> {
        Value::new(self, 0)
    }

    /// The same document as part of another, whose place there has this path.
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
    /// A number without point and exponent, of any size.
    Int,
    /// Any other number, `NaN` and the infinities among them.
    Float,
    /// A string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
    /// What JSON does not have: bytes, dates and sets, which only normalized YAML holds. Every rule finds it wrong.
    Foreign,
}

impl Kind {
    /// The kind as a person would call it, with an article.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "a boolean",
            Kind::Int => "an integer",
            Kind::Float => "a float",
            Kind::Text => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
            Kind::Foreign => "a value that JSON does not have",
        }
    }
}

/// What a node of the tree is; as [`Kind`], with the booleans apart.
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

/// Before a string it makes it the description of a value that JSON does not have, for readers that know of them.
pub(crate) const FOREIGN: u8 = 0x1a;

/// How the descriptions of foreign values begin that are false in Python.
pub(crate) const FOREIGN_FALSE: &[u8] = b"empty ";

/// One value or key. Children follow their container; of an object, keys and values alternate.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Offset of the value's first byte; of a string, of the byte after the quote.
    start: u32,
    /// Length in bytes; of a container, the number of its elements or members.
    len: u32,
    /// Index of the node after this one and all it contains.
    next: u32,
    tag: Tag,
    spelling: Spelling,
}
