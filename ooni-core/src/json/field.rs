//! [`Field`]: a member of an object, looked up by its key.

use super::kind::Kind;
use super::scan::Spelling;
use super::value::{Value, push_key};
use crate::error::{Code, Error};

impl<'a> Value<'a> {
    /// The member with this key, which may be missing.
    ///
    /// # Errors
    /// `E-TYPE` for anything but an object (scoring spec §1.2, `get`).
    pub fn get(self, key: &'static str) -> Result<Field<'a>, Error> {
        if !self.is_object() {
            return Err(self.wrong_kind("an object"));
        }
        Ok(self.field(key))
    }

    /// The member with this key; missing in values other than objects.
    #[inline]
    pub fn field(self, key: &'static str) -> Field<'a> {
        let [found] = self.find([Key::new(key)]);
        Field { of: self, key, found }
    }

    /// The members with these keys, found in one pass; all are missing in values other than objects.
    #[inline]
    pub fn fields<const N: usize>(self, keys: [&'static str; N]) -> [Field<'a>; N] {
        let found = self.find(keys.map(Key::new));
        std::array::from_fn(|at| Field { of: self, key: keys[at], found: found[at] })
    }

    fn find<const N: usize>(self, keys: [Key; N]) -> [Option<Value<'a>>; N] {
        let mut found = [None; N];
        for (name, value) in self.pairs() {
            for (key, found) in keys.iter().zip(&mut found) {
                // A repeated key has its last value.
                if key.is_name(name) {
                    *found = Some(value);
                }
            }
        }
        found
    }
}

/// A key that is compared with many others, eight bytes at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    text: &'static str,
    /// Its first bytes, up to eight, from the lowest.
    head: u64,
}

impl Key {
    /// This key.
    #[inline]
    pub(crate) const fn new(text: &'static str) -> Key {
        let bytes = text.as_bytes();
        if let Some(eight) = bytes.first_chunk() {
            return Key { text, head: u64::from_le_bytes(*eight) };
        }
        let mut head = 0;
        let mut at = 0;
        while at < bytes.len() {
            head |= (bytes[at] as u64) << (8 * at);
            at += 1;
        }
        Key { text, head }
    }

    /// The key itself.
    pub(crate) const fn text(&self) -> &'static str {
        self.text
    }

    /// Whether the name of a member is this key.
    #[inline(always)]
    pub(crate) fn is_name(&self, name: Value<'_>) -> bool {
        let node = name.node();
        let (start, len) = (node.start as usize, node.len as usize);
        if node.spelling.has(Spelling::ESCAPED) {
            return name.text_equals(self.text.as_bytes());
        }
        // Most keys differ in length.
        if len != self.text.len() {
            return false;
        }
        let text = &name.document.text[start..];
        match text.first_chunk() {
            Some(eight) => {
                let different = u64::from_le_bytes(*eight) ^ self.head;
                match len {
                    0 => true,
                    1..8 => different << (64 - 8 * len) == 0,
                    _ => different == 0 && text[8..len] == self.text.as_bytes()[8..],
                }
            }
            None => text.get(..len) == Some(self.text.as_bytes()),
        }
    }
}

/// A member of an object that may be missing.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    of: Value<'a>,
    key: &'static str,
    found: Option<Value<'a>>,
}

impl<'a> Field<'a> {
    /// A member that has been looked up already.
    pub(crate) fn known(of: Value<'a>, key: &'static str, found: Option<Value<'a>>) -> Field<'a> {
        Field { of, key, found }
    }

    /// The value, if the key is present; it may be `null`.
    pub fn found(self) -> Option<Value<'a>> {
        self.found
    }

