//! Places in a [`Document`]: [`Value`], [`Field`] and the text they hold.

use super::{Document, Json, Kind, Node, Spelling, Tag, unescape};
use crate::error::{Code, Error};
use crate::number::{Int, parse_f64};
use std::borrow::Cow;
use std::fmt::Write as _;

/// A value in a document that has been read.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    document: &'a Document<'a>,
    at: u32,
}

/// Decoded text: generalized UTF-8, borrowed where nothing had to be decoded.
pub type Text<'a> = Cow<'a, [u8]>;

/// Keys that are compared with each other one by one.
const MOST_DISTINCT: usize = 24;

const fn lone(tag: Tag, len: u32) -> [Node; 1] {
    [Node { start: 0, len, next: 1, tag, spelling: Spelling::PLAIN }]
}

const fn default_document(nodes: &'static [Node; 1], base: &'static str) -> Document<'static> {
    Document { text: b"0", nodes, base }
}

static NULL: Document<'static> = default_document(&const { lone(Tag::Null, 0) }, "");
static TRUE: Document<'static> = default_document(&const { lone(Tag::True, 0) }, "");
static ZERO: Document<'static> = default_document(&const { lone(Tag::Int, 1) }, "");
static EMPTY_TEXT: Document<'static> = default_document(&const { lone(Tag::Text, 0) }, "");
static EMPTY_ARRAY: Document<'static> = default_document(&const { lone(Tag::Array, 0) }, "");
static EMPTY_OBJECT: Document<'static> = default_document(&const { lone(Tag::Object, 0) }, "");
static NO_TEST_KEYS: Document<'static> = default_document(&const { lone(Tag::Object, 0) }, "/test_keys");

impl Value<'static> {
    /// `null`, for a default.
    pub const NULL: Value<'static> = Value { document: &NULL, at: 0 };
    /// `true`, for a default.
    pub const TRUE: Value<'static> = Value { document: &TRUE, at: 0 };
    /// The integer `0`, for a default.
    pub const ZERO: Value<'static> = Value { document: &ZERO, at: 0 };
    /// `""`, for a default.
    pub const EMPTY_TEXT: Value<'static> = Value { document: &EMPTY_TEXT, at: 0 };
    /// `[]`, for a default.
    pub const EMPTY_ARRAY: Value<'static> = Value { document: &EMPTY_ARRAY, at: 0 };
    /// `{}`, for a default.
    pub const EMPTY_OBJECT: Value<'static> = Value { document: &EMPTY_OBJECT, at: 0 };
    /// `{}` at the place of missing test keys.
    pub(crate) const NO_TEST_KEYS: Value<'static> = Value { document: &NO_TEST_KEYS, at: 0 };
}

