//! serde for [`Json`], without loss through any format.
//!
//! What serde's data model has no word for is an object of one member: `{"$int": "…"}` for an integer beyond 64 bits,
//! `{"$float": "NaN"}`, `{"$text": "…"}` for a string with lone surrogates (escaped as in a JSON text), and
//! `{"$object": [[key, value], …]}` for an object that could be taken for one of these. Rows in the reference's own
//! form are written by `write`, and are read back by the lenient reader.

use super::{Json, unescape, write_text};
use crate::number::Int;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

const INT: &str = "$int";
const FLOAT: &str = "$float";
const TEXT: &str = "$text";
const OBJECT: &str = "$object";

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
        [INT | FLOAT | TEXT | OBJECT] => None,
        _ => Some(keys),
    }
}

/// The text as a JSON string spells it, without the quotes.
fn escaped(text: &[u8]) -> String {
    let mut out = Vec::new();
    write_text(text, &mut out);
    String::from_utf8_lossy(&out[1..out.len() - 1]).into_owned()
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

/// The value behind a tagged form; nothing when the object is none.
fn untag<E: de::Error>(key: &[u8], value: &mut Json) -> Option<Result<Json, E>> {
    Some(match (std::str::from_utf8(key).ok()?, value) {
        (INT, Json::Text(text)) => int(&String::from_utf8_lossy(text)),
        (FLOAT, Json::Text(text)) => match &text[..] {
            b"NaN" => Ok(Json::Float(f64::NAN)),
            b"Infinity" => Ok(Json::Float(f64::INFINITY)),
            b"-Infinity" => Ok(Json::Float(f64::NEG_INFINITY)),
            _ => Err(E::custom("$float is none of NaN, Infinity, -Infinity")),
        },
        (TEXT, Json::Text(text)) => {
            let mut out = Vec::new();
            unescape(text, &mut out);
            Ok(Json::Text(out))
        }
        (OBJECT, Json::Array(pairs)) => pairs
            .drain(..)
            .map(|pair| match pair {
                Json::Array(pair) => match <[Json; 2]>::try_from(pair) {
                    Ok([Json::Text(key), value]) => Ok((key, value)),
                    _ => Err(E::custom("$object holds something other than pairs of key and value")),
                },
                _ => Err(E::custom("$object holds something other than pairs of key and value")),
            })
            .collect::<Result<_, _>>()
            .map(Json::Object),
        _ => return None,
    })
}

fn int<E: de::Error>(digits: &str) -> Result<Json, E> {
    Int::parse_decimal(digits.as_bytes()).map(Json::Int).ok_or_else(|| E::custom("not a decimal integer"))
}

/// As the value [`Json::Int`].
impl Serialize for Int {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Json::Int(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Int, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::Int(int) => Ok(int),
            other => Err(de::Error::custom(format!("{} where an integer is needed", other.kind().name()))),
        }
    }
}
