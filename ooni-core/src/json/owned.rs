//! [`Json`]: an owned value that keeps the kind and precision of the text it was read from.

use super::kind::Kind;
use crate::number::Int;

/// A JSON value as rows and scores keep it.
///
/// Text is generalized UTF-8: lone surrogates may occur, as three bytes each. Equality compares kinds, values, and the bits
/// of floats, so that a row that is read back can be compared with the row that was written.
#[derive(Clone, Debug, Default)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer of any size.
    Int(Int),
    /// A float, `NaN` and the infinities included.
    Float(f64),
    /// A string.
    Text(Vec<u8>),
    /// An array.
    Array(Vec<Json>),
    /// An object without repeated keys.
    Object(Vec<(Vec<u8>, Json)>),
    /// The description of a value that JSON cannot represent; only in normalized YAML. Written as a string.
    Foreign(Vec<u8>),
}

impl Json {
    /// The kind of the value.
    pub fn kind(&self) -> Kind {
        match self {
            Json::Null => Kind::Null,
            Json::Bool(_) => Kind::Bool,
            Json::Int(_) => Kind::Int,
            Json::Float(_) => Kind::Float,
            Json::Text(_) => Kind::Text,
            Json::Array(_) => Kind::Array,
            Json::Object(_) => Kind::Object,
            Json::Foreign(_) => Kind::Foreign,
        }
    }

    /// Whether this is or contains a value that JSON cannot represent.
    pub fn has_foreign(&self) -> bool {
        match self {
            Json::Foreign(_) => true,
            Json::Array(items) => items.iter().any(Json::has_foreign),
            Json::Object(members) => members.iter().any(|(_, value)| value.has_foreign()),
            _ => false,
        }
    }

    /// The text of a string, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// An integer or float as the nearest float.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Int(int) => int.to_f64(),
            Json::Float(float) => Some(*float),
            _ => None,
        }
    }

    /// The member of an object with this key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(name, _)| name == key.as_bytes()).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The number of arrays and objects around the innermost value: 0 for a scalar and for `[]`, 1 for `[5]` and `[[]]`.
    pub fn depth(&self) -> usize {
        let inside = match self {
            Json::Array(items) => items.iter().map(Json::depth).max(),
            Json::Object(members) => members.iter().map(|(_, value)| value.depth()).max(),
            _ => None,
        };
        inside.map_or(0, |depth| depth + 1)
    }

    /// An object with these members.
    pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Object(members.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) => true,
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::Int(a), Json::Int(b)) => a == b,
            (Json::Float(a), Json::Float(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (Json::Text(a), Json::Text(b)) | (Json::Foreign(a), Json::Foreign(b)) => a == b,
            (Json::Array(a), Json::Array(b)) => a == b,
            (Json::Object(a), Json::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.as_bytes().to_vec())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text.into_bytes())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Json {
        Json::Float(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Json {
        Json::Int(Int::from(value))
    }
}
