//! Values of queries: parameters as escaped text, and the rows that a server returns in the format RowBinary.

use crate::sql::Parameter;
use crate::value::{Type, Value};
use ooni_core::time::DateTime;
use std::borrow::Cow;

/// The range of DateTime64, in seconds since 1970.
const TIMES: std::ops::RangeInclusive<i64> = -2_208_988_800..=10_413_791_999;

/// The seconds since 1970 of a time in a row, which is from 1970 to 2106.
pub(super) fn seconds(time: DateTime) -> u32 {
    u32::try_from(time.timestamp()).unwrap_or_default()
}

/// The day of a time in a row, in days since 1970.
pub(super) fn day(time: DateTime) -> u16 {
    u16::try_from(time.day_number()).unwrap_or_default()
}

/// A parameter as text.
pub(super) fn parameter(parameter: &Parameter) -> String {
    match parameter {
        Parameter::Text(text) => escaped(text),
        Parameter::Int(value) => value.to_string(),
        Parameter::Folded => "0".to_owned(),
        Parameter::Link(id) => id.to_string(),
        Parameter::Time(time) => moment(*time),
        Parameter::Texts(values) => texts(values.iter().map(String::as_str)),
        Parameter::Ints(values) => numbers(values),
        Parameter::Links(values) => numbers(values),
    }
}

/// A time as `YYYY-MM-DD hh:mm:ss`, because a number below 10,000 would be read as a year. It is clamped to the range of
/// DateTime64.
pub(super) fn moment(time: DateTime) -> String {
    let kept = DateTime::from_timestamp(time.timestamp().clamp(*TIMES.start(), *TIMES.end())).unwrap_or(time);
    let mut text = Vec::new();
    kept.write(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// An array of texts.
pub(super) fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts: Vec<_> = texts.into_iter().map(|text| format!("'{}'", escaped(text))).collect();
    format!("[{}]", texts.join(","))
}

/// An array of numbers.
pub(super) fn numbers<N: ToString>(numbers: impl IntoIterator<Item = N>) -> String {
    let numbers: Vec<_> = numbers.into_iter().map(|number| number.to_string()).collect();
    format!("[{}]", numbers.join(","))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0' => out.push_str("\\0"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            other => out.push(other),
        }
    }
    out
}

/// Reads rows in RowBinaryWithNamesAndTypes; `None` if they do not have these columns.
pub(super) fn read(bytes: &[u8], columns: &[Type]) -> Option<Vec<Vec<Value<'static>>>> {
    let mut input = Input(bytes);
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let width = input.length()?;
    if width != columns.len() {
        return None;
    }
    for _ in 0..width {
        input.text()?;
    }
    let has = (0..width).map(|_| input.text()).collect::<Option<Vec<_>>>()?;
    let mut rows = Vec::new();
    while !input.0.is_empty() {
        let cells = has.iter().zip(columns).map(|(has, wanted)| input.cell(has, *wanted));
        rows.push(cells.collect::<Option<Vec<_>>>()?);
    }
    Some(rows)
}

/// Bytes that are still to be read.
struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(length);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// A value of the server's type `has`, as a value of the type `wanted`.
    fn cell(&mut self, has: &str, wanted: Type) -> Option<Value<'static>> {
        let inner = |name: &str| has.strip_prefix(name).and_then(|rest| rest.strip_suffix(')'));
        if let Some(inner) = inner("LowCardinality(") {
            return self.cell(inner, wanted);
        }
        if let Some(inner) = inner("Nullable(") {
            return match self.array()? {
                [0] => self.cell(inner, wanted),
                _ => Some(Value::Null),
            };
        }
        let int = |value: u64| match wanted {
            Type::UInt32 | Type::OptionalUInt64 => Some(Value::Int(value)),
            Type::Bool => Some(Value::Bool(value != 0)),
            Type::Text | Type::Float32 | Type::Time => None,
        };
        match has {
            "String" if wanted == Type::Text => Some(Value::Text(Cow::Owned(self.text()?.to_owned()))),
            "UInt8" => int(u64::from(u8::from_le_bytes(self.array()?))),
            "UInt16" | "Date" => int(u64::from(u16::from_le_bytes(self.array()?))),
            "UInt32" => int(u64::from(u32::from_le_bytes(self.array()?))),
            "UInt64" => int(u64::from_le_bytes(self.array()?)),
            "Int64" => int(u64::try_from(i64::from_le_bytes(self.array()?)).ok()?),
            "Float32" if wanted == Type::Float32 => Some(Value::Float(f32::from_le_bytes(self.array()?))),
            "DateTime" | "DateTime('UTC')" if wanted == Type::Time => {
                DateTime::from_timestamp(i64::from(u32::from_le_bytes(self.array()?))).map(Value::Time)
            }
            "DateTime64(0, 'UTC')" if wanted == Type::Time => {
                DateTime::from_timestamp(i64::from_le_bytes(self.array()?)).map(Value::Time)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read() {
        let time = DateTime::from_timestamp(1_704_067_200).unwrap();
        let cells = [Value::Text("é\0".into()), Value::Int(7), Value::Null, Value::Float(0.1), Value::Time(time)];
        let kinds = [Type::Text, Type::UInt32, Type::OptionalUInt64, Type::Float32, Type::Time];
        let mut rows = vec![5];
        let has = ["LowCardinality(String)", "UInt32", "Nullable(UInt64)", "Float32", "DateTime('UTC')"];
        for text in ["a", "b", "c", "d", "e"].iter().chain(&has) {
            rows.push(text.len() as u8);
            rows.extend_from_slice(text.as_bytes());
        }
        rows.extend_from_slice(b"\x03\xc3\xa9\0\x07\0\0\0\x01");
        rows.extend_from_slice(&0.1f32.to_le_bytes());
        rows.extend_from_slice(&1_704_067_200u32.to_le_bytes());
        assert_eq!(read(&rows, &kinds), Some(vec![cells.to_vec()]));
        assert_eq!(read(&rows[..rows.len() - 1], &kinds), None);
        assert_eq!(read(&rows, &kinds[1..]), None);
        assert_eq!(read(&rows, &[Type::Time; 5]), None);
    }

    #[test]
    fn parameters() {
        assert_eq!(texts(["a", "it's", "\0\\\t"]), r"['a','it\'s','\0\\\t']");
        assert_eq!(numbers([1, 2]), "[1,2]");
        assert_eq!(parameter(&Parameter::Time(DateTime::MAX)), "2299-12-31 23:59:59");
        assert_eq!(parameter(&Parameter::Time(DateTime::from_timestamp(9999).unwrap())), "1970-01-01 02:46:39");
    }
}
