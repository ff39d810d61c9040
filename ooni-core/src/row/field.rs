//! Fields of a measurement as values of columns.

use crate::error::{Code, Error};
use crate::json::{Field, Json};
use crate::measurement::Measurement;
use crate::number::Int;
use crate::python_text;
use crate::time::DateTime;

/// A field as it is, or `""` when it is missing or null.
pub(super) fn or_empty(field: Field<'_>) -> Json {
    or(field, "")
}

/// A field as it is, or a default when it is missing or null.
pub(super) fn or(field: Field<'_>, default: impl Into<Json>) -> Json {
    match field.is_null() {
        true => default.into(),
        false => field.value().to_json(),
    }
}

/// The network number: what follows the first two characters, whatever they are (scoring spec §10.2).
pub(super) fn probe_asn(measurement: &Measurement<'_>) -> Result<Int, Error> {
    let value = measurement.field("probe_asn").required()?;
    let text = value.text().ok_or_else(|| value.wrong_kind("a string"))?;
    let number = if text.is_ascii() {
        python_text::to_int(text.get(2..).unwrap_or_default())
    } else {
        let mut after = Vec::new();
        crate::text::chars(&text).skip(2).for_each(|code| crate::json::push_code_point(code, &mut after));
        python_text::to_int(&after)
    };
    number.ok_or_else(|| Error::new(Code::Value, value.path(), "expected a number after the first two characters"))
}

/// A required date (scoring spec §10.3).
pub(super) fn date(measurement: &Measurement<'_>, key: &'static str) -> Result<DateTime, Error> {
    let value = measurement.field(key).required()?;
    let text = value.text().ok_or_else(|| value.wrong_kind("a string"))?;
    DateTime::parse(&text)
        .ok_or_else(|| Error::new(Code::Value, value.path(), "invalid date: expected YYYY-MM-DD HH:MM:SS"))
}