impl<'a> Value<'a> {
    pub(super) fn new(document: &'a Document<'a>, at: u32) -> Value<'a> {
        Value { document, at }
    }

    #[inline]
    fn node(self) -> Node {
        self.document.nodes[self.at as usize]
    }

    /// The bytes of a scalar, without the quotes of a string.
    fn span(self) -> &'a [u8] {
        let node = self.node();
        let start = node.start as usize;
        &self.document.text[start..start + node.len as usize]
    }

    /// What kind of value this is.
    #[inline]
    pub fn kind(self) -> Kind {
        match self.node().tag {
            Tag::Null => Kind::Null,
            Tag::True | Tag::False => Kind::Bool,
            Tag::Int => Kind::Int,
            Tag::Float => Kind::Float,
            Tag::Text => Kind::Text,
            Tag::Array => Kind::Array,
            Tag::Object => Kind::Object,
        }
    }

    /// True for `null`.
    pub fn is_null(self) -> bool {
        self.node().tag == Tag::Null
    }

    /// True for `true` alone: identity, not truth.
    pub fn is_true(self) -> bool {
        self.node().tag == Tag::True
    }

    /// True for `false` alone.
    pub fn is_false(self) -> bool {
        self.node().tag == Tag::False
    }

    /// True for an object.
    pub fn is_object(self) -> bool {
        self.node().tag == Tag::Object
    }

    /// True for an array.
    pub fn is_array(self) -> bool {
        self.node().tag == Tag::Array
    }

    /// The decoded text of a string.
    pub fn text(self) -> Option<Text<'a>> {
        let (raw, spelling) = self.raw_text()?;
        Some(decode(raw, spelling))
    }

    /// The undecoded inside of a string, and how it is spelled.
    pub fn raw_text(self) -> Option<(&'a [u8], Spelling)> {
        let node = self.node();
        (node.tag == Tag::Text).then(|| (self.span(), node.spelling))
    }

    /// True for a string equal to `text`.
    #[inline]
    pub fn is_text(self, text: &str) -> bool {
        self.node().tag == Tag::Text && self.reads(text.as_bytes())
    }

    /// Whether this string node reads as `text`, without decoding where that is not needed.
    #[inline]
    fn reads(self, text: &[u8]) -> bool {
        if self.node().spelling.has(Spelling::ESCAPED) {
            decode_owned(self.span()) == text
        } else {
            self.span() == text
        }
    }

    /// The integer of an integer, of any size.
    pub fn int(self) -> Option<Int> {
        (self.node().tag == Tag::Int).then(|| Int::parse_decimal(self.span()).unwrap_or(Int::Small(0)))
    }

    /// The float of a float.
    pub fn float(self) -> Option<f64> {
        if self.node().tag != Tag::Float {
            return None;
        }
        Some(match self.span() {
            b"NaN" => f64::NAN,
            b"Infinity" => f64::INFINITY,
            b"-Infinity" => f64::NEG_INFINITY,
            text => parse_f64(text),
        })
    }

    /// Number of elements of an array or members of an object as written, repeated keys counted; else 0.
    pub fn count(self) -> usize {
        match self.node().tag {
            Tag::Array | Tag::Object => self.node().len as usize,
            _ => 0,
        }
    }

    /// The elements of an array; of anything else, none.
    pub fn elements(self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let node = self.node();
        let end = if node.tag == Tag::Array { node.next } else { self.at };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let value = Value { at, ..self };
                at = value.node().next;
                value
            })
        })
    }

    /// The members of an object, each key once: first position, last value. Of anything else, none.
    pub fn members(self) -> Members<'a> {
        let plain = Pairs { document: self.document, at: self.at + 1, end: self.end_of_object() };
        if self.has_repeated_key() { Members::Once(self.distinct().into_iter()) } else { Members::Plain(plain) }
    }

    fn end_of_object(self) -> u32 {
        let node = self.node();
        if node.tag == Tag::Object { node.next } else { self.at }
    }

    /// The members of an object as they are written, repeated keys and all. Of anything else, none.
    pub fn pairs(self) -> Pairs<'a> {
        Pairs { document: self.document, at: self.at + 1, end: self.end_of_object() }
    }

    fn has_repeated_key(self) -> bool {
        let count = self.count();
        if count <= MOST_DISTINCT {
            let mut seen = [&[][..]; MOST_DISTINCT];
            for (i, (key, _)) in self.pairs().enumerate() {
                if key.node().spelling.has(Spelling::ESCAPED) {
                    return true; // not known: `distinct` looks closely
                }
                let key = key.span();
                if seen[..i].contains(&key) {
                    return true;
                }
                seen[i] = key;
            }
            return false;
        }
        let mut keys: Vec<_> = self.pairs().map(|(key, _)| decode(key.span(), key.node().spelling)).collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    }

    fn distinct(self) -> Vec<(Value<'a>, Value<'a>)> {
        let all: Vec<_> = self.pairs().collect();
        let mut order: Vec<_> =
            all.iter().enumerate().map(|(i, (key, _))| (decode(key.span(), key.node().spelling), i)).collect();
        order.sort();
        let mut out = Vec::with_capacity(all.len());
        for same in order.chunk_by(|a, b| a.0 == b.0) {
            if let (Some((_, first)), Some((_, last))) = (same.first(), same.last()) {
                out.push((*first, (all[*first].0, all[*last].1)));
            }
        }
        out.sort_by_key(|(first, _)| *first);
        out.into_iter().map(|(_, pair)| pair).collect()
    }

    /// The member of that name, missing or not.
    ///
    /// # Errors
    /// `E-TYPE` for anything but an object (scoring spec §1.2, `get`).
    pub fn get(self, key: &'static str) -> Result<Field<'a>, Error> {
        if !self.is_object() {
            return Err(self.wrong_kind("an object"));
        }
        Ok(self.field(key))
    }

    /// The member of that name; of anything but an object, missing.
    pub fn field(self, key: &'static str) -> Field<'a> {
        let Document { text, nodes, .. } = *self.document;
        let (mut at, end) = (self.at + 1, self.end_of_object());
        let mut found = None;
        while at < end {
            let name = nodes[at as usize];
            let start = name.start as usize;
            // Most names differ in length, which is known without looking at them.
            let same = if name.spelling.has(Spelling::ESCAPED) {
                Value { at, ..self }.reads(key.as_bytes())
            } else {
                name.len as usize == key.len() && text[start..start + key.len()] == *key.as_bytes()
            };
            at += 1;
            if same {
                found = Some(Value { at, ..self });
            }
            at = nodes[at as usize].next;
        }
        Field { of: self, key, found }
    }

    /// The members of an object whose keys end in `suffix`, each key once: first position, last value.
    pub fn members_ending(self, suffix: &'static str) -> Vec<(Text<'a>, Value<'a>)> {
        let mut found: Vec<(Text<'a>, Value<'a>)> = Vec::new();
        for (key, value) in self.pairs() {
            let (raw, spelling) = (key.span(), key.node().spelling);
            if !spelling.has(Spelling::ESCAPED) && !raw.ends_with(suffix.as_bytes()) {
                continue;
            }
            let key = decode(raw, spelling);
            if !key.ends_with(suffix.as_bytes()) {
                continue;
            }
            let so_far = found.len();
            match found.iter_mut().find(|(same, _)| *same == key) {
                Some((_, last)) => *last = value,
                None if so_far == MOST_DISTINCT => {
                    // So many that looking for each among all others would take too long.
                    let all = self.members().map(|(key, value)| (key.text().unwrap_or_default(), value));
                    return all.filter(|(key, _)| key.ends_with(suffix.as_bytes())).collect();
                }
                None => found.push((key, value)),
            }
        }
        found
    }

    /// Where this value is, as a JSON pointer (RFC 6901); `""` is the whole document.
    pub fn path(self) -> String {
        let mut path = self.document.base.to_owned();
        let mut here = Value { at: 0, ..self };
        'down: while here.at != self.at {
            for (i, element) in here.elements().enumerate() {
                if (element.at..element.node().next).contains(&self.at) {
                    let _ = write!(path, "/{i}");
                    here = element;
                    continue 'down;
                }
            }
            for (key, value) in here.pairs() {
                if (value.at..value.node().next).contains(&self.at) {
                    push_key(&mut path, &decode(key.span(), key.node().spelling));
                    here = value;
                    continue 'down;
                }
            }
            break; // a key: it has the place of its object
        }
        path
    }

    /// The error for a value of a kind that the rule cannot handle.
    #[cold]
    pub fn wrong_kind(self, wanted: &str) -> Error {
        Error::new(Code::Type, self.path(), format!("{} where {wanted} is needed", self.kind().name()))
    }

    /// A copy that owns its parts.
    pub fn to_json(self) -> Json {
        match self.node().tag {
            Tag::Null => Json::Null,
            Tag::True => Json::Bool(true),
            Tag::False => Json::Bool(false),
            Tag::Int => Json::Int(self.int().unwrap_or(Int::Small(0))),
            Tag::Float => Json::Float(self.float().unwrap_or(f64::NAN)),
            Tag::Text => Json::Text(self.text().unwrap_or_default().into_owned()),
            Tag::Array => Json::Array(self.elements().map(Value::to_json).collect()),
            Tag::Object => Json::Object(
                self.members()
                    .map(|(key, value)| (key.text().unwrap_or_default().into_owned(), value.to_json()))
                    .collect(),
            ),
        }
    }
}