    /// True when the key is missing.
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
    /// `E-KEY` with the path of the missing member.
    pub fn required(self) -> Result<Value<'a>, Error> {
        self.found.ok_or_else(|| Error::new(Code::Key, self.path(), "a required key is missing"))
    }

    /// The path of the member, present or not, as a JSON pointer.
    pub fn path(self) -> String {
        let mut path = self.of.path();
        push_key(&mut path, self.key.as_bytes());
        path
    }

    /// The elements of a list of objects (scoring spec §1.3, LOO): missing and `null` are an empty list.
    ///
    /// # Errors
    /// `E-TYPE` when the value is not a list. Elements are checked when the iterator reaches them.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;
    use crate::number::Int;

    #[test]
    fn keys_of_all_lengths() {
        const KEYS: [&str; 12] = [
            "",
            "a",
            "ab",
            "abcdefg",
            "abcdefgh",
            "abcdefgi",
            "abcdefghi",
            "abcdefghj",
            "b",
            "é",
            "/",
            "abcdefghijklmnopq",
        ];
        let text = r#"{"":0,"a":1,"ab":2,"abcdefg":3,"abcdefgh":4,"abcdefgi":5,"abcdefghi":6,"abcdefghj":7,"\u0062":8,"é":9,
            "\/":10,"abcdefghijklmnopq":11,"A":12,"abcdefghijklmnopr":13,"Abcdefghijklmnopq":14}"#;
        let mut reader = Reader::new();
        let document = reader.read(text.as_bytes()).unwrap();
        let number = |field: Field<'_>| field.value().int().unwrap().as_i64().unwrap();
        assert_eq!(document.root().fields(KEYS).map(number), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        for (key, wanted) in KEYS.into_iter().zip(0..) {
            assert_eq!(number(document.root().field(key)), wanted, "{key}");
        }
        // A repeated key has its last value; the name is near the end of the text.
        let mut reader = Reader::new();
        let document = reader.read(br#"{"ab":0,"a":1,"ab":2,"a":3}"#).unwrap();
        assert_eq!(document.root().fields(["a", "ab"]).map(number), [3, 2]);
        let mut reader = Reader::new();
        let document = reader.read(b"{\"a\":5}").unwrap();
        assert_eq!(document.root().fields(["a", "b", "abcdefgh"]).map(Field::is_missing), [false, true, true]);
        assert!(Value::EMPTY_TEXT.fields(["a"])[0].is_missing());
    }

    #[test]
    fn fields() {
        let mut reader = Reader::new();
        let text = r#"{"null":null,"one":1,"list":[{},5],"text":"","object":{},"full":{"a":1}}"#;
        let document = reader.read(text.as_bytes()).unwrap();
        let value = document.root();
        let missing = value.field("none");
        assert!(missing.is_missing() && missing.is_null() && missing.found().is_none());
        assert!(missing.value().is_null());
        assert!(missing.if_missing(Value::TRUE).is_true() && missing.if_null(Value::TRUE).is_true());
        let error = missing.required().unwrap_err();
        assert_eq!((error.code, &*error.path), (Code::Key, "/none"));
        let null = value.field("null");
        assert!(!null.is_missing() && null.is_null());
        assert!(null.if_missing(Value::TRUE).is_null() && null.if_null(Value::TRUE).is_true());
        assert!(null.required().unwrap().is_null());
        let one = value.field("one");
        assert_eq!(one.if_null(Value::NULL).int(), Some(Int::Small(1)));
        for key in ["one", "list", "text"] {
            let error = value.field(key).value().get("x").unwrap_err();
            assert_eq!((error.code, error.path), (Code::Type, format!("/{key}")));
            assert!(value.field(key).value().field("x").is_missing());
        }
        for key in ["none", "null", "text", "object"] {
            assert_eq!(value.field(key).objects().unwrap().count(), 0, "{key}");
        }
        for key in ["one", "full"] {
            assert_eq!(value.field(key).objects().err().unwrap().code, Code::Type, "{key}");
        }
        // Elements are checked when the iterator reaches them.
        let list: Vec<_> = value.field("list").objects().unwrap().map(|item| item.map(Value::path)).collect();
        assert_eq!(list[0].as_deref(), Ok("/list/0"));
        assert_eq!(list[1].as_ref().map_err(|error| error.path.as_str()), Err("/list/1"));
    }
}
