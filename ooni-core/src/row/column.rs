//! The description of a column ([`ColumnSchema`], [`Type`]) and its value in a row ([`Column`]).

use crate::json::{Json, replace_lone_surrogates, write_int, write_json, write_text};
use crate::measurement::IsVerified;
use crate::number::Int;
use crate::scores::Scores;
use crate::text::decoded;
use crate::time::DateTime;

/// The type of a column in a typed store (scoring spec §12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// UTF-8; NUL is allowed.
    Text,
    /// An unsigned 32-bit integer.
    UInt32,
    /// An unsigned 64-bit integer, or null.
    OptionalUInt64,
    /// A 32-bit float; NaN and the infinities are allowed.
    Float32,
    /// A time from 1970 to 2106 (32 bits of seconds), UTC.
    Time,
    /// A boolean.
    Bool,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnSchema {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// The unit of its values, if they have one.
    pub unit: Option<&'static str>,
    /// Where the value comes from: a field of the measurement, dots for nesting, or the section of the scoring
    /// specification that defines it.
    pub source: &'static str,
    /// What the values mean: the doc comment of the entry.
    pub doc: &'static str,
}

/// The value of a column. Values of the measurement keep the kind that the probe sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column<'r> {
    /// Text that is not copied from the measurement.
    Text(&'r str),
    /// A value of the measurement.
    Json(&'r Json),
    /// A number of any size.
    Int(&'r Int),
    /// UTC, to the second.
    Time(DateTime),
    /// The scores, an object.
    Scores(&'r Scores),
    /// A boolean of `obs_openvpn`.
    Bool(bool),
    /// No value.
    Null,
}

impl Column<'_> {
    /// Appends the value as JSON in the reference's form (scoring spec §14); times as `"YYYY-MM-DD HH:MM:SS"`.
    pub fn write_json(self, out: &mut Vec<u8>) {
        match self {
            Column::Text(text) => write_text(text.as_bytes(), out),
            Column::Json(value) => write_json(value, out),
            Column::Int(int) => write_int(int, out),
            Column::Time(time) => {
                out.push(b'"');
                time.write(out);
                out.push(b'"');
            }
            Column::Scores(scores) => scores.write_json(out),
            Column::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
            Column::Null => out.extend_from_slice(b"null"),
        }
    }

    /// Appends the value as plain text: text as is, other values as JSON, nothing for null.
    ///
    /// Lone surrogates become U+FFFD, so that the result is UTF-8 and JSON in it is accepted by strict readers.
    pub fn write_plain(self, out: &mut Vec<u8>) {
        match self {
            Column::Text(text) => out.extend_from_slice(text.as_bytes()),
            Column::Json(Json::Text(text)) => out.extend_from_slice(decoded(text).as_bytes()),
            Column::Time(time) => time.write(out),
            Column::Null | Column::Json(Json::Null) => {}
            other => {
                let start = out.len();
                other.write_json(out);
                replace_lone_surrogates(&mut out[start..]);
            }
        }
    }
}

/// A field of a row, as the value of its column.
pub(super) trait ToColumn {
    /// The value for a column of this type.
    fn to_column(&self, kind: Type) -> Column<'_>;
}

impl ToColumn for String {
    fn to_column(&self, _: Type) -> Column<'_> {
        Column::Text(self)
    }
}

impl ToColumn for Json {
    fn to_column(&self, _: Type) -> Column<'_> {
        Column::Json(self)
    }
}

impl ToColumn for Int {
    fn to_column(&self, _: Type) -> Column<'_> {
        Column::Int(self)
    }
}

impl<T: ToColumn> ToColumn for Option<T> {
    fn to_column(&self, kind: Type) -> Column<'_> {
        self.as_ref().map_or(Column::Null, |value| value.to_column(kind))
    }
}

impl ToColumn for DateTime {
    fn to_column(&self, _: Type) -> Column<'_> {
        Column::Time(*self)
    }
}

impl ToColumn for Scores {
    fn to_column(&self, _: Type) -> Column<'_> {
        Column::Scores(self)
    }
}

impl ToColumn for IsVerified {
    fn to_column(&self, _: Type) -> Column<'_> {
        Column::Text(self.as_str())
    }
}

impl ToColumn for bool {
    /// A boolean, or `t` or `f` for a text column.
    fn to_column(&self, kind: Type) -> Column<'_> {
        match (kind, self) {
            (Type::Text, true) => Column::Text("t"),
            (Type::Text, false) => Column::Text("f"),
            (_, &value) => Column::Bool(value),
        }
    }
}

/// Appends columns as a JSON object. Each column comes with the text before its value: a comma, its name and a colon.
pub(super) fn write_object<const N: usize>(columns: [(&'static str, Column<'_>); N], out: &mut Vec<u8>) {
    let start = out.len();
    for (name, value) in columns {
        out.extend_from_slice(name.as_bytes());
        value.write_json(out);
    }
    // In place of the first comma.
    if let Some(first) = out.get_mut(start) {
        *first = b'{';
    }
    out.push(b'}');
}
