//! Rows: what the stores keep of a measurement (scoring spec §10 to §12).
//!
//! [`FastpathRow`] has every measurement, [`OpenvpnRow`] besides those of `openvpn`. Which values a typed store would
//! refuse is said by `acceptance`; how a store writes them is none of this crate's business.

mod acceptance;
mod column;
mod fastpath;
mod openvpn;

pub use self::acceptance::Refused;
pub use self::column::Column;
pub use self::fastpath::FastpathRow;
pub use self::openvpn::OpenvpnRow;

use crate::error::{Code, Error};
use crate::json::{Field, Json, Value};
use crate::measurement::Measurement;
use crate::number::Int;
use crate::python_text;
use crate::time::DateTime;

/// A member as it is, `""` when missing or null.
fn or_empty(field: Field<'_>) -> Json {
    field.if_null(Value::EMPTY_TEXT).to_json()
}

/// The number of the network: what follows the first two characters, whatever those are (scoring spec §10.2).
fn probe_asn(measurement: &Measurement<'_>) -> Result<Int, Error> {
    let value = measurement.field("probe_asn").required()?;
    let text = value.text().ok_or_else(|| value.wrong_kind("a string"))?;
    let mut digits = Vec::new();
    for code in crate::text::chars(&text).skip(2) {
        crate::json::push_code_point(code, &mut digits);
    }
    python_text::to_int(&digits)
        .ok_or_else(|| Error::new(Code::Value, value.path(), "no number after the first two characters"))
}

/// A date that every row has to have (scoring spec §10.3).
fn date(measurement: &Measurement<'_>, key: &'static str) -> Result<DateTime, Error> {
    let value = measurement.field(key).required()?;
    let text = value.text().ok_or_else(|| value.wrong_kind("a string"))?;
    DateTime::parse(&text)
        .ok_or_else(|| Error::new(Code::Value, value.path(), "not a date of the form YYYY-MM-DD HH:MM:SS"))
}

#[cfg(test)]
mod tests;
