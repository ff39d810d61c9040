//! serde support for [`Json`], lossless in any format.
//!
//! Values outside serde's data model become an object of one member: `{"$int": "…"}` for an integer beyond 64 bits,
//! `{"$float": "NaN"}`, `{"$text": "…"}` for a string with lone surrogates, each as `\uxxxx`, and
//! `{"$object": [[key, value], …]}` for an object that could be mistaken for one of these. Values nested deeper than JSON
//! readers support are flat, `{"$deep": […]}`: the values in order, `{"array": n}` and `{"object": n}` for containers, and
//! each member of an object after its key. A value that JSON cannot represent is `{"$foreign": "…"}` with its description.
//! Rows in the reference's own form are written by `write` and read by the lenient reader.

use super::owned::Json;
use super::read::MAX_DEPTH;
use super::scan::hex4;
use super::unescape::push_code_point;
use crate::number::Int;
use crate::text;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt::{self, Write as _};

const INT: &str = "$int";
const FLOAT: &str = "$float";
const TEXT: &str = "$text";
const OBJECT: &str = "$object";
const DEEP: &str = "$deep";
const FOREIGN: &str = "$foreign";

/// Levels that are not flattened: serde_json reads 128, a tagged object takes three, and rows add some.
const MAX_NESTED: usize = 32;

/// Levels that are read from the flat form: more than the JSON reader accepts, plus those of a column.
const MAX_FLAT: usize = 2 * MAX_DEPTH;

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Int(int) => match (int.as_i64(), int.as_u64()) {
                (Some(int), _) => serializer.serialize_i64(int),
                (None, Some(int)) => serializer.serialize_u64(int),
                (None, None) => tagged(serializer, INT, &int.to_string()),
            },
            Json::Float(float) if float.is_finite() => serializer.serialize_f64(*float),
            Json::Float(float) if float.is_nan() => tagged(serializer, FLOAT, "NaN"),
            Json::Float(float) => tagged(serializer, FLOAT, if *float > 0.0 { "Infinity" } else { "-Infinity" }),
            Json::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => tagged(serializer, TEXT, &escaped(text)),
            },
            Json::Foreign(text) => tagged(serializer, FOREIGN, &escaped(text)),
            Json::Array(_) | Json::Object(_) if self.depth() > MAX_NESTED => {
                let mut flat = Vec::new();
                flatten(self, &mut flat);
                tagged(serializer, DEEP, &flat)
            }
            Json::Array(items) => serializer.collect_seq(items),
            Json::Object(members) => match plain_keys(members) {
                Some(keys) => serializer.collect_map(keys.into_iter().zip(members.iter().map(|(_, value)| value))),
                None => {
                    let pairs: Vec<_> = members.iter().map(|(key, value)| (Json::Text(key.clone()), value)).collect();
                    tagged(serializer, OBJECT, &pairs)
                }
            },
        }
    }
}

fn tagged<S: Serializer, T: Serialize + ?Sized>(serializer: S, tag: &str, value: &T) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, value)?;
    map.end()
}

/// The keys as Rust strings, unless one is not UTF-8 or the object looks like one of the tagged forms.
fn plain_keys(members: &[(Vec<u8>, Json)]) -> Option<Vec<&str>> {
    let keys = members.iter().map(|(key, _)| std::str::from_utf8(key).ok()).collect::<Option<Vec<_>>>()?;
    match keys[..] {
        [INT | FLOAT | TEXT | OBJECT | DEEP | FOREIGN] => None,
        _ => Some(keys),
    }
}

fn flatten(value: &Json, flat: &mut Vec<Json>) {
    let count = |kind, count: usize| Json::object([(kind, Json::Int(Int::from(count as i64)))]);
    match value {
        Json::Array(items) => {
            flat.push(count("array", items.len()));
            items.iter().for_each(|item| flatten(item, flat));
        }
        Json::Object(members) => {
            flat.push(count("object", members.len()));
            for (key, value) in members {
                flat.push(Json::Text(key.clone()));
                flatten(value, flat);
            }
        }
        scalar => flat.push(scalar.clone()),
    }
}

