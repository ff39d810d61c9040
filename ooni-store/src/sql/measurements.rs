//! Statements for copying a store: they read measurements with their provenance and their rows in other tables, and
//! refused, rejected and removed measurements.

use super::builder::Builder;
use super::dialect::Dialect;
use super::locations::{LOCATION_TYPES, location};
use super::statement::{Parameter, Statement};
use crate::value::{Type, Value};
use crate::write::rejection::Rejection;
use crate::write::removal::Removal;
use crate::write::row::{Provenance, StoredMeasurement, StoredRefusal};
use ooni_core::row::Refused;
use ooni_core::row::schema::{ColumnSchema, fastpath, openvpn};
use std::borrow::Cow;

/// The key of most tables.
pub(crate) const UID: &str = "measurement_uid";

/// Columns of `fastpath` besides those of a row.
const PROVENANCE: [&str; 3] = ["ruleset", "fingerprints_sha256", "body_sha256"];

/// The location of the body; `s3path` is empty if it is not known.
const BODY: [&str; LOCATION_TYPES.len()] = [
    "coalesce(j.s3path, '')",
    "CASE WHEN j.linenum IS NULL THEN 0 ELSE j.linenum END",
    "CASE WHEN j.measurement_uid IS NULL THEN '' ELSE CAST(j.date AS TEXT) END",
    "coalesce(j.source, '')",
    "j.member_offset",
    "j.member_length",
    "j.member_line",
];

/// Measurements after a uid, in uid order.
pub(crate) fn measurements(dialect: Dialect, after: Option<&str>, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    let rows = fastpath::COLUMNS.into_iter().map(|column| (format!("f.{}", column.name), column.kind));
    let texts = |text: String| (text, Type::Text);
    let provenance = PROVENANCE.map(|name| texts(format!("f.{name}")));
    let body = BODY.map(str::to_owned).into_iter().zip(LOCATION_TYPES);
    let all: Vec<_> = rows.chain(provenance).chain(body).chain(openvpn::COLUMNS.map(openvpn)).collect();
    let columns: Vec<&str> = all.iter().map(|(column, _)| &**column).collect();
    sql.push("SELECT ").push(&columns.join(", ")).push(" FROM fastpath AS f");
    if dialect == Dialect::Clickhouse {
        // A plain join would read both tables into memory.
        sql.push(" LEFT JOIN (SELECT * FROM jsonl WHERE (measurement_start_time, measurement_uid) IN ");
        sql.nested(|sql| sql.jsonl_keys(after, limit)).push(
            ") AS j ON j.measurement_uid = f.measurement_uid AND j.measurement_start_time = f.measurement_start_time",
        );
        sql.push(" LEFT JOIN (SELECT * FROM obs_openvpn WHERE measurement_uid IN (SELECT n.measurement_uid FROM ");
        sql.nested(|sql| sql.jsonl_keys(after, limit));
        sql.push(" AS n)) AS o ON o.measurement_uid = f.measurement_uid");
    } else {
        sql.push(" LEFT JOIN jsonl AS j ON j.measurement_uid = f.measurement_uid");
        sql.push(" LEFT JOIN obs_openvpn AS o ON o.measurement_uid = f.measurement_uid");
    }
    sql.page_of_rows(after, limit);
    sql.statement(all.iter().map(|(_, kind)| *kind).collect())
}

/// Refused measurements after a uid, in uid order.
pub(crate) fn refusals(dialect: Dialect, after: Option<&str>, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT r.measurement_uid, r.column_name, r.message, CAST(coalesce(r.row_json, '') AS TEXT), r.s3path,");
    sql.push(
        " r.linenum, coalesce(CAST(r.date AS TEXT), ''), r.source, r.member_offset, r.member_length, r.member_line",
    );
    sql.push(" FROM refused AS r");
    sql.page("r.measurement_uid", after, limit);
    sql.statement([&[Type::Text; 4][..], &LOCATION_TYPES].concat())
}

/// Removed measurements after a uid, in uid order.
pub(crate) fn removals(dialect: Dialect, after: Option<&str>, limit: usize) -> Statement {
    let mut sql = Builder::new(dialect);
    let time = dialect.seconds("r.update_time");
    sql.push("SELECT r.measurement_uid, r.reason, ").push(&time).push(" FROM removed AS r");
    sql.page("r.measurement_uid", after, limit);
    sql.statement(vec![Type::Text; 3])
}

/// Rejected measurements after a can and position, in the order of both.
pub(crate) fn rejections(
    dialect: Dialect,
    can: Option<&str>,
    code: Option<&str>,
    after: Option<(&str, i64)>,
    limit: usize,
) -> Statement {
    let mut sql = Builder::new(dialect);
    sql.push("SELECT r.can, CAST(r.position AS TEXT), coalesce(r.measurement_uid, ''), r.code, r.path, r.message FROM rejected AS r");
    for (column, value) in [("r.can", can), ("r.code", code)] {
        if let Some(value) = value {
            sql.text(column, value);
        }
    }
    if let Some((can, position)) = after {
        sql.and().push("(r.can, r.position) > (").value(Parameter::Text(can.to_owned()));
        sql.push(", ").value(Parameter::Int(position)).push(")");
    }
    sql.push(" ORDER BY r.can, r.position").limit(limit);
    sql.statement(vec![Type::Text; 6])
}

