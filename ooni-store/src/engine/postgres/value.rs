//! Values as PostgreSQL stores them.

use crate::sql::Parameter;
use crate::value::{Type as Kind, Value};
use bytes::{BufMut, BytesMut};
use ooni_core::time::DateTime;
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use std::borrow::Cow;
use std::error::Error;
use tokio_postgres::Row;

type Result<T> = std::result::Result<T, Box<dyn Error + Sync + Send>>;

/// Seconds from 1970 to 2000, the epoch of PostgreSQL's times.
const EPOCH: i64 = 946_684_800;

/// The base of PostgreSQL's decimal digits.
const BASE: u64 = 10_000;

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull> {
        match self {
            Value::Text(text) => out.put_slice(encoded(text).as_bytes()),
            Value::Int(value) if *kind == Type::NUMERIC => put_decimal(out, *value),
            Value::Int(value) => out.put_i64(i64::try_from(*value)?),
            Value::Float(value) => out.put_f32(*value),
            Value::Time(time) => put_time(out, *time),
            Value::Bool(value) => out.put_u8(u8::from(*value)),
            Value::Null => return Ok(IsNull::Yes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true // only our own tables are written
    }

    to_sql_checked!();
}

impl ToSql for Parameter {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull> {
        match self {
            Parameter::Texts(values) => {
                return values.iter().map(|text| encoded(text)).collect::<Vec<_>>().to_sql(kind, out);
            }
            Parameter::Ints(values) => return values.to_sql(kind, out),
            Parameter::Links(values) => {
                return values.iter().map(|&id| Value::Int(id)).collect::<Vec<_>>().to_sql(kind, out);
            }
            Parameter::Text(text) => out.put_slice(encoded(text).as_bytes()),
            Parameter::Int(value) => out.put_i64(*value),
            Parameter::Folded => out.put_i64(0),
            Parameter::Link(id) => put_decimal(out, *id),
            Parameter::Time(time) => put_time(out, *time),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true // each is sent with the type given by `kind`
    }

    to_sql_checked!();
}

/// The type as which a parameter is sent.
pub(super) fn kind(parameter: &Parameter) -> Type {
    match parameter {
        Parameter::Text(_) => Type::TEXT,
        Parameter::Int(_) | Parameter::Folded => Type::INT8,
        Parameter::Link(_) => Type::NUMERIC,
        Parameter::Time(_) => Type::TIMESTAMP,
        Parameter::Texts(_) => Type::TEXT_ARRAY,
        Parameter::Ints(_) => Type::INT8_ARRAY,
        Parameter::Links(_) => Type::NUMERIC_ARRAY,
    }
}

/// The column type that stores values of this type.
pub(super) fn column(kind: Kind) -> Type {
    match kind {
        Kind::Text => Type::TEXT,
        Kind::UInt32 => Type::INT8,
        Kind::OptionalUInt64 => Type::NUMERIC,
        Kind::Float32 => Type::FLOAT4,
        Kind::Time => Type::TIMESTAMP,
        Kind::Bool => Type::BOOL,
    }
}

/// The value of a column, which must have this type.
pub(super) fn read(row: &Row, column: usize, kind: Kind) -> Result<Value<'static>> {
    let has = row.columns().get(column).ok_or("too few columns")?.type_();
    let int = |value: Option<u64>| value.map_or(Value::Null, Value::Int);
    Ok(match kind {
        Kind::Text => Value::Text(Cow::Owned(decoded(row.try_get(column)?))),
        Kind::Float32 => Value::Float(row.try_get(column)?),
        Kind::Time => row.try_get::<_, Option<Time>>(column)?.map_or(Value::Null, |time| Value::Time(time.0)),
        Kind::Bool => Value::Bool(row.try_get::<_, i64>(column)? != 0),
        Kind::UInt32 | Kind::OptionalUInt64 if *has == Type::NUMERIC => {
            int(row.try_get::<_, Option<Decimal>>(column)?.map(|decimal| decimal.0))
        }
        Kind::UInt32 | Kind::OptionalUInt64 if *has == Type::INT4 => {
            int(row.try_get::<_, Option<i32>>(column)?.map(u64::try_from).transpose()?)
        }
        Kind::UInt32 | Kind::OptionalUInt64 => {
            int(row.try_get::<_, Option<i64>>(column)?.map(u64::try_from).transpose()?)
        }
    })
}

/// Encodes a text without NUL, which PostgreSQL cannot store. The order of texts is preserved.
pub(super) fn encoded(text: &str) -> Cow<'_, str> {
    // Without an early exit, the compiler can compare many bytes at once.
    if !text.as_bytes().iter().fold(false, |found, &byte| found | (byte <= 1)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}"))
}

