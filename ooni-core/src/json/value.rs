//! [`Value`]: a node of a [`Document`], its text, elements and members.

use super::document::{Document, Node, Tag};
use super::kind::Kind;
use super::owned::Json;
use super::scan::Spelling;
use super::unescape::unescape;
use crate::error::{Code, Error};
use crate::number::{Int, parse_f64};
use std::borrow::Cow;
use std::fmt::Write as _;

/// A value in a document that has been read.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) at: u32,
}

/// Decoded text: generalized UTF-8, borrowed unless it had escapes.
pub type Text<'a> = Cow<'a, [u8]>;

/// The maximum number of keys for which each is compared with all others.
const MAX_COMPARED_KEYS: usize = 24;

const fn single_node(tag: Tag, len: u32) -> [Node; 1] {
    [Node { start: 0, len, next: 1, tag, spelling: Spelling::PLAIN }]
}

const fn default_document(nodes: &'static [Node; 1], base: &'static str) -> Document<'static> {
    Document { text: b"0", nodes, base, has_foreign: false }
}

static NULL: Document<'static> = default_document(&const { single_node(Tag::Null, 0) }, "");
static TRUE: Document<'static> = default_document(&const { single_node(Tag::True, 0) }, "");
static ZERO: Document<'static> = default_document(&const { single_node(Tag::Int, 1) }, "");
static EMPTY_TEXT: Document<'static> = default_document(&const { single_node(Tag::Text, 0) }, "");
static EMPTY_ARRAY: Document<'static> = default_document(&const { single_node(Tag::Array, 0) }, "");
static EMPTY_OBJECT: Document<'static> = default_document(&const { single_node(Tag::Object, 0) }, "");
static NO_TEST_KEYS: Document<'static> = default_document(&const { single_node(Tag::Object, 0) }, "/test_keys");

impl Value<'static> {
    /// The default `null`.
    pub const NULL: Value<'static> = Value { document: &NULL, at: 0 };
    /// The default `true`.
    pub const TRUE: Value<'static> = Value { document: &TRUE, at: 0 };
    /// The default integer `0`.
    pub const ZERO: Value<'static> = Value { document: &ZERO, at: 0 };
    /// The default `""`.
    pub const EMPTY_TEXT: Value<'static> = Value { document: &EMPTY_TEXT, at: 0 };
    /// The default `[]`.
    pub const EMPTY_ARRAY: Value<'static> = Value { document: &EMPTY_ARRAY, at: 0 };
    /// The default `{}`.
    pub const EMPTY_OBJECT: Value<'static> = Value { document: &EMPTY_OBJECT, at: 0 };
    /// `{}` in place of missing test keys, with their path.
    pub(crate) const NO_TEST_KEYS: Value<'static> = Value { document: &NO_TEST_KEYS, at: 0 };
}

impl<'a> Document<'a> {
    /// The root value.
    pub fn root(&'a self) -> Value<'a> {
        Value::new(self, 0)
    }
}

impl<'a> Value<'a> {
    fn new(document: &'a Document<'a>, at: u32) -> Value<'a> {
        Value { document, at }
    }

    /// The position of this value in its document.
    pub(crate) fn position(self) -> u32 {
        self.at
    }

