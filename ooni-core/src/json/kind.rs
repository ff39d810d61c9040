//! [`Kind`], and how values that JSON cannot represent are written.

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

/// A byte that marks the string after it as the description of a foreign value, for readers that accept such values.
pub(crate) const FOREIGN: u8 = 0x1a;

/// The prefix of the descriptions of foreign values that are falsy in Python.
pub(crate) const FOREIGN_FALSE: &[u8] = b"empty ";
