//! [`YamlValue`]: a value of Python's YAML loader, with kinds that JSON cannot represent.

use crate::json::Kind;
use crate::number::Int;
use crate::time::DateTime;
use std::borrow::Cow;

/// A value of a YAML document. Its texts are parts of the document where they can be.
#[derive(Clone, Debug, PartialEq)]
pub enum YamlValue<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer of up to 4300 digits.
    Int(Int),
    /// A float, NaN and the infinities included.
    Float(f64),
    /// Text: generalized UTF-8.
    Text(Cow<'a, [u8]>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A day, at midnight.
    Date(DateTime),
    /// A date with a time.
    DateTime(Stamp),
    /// A set: its members in the order of the document.
    Set(Vec<YamlValue<'a>>),
    /// A sequence, or a Python tuple.
    Sequence(Vec<YamlValue<'a>>),
    /// A mapping, in order, without repeated keys.
    Mapping(Mapping<'a>),
}

/// The members of a mapping. Keys are scalars of any kind.
pub type Mapping<'a> = Vec<(YamlValue<'a>, YamlValue<'a>)>;

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

impl<'a> YamlValue<'a> {
    /// A text.
    pub fn text(text: &'a str) -> YamlValue<'a> {
        YamlValue::Text(Cow::Borrowed(text.as_bytes()))
    }

    /// The same with the texts of this one.
    fn borrowed(&self) -> YamlValue<'_> {
        match self {
            YamlValue::Text(text) => YamlValue::Text(Cow::Borrowed(text)),
            YamlValue::Set(items) => YamlValue::Set(items.iter().map(YamlValue::borrowed).collect()),
            YamlValue::Sequence(items) => YamlValue::Sequence(items.iter().map(YamlValue::borrowed).collect()),
            YamlValue::Mapping(members) => YamlValue::Mapping(borrowed(members)),
            other => other.clone(),
        }
    }

    /// The same without parts of another one.
    pub(super) fn into_owned(self) -> YamlValue<'static> {
        let owned = |items: Vec<YamlValue<'a>>| items.into_iter().map(YamlValue::into_owned).collect();
        match self {
            YamlValue::Null => YamlValue::Null,
            YamlValue::Bool(value) => YamlValue::Bool(value),
            YamlValue::Int(int) => YamlValue::Int(int),
            YamlValue::Float(float) => YamlValue::Float(float),
            YamlValue::Text(text) => YamlValue::Text(Cow::Owned(text.into_owned())),
            YamlValue::Bytes(bytes) => YamlValue::Bytes(bytes),
            YamlValue::Date(day) => YamlValue::Date(day),
            YamlValue::DateTime(stamp) => YamlValue::DateTime(stamp),
            YamlValue::Set(items) => YamlValue::Set(owned(items)),
            YamlValue::Sequence(items) => YamlValue::Sequence(owned(items)),
            YamlValue::Mapping(members) => YamlValue::Mapping(into_owned(members)),
        }
    }

    /// Python's `bool(v)`.
    pub fn is_truthy(&self) -> bool {
        match self {
            YamlValue::Null => false,
            YamlValue::Bool(value) => *value,
            YamlValue::Int(int) => !int.is_zero(),
            YamlValue::Float(float) => *float != 0.0,
            YamlValue::Text(text) => !text.is_empty(),
            YamlValue::Bytes(bytes) => !bytes.is_empty(),
            YamlValue::Date(_) | YamlValue::DateTime(_) => true,
            YamlValue::Set(items) | YamlValue::Sequence(items) => !items.is_empty(),
            YamlValue::Mapping(members) => !members.is_empty(),
        }
    }

    /// True for `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, YamlValue::Null)
    }

    /// True for this text.
    pub fn is_text(&self, text: &str) -> bool {
        matches!(self, YamlValue::Text(own) if **own == *text.as_bytes())
    }

    /// The bytes of a text.
    pub fn as_text(&self) -> Option<&[u8]> {
        match self {
            YamlValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The name of the kind, with an article.
    pub fn kind_name(&self) -> &'static str {
        match self {
            YamlValue::Null => Kind::Null.name(),
            YamlValue::Bool(_) => Kind::Bool.name(),
            YamlValue::Int(_) => Kind::Int.name(),
            YamlValue::Float(_) => Kind::Float.name(),
            YamlValue::Text(_) => Kind::Text.name(),
            YamlValue::Bytes(_) => "bytes",
            YamlValue::Date(_) => "a date",
            YamlValue::DateTime(_) => "a date with a time",
            YamlValue::Set(_) => "a set",
            YamlValue::Sequence(_) => "a sequence",
            YamlValue::Mapping(_) => "a mapping",
        }
    }

    /// Whether these are equal as keys in Python.
    fn is_same_key(&self, other: &YamlValue<'_>) -> bool {
        match (self, other) {
            (YamlValue::Text(own), YamlValue::Text(other)) => own == other,
            (YamlValue::Text(_), _) | (_, YamlValue::Text(_)) => false,
            _ => self.identity() == other.identity(),
        }
    }

    /// The identity of a key in Python's dictionaries: equal for equal scalars, also for different kinds of numbers.
    pub(super) fn identity(&self) -> Vec<u8> {
        let tagged = |tag: &str, rest: &[u8]| [tag.as_bytes(), rest].concat();
        match self {
            YamlValue::Bool(value) => YamlValue::Int(Int::from(i64::from(*value))).identity(),
            YamlValue::Int(int) => tagged("int ", int.to_string().as_bytes()),
            YamlValue::Float(float) => match Int::from_f64_truncated(*float) {
                Some(int) if float.fract() == 0.0 => YamlValue::Int(int).identity(),
                _ => tagged("float ", float.to_string().as_bytes()),
            },
            YamlValue::Text(text) => tagged("text ", text),
            YamlValue::Bytes(bytes) => tagged("bytes ", bytes),
            YamlValue::Date(day) => tagged("date ", day.timestamp().to_string().as_bytes()),
            YamlValue::DateTime(Stamp { local, micros, offset }) => {
                let seconds = local.timestamp() - i64::from(offset.unwrap_or(0));
                tagged("time ", format!("{} {seconds} {micros}", offset.is_some()).as_bytes())
            }
            YamlValue::Null | YamlValue::Set(_) | YamlValue::Sequence(_) | YamlValue::Mapping(_) => tagged("null", b""),
        }
    }
}

/// Access to the members of a mapping by text.
pub(super) trait MappingAccess<'a> {
    /// The member with this name.
    fn at(&self, key: &str) -> Option<&YamlValue<'a>>;
    /// The member with this name, mutable.
    fn at_mut(&mut self, key: &str) -> Option<&mut YamlValue<'a>>;
    /// Python's `pop`: removes the member; the others keep their order.
    fn take(&mut self, key: &str) -> Option<YamlValue<'a>>;
    /// Sets a member: in place if it exists, otherwise as the last one.
    fn set(&mut self, key: &'a str, value: YamlValue<'a>);
}

impl<'a> MappingAccess<'a> for Mapping<'a> {
    fn at(&self, key: &str) -> Option<&YamlValue<'a>> {
        self.iter().find(|(name, _)| name.is_text(key)).map(|(_, value)| value)
    }

    fn at_mut(&mut self, key: &str) -> Option<&mut YamlValue<'a>> {
        self.iter_mut().find(|(name, _)| name.is_text(key)).map(|(_, value)| value)
    }

    fn take(&mut self, key: &str) -> Option<YamlValue<'a>> {
        let at = self.iter().position(|(name, _)| name.is_text(key))?;
        Some(self.remove(at).1)
    }

    fn set(&mut self, key: &'a str, value: YamlValue<'a>) {
        match self.at_mut(key) {
            Some(place) => *place = value,
            None => self.push((YamlValue::text(key), value)),
        }
    }
}

/// The same mapping with the texts of this one.
pub(super) fn borrowed<'m>(members: &'m Mapping<'_>) -> Mapping<'m> {
    members.iter().map(|(key, value)| (key.borrowed(), value.borrowed())).collect()
}

/// The same mapping without parts of a document.
pub(super) fn into_owned(members: Mapping<'_>) -> Mapping<'static> {
    members.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

/// Python's `a.update(b)`.
pub(super) fn update<'a>(mapping: &mut Mapping<'a>, with: Mapping<'a>) {
    // A few keys are compared one by one, which is faster than sorting them.
    const FEW: usize = 2048;
    if mapping.len().saturating_add(with.len()).saturating_mul(with.len()) <= FEW {
        for (key, value) in with {
            match mapping.iter_mut().find(|(known, _)| known.is_same_key(&key)) {
                Some((_, place)) => *place = value,
                None => mapping.push((key, value)),
            }
        }
        return;
    }
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
