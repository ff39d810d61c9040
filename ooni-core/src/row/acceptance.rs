//! Checks whether a typed store accepts a row (scoring spec §12).
//!
//! The reference's rows can contain any value that a probe sent; the tables cannot. A refused row does not affect others.

use super::column::{Column, ColumnSchema, Type};
use super::schema::{FastpathRow, OpenvpnRow, fastpath, openvpn};
use crate::json::Json;
use crate::number::Int;
use crate::time::DateTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A value that its column in a typed store does not accept.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("column {column}: {message}")]
pub struct Refused {
    /// Name of the column.
    pub column: String,
    /// What is wrong with the value.
    pub message: String,
}

impl FastpathRow {
    /// Checks that every column fits the table.
    ///
    /// # Errors
    /// The first column that does not fit, and why.
    pub fn acceptance(&self) -> Result<(), Refused> {
        check(&fastpath::COLUMNS, &self.columns())
    }
}

impl OpenvpnRow {
    /// Checks that every column fits the table.
    ///
    /// # Errors
    /// The first column that does not fit, and why.
    pub fn acceptance(&self) -> Result<(), Refused> {
        check(&openvpn::COLUMNS, &self.columns())
    }
}

fn check(schema: &[ColumnSchema], columns: &[(&str, Column<'_>)]) -> Result<(), Refused> {
    for (column, &(_, value)) in schema.iter().zip(columns) {
        if let Some(message) = mismatch(column.kind, value) {
            return Err(Refused { column: column.name.to_owned(), message });
        }
    }
    Ok(())
}

/// Why the value does not fit; `None` if it fits.
fn mismatch(wanted: Type, value: Column<'_>) -> Option<String> {
    let fits = match (wanted, value) {
        (Type::Text, Column::Text(_) | Column::Scores(_)) | (Type::Bool, Column::Bool(_)) => true,
        (Type::Text, Column::Json(Json::Text(text))) => {
            if std::str::from_utf8(text).is_err() {
                return Some("lone surrogate: not valid Unicode".to_owned());
            }
            true
        }
        (Type::UInt32, Column::Int(int) | Column::Json(Json::Int(int))) => {
            int.as_u64().is_some_and(|int| u32::try_from(int).is_ok())
        }
        (Type::UInt32, Column::Json(Json::Bool(_))) => true,
        (Type::OptionalUInt64, Column::Null) => true,
        (Type::OptionalUInt64, Column::Int(int)) => int.as_u64().is_some(),
        (Type::Float32, Column::Json(Json::Bool(_))) => true,
        (Type::Float32, Column::Json(Json::Int(int))) => int.to_f64().is_some_and(fits_f32),
        (Type::Float32, Column::Json(Json::Float(float))) => fits_f32(*float),
        (Type::Time, Column::Time(time)) => (0..=i64::from(u32::MAX)).contains(&DateTime::timestamp(time)),
        _ => return Some(format!("expected {}, found {}", name(wanted), kind(value))),
    };
    (!fits).then(|| format!("out of range: expected {}", name(wanted)))
}

fn fits_f32(float: f64) -> bool {
    !float.is_finite() || (float as f32).is_finite()
}

const fn name(wanted: Type) -> &'static str {
    match wanted {
        Type::Text => "text",
        Type::UInt32 => "an unsigned 32-bit integer",
        Type::OptionalUInt64 => "an unsigned 64-bit integer",
        Type::Float32 => "a 32-bit float",
        Type::Time => "a time from 1970 to 2106",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Fingerprints;
    use crate::process::{Outcome, process};
    use crate::row::tests::{measurement, row};
    use crate::rules::Rules;

    /// The column that is refused for a measurement with this field, or "".
    fn refused(changes: &[(&str, &str)]) -> String {
        row(changes).acceptance().err().map(|refused| refused.column).unwrap_or_default()
    }

    #[test]
    fn text_columns() {
        for key in ["report_id", "probe_cc", "software_name", "software_version", "test_version"] {
            for fine in [r#""x""#, r#""é\u0000""#, r#""\ud83d\ude00""#] {
                assert_eq!(refused(&[(key, fine)]), "", "{key} {fine}");
            }
            for odd in ["true", "5", "0.5", "[]", "{}", r#"["x"]"#, r#""\ud83d""#, r#""a\ude00""#] {
                // A country that is not text has already been rejected.
                if key != "probe_cc" || odd.starts_with('"') {
                    assert_eq!(refused(&[(key, odd)]), key, "{odd}");
                }
            }
            if key != "report_id" && key != "probe_cc" {
                assert_eq!(refused(&[(key, "null")]), "");
            }
        }
        for key in ["platform", "architecture", "engine_name", "engine_version"] {
            for (value, column) in [(r#""x""#, ""), ("null", ""), ("5", key), ("false", key), (r#""\ud83d""#, key)] {
                assert_eq!(refused(&[("annotations", &format!(r#"{{"{key}":{value}}}"#))]), column);
            }
        }
        for (key, column) in [("address", "test_helper_address"), ("type", "test_helper_type")] {
            for (value, column) in [(r#""x""#, ""), ("null", ""), ("5", column), ("[]", column)] {
                assert_eq!(refused(&[("test_helpers", &format!(r#"{{"backend":{{"{key}":{value}}}}}"#))]), column);
            }
        }
        assert_eq!(refused(&[("input", r#""\ud83d""#)]), "input");
        assert_eq!(refused(&[("input", r#""http://\ud83d/""#)]), "input");
        assert_eq!(refused(&[("test_name", "5")]), "test_name");
        assert_eq!(refused(&[("test_name", "null")]), "");
        assert_eq!(refused(&[("test_name", r#""\ud83d""#)]), "test_name");
        // The JSON text of the scores escapes copied values.
        assert_eq!(refused(&[("test_name", r#""psiphon""#), ("test_keys", r#"{"failure":"\ud83d"}"#)]), "");
    }

    #[test]
    fn number_columns() {
        for (asn, column) in [
            ("AS0000", ""),
            ("AS4294967295", ""),
            ("AS4294967296", "probe_asn"),
            ("AS-1", "probe_asn"),
            ("AS99999999999999999999", "probe_asn"),
        ] {
            assert_eq!(refused(&[("probe_asn", &format!("{asn:?}"))]), column, "{asn}");
        }
        for (runtime, column) in [
            ("null", ""),
            ("5", ""),
            ("-0.5", ""),
            ("true", ""),
            ("NaN", ""),
            ("Infinity", ""),
            ("-Infinity", ""),
            ("1e400", ""),
            ("3.4028235e38", ""),
            ("-3.4028235e38", ""),
            ("1e-400", ""),
            ("3.5e38", "test_runtime"),
            ("-1e39", "test_runtime"),
            ("123456789012345678901234567890", ""),
            (&"9".repeat(40), "test_runtime"),
            (&"9".repeat(400), "test_runtime"),
            (r#""5""#, "test_runtime"),
            ("[]", "test_runtime"),
        ] {
            assert_eq!(refused(&[("test_runtime", runtime)]), column, "{runtime}");
        }
        for (link, column) in [
            ("null", ""),
            ("0", ""),
            ("true", ""),
            ("2.9", ""),
            (r#""x""#, ""),
            ("18446744073709551615", ""),
            ("18446744073709551616", "ooni_run_link_id"),
            ("-1", "ooni_run_link_id"),
            (r#""-5""#, "ooni_run_link_id"),
            ("1e30", "ooni_run_link_id"),
            ("-0.9", ""),
        ] {
            let annotations = format!(r#"{{"ooni_run_link_id":{link}}}"#);
            assert_eq!(refused(&[("annotations", &annotations)]), column, "{link}");
        }
    }

    #[test]
    fn time_columns() {
        for key in ["test_start_time", "measurement_start_time"] {
            for (time, column) in [
                ("1970-01-01 00:00:00", ""),
                ("1969-12-31 23:59:59", key),
                ("2106-02-07 06:28:15", ""),
                ("2106-02-07 06:28:16", key),
                ("0001-01-01 00:00:00", key),
                ("9999-12-31 23:59:59", key),
            ] {
                assert_eq!(refused(&[(key, &format!("{time:?}"))]), column, "{time}");
            }
        }
    }

    #[test]
    fn openvpn_columns() {
        let refused = |changes: &[(&str, &str)]| {
            let changes = [&[("test_name", r#""openvpn""#)], changes].concat();
            let text = measurement(&changes);
            let outcome = process(text.as_bytes(), "x", &Fingerprints::empty(), Rules::Compat);
            let Outcome::Stored { openvpn: Some(row), .. } = outcome else { panic!("{text}: {outcome:?}") };
            row.acceptance().err().map(|refused| refused.column).unwrap_or_default()
        };
        assert_eq!(refused(&[]), "");
        for key in ["failure", "minivpn_version", "obfs4_version", "obfuscation", "provider", "remote", "transport"] {
            for (value, column) in [(r#""x""#, ""), ("null", ""), ("5", key), ("false", key), (r#""\ud83d""#, key)] {
                assert_eq!(refused(&[("test_keys", &format!(r#"{{"{key}":{value}}}"#))]), column, "{value}");
            }
        }
        for key in ["platform", "probe_network_name", "resolver_ip", "resolver_network_name"] {
            assert_eq!(refused(&[(key, "5")]), key);
        }
        for (value, column) in
            [("0.5", ""), ("true", ""), ("NaN", ""), ("1e39", "bootstrap_time"), (r#""1""#, "bootstrap_time")]
        {
            assert_eq!(refused(&[("test_keys", &format!(r#"{{"bootstrap_time":{value}}}"#))]), column, "{value}");
        }
        for (asn, column) in [("AS5", ""), ("AS-5", "resolver_asn"), ("AS4294967296", "resolver_asn")] {
            assert_eq!(refused(&[("resolver_asn", &format!("{asn:?}"))]), column);
        }
        let column = "last_handshake_transaction_id";
        for (id, column) in
            [("5", ""), ("true", ""), ("-5", column), ("1.5", column), (r#""x""#, column), ("null", column)]
        {
            let keys = format!(r#"{{"network_events":[{{"transaction_id":{id}}}]}}"#);
            assert_eq!(refused(&[("test_keys", &keys)]), column, "{id}");
        }
    }

    #[test]
    fn the_first_refused_column_is_reported() {
        let row = row(&[("test_version", "0.1"), ("report_id", "[]"), ("test_runtime", "1e300")]);
        let refused = row.acceptance().unwrap_err();
        assert_eq!(refused.to_string(), "column report_id: expected text, found an array");
        let text = serde_json::to_string(&refused).unwrap();
        assert_eq!(serde_json::from_str::<Refused>(&text).unwrap(), refused);
    }
}
