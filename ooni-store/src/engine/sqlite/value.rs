//! Values as SQLite stores them.

use crate::sql::Parameter;
use crate::value::{Type, Value};
use ooni_core::time::DateTime;
use rusqlite::types::{FromSqlError, ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{Result, ToSql};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

impl ToSql for Value<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Int(value) => ToSqlOutput::Owned(integer(*value)),
            // SQLite stores NaN as NULL.
            Value::Float(value) => ToSqlOutput::Owned(SqlValue::Real(f64::from(*value))),
            Value::Time(time) => ToSqlOutput::Owned(SqlValue::Integer(time.timestamp())),
            Value::Bool(value) => ToSqlOutput::Owned(SqlValue::Integer(i64::from(*value))),
            Value::Null => ToSqlOutput::Owned(SqlValue::Null),
        })
    }
}

/// An integer, or its digits as text if it exceeds the range of SQLite's integers.
fn integer(value: u64) -> SqlValue {
    i64::try_from(value).map_or_else(|_| SqlValue::Text(value.to_string()), SqlValue::Integer)
}

/// As [`read`], without a copy of a text.
pub(super) fn borrow(value: ValueRef<'_>, kind: Type) -> std::result::Result<Value<'_>, FromSqlError> {
    match (kind, value) {
        (Type::Text, ValueRef::Text(text)) => Ok(Value::Text(String::from_utf8_lossy(text))),
        _ => read(value, kind),
    }
}

/// Reads a value that was written by [`ToSql`].
pub(super) fn read(value: ValueRef<'_>, kind: Type) -> std::result::Result<Value<'static>, FromSqlError> {
    let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    match (kind, value) {
        (Type::Text, ValueRef::Text(value)) => Ok(Value::Text(Cow::Owned(text(value)))),
        (Type::UInt32 | Type::OptionalUInt64, ValueRef::Integer(value)) => {
            u64::try_from(value).map(Value::Int).map_err(|_| FromSqlError::OutOfRange(value))
        }
        (Type::OptionalUInt64, ValueRef::Text(value)) => {
            text(value).parse().map(Value::Int).map_err(|_| FromSqlError::InvalidType)
        }
        (Type::OptionalUInt64, ValueRef::Null) => Ok(Value::Null),
        (Type::Float32, ValueRef::Real(value)) => Ok(Value::Float(value as f32)),
        (Type::Float32, ValueRef::Null) => Ok(Value::Float(f32::NAN)),
        (Type::Bool, ValueRef::Integer(value)) => Ok(Value::Bool(value != 0)),
        (Type::Time, ValueRef::Integer(value)) => {
            DateTime::from_timestamp(value).map(Value::Time).ok_or(FromSqlError::OutOfRange(value))
        }
        (Type::Time, ValueRef::Null) => Ok(Value::Null),
        _ => Err(FromSqlError::InvalidType),
    }
}

impl ToSql for Parameter {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(match self {
            Parameter::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Parameter::Int(value) => ToSqlOutput::Owned(SqlValue::Integer(*value)),
            Parameter::Folded => ToSqlOutput::Owned(SqlValue::Integer(0)),
            Parameter::Link(id) => ToSqlOutput::Owned(integer(*id)),
            Parameter::Time(time) => ToSqlOutput::Owned(SqlValue::Integer(time.timestamp())),
            Parameter::Texts(values) => json(values),
            Parameter::Ints(values) => json(values),
            Parameter::Links(values) => json(&values.iter().map(|&id| link(id)).collect::<Vec<_>>()),
        })
    }
}

/// An array as JSON, to be read with `json_each`.
fn json<T: Into<serde_json::Value> + Clone>(values: &[T]) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(SqlValue::Text(serde_json::Value::from(values.to_vec()).to_string()))
}

/// The id of an OONI Run link, encoded as by [`integer`].
fn link(id: u64) -> serde_json::Value {
    i64::try_from(id).map_or_else(|_| id.to_string().into(), Into::into)
}

/// A system time as `YYYY-MM-DD HH:MM:SS.mmm`.
pub(super) fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).ok().and_then(DateTime::from_timestamp).unwrap_or(DateTime::MAX);
    let mut text = Vec::with_capacity(23);
    seconds.write(&mut text);
    format!("{}.{:03}", String::from_utf8_lossy(&text), since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn timestamps() {
        assert_eq!(timestamp(UNIX_EPOCH + Duration::from_millis(1_700_000_000_007)), "2023-11-14 22:13:20.007");
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01 00:00:00.000");
    }
}
