//! The locations of bodies: the columns of the tables that have them, and statements that find them.

use super::builder::Builder;
use super::dialect::Dialect;
use super::statement::{Parameter, Statement};
use crate::query::filter::Window;
use crate::value::{Type, Value};
use crate::write::row::{BodyLocation, GzipMember};
use std::borrow::Cow;

/// The columns of a [`BodyLocation`], with the same names in `jsonl`, `archived` and `refused`.
pub(crate) const LOCATION: [&str; 7] =
    ["s3path", "linenum", "date", "source", "member_offset", "member_length", "member_line"];

/// The types of [`LOCATION`].
pub(crate) const LOCATION_TYPES: [Type; LOCATION.len()] = {
    use Type::{OptionalUInt64, Text, UInt32};
    [Text, UInt32, Text, Text, OptionalUInt64, OptionalUInt64, OptionalUInt64]
};

/// The tables with locations. If several of them have a uid, the first one is right.
const TABLES: [&str; 3] = ["jsonl", "archived", "refused"];

/// The locations of the bodies of these measurements, each with its uid. A uid can have several; the first one is right.
pub(crate) fn body_locations(dialect: Dialect, uids: &[String]) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT n.measurement_uid, ").push(&columns("n")).push(" FROM (");
    for (number, table) in TABLES.iter().enumerate() {
        sql.push(if number == 0 { "" } else { " UNION ALL " });
        sql.push(&format!("SELECT {number} AS place, t.measurement_uid, {} FROM {table} AS t", columns("t")));
        sql.has_condition = false;
        sql.any_text("t.measurement_uid", uids);
        if dialect == Dialect::Postgres && *table == "refused" {
            // Uses the index, which is on a hash.
            let placeholder = sql.last_placeholder();
            let hashes = match uids {
                [_] => format!(" = md5({placeholder})"),
                _ => format!(" IN (SELECT md5(u.uid) FROM unnest({placeholder}) AS u (uid))"),
            };
            sql.and().push("md5(t.measurement_uid)").push(&hashes);
        }
        sql.and().push("t.s3path <> ''");
    }
    sql.push(") AS n ORDER BY n.place");
    sql.statement(uid_and_location())
}

/// The locations of bodies without a row after a uid, in uid order.
pub(crate) fn archived(dialect: Dialect, after: Option<&str>, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT a.measurement_uid, ").push(&columns("a")).push(" FROM archived AS a");
    sql.page("a.measurement_uid", after, limit);
    sql.statement(uid_and_location())
}

/// The number of rows of a window whose bodies have no location.
pub(crate) fn unarchived(dialect: Dialect, window: Window) -> Statement {
    let mut sql = Builder::new(dialect);
    // On servers, `jsonl` has all rows, and the starts of their measurements.
    let table = if dialect == Dialect::Sqlite { "fastpath" } else { "jsonl" };
    sql.push("SELECT count(*) FROM ").push(table).push(" AS f");
    for (bound, comparison) in [(window.from, " >= "), (window.to, " < ")] {
        if let Some(bound) = bound {
            sql.and().push("f.measurement_start_time").push(comparison).value(Parameter::Time(bound));
        }
    }
    sql.and().push(match dialect {
        Dialect::Sqlite => {
            "NOT EXISTS (SELECT 1 FROM jsonl AS j WHERE j.measurement_uid = f.measurement_uid AND j.s3path <> '')"
        }
        _ => "f.s3path = ''",
    });
    sql.statement(vec![Type::OptionalUInt64])
}

fn columns(table: &str) -> String {
    LOCATION.map(|column| format!("{table}.{column}")).join(", ")
}

fn uid_and_location() -> Vec<Type> {
    [&[Type::Text][..], &LOCATION_TYPES].concat()
}

/// A row of [`body_locations`] or [`archived`].
pub(crate) fn located(mut cells: Vec<Value<'static>>) -> Option<(String, BodyLocation)> {
    let location = cells.split_off(1.min(cells.len()));
    match cells.pop() {
        Some(Value::Text(uid)) => Some((uid.into_owned(), self::location(location)?)),
        _ => None,
    }
}

/// The location in the columns of [`LOCATION`].
pub(crate) fn location(cells: Vec<Value<'static>>) -> Option<BodyLocation> {
    let [Value::Text(s3path), Value::Int(linenum), Value::Text(date), Value::Text(source), offset, length, line] =
        <[Value<'static>; LOCATION.len()]>::try_from(cells).ok()?
    else {
        return None;
    };
    let member = match (offset, length, line) {
        (Value::Int(offset), Value::Int(length), Value::Int(line)) => {
            Some(GzipMember { offset, length, line: u32::try_from(line).ok()? })
        }
        (Value::Null, Value::Null, Value::Null) => None,
        _ => return None,
    };
    Some(BodyLocation {
        s3path: s3path.into(),
        linenum: u32::try_from(linenum).ok()?,
        date: date.into(),
        source: source.into(),
        member,
    })
}

/// The values of [`LOCATION`]. The path of an unknown location is empty.
pub(crate) fn values(body: Option<&BodyLocation>) -> [Value<'_>; LOCATION.len()] {
    let text = |text| Value::Text(Cow::Borrowed(text));
    let int = |number: u32| Value::Int(u64::from(number));
    let Some(BodyLocation { s3path, linenum, date, source, member }) = body else {
        return [text(""), int(0), text(""), text(""), Value::Null, Value::Null, Value::Null];
    };
    let [offset, length, line] = match member {
        Some(GzipMember { offset, length, line }) => [Value::Int(*offset), Value::Int(*length), int(*line)],
        None => [Value::Null, Value::Null, Value::Null],
    };
    [text(s3path), int(*linenum), text(date), text(source), offset, length, line]
}
