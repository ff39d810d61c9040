//! [`Value`]: the value of a column as typed stores and files keep it, after the row has been accepted.
//!
//! `ooni-core` defines which values are refused (scoring spec §12). How a value is stored depends on the engine.

use ooni_core::json::Json;
use ooni_core::number::{Int, write_f64};
pub use ooni_core::row::schema::Type;
use ooni_core::row::{Column, FastpathRow, OpenvpnRow, Refused, schema};
use ooni_core::time::DateTime;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// A typed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'r> {
    /// UTF-8, NUL allowed.
    Text(Cow<'r, str>),
    /// The number of a network, link or transaction.
    Int(u64),
    /// Seconds, as a 32-bit float; may be NaN or infinite.
    Float(f32),
    /// UTC, to the second.
    Time(DateTime),
    /// A boolean of `obs_openvpn`.
    Bool(bool),
    /// No value.
    Null,
}

/// The values of a row of `fastpath`, in the order of [`schema::fastpath::COLUMNS`].
pub type FastpathValues<'r> = [Value<'r>; schema::fastpath::LEN];

/// The values of a row of `obs_openvpn`, in the order of [`schema::openvpn::COLUMNS`].
pub type OpenvpnValues<'r> = [Value<'r>; schema::openvpn::LEN];

/// The values of a row of `fastpath`.
///
/// # Errors
/// [`Refused`]: the column whose value is not accepted.
pub fn fastpath(row: &FastpathRow) -> Result<FastpathValues<'_>, Refused> {
    row.acceptance()?;
    let columns = row.columns();
    Ok(std::array::from_fn(|at| value(schema::fastpath::COLUMNS[at].kind, columns[at].1)))
}

/// The values of a row of `obs_openvpn`.
///
/// # Errors
/// [`Refused`]: the column whose value is not accepted.
pub fn openvpn(row: &OpenvpnRow) -> Result<OpenvpnValues<'_>, Refused> {
    row.acceptance()?;
    let columns = row.columns();
    Ok(std::array::from_fn(|at| value(schema::openvpn::COLUMNS[at].kind, columns[at].1)))
}

/// The value of an accepted column.
fn value(kind: Type, column: Column<'_>) -> Value<'_> {
    let float = kind == Type::Float32;
    match column {
        Column::Text(text) => Value::Text(Cow::Borrowed(text)),
        Column::Json(Json::Text(text)) => {
            // Faster for sound texts.
            Value::Text(std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed))
        }
        Column::Scores(_) => Value::Text(Cow::Owned(plain(column))),
        Column::Time(time) => Value::Time(time),
        Column::Bool(value) => Value::Bool(value),
        // -0 is stored as 0, because SQLite cannot keep it.
        Column::Json(Json::Float(value)) => Value::Float(*value as f32 + 0.0),
        Column::Json(Json::Bool(value)) if float => Value::Float(f32::from(u8::from(*value))),
        Column::Json(Json::Bool(value)) => Value::Int(u64::from(*value)),
        Column::Json(Json::Int(value)) if float => Value::Float(value.to_f64().unwrap_or(f64::NAN) as f32),
        Column::Int(value) | Column::Json(Json::Int(value)) => int(value),
        // Arrays, objects and foreign values are never accepted.
        Column::Null | Column::Json(Json::Null | Json::Array(_) | Json::Object(_) | Json::Foreign(_)) => Value::Null,
    }
}

/// The text of a JSON column, without lone surrogates.
fn plain(column: Column<'_>) -> String {
    let mut text = Vec::new();
    column.write_plain(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn int(value: &Int) -> Value<'static> {
    value.as_u64().map_or(Value::Null, Value::Int)
}

impl Value<'_> {
    /// The same value, borrowed.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Int(value) => Value::Int(*value),
            Value::Float(value) => Value::Float(*value),
            Value::Time(time) => Value::Time(*time),
            Value::Bool(value) => Value::Bool(*value),
            Value::Null => Value::Null,
        }
    }

    /// Appends the value as plain text; nothing for null. The text equals that of [`Column::write_plain`], except for
    /// floats, which have 32 bits here.
    pub fn write_plain(&self, out: &mut Vec<u8>) {
        match self {
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Value::Float(value) => write_f64(out, f64::from(*value)),
            Value::Time(time) => time.write(out),
            Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Null => {}
        }
    }

    /// The same value, owned.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Int(value) => Value::Int(value),
            Value::Float(value) => Value::Float(value),
            Value::Time(time) => Value::Time(time),
            Value::Bool(value) => Value::Bool(value),
            Value::Null => Value::Null,
        }
    }
}

