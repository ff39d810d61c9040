//! Cells as SQLite has them.

use crate::sql::Parameter;
use crate::value::{Cell, Type};
use ooni_core::time::DateTime;
use rusqlite::types::{FromSqlError, ToSqlOutput, Value, ValueRef};
use rusqlite::{Result, ToSql};
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Cell::Int(value) => ToSqlOutput::Owned(integer(*value)),
            // SQLite makes NULL of what is not a number.
            Cell::Float(value) => ToSqlOutput::Owned(Value::Real(f64::from(*value))),
            Cell::Time(time) => ToSqlOutput::Owned(Value::Integer(time.timestamp())),
            Cell::Bool(value) => ToSqlOutput::Owned(Value::Integer(i64::from(*value))),
            Cell::Null => ToSqlOutput::Owned(Value::Null),
        })
    }
}

/// An integer; beyond those of SQLite, its digits.
fn integer(value: u64) -> Value {
    i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Integer)
}

/// A cell that was written by [`ToSql`].
pub(super) fn read(value: ValueRef<'_>, kind: Type) -> std::result::Result<Cell<'static>, FromSqlError> {
    let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    match (kind, value) {
        (Type::Text, ValueRef::Text(value)) => Ok(Cell::Text(Cow::Owned(text(value)))),
        (Type::UInt32 | Type::OptionalUInt64, ValueRef::Integer(value)) => {
            u64::try_from(value).map(Cell::Int).map_err(|_| FromSqlError::OutOfRange(value))
        }
        (Type::OptionalUInt64, ValueRef::Text(value)) => {
            text(value).parse().map(Cell::Int).map_err(|_| FromSqlError::InvalidType)
        }
        (Type::OptionalUInt64, ValueRef::Null) => Ok(Cell::Null),
        (Type::Float32, ValueRef::Real(value)) => Ok(Cell::Float(value as f32)),
        (Type::Float32, ValueRef::Null) => Ok(Cell::Float(f32::NAN)),
        (Type::Time, ValueRef::Integer(value)) => {
            DateTime::from_timestamp(value).map(Cell::Time).ok_or(FromSqlError::OutOfRange(value))
        }
        (Type::Time, ValueRef::Null) => Ok(Cell::Null),
        _ => Err(FromSqlError::InvalidType),
    }
}

impl ToSql for Parameter {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(match self {
            Parameter::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Parameter::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Parameter::Link(id) => ToSqlOutput::Owned(integer(*id)),
            Parameter::Time(time) => ToSqlOutput::Owned(Value::Integer(time.timestamp())),
        })
    }
}

/// A time of the clock, `YYYY-MM-DD HH:MM:SS.mmm`.
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
    fn times_of_the_clock() {
        assert_eq!(timestamp(UNIX_EPOCH + Duration::from_millis(1_700_000_000_007)), "2023-11-14 22:13:20.007");
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01 00:00:00.000");
    }
}
