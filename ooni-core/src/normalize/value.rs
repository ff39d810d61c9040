//! [`Value`]: a value of Python's YAML loader, with kinds that JSON does not have.

use crate::json::Kind;
use crate::number::Int;
use crate::time::DateTime;

/// A value of a YAML document.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer of up to 4300 digits.
    Int(Int),
    /// A float, NaN and the infinities included.
    Float(f64),
    /// Text: generalized UTF-8.
    Text(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A day, at midnight.
    Date(DateTime),
    /// A date with a time.
    DateTime(Stamp),
    /// A set: its members in the order of the document.
    Set(Vec<Value>),
    /// A sequence, also for Python's tuples.
    Sequence(Vec<Value>),
    /// A mapping, in order, without repeated keys.
    Mapping(Mapping),
}

/// The members of a mapping: keys are scalars of any kind.
pub type Mapping = Vec<(Value, Value)>;

/// Python's `datetime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Date and time as written.
    pub local: DateTime,
    /// Microseconds, below a million.
    pub micros: u32,
    /// Seconds east of UTC, where the zone is known.
    pub offset: Option<i32>,
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }

    /// Python's `bool(v)`.
    pub fn is_truthy(&self) -> bool {
        match self {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Int(int) => !int.is_zero(),
            Value::Float(float) => *float != 0.0,
            Value::Text(text) | Value::Bytes(text) => !text.is_empty(),
            Value::Date(_) | Value::DateTime(_) => true,
            Value::Set(items) | Value::Sequence(items) => !items.is_empty(),
            Value::Mapping(members) => !members.is_empty(),
        }
    }

    /// True for `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// True for this text.
    pub fn is_text(&self, text: &str) -> bool {
        matches!(self, Value::Text(own) if own == text.as_bytes())
    }

    /// The bytes of a text.
    pub fn as_text(&self) -> Option<&[u8]> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The name of the kind, with an article.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Value::Null => Kind::Null.name(),
            Value::Bool(_) => Kind::Bool.name(),
            Value::Int(_) => Kind::Int.name(),
            Value::Float(_) => Kind::Float.name(),
            Value::Text(_) => Kind::Text.name(),
            Value::Bytes(_) => "bytes",
            Value::Date(_) => "a date",
            Value::DateTime(_) => "a date with a time",
            Value::Set(_) => "a set",
            Value::Sequence(_) => "a sequence",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// The identity of a key in Python's dictionaries: equal for equal scalars, also for different kinds of numbers.
    pub(super) fn identity(&self) -> Vec<u8> {
        let tagged = |tag: &str, rest: &[u8]| [tag.as_bytes(), rest].concat();
        match self {
            Value::Bool(value) => Value::Int(Int::from(i64::from(*value))).identity(),
            Value::Int(int) => tagged("int ", int.to_string().as_bytes()),
            Value::Float(float) => match Int::from_f64_truncated(*float) {
                Some(int) if float.fract() == 0.0 => Value::Int(int).identity(),
                _ => tagged("float ", float.to_string().as_bytes()),
            },
            Value::Text(text) => tagged("text ", text),
            Value::Bytes(bytes) => tagged("bytes ", bytes),
            Value::Date(day) => tagged("date ", day.timestamp().to_string().as_bytes()),
            Value::DateTime(Stamp { local, micros, offset }) => {
                let seconds = local.timestamp() - i64::from(offset.unwrap_or(0));
                tagged("time ", format!("{} {seconds} {micros}", offset.is_some()).as_bytes())
            }
            Value::Null | Value::Set(_) | Value::Sequence(_) | Value::Mapping(_) => tagged("null", b""),
        }
    }
}

/// Access to the members of a mapping by text.
pub(super) trait Members {
    /// The member with this name.
    fn at(&self, key: &str) -> Option<&Value>;
    /// The member with this name, mutable.
    fn at_mut(&mut self, key: &str) -> Option<&mut Value>;
    /// Python's `pop`: removes the member; the others keep their order.
    fn take(&mut self, key: &str) -> Option<Value>;
    /// Sets a member: in place if it exists, otherwise as the last one.
    fn set(&mut self, key: &str, value: Value);
}

impl Members for Mapping {
    fn at(&self, key: &str) -> Option<&Value> {
        self.iter().find(|(name, _)| name.is_text(key)).map(|(_, value)| value)
    }

    fn at_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.iter_mut().find(|(name, _)| name.is_text(key)).map(|(_, value)| value)
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let at = self.iter().position(|(name, _)| name.is_text(key))?;
        Some(self.remove(at).1)
    }

    fn set(&mut self, key: &str, value: Value) {
        match self.at_mut(key) {
            Some(place) => *place = value,
            None => self.push((Value::text(key), value)),
        }
    }
}

/// Python's `a.update(b)`.
pub(super) fn update(mapping: &mut Mapping, with: Mapping) {
    let mut places: std::collections::BTreeMap<Vec<u8>, usize> =
        mapping.iter().enumerate().map(|(at, (key, _))| (key.identity(), at)).collect();
    for (key, value) in with {
        match places.entry(key.identity()) {
            std::collections::btree_map::Entry::Occupied(place) => mapping[*place.get()].1 = value,
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(mapping.len());
                mapping.push((key, value));
            }
        }
    }
}