    /// The value at a [`position`](Value::position) in the same document.
    pub(crate) fn at_position(self, position: u32) -> Value<'a> {
        Value { at: position, ..self }
    }

    #[inline]
    pub(super) fn node(self) -> Node {
        self.document.nodes[self.at as usize]
    }

    /// The bytes of a scalar, without the quotes of a string.
    fn span(self) -> &'a [u8] {
        let node = self.node();
        let start = node.start as usize;
        &self.document.text[start..start + node.len as usize]
    }

    /// The kind of the value.
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
            Tag::Foreign => Kind::Foreign,
        }
    }

    /// Whether the document contains values of [`Kind::Foreign`].
    pub fn document_has_foreign(self) -> bool {
        self.document.has_foreign
    }

    /// The description of a value of [`Kind::Foreign`], such as `date 2014-02-20`.
    pub fn foreign(self) -> Option<Text<'a>> {
        let node = self.node();
        // Between the quotes.
        let inside = |span: &'a [u8]| span.get(2..span.len() - 1).unwrap_or_default();
        (node.tag == Tag::Foreign).then(|| decode(inside(self.span()), node.spelling))
    }

    /// A key as text; for a key that is not a string, its description.
    pub(crate) fn key(self) -> Text<'a> {
        self.foreign().unwrap_or_else(|| decode(self.span(), self.node().spelling))
    }

    /// True for `null`.
    pub fn is_null(self) -> bool {
        self.node().tag == Tag::Null
    }

    /// True only for `true`: Python's `is True`, not its truth.
    pub fn is_true(self) -> bool {
        self.node().tag == Tag::True
    }

    /// True only for `false`.
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

    /// The undecoded inside of a string, and its spelling.
    pub fn raw_text(self) -> Option<(&'a [u8], Spelling)> {
        let node = self.node();
        (node.tag == Tag::Text).then(|| (self.span(), node.spelling))
    }

    /// True for a string equal to `text`.
    #[inline]
    pub fn is_text(self, text: &str) -> bool {
        self.node().tag == Tag::Text && self.text_equals(text.as_bytes())
    }

    /// Whether the text of this string is `text`; decoded only if necessary.
    #[inline]
    pub(super) fn text_equals(self, text: &[u8]) -> bool {
        if self.node().spelling.has(Spelling::ESCAPED) {
            decode_owned(self.span()) == text
        } else {
            self.span() == text
        }
    }

    /// The value of an integer, of any size.
    pub fn int(self) -> Option<Int> {
        (self.node().tag == Tag::Int).then(|| Int::parse_decimal(self.span()).unwrap_or(Int::Small(0)))
    }

    /// The value of a float.
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

    /// The number of elements of an array, or of members of an object with repeated keys counted; 0 for other values.
    pub fn count(self) -> usize {
        match self.node().tag {
            Tag::Array | Tag::Object => self.node().len as usize,
            _ => 0,
        }
    }

    /// The elements of an array; none for other values.
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

    /// The members of an object, each key once, with its first position and last value; none for other values.
    pub fn members(self) -> Members<'a> {
        let plain = Pairs { document: self.document, at: self.at + 1, end: self.end_of_object() };
        if self.has_repeated_key() { Members::Once(self.distinct().into_iter()) } else { Members::Plain(plain) }
    }

    pub(super) fn end_of_object(self) -> u32 {
        let node = self.node();
        if node.tag == Tag::Object { node.next } else { self.at }
    }

    /// The members of an object as written, repeated keys included; none for other values.
    pub fn pairs(self) -> Pairs<'a> {
        Pairs { document: self.document, at: self.at + 1, end: self.end_of_object() }
    }

    fn has_repeated_key(self) -> bool {
        let count = self.count();
        if count <= MAX_COMPARED_KEYS {
            let mut seen = [&[][..]; MAX_COMPARED_KEYS];
            for (i, (key, _)) in self.pairs().enumerate() {
                if key.node().spelling.has(Spelling::ESCAPED) {
                    return true; // unknown: `distinct` checks it exactly
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

    /// The members of an object whose keys end in `suffix`, each key once: first position, last value.
    #[inline]
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
                None if so_far == MAX_COMPARED_KEYS => {
                    // There are too many keys to compare each with all others.
                    let all = self.members().map(|(key, value)| (key.text().unwrap_or_default(), value));
                    return all.filter(|(key, _)| key.ends_with(suffix.as_bytes())).collect();
                }
                None => found.push((key, value)),
            }
        }
        found
    }

    /// The path of this value, a JSON pointer (RFC 6901); `""` is the whole document.
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
                    push_key(&mut path, &key.key());
                    here = value;
                    continue 'down;
                }
            }
            break; // a key has the path of its object
        }
        path
    }

    /// The error for a value of a kind that the rule cannot handle.
    #[cold]
    pub fn wrong_kind(self, wanted: &str) -> Error {
        Error::new(Code::Type, self.path(), format!("expected {wanted}, found {}", self.kind().name()))
    }

    /// An owned copy.
    pub fn to_json(self) -> Json {
        match self.node().tag {
            Tag::Null => Json::Null,
            Tag::True => Json::Bool(true),
            Tag::False => Json::Bool(false),
            Tag::Int => Json::Int(self.int().unwrap_or(Int::Small(0))),
            Tag::Float => Json::Float(self.float().unwrap_or(f64::NAN)),
            Tag::Text => Json::Text(self.text().unwrap_or_default().into_owned()),
            Tag::Array => Json::Array(self.elements().map(Value::to_json).collect()),
            Tag::Object => {
                Json::Object(self.members().map(|(key, value)| (key.key().into_owned(), value.to_json())).collect())
            }
            Tag::Foreign => Json::Foreign(self.foreign().unwrap_or_default().into_owned()),
        }
    }
}

/// The members of an object in order; see [`Value::members`]. The first value of each pair is the key, a string.
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

/// The members of an object as written.
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
pub(super) fn push_key(path: &mut String, key: &[u8]) {
    path.push('/');
    path.push_str(&String::from_utf8_lossy(key).replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests;
