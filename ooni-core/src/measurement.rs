//! [`Measurement`]: the content of a document, without its envelope. [`SideRecord`]: what the collector adds to it.
//!
//! `nettest` scores its fields, and `row` derives columns from them.

mod fields;

use self::fields::Fields;
use crate::error::{Code, Error};
use crate::json::{Field, Value};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A measurement: the object that a probe sent, with or without an envelope.
#[derive(Clone, Copy, Debug)]
pub struct Measurement<'a> {
    fields: Fields<'a>,
    is_verified: IsVerified,
    /// Replaces the field `report_id`.
    report_id: Option<Value<'a>>,
}

/// What the collector adds to a measurement without changing its bytes: a record that is kept beside the body.
///
/// A value here replaces the one in the body, whatever it is; without one, the body decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SideRecord<'a> {
    /// Replaces `report_id` of the measurement.
    pub report_id: Option<Cow<'a, str>>,
    /// Replaces `is_verified` of the envelope, or of a measurement without one.
    pub is_verified: Option<IsVerified>,
}

impl SideRecord<'_> {
    /// Without values: everything is as in the body.
    pub const EMPTY: SideRecord<'static> = SideRecord { report_id: None, is_verified: None };

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        *self == SideRecord::EMPTY
    }
}

/// The values of a [`SideRecord`], as values of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced<'a> {
    pub(crate) report_id: Option<Value<'a>>,
    pub(crate) is_verified: Option<IsVerified>,
}

/// Whether the collector verified the probe's credentials, `is_verified` of the envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IsVerified {
    /// Not verified, or unknown.
    #[default]
    #[serde(rename = "u")]
    Unverified,
    /// Verified.
    #[serde(rename = "t")]
    Verified,
    /// The check failed.
    #[serde(rename = "f")]
    Failed,
}

impl IsVerified {
    /// Every value.
    pub const ALL: [IsVerified; 3] = [IsVerified::Verified, IsVerified::Failed, IsVerified::Unverified];

    /// The letter in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            IsVerified::Unverified => "u",
            IsVerified::Verified => "t",
            IsVerified::Failed => "f",
        }
    }

    /// The value of a letter in rows.
    pub fn of_letter(letter: &str) -> Option<IsVerified> {
        Self::ALL.into_iter().find(|is_verified| is_verified.as_str() == letter)
    }

    fn of(value: Value<'_>) -> IsVerified {
        Self::ALL.into_iter().find(|letter| value.is_text(letter.as_str())).unwrap_or_default()
    }
}

impl<'a> Measurement<'a> {
    /// Opens the envelope of a measurement, if it has one (scoring spec §3, steps 3 and 4).
    ///
    /// An object with both keys `content` and `format` is an envelope, whatever other keys it has.
    ///
    /// # Errors
    /// `E-TYPE` when the measurement is not an object or the format is unknown; `E-VALUE` for `format: yaml`, which only
    /// `process` reads, with the feature `legacy-yaml`.
    pub fn new(value: Value<'a>) -> Result<Measurement<'a>, Error> {
        if !value.is_object() {
            return Err(value.wrong_kind("an object"));
        }
        let outer = Fields::of(value);
        let is_verified = IsVerified::of(outer.field("is_verified").value());
        let (Some(content), Some(format)) = (outer.field("content").found(), outer.field("format").found()) else {
            return Ok(Measurement { fields: outer, is_verified, report_id: None });
        };
        Self::from_object(envelope_content(content, format)?, is_verified)
    }

    /// The measurement in the content of an envelope with this `is_verified`.
    #[cfg(feature = "legacy-yaml")]
    pub(crate) fn of_content(content: Value<'a>, is_verified: Value<'_>) -> Result<Measurement<'a>, Error> {
        Self::from_object(content, IsVerified::of(is_verified))
    }

    fn from_object(content: Value<'a>, is_verified: IsVerified) -> Result<Measurement<'a>, Error> {
        if !content.is_object() {
            return Err(content.wrong_kind("a measurement (an object)"));
        }
        Ok(Measurement { fields: Fields::of(content), is_verified, report_id: None })
    }

    /// The same measurement with the values of a side record.
    pub(crate) fn replace(self, with: Replaced<'a>) -> Measurement<'a> {
        let is_verified = with.is_verified.unwrap_or(self.is_verified);
        Measurement { is_verified, report_id: with.report_id, ..self }
    }

    /// The measurement itself, an object.
    pub fn content(&self) -> Value<'a> {
        self.fields.object()
    }

    /// `is_verified` of the side record, of the envelope, or of a measurement without one.
    pub fn is_verified(&self) -> IsVerified {
        self.is_verified
    }

    /// A field of the measurement, which may be missing.
    #[inline]
    pub fn field(&self, key: &'static str) -> Field<'a> {
        match self.report_id {
            Some(report_id) if key == "report_id" => Field::known(self.content(), key, Some(report_id)),
            _ => self.fields.field(key),
        }
    }

    /// `test_keys`, of any kind; an empty object when missing or null.
    pub fn test_keys(&self) -> Value<'a> {
        self.field("test_keys").if_null(Value::NO_TEST_KEYS)
    }

    /// `annotations`; an empty object when missing or not an object.
    pub fn annotations(&self) -> Value<'a> {
        let value = self.field("annotations").value();
        if value.is_object() { value } else { Value::EMPTY_OBJECT }
    }
}

fn envelope_content<'a>(content: Value<'a>, format: Value<'a>) -> Result<Value<'a>, Error> {
    let Some(name) = format.text() else {
        return Err(format.wrong_kind("a string"));
    };
    // No letter outside ASCII becomes one of these letters in lower case.
    match name.to_ascii_lowercase().as_slice() {
        b"json" => Ok(content),
        b"yaml" => Err(Error::new(Code::Value, content.path(), "the content is YAML, which is not supported here")),
        _ => Err(Error::new(Code::Type, format.path(), "unknown format: expected json or yaml")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    fn opened(text: &str) -> Result<(usize, IsVerified), (Code, String)> {
        let mut reader = Reader::new();
        let document = reader.read(text.as_bytes()).unwrap();
        Measurement::new(document.root()).map(|m| (m.content().count(), m.is_verified())).map_err(|e| (e.code, e.path))
    }

    #[test]
    fn envelopes() {
        use IsVerified::{Failed, Unverified, Verified};
        assert_eq!(opened(r#"{"a":1}"#), Ok((1, Unverified)));
        assert_eq!(opened(r#"{"format":"json","content":{},"is_verified":"t","more":1}"#), Ok((0, Verified)));
        assert_eq!(opened(r#"{"format":"JSON","content":{"is_verified":"t"}}"#), Ok((1, Unverified)));
        assert_eq!(opened(r#"{"is_verified":"f"}"#), Ok((1, Failed)));
        assert_eq!(opened(r#"{"is_verified":["t"]}"#), Ok((1, Unverified)));
        assert_eq!(opened(r#"{"content":{}}"#), Ok((1, Unverified)));
        for text in ["[]", "null", "5", "\"x\""] {
            assert_eq!(opened(text), Err((Code::Type, String::new())));
        }
        assert_eq!(opened(r#"{"format":null,"content":{}}"#), Err((Code::Type, "/format".into())));
        assert_eq!(opened(r#"{"format":"xml","content":{}}"#), Err((Code::Type, "/format".into())));
        assert_eq!(opened(r#"{"format":"json","content":[]}"#), Err((Code::Type, "/content".into())));
        assert_eq!(opened(r#"{"format":"Yaml","content":"a: 1"}"#), Err((Code::Value, "/content".into())));
    }
}
