//! JSON that preserves the order of keys, parsed from trusted text and written as the collector spells it.
//!
//! Not `serde_json` with `preserve_order`: Cargo would enable that feature for the whole workspace. Strings and numbers
//! are stored as spelled in the output, so that lone surrogates and numbers of any size are preserved.

use std::fmt::Write as _;

/// A value whose strings and numbers are already spelled as the collector spells them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A number or literal.
    Bare(String),
    /// A string, escaped, without quotes.
    Text(String),
    List(Vec<Value>),
    /// Keys are escaped and in the order of the text.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Parses a whole text; `None` if it is not JSON. Of repeated keys, the first determines the position and the last
    /// the value. NaN and Infinity are accepted, as by the collector.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value()?;
        reader.space();
        (reader.at == text.len()).then_some(value)
    }

    pub(super) fn null() -> Self {
        Self::Bare("null".into())
    }

    pub(super) fn bool(value: bool) -> Self {
        Self::Bare(if value { "true" } else { "false" }.into())
    }

    /// A string that is already escaped or needs no escapes.
    pub(super) fn spelled(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A string.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(escape(text))
    }

    /// An object whose keys need no escapes.
    pub(super) fn object<const N: usize>(items: [(&str, Self); N]) -> Self {
        Self::Object(items.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Object(items) => items.iter_mut().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Replaces the value of a key, or appends it; does nothing if this is not an object.
    pub(super) fn set(&mut self, key: &str, value: Self) {
        let Self::Object(items) = self else { return };
        match items.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => items.push((key.into(), value)),
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        if let Self::Object(items) = self {
            items.retain(|(k, _)| k != key);
        }
    }

    pub(super) fn as_object(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(items) => Some(items),
            _ => None,
        }
    }

    /// The escaped text of a string.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; empty if this is not a list.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn items_mut(&mut self) -> &mut [Self] {
        match self {
            Self::List(items) => items,
            _ => &mut [],
        }
    }

    /// The text as the collector writes it.
    pub(super) fn dump(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Bare(text) => out.push_str(text),
            Self::Text(text) => quote(out, text),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(items) => {
                out.push('{');
                for (i, (key, value)) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    quote(out, key);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn quote(out: &mut String, spelled: &str) {
    out.push('"');
    out.push_str(spelled);
    out.push('"');
}

/// A text escaped for use between quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for unit in text.encode_utf16() {
        escape_unit(&mut out, unit);
    }
    out
}

/// Appends a UTF-16 unit: the collector escapes everything but ASCII, and `/`.
fn escape_unit(out: &mut String, unit: u16) {
    match u8::try_from(unit) {
        Ok(b'"') => out.push_str("\\\""),
        Ok(b'\\') => out.push_str("\\\\"),
        Ok(b'/') => out.push_str("\\/"),
        Ok(8) => out.push_str("\\b"),
        Ok(12) => out.push_str("\\f"),
        Ok(b'\n') => out.push_str("\\n"),
        Ok(b'\r') => out.push_str("\\r"),
        Ok(b'\t') => out.push_str("\\t"),
        Ok(ascii @ 0x20..=0x7f) => out.push(char::from(ascii)),
        _ => {
            let _ = write!(out, "\\u{unit:04x}"); // a String takes everything
        }
    }
}

/// A float: shortest digits, `1.0`, `1e-5`, `1e+16`.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.into()
    } else {
        let text = format!("{value:?}");
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                format!("{digits}e+{exponent}")
            }
            _ => text,
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips spaces and `byte`, if it comes next.
    fn skip(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        match self.peek()? {
            b'"' => self.string().map(Value::Text),
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                if self.skip(b']') {
                    return Some(Value::List(items));
                }
                loop {
                    items.push(self.value()?);
                    if self.skip(b']') {
                        return Some(Value::List(items));
                    }
                    self.skip(b',').then_some(())?;
                }
            }
            b'{' => {
                self.at += 1;
                let mut object = Value::Object(Vec::new());
                if self.skip(b'}') {
                    return Some(object);
                }
                loop {
                    self.space();
                    let key = self.string()?;
                    self.skip(b':').then_some(())?;
                    let value = self.value()?;
                    object.set(&key, value);
                    if self.skip(b'}') {
                        return Some(object);
                    }
                    self.skip(b',').then_some(())?;
                }
            }
            _ => self.bare().map(Value::Bare),
        }
    }

    fn bare(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))).unwrap_or(rest.len());
        let word = &rest[..end];
        self.at += end;
        let digits = word.strip_prefix('-').unwrap_or(word);
        match word {
            "true" | "false" | "null" | "NaN" | "Infinity" | "-Infinity" => Some(word.into()),
            "-0" => Some("0".into()),
            _ if digits.is_empty() || !digits.starts_with(|c: char| c.is_ascii_digit()) => None,
            _ if digits.bytes().all(|b| b.is_ascii_digit()) => Some(word.into()),
            _ => word.parse().ok().map(float),
        }
    }

    fn string(&mut self) -> Option<String> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let rest = &self.text[self.at + 1..];
        let mut out = String::new();
        let mut chars = rest.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 2;
                    return Some(out);
                }
                '\\' => match chars.next()?.1 {
                    'b' => out.push_str("\\b"),
                    'f' => out.push_str("\\f"),
                    'n' => out.push_str("\\n"),
                    'r' => out.push_str("\\r"),
                    't' => out.push_str("\\t"),
                    'u' => {
                        let mut unit = 0;
                        for _ in 0..4 {
                            unit = unit << 4 | chars.next()?.1.to_digit(16)?;
                        }
                        escape_unit(&mut out, unit as u16);
                    }
                    c @ ('"' | '\\' | '/') => escape_unit(&mut out, c as u16),
                    _ => return None,
                },
                c => c.encode_utf16(&mut [0; 2]).iter().for_each(|&unit| escape_unit(&mut out, unit)),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelled_as_the_collector_does() {
        for (text, wanted) in [
            (" { \"b\" : [ 1 , 2.50, 1e3 ] , \"a\" : { } , \"c\":[] } ", r#"{"b":[1,2.5,1000.0],"a":{},"c":[]}"#),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            ("[1e-5,0.0001,1e16,1e15,-0.0,1e400,NaN,-0]", "[1e-5,0.0001,1e+16,1000000000000000.0,-0.0,Infinity,NaN,0]"),
            ("\"/\\/é\u{1f600}\\ud83d\\u0041\u{7f}\\u007f\"", "\"\\/\\/\\u00e9\\ud83d\\ude00\\ud83dA\u{7f}\u{7f}\""),
            (r#""\b\f\n\r\t\u0001\"\\""#, r#""\b\f\n\r\t\u0001\"\\""#),
        ] {
            assert_eq!(Value::parse(text).map(|v| v.dump()).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn refused() {
        for text in ["", "{", "[1,]", "{\"a\"}", "\"\\x\"", "\"", "'a'", "1 2", "tru", "\"\\u12\"", "-"] {
            assert_eq!(Value::parse(text), None, "{text}");
        }
    }
}
