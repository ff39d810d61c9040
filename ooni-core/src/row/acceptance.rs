//! Which values a typed store refuses (scoring spec §12).
//!
//! The reference's rows can hold anything that a probe sent; the tables cannot. A refused row is set aside alone.

use super::{Column, FastpathRow, OpenvpnRow};
use crate::json::Json;
use crate::number::Int;
use crate::time::DateTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A value that the column of a typed store does not take.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("column {column}: {message}")]
pub struct Refused {
    /// Name of the column.
    pub column: String,
    /// What is wrong with the value.
    pub message: String,
}

/// What a column takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// UTF-8.
    Text,
    /// A whole number of 32 bits without sign: a network.
    UInt32,
    /// Nothing, or a whole number of 64 bits without sign.
    NullableUInt64,
    /// A number, kept with the precision of 32 bits.
    Float32,
    /// A time that fits 32 bits of seconds.
    DateTime,
    /// A boolean.
    Bool,
}

impl FastpathRow {
    /// Whether every column fits the table; the first that does not.
    ///
    /// # Errors
    /// [`Refused`] with the name of the column.
    pub fn acceptance(&self) -> Result<(), Refused> {
        check(&self.columns(), |name| match name {
            "probe_asn" => Type::UInt32,
            "test_start_time" | "measurement_start_time" => Type::DateTime,
            "test_runtime" => Type::Float32,
            "ooni_run_link_id" => Type::NullableUInt64,
            _ => Type::Text,
        })
    }
}

impl OpenvpnRow {
    /// Whether every column fits the table; the first that does not.
    ///
    /// # Errors
    /// [`Refused`] with the name of the column.
    pub fn acceptance(&self) -> Result<(), Refused> {
        check(&self.columns(), |name| match name {
            "probe_asn" | "resolver_asn" | "last_handshake_transaction_id" => Type::UInt32,
            "test_start_time" | "measurement_start_time" => Type::DateTime,
            "test_runtime" | "bootstrap_time" => Type::Float32,
            "anomaly" | "confirmed" | "success" | "success_handshake" | "success_icmp" | "success_urlgrab" => Type::Bool,
            _ => Type::Text,
        })
    }
}

fn check(columns: &[(&str, Column<'_>)], type_of: impl Fn(&str) -> Type) -> Result<(), Refused> {
    for &(name, value) in columns {
        if let Some(message) = trouble(type_of(name), value) {
            return Err(Refused { column: name.to_owned(), message });
        }
    }
    Ok(())
}

/// Why the value does not fit, if it does not.
fn trouble(wanted: Type, value: Column<'_>) -> Option<String> {
    let fits = match (wanted, value) {
        (Type::Text, Column::Text(_) | Column::Scores(_)) | (Type::Bool, Column::Bool(_)) => true,
        (Type::Text, Column::Json(Json::Text(text))) => {
            if std::str::from_utf8(text).is_err() {
                return Some("half of a surrogate pair is no character".to_owned());
            }
            true
        }
        (Type::UInt32, Column::Int(int) | Column::Json(Json::Int(int))) => {
            int.as_u64().is_some_and(|int| u32::try_from(int).is_ok())
        }
        (Type::UInt32, Column::Json(Json::Bool(_))) => true,
        (Type::NullableUInt64, Column::Null) => true,
        (Type::NullableUInt64, Column::Int(int)) => int.as_u64().is_some(),
        (Type::Float32, Column::Json(Json::Bool(_))) => true,
        (Type::Float32, Column::Json(Json::Int(int))) => int.to_f64().is_some_and(fits_f32),
        (Type::Float32, Column::Json(Json::Float(float))) => fits_f32(*float),
        (Type::DateTime, Column::Time(time)) => (0..=i64::from(u32::MAX)).contains(&DateTime::timestamp(time)),
        _ => return Some(format!("{} where {} is needed", kind(value), name(wanted))),
    };
    (!fits).then(|| format!("beyond the range of {}", name(wanted)))
}

fn fits_f32(float: f64) -> bool {
    !float.is_finite() || (float as f32).is_finite()
}

const fn name(wanted: Type) -> &'static str {
    match wanted {
        Type::Text => "text",
        Type::UInt32 => "a whole number of 32 bits without sign",
        Type::NullableUInt64 => "a whole number of 64 bits without sign",
        Type::Float32 => "a number of 32 bits",
        Type::DateTime => "a time from 1970 to 2106",
        Type::Bool => "a boolean",
    }
}

fn kind(value: Column<'_>) -> &'static str {
    match value {
        Column::Json(value) => value.kind().name(),
        Column::Text(_) => "text",
        Column::Int(Int::Small(_) | Int::Big(_)) => "an integer",
        Column::Time(_) => "a time",
        Column::Scores(_) => "an object",
        Column::Bool(_) => "a boolean",
        Column::Null => "null",
    }
}