/// A member of an object that may be missing: the place where a rule looked.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    of: Value<'a>,
    key: &'static str,
    found: Option<Value<'a>>,
}

impl<'a> Field<'a> {
    /// The value, if the key is there; it may be `null`.
    pub fn found(self) -> Option<Value<'a>> {
        self.found
    }

    /// True when the key is not there.
    pub fn is_missing(self) -> bool {
        self.found.is_none()
    }

    /// The value, `null` when the key is missing: `get(o, k)` of scoring spec §1.2.
    pub fn value(self) -> Value<'a> {
        self.found.unwrap_or(Value::NULL)
    }

    /// The value, `default` when the key is missing; a `null` stays: `get(o, k, d)` of scoring spec §1.2.
    pub fn if_missing(self, default: Value<'static>) -> Value<'a> {
        self.found.unwrap_or(default)
    }

    /// The value, `default` when the key is missing or `null`: `getn(o, k, d)` of scoring spec §1.2.
    pub fn if_null(self, default: Value<'static>) -> Value<'a> {
        self.found.filter(|value| !value.is_null()).unwrap_or(default)
    }

    /// Missing or `null`.
    pub fn is_null(self) -> bool {
        self.value().is_null()
    }

    /// The value, or `E-KEY` when the key is missing.
    ///
    /// # Errors
    /// `E-KEY` at the path of the missing member.
    pub fn required(self) -> Result<Value<'a>, Error> {
        self.found.ok_or_else(|| Error::new(Code::Key, self.path(), "a required key is missing"))
    }

    /// Where the member is or would be, as a JSON pointer.
    pub fn path(self) -> String {
        let mut path = self.of.path();
        push_key(&mut path, self.key.as_bytes());
        path
    }

    /// The members of a list of objects, as scoring spec §1.3 (LOO) has it: missing and `null` are an empty list.
    ///
    /// # Errors
    /// `E-TYPE` when the value is no list; each element is checked when its turn comes.
    pub fn objects(self) -> Result<impl Iterator<Item = Result<Value<'a>, Error>> + use<'a>, Error> {
        let value = self.if_null(Value::EMPTY_ARRAY);
        let (raw, _) = value.raw_text().unwrap_or_default();
        match value.kind() {
            Kind::Array => {}
            Kind::Object if value.count() == 0 => {}
            Kind::Text if raw.is_empty() => {}
            _ => return Err(value.wrong_kind("a list of objects")),
        }
        Ok(value.elements().map(|item| if item.is_object() { Ok(item) } else { Err(item.wrong_kind("an object")) }))
    }
}