/// As [`decoded`], without a copy of a text that is its own encoding.
pub(super) fn decoded_in_place(text: &str) -> Cow<'_, str> {
    if text.contains('\u{1}') { Cow::Owned(decoded(text)) } else { Cow::Borrowed(text) }
}

/// The inverse of [`encoded`].
pub(super) fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.split('\u{1}');
    out.push_str(rest.next().unwrap_or_default());
    while let Some(part) = rest.next() {
        match part.strip_prefix('\u{2}') {
            Some(part) => {
                out.push('\u{1}');
                out.push_str(part);
            }
            // Nothing is between the two bytes of an encoded NUL.
            None => {
                out.push('\0');
                out.push_str(rest.next().unwrap_or_default());
            }
        }
    }
    out
}

fn put_time(out: &mut BytesMut, time: DateTime) {
    out.put_i64(microseconds(time));
}

/// A time as PostgreSQL sends it.
pub(super) fn microseconds(time: DateTime) -> i64 {
    (time.timestamp() - EPOCH) * 1_000_000
}

fn put_decimal(out: &mut BytesMut, mut value: u64) {
    let mut digits = Vec::with_capacity(5);
    while value > 0 {
        digits.push((value % BASE) as i16);
        value /= BASE;
    }
    let count = digits.len() as i16;
    out.put_i16(count);
    out.put_i16(count - 1); // the weight of the first digit, as a power of the base
    out.put_u32(0); // positive, no fraction
    digits.into_iter().rev().for_each(|digit| out.put_i16(digit));
}

/// A time to the second.
pub(super) struct Time(pub(super) DateTime);

impl<'r> FromSql<'r> for Time {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Time> {
        let seconds = i64::from_be_bytes(raw.try_into()?).div_euclid(1_000_000);
        let time = seconds.checked_add(EPOCH).and_then(DateTime::from_timestamp);
        Ok(Time(time.ok_or("time out of range")?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMP
    }
}

/// A decimal without sign and fraction.
struct Decimal(u64);

impl<'r> FromSql<'r> for Decimal {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Decimal> {
        let foreign = "number out of range";
        let (head, digits) = raw.split_at_checked(8).ok_or(foreign)?;
        let weight = i16::from_be_bytes([head[2], head[3]]);
        let mut digits = digits.chunks_exact(2).map(|digit| u64::from(u16::from_be_bytes([digit[0], digit[1]])));
        let mut value = 0_u64;
        // Trailing zeros are omitted.
        for _ in 0..=weight {
            let digit = digits.next().unwrap_or(0);
            value = value.checked_mul(BASE).and_then(|value| value.checked_add(digit)).ok_or(foreign)?;
        }
        if head[4..6] != [0, 0] || digits.next().is_some() {
            return Err(foreign.into());
        }
        Ok(Decimal(value))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::NUMERIC
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_round_trip_in_order(a in "[\0\u{1}\u{2}\u{3}ab]{0,6}", b in "[\0\u{1}\u{2}\u{3}ab]{0,6}") {
            prop_assert!(!encoded(&a).contains('\0'));
            prop_assert_eq!(decoded(&encoded(&a)), &*a);
            prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
        }

        #[test]
        fn decimals_round_trip(value in prop_oneof![any::<u64>(), 0..3_u64, Just(10_000), Just(u64::MAX), Just(100_000_000)]) {
            let mut out = BytesMut::new();
            put_decimal(&mut out, value);
            prop_assert_eq!(Decimal::from_sql(&Type::NUMERIC, &out).unwrap().0, value);
        }
    }
}