/// Four statements that return a row if a uid was refused, rejected or removed, or is in `archived`.
pub(crate) fn uid_tables(dialect: Dialect, uid: &str) -> [Statement; 4] {
    ["refused", "rejected", "removed", "archived"].map(|table| {
        let mut sql = Builder::new(dialect);
        sql.push("SELECT t.measurement_uid FROM ").push(table).push(" AS t");
        sql.text("t.measurement_uid", uid);
        if dialect == Dialect::Postgres && ["refused", "removed"].contains(&table) {
            // Uses the index, which is on a hash: uids in these tables can have any length.
            sql.and().push("md5(t.measurement_uid) = md5($1)");
        }
        sql.push(" LIMIT 1");
        sql.statement(vec![Type::Text])
    })
}

/// A column of `obs_openvpn`. If there is no row, the uid is empty and the other columns have arbitrary values of their
/// type.
fn openvpn(ColumnSchema { name, kind, .. }: ColumnSchema) -> (String, Type) {
    let default = match kind {
        // As 0 or 1, which all dialects support.
        Type::Bool => return (format!("CAST(CASE WHEN o.{name} THEN 1 ELSE 0 END AS BIGINT)"), kind),
        Type::Text => "''",
        Type::UInt32 => "f.probe_asn",
        Type::OptionalUInt64 => "f.ooni_run_link_id",
        Type::Float32 => "f.test_runtime",
        Type::Time => "f.measurement_start_time",
    };
    (format!("CASE WHEN o.measurement_uid IS NULL THEN {default} ELSE o.{name} END"), kind)
}

/// A row of [`measurements`].
pub(crate) fn measurement(mut cells: Vec<Value<'static>>) -> Option<StoredMeasurement> {
    let mut rest = cells.split_off(fastpath::LEN.min(cells.len()));
    let vpn = rest.split_off((PROVENANCE.len() + BODY.len()).min(rest.len()));
    let location = rest.split_off(PROVENANCE.len().min(rest.len()));
    let [Value::Text(ruleset), Value::Text(fingerprints_sha256), Value::Text(body_sha256)] =
        <[_; 3]>::try_from(rest).ok()?
    else {
        return None;
    };
    let is_known = !is_empty(location.first()?);
    let has_openvpn = !is_empty(vpn.get(openvpn::measurement_uid)?);
    let openvpn = if has_openvpn { Some(Box::new(vpn.try_into().ok()?)) } else { None };
    let body = if is_known { Some(self::location(location)?) } else { None };
    Some(StoredMeasurement {
        row: Box::new(cells.try_into().ok()?),
        openvpn,
        provenance: Provenance { ruleset, fingerprints_sha256, body_sha256 },
        body,
    })
}

/// A row of [`refusals`].
pub(crate) fn refusal(mut cells: Vec<Value<'static>>) -> Option<StoredRefusal> {
    let location = cells.split_off(4.min(cells.len()));
    let body = if is_empty(location.first()?) { None } else { Some(self::location(location)?) };
    match <[Value<'static>; 4]>::try_from(cells) {
        Ok([Value::Text(uid), Value::Text(column), Value::Text(message), Value::Text(json)]) => Some(StoredRefusal {
            uid: uid.into(),
            refused: Refused { column: column.into(), message: message.into() },
            json: json.into(),
            body,
        }),
        _ => None,
    }
}

/// A row of [`removals`].
pub(crate) fn removal(cells: Vec<Value<'static>>) -> Option<Removal> {
    match <[Value<'static>; 3]>::try_from(cells) {
        Ok([Value::Text(uid), Value::Text(reason), Value::Text(time)]) => {
            Some(Removal { uid: uid.into(), reason: reason.into(), time: time.into() })
        }
        _ => None,
    }
}

/// A row of [`rejections`].
pub(crate) fn rejection(cells: Vec<Value<'static>>) -> Option<Rejection> {
    let text = |cell| if let Value::Text(text) = cell { Some(text.into_owned()) } else { None };
    let texts = cells.into_iter().map(text).collect::<Option<Vec<_>>>()?;
    let [can, position, uid, code, path, message] = <[String; 6]>::try_from(texts).ok()?;
    let uid = if uid.is_empty() { None } else { Some(uid) };
    Some(Rejection { can: can.into(), position: position.parse().ok()?, uid, code, path, message })
}

fn is_empty(cell: &Value<'_>) -> bool {
    *cell == Value::Text(Cow::Borrowed(""))
}