/// Times are `YYYY-MM-DDThh:mm:ssZ`; floats that are not finite are null.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Int(value) => serializer.serialize_u64(*value),
            Value::Float(value) if value.is_finite() => serializer.serialize_f32(*value),
            Value::Time(time) => serialize_time(time, serializer),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Float(_) | Value::Null => serializer.serialize_none(),
        }
    }
}

/// `YYYY-MM-DDThh:mm:ssZ`
pub(crate) fn serialize_time<S: Serializer>(time: &DateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso(*time))
}

/// Two times, each as [`serialize_time`], or null.
pub(crate) fn serialize_span<S: Serializer>(
    span: &Option<(DateTime, DateTime)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    span.map(|(from, to)| [iso(from), iso(to)]).serialize(serializer)
}

fn iso(time: DateTime) -> String {
    time.to_string().replace(' ', "T") + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;
    use ooni_core::fingerprint::Fingerprints;
    use ooni_core::process::{Outcome, process};
    use ooni_core::rules::Rules;

    fn row(runtime: &str, link: &str) -> FastpathRow {
        let text = format!(
            r#"{{"report_id":"R","probe_cc":"IT","probe_asn":"AS5","test_name":"dash","test_runtime":{runtime},
            "measurement_start_time":"2024-01-02 03:04:05","test_start_time":"2024-01-02 03:04:05",
            "annotations":{{"ooni_run_link_id":{link}}},"test_keys":{{}}}}"#
        );
        match process(text.as_bytes(), "uid", &Fingerprints::empty(), Rules::Compat) {
            Outcome::Stored { row, .. } => *row,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn columns_have_names_and_types() {
        let row = row("0.1", "5");
        let cells = fastpath(&row).unwrap();
        for (((name, column), schema), cell) in row.columns().into_iter().zip(schema::fastpath::COLUMNS).zip(cells) {
            assert_eq!(name, schema.name);
            let fits = match schema.kind {
                Type::Text => matches!(cell, Value::Text(_)),
                Type::UInt32 => cell == Value::Int(5),
                Type::OptionalUInt64 => cell == Value::Int(5),
                Type::Float32 => cell == Value::Float(0.1),
                Type::Time => matches!(cell, Value::Time(_)),
                Type::Bool => matches!(cell, Value::Bool(_)),
            };
            assert!(fits, "{name}: {cell:?}");
            let (mut ours, mut plain) = (Vec::new(), Vec::new());
            cell.write_plain(&mut ours);
            column.write_plain(&mut plain);
            match name {
                "test_runtime" => assert_eq!(ours, b"0.10000000149011612"),
                _ => assert_eq!(ours, plain, "{name}"),
            }
        }
    }

    #[test]
    fn numbers_of_every_kind() {
        for (text, float) in
            [("true", 1.0), ("false", 0.0), ("16777217", 16_777_216.0), ("-Infinity", f32::NEG_INFINITY)]
        {
            assert_eq!(
                fastpath(&row(text, "null")).unwrap()[schema::fastpath::test_runtime],
                Value::Float(float),
                "{text}"
            );
        }
        assert!(
            matches!(fastpath(&row("-0.0", "null")).unwrap()[schema::fastpath::test_runtime], Value::Float(zero) if zero.is_sign_positive())
        );
        assert!(
            matches!(fastpath(&row("NaN", "null")).unwrap()[schema::fastpath::test_runtime], Value::Float(float) if float.is_nan())
        );
        assert_eq!(
            fastpath(&row("1", "18446744073709551615")).unwrap()[schema::fastpath::ooni_run_link_id],
            Value::Int(u64::MAX)
        );
        assert_eq!(fastpath(&row("1", "null")).unwrap()[schema::fastpath::ooni_run_link_id], Value::Null);
        assert_eq!(fastpath(&row("\"1\"", "null")).unwrap_err().column, "test_runtime");
    }
}