/// Reverses [`flatten`]; `None` for values that it does not produce.
fn unflatten(flat: &mut impl Iterator<Item = Json>, levels: usize) -> Option<Json> {
    let Json::Object(members) = flat.next()? else { return None };
    unflatten_container(members, flat, levels)
}

fn unflatten_container(
    members: Vec<(Vec<u8>, Json)>,
    flat: &mut impl Iterator<Item = Json>,
    levels: usize,
) -> Option<Json> {
    let levels = levels.checked_sub(1)?;
    let [(kind, Json::Int(Int::Small(count)))] = &members[..] else { return None };
    let value = |flat: &mut _| match Iterator::next(flat)? {
        Json::Object(members) => unflatten_container(members, flat, levels),
        Json::Array(_) => None,
        scalar => Some(scalar),
    };
    match &kind[..] {
        b"array" => (0..*count).map(|_| value(flat)).collect::<Option<_>>().map(Json::Array),
        b"object" => {
            let member = |_| match flat.next()? {
                Json::Text(key) => Some((key, value(flat)?)),
                _ => None,
            };
            (0..*count).map(member).collect::<Option<_>>().map(Json::Object)
        }
        _ => None,
    }
}

/// The text with each surrogate as `\uxxxx` and backslashes doubled. Two adjacent surrogates stay two.
fn escaped(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some((code, length)) = text::first(rest) {
        match char::from_u32(code) {
            Some('\\') => out.push_str("\\\\"),
            Some(c) => out.push(c),
            None => {
                let _ = write!(out, "\\u{code:04x}");
            }
        }
        rest = &rest[length..];
    }
    out
}