/// The members of an object in order; see [`Value::members`]. The first of each pair is the key, a string.
#[derive(Clone, Debug)]
pub enum Members<'a> {
    /// No key is repeated.
    Plain(Pairs<'a>),
    /// Repeated keys have been removed.
    Once(std::vec::IntoIter<(Value<'a>, Value<'a>)>),
}

impl<'a> Iterator for Members<'a> {
    type Item = (Value<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Members::Plain(pairs) => pairs.next(),
            Members::Once(pairs) => pairs.next(),
        }
    }
}

/// The members of an object as they are written.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    document: &'a Document<'a>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Value<'a>, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let key = Value::new(self.document, self.at);
        let value = Value::new(self.document, self.at + 1);
        self.at = value.node().next;
        Some((key, value))
    }
}

fn decode(raw: &[u8], spelling: Spelling) -> Text<'_> {
    if spelling.has(Spelling::ESCAPED) { Cow::Owned(decode_owned(raw)) } else { Cow::Borrowed(raw) }
}

fn decode_owned(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    unescape(raw, &mut out);
    out
}

/// Appends a key to a JSON pointer.
fn push_key(path: &mut String, key: &[u8]) {
    path.push('/');
    path.push_str(&String::from_utf8_lossy(key).replace('~', "~0").replace('/', "~1"));
}