/// Reverses [`escaped`]; `None` for text that it does not produce.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.extend_from_slice(plain.as_bytes());
        rest = match escape.strip_prefix('\\') {
            Some(rest) => {
                out.push(b'\\');
                rest
            }
            None => {
                let (digits, rest) = escape.strip_prefix('u')?.split_at_checked(4)?;
                push_code_point(hex4(digits.as_bytes(), 0)?.0, &mut out);
                rest
            }
        };
    }
    out.extend_from_slice(rest.as_bytes());
    Some(out)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        Json::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(Int::from(value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json, E> {
        int(&value.to_string())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(Vec<u8>, Json)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Json>()? {
            members.push((key.into_bytes(), value));
        }
        match &mut members[..] {
            [(key, value)] => untag(key, value).unwrap_or(Ok(Json::Object(members))),
            _ => Ok(Json::Object(members)),
        }
    }
}

/// The value of a tagged form; `None` when the object is not one.
fn untag<E: de::Error>(key: &[u8], value: &mut Json) -> Option<Result<Json, E>> {
    Some(match (std::str::from_utf8(key).ok()?, value) {
        (INT, Json::Text(text)) => int(&String::from_utf8_lossy(text)),
        (FLOAT, Json::Text(text)) => match &text[..] {
            b"NaN" => Ok(Json::Float(f64::NAN)),
            b"Infinity" => Ok(Json::Float(f64::INFINITY)),
            b"-Infinity" => Ok(Json::Float(f64::NEG_INFINITY)),
            _ => Err(E::custom("invalid $float: expected NaN, Infinity or -Infinity")),
        },
        (TEXT, Json::Text(text)) => std::str::from_utf8(text)
            .ok()
            .and_then(unescaped)
            .map(Json::Text)
            .ok_or_else(|| E::custom("invalid backslash in $text: expected \\\\ or \\uxxxx")),
        (FOREIGN, Json::Text(text)) => std::str::from_utf8(text)
            .ok()
            .and_then(unescaped)
            .map(Json::Foreign)
            .ok_or_else(|| E::custom("invalid backslash in $foreign: expected \\\\ or \\uxxxx")),
        (DEEP, Json::Array(flat)) => {
            let mut flat = flat.drain(..);
            unflatten(&mut flat, MAX_FLAT)
                .filter(|_| flat.next().is_none())
                .ok_or_else(|| E::custom("invalid $deep: expected values in order"))
        }
        (OBJECT, Json::Array(pairs)) => pairs
            .drain(..)
            .map(|pair| match pair {
                Json::Array(pair) => match <[Json; 2]>::try_from(pair) {
                    Ok([Json::Text(key), value]) => Ok((key, value)),
                    _ => Err(E::custom("invalid $object: expected pairs of key and value")),
                },
                _ => Err(E::custom("invalid $object: expected pairs of key and value")),
            })
            .collect::<Result<_, _>>()
            .map(Json::Object),
        _ => return None,
    })
}

fn int<E: de::Error>(digits: &str) -> Result<Json, E> {
    Int::parse_decimal(digits.as_bytes()).map(Json::Int).ok_or_else(|| E::custom("not a decimal integer"))
}

/// Serialized as [`Json::Int`].
impl Serialize for Int {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Json::Int(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Int, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::Int(int) => Ok(int),
            other => Err(de::Error::custom(format!("expected an integer, found {}", other.kind().name()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Reader, write_json};
    use proptest::prelude::*;

    /// Text with control characters, escapes and surrogates.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => "\\PC{0,6}".prop_map(String::into_bytes),
            1 => prop::sample::select(vec![
                &b"\xed\xa0\xbd"[..], b"\xed\xb8\x80", b"\\", b"\"", b"/", b"\\u0041", b"\0", b"\x7f", b"$int",
            ]).prop_map(<[u8]>::to_vec),
        ];
        prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        let tags = [INT, FLOAT, TEXT, OBJECT, DEEP].map(|tag| tag.as_bytes().to_vec()).to_vec();
        prop_oneof![3 => text(), 1 => prop::sample::select(tags)]
    }

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(|int| Json::Int(Int::parse_decimal(int.to_string().as_bytes()).unwrap())),
            "-?[1-9][0-9]{18,60}".prop_map(|digits| Json::Int(Int::parse_decimal(digits.as_bytes()).unwrap())),
            any::<u64>().prop_map(|bits| Json::Float(f64::from_bits(bits))),
            prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1.0, 5e-324, f64::MAX, 0.1])
                .prop_map(Json::Float),
            text().prop_map(Json::Text),
            "(NaN|-?Infinity|-?[0-9]{1,30}|\\\\ud83d)".prop_map(Json::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
                prop::collection::vec((key(), inner.clone()), 0..6).prop_map(|mut members| {
                    let mut seen = Vec::new();
                    members.retain(|(key, _)| {
                        !seen.contains(key) && {
                            seen.push(key.clone());
                            true
                        }
                    });
                    Json::Object(members)
                }),
                // An object that looks like a tagged form.
                (prop::sample::select(vec![INT, FLOAT, TEXT, OBJECT, DEEP]), inner)
                    .prop_map(|(tag, value)| Json::Object(vec![(tag.as_bytes().to_vec(), value)])),
            ]
        })
    }

    /// Two adjacent surrogates become one character when written.
    fn joined(value: &Json) -> Json {
        let mut out = Vec::new();
        write_json(value, &mut out);
        Reader::new().read(&out).unwrap().root().to_json()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn serialization_is_lossless(value in json()) {
            let text = serde_json::to_string(&value).unwrap();
            let back: Json = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &value, "{}", text);
            // Through serde_json's own values too, which sort keys.
            let through = serde_json::to_value(&value).unwrap();
            let again: Json = serde_json::from_value(through.clone()).unwrap();
            prop_assert_eq!(serde_json::to_value(&again).unwrap(), through);
        }

        #[test]
        fn written_values_are_read_back(value in json()) {
            let once = joined(&value);
            prop_assert_eq!(joined(&once), once);
        }
    }

    #[test]
    fn forms() {
        let int = |digits: &str| Json::Int(Int::parse_decimal(digits.as_bytes()).unwrap());
        for (value, text) in [
            (Json::from(5), "5"),
            (int("18446744073709551615"), "18446744073709551615"),
            (int("18446744073709551616"), r#"{"$int":"18446744073709551616"}"#),
            (int("-9223372036854775809"), r#"{"$int":"-9223372036854775809"}"#),
            (Json::Float(5.0), "5.0"),
            (Json::Float(f64::NAN), r#"{"$float":"NaN"}"#),
            (Json::Float(f64::NEG_INFINITY), r#"{"$float":"-Infinity"}"#),
            (Json::from("é/"), r#""é/""#),
            (Json::Text(b"a\xed\xa0\x80".to_vec()), r#"{"$text":"a\\ud800"}"#),
            (Json::Text(b"\\\xed\xa0\xbd\xed\xb8\x80\xf0\x9f\x98\x80".to_vec()), r#"{"$text":"\\\\\\ud83d\\ude00😀"}"#),
            (Json::object([("$int", Json::from("5"))]), r#"{"$object":[["$int","5"]]}"#),
            (Json::object([("$int", Json::from(5)), ("a", Json::Null)]), r#"{"$int":5,"a":null}"#),
            (Json::Object(vec![(b"\xed\xa0\x80".to_vec(), Json::Null)]), r#"{"$object":[[{"$text":"\\ud800"},null]]}"#),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
            assert_eq!(serde_json::from_str::<Json>(text).unwrap(), value);
        }
        // Plain objects, not tagged forms.
        for text in [r#"{"$int":5}"#, r#"{"$float":null}"#, r#"{"$text":[]}"#, r#"{"$object":{}}"#] {
            assert_eq!(serde_json::from_str::<Json>(text).unwrap().kind().name(), "an object", "{text}");
        }
        for text in [
            r#"{"$int":"x"}"#,
            r#"{"$float":"1"}"#,
            r#"{"$text":"\\u12"}"#,
            r#"{"$text":"\\n"}"#,
            r#"{"$object":[5]}"#,
            r#"{"$object":[["a"]]}"#,
        ] {
            assert!(serde_json::from_str::<Json>(text).is_err(), "{text}");
        }
    }

    /// JSON readers limit the depth, so deep values are flattened.
    #[test]
    fn deep_values() {
        let kinds: [fn(Json) -> Json; 5] = [
            |inner| Json::Array(vec![inner]),
            |inner| Json::object([("a", Json::Float(f64::NAN)), ("b", inner)]),
            |inner| Json::Object(vec![(b"\xed\xa0\x80".to_vec(), inner)]),
            |inner| Json::object([(DEEP, inner)]),
            |inner| Json::Array(vec![Json::object([("array", Json::from(1))]), inner, Json::Array(vec![])]),
        ];
        for nest in kinds {
            for depth in [1, 30, 31, 32, 33, 34, 64, 200, 1024, 1030] {
                let value = (0..depth).fold(Json::from("x"), |inner, _| nest(inner));
                let text = serde_json::to_string(&value).unwrap();
                assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), value, "{depth}");
            }
        }
        let value = (0..33).fold(Json::Null, |inner, _| Json::object([("k", inner)]));
        let member = r#"{"object":1},"k","#;
        assert_eq!(serde_json::to_string(&value).unwrap(), format!(r#"{{"$deep":[{}null]}}"#, member.repeat(33)));
        let endless = format!(r#"{{"$deep":[{}null]}}"#, r#"{"array":1},"#.repeat(100_000));
        for text in [
            endless.as_str(),
            r#"{"$deep":[]}"#,
            r#"{"$deep":[5]}"#,
            r#"{"$deep":[{"array":1}]}"#,
            r#"{"$deep":[{"array":0},1]}"#,
            r#"{"$deep":[{"array":1},[]]}"#,
            r#"{"$deep":[{"object":1},5,6]}"#,
            r#"{"$deep":[{"x":1},5]}"#,
            r#"{"$deep":[{"array":9223372036854775807},1]}"#,
            r#"{"$deep":[{"array":1.0},1]}"#,
            r#"{"$deep":[{},1]}"#,
        ] {
            assert!(serde_json::from_str::<Json>(text).is_err(), "{}", &text[..text.len().min(60)]);
        }
        assert_eq!(serde_json::from_str::<Json>(r#"{"$deep":[{"array":-1}]}"#).unwrap(), Json::Array(vec![]));
    }

    #[test]
    fn integers() {
        for int in [Int::Small(-5), Int::parse_decimal(b"99999999999999999999").unwrap()] {
            let text = serde_json::to_string(&int).unwrap();
            assert_eq!(serde_json::from_str::<Int>(&text).unwrap(), int);
        }
        assert!(serde_json::from_str::<Int>("1.0").is_err());
        assert!(serde_json::from_str::<Int>("null").is_err());
    }
}
