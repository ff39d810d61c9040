//! Locations of bodies: finds, sets and deletes them.
//!
//! A location is set by writing the entry of the uid in `jsonl` again, with the same key. If another process replaces the
//! row at the same time, the later of the two entries is valid. If that has no location, setting it again completes the
//! change.

use super::batch;
use super::context::ChangeContext;
use super::error::ClickhouseError;
use super::rows::Rows;
use super::value;
use crate::sql::{self, Dialect, LOCATION, LOCATION_TYPES};
use crate::value::{Type, Value};
use crate::write::rejection::LONGEST_KEY;
use crate::write::row::{BodyLocation, LocationsSet};
use ooni_core::time::DateTime;
use std::collections::HashMap;

/// Whether the integers of each column of [`LOCATION`] have 64 bits, and whether they can be null.
const KINDS: [(bool, bool); LOCATION.len()] =
    [(false, false), (false, false), (false, false), (false, false), (true, true), (true, true), (false, true)];

/// The columns of an entry in `jsonl` besides those of the location.
const ENTRY: [Type; 4] = [Type::Text, Type::Text, Type::Text, Type::Time];

/// An entry in `jsonl`.
struct Entry {
    report_id: String,
    input: String,
    start: DateTime,
    body: BodyLocation,
}

/// No entries of `jsonl`.
pub(super) fn no_entries() -> Rows {
    let columns = ["report_id", "input", "measurement_uid", "measurement_start_time"];
    Rows::of("jsonl", columns.into_iter().chain(LOCATION).chain(["update_time"]))
}

/// Appends a location to a row. The path of an unknown one is empty.
pub(super) fn push(rows: &mut Rows, body: Option<&BodyLocation>) {
    for (value, (is_wide, is_optional)) in sql::location_values(body).iter().zip(KINDS) {
        match is_optional {
            true => rows.optional_int(value, is_wide),
            false => rows.cell(value, is_wide),
        };
    }
}

/// The locations of these bodies that are known, by uid.
pub(super) async fn known<'u>(
    context: &ChangeContext<'_>,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<HashMap<String, BodyLocation>, ClickhouseError> {
    let mut all = HashMap::new();
    for uids in batch::chunks(uids) {
        let uids: Vec<String> = uids.into_iter().map(str::to_owned).collect();
        for row in context.http.query(&sql::body_locations(Dialect::Clickhouse, &uids)).await? {
            let (uid, body) = sql::located(row).ok_or(ClickhouseError::Foreign)?;
            all.entry(uid).or_insert(body);
        }
    }
    Ok(all)
}

/// Deletes the entries of these measurements in `archived`. Returns false if there were none.
pub(super) async fn forget<'u>(
    context: &ChangeContext<'_>,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<bool, ClickhouseError> {
    let any = "SELECT 1 FROM archived LIMIT 1";
    if context.http.select(any, &[], &[Type::UInt32]).await?.is_empty() {
        return Ok(false);
    }
    let had = batch::known(context, "archived", uids).await?;
    batch::delete(context, "archived", had.iter().map(String::as_str)).await?;
    Ok(!had.is_empty())
}

/// Sets the locations of bodies.
pub(super) async fn set(
    context: &ChangeContext<'_>,
    bodies: &[(String, BodyLocation)],
) -> Result<LocationsSet, ClickhouseError> {
    let removed = batch::removed(context, bodies.iter().map(|(uid, _)| &**uid)).await?;
    let bodies: Vec<_> = bodies.iter().filter(|(uid, _)| !removed.contains_key(uid)).collect();
    let uids = || bodies.iter().map(|(uid, _)| &**uid);
    let rows = batch::entries(context, uids()).await?;
    let has_row = |uid: &str| rows.get(uid).is_some_and(|entries| entries.has_row);
    let entries = entries(context, uids().filter(|uid| has_row(uid))).await?;
    let archived = stored(context, "archived", uids()).await?;
    let refused = stored(context, "refused", uids()).await?;
    let no_archived = Rows::of("archived", ["measurement_uid"].into_iter().chain(LOCATION).chain(["update_time"]));
    let (mut jsonl, mut others, mut refusals) = (no_entries(), no_archived, Vec::new());
    let mut set = LocationsSet { removed: removed.len() as u64, ..LocationsSet::default() };
    for (uid, body) in &bodies {
        if has_row(uid) {
            set.with_row += 1;
            for Entry { report_id, input, start, .. } in
                entries.get(uid).into_iter().flatten().filter(|entry| entry.body != *body)
            {
                jsonl.text(report_id).text(input).text(uid).cell(&Value::Time(*start), false);
                push(&mut jsonl, Some(body));
                jsonl.moment(context.moment);
            }
        } else {
            set.without_row += 1;
            if uid.len() <= LONGEST_KEY && archived.get(uid) != Some(body) {
                others.text(uid);
                push(&mut others, Some(body));
                others.moment(context.moment);
            }
        }
        if refused.get(uid).is_some_and(|old| old != body) {
            refusals.push(&**uid);
        }
    }
    context.http.insert(jsonl).await?;
    context.http.insert(others).await?;
    set_refused(context, refusals).await?;
    Ok(set)
}

/// Sets the locations of refused measurements to those in `jsonl` and `archived`.
async fn set_refused(context: &ChangeContext<'_>, uids: Vec<&str>) -> Result<(), ClickhouseError> {
    let location = LOCATION.join(", ");
    let of = |table: &str| {
        format!(
            "SELECT measurement_uid, {location} FROM {table} WHERE measurement_uid IN {{uids:Array(String)}} AND s3path <> ''"
        )
    };
    let sql = format!(
        "INSERT INTO refused (measurement_uid, column_name, message, row_json, {location}, update_time)
         SELECT r.measurement_uid, r.column_name, r.message, r.row_json, {}, fromUnixTimestamp64Micro({{moment:Int64}}, 'UTC')
         FROM refused AS r INNER JOIN ({} UNION ALL {}) AS n ON n.measurement_uid = r.measurement_uid
         WHERE r.measurement_uid IN {{uids:Array(String)}}",
        LOCATION.map(|column| format!("n.{column}")).join(", "),
        of("archived"),
        of("jsonl"),
    );
    for uids in batch::chunks(uids) {
        let parameters = [("uids".to_owned(), value::texts(uids)), ("moment".to_owned(), context.moment.to_string())];
        context.http.execute(&sql, &parameters).await?;
    }
    Ok(())
}

/// The entries of these uids in `jsonl`, by uid. There is more than one while the start of a measurement is being changed.
async fn entries<'u>(
    context: &ChangeContext<'_>,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<HashMap<String, Vec<Entry>>, ClickhouseError> {
    let sql = format!(
        "SELECT measurement_uid, report_id, input, measurement_start_time, {} FROM jsonl
         WHERE measurement_uid IN {{uids:Array(String)}}",
        LOCATION.join(", ")
    );
    let mut all: HashMap<String, Vec<Entry>> = HashMap::new();
    for mut row in batch::look_up(context, &sql, uids, &[&ENTRY[..], &LOCATION_TYPES].concat()).await? {
        let body = row.split_off(ENTRY.len().min(row.len()));
        let body = sql::location(body).ok_or(ClickhouseError::Foreign)?;
        let Ok([Value::Text(uid), Value::Text(report_id), Value::Text(input), Value::Time(start)]) =
            <[Value<'static>; ENTRY.len()]>::try_from(row)
        else {
            return Err(ClickhouseError::Foreign);
        };
        let entry = Entry { report_id: report_id.into(), input: input.into(), start, body };
        all.entry(uid.into_owned()).or_default().push(entry);
    }
    Ok(all)
}

/// The locations that a table other than `jsonl` has for these uids.
async fn stored<'u>(
    context: &ChangeContext<'_>,
    table: &str,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<HashMap<String, BodyLocation>, ClickhouseError> {
    let sql = format!(
        "SELECT measurement_uid, {} FROM {table} WHERE measurement_uid IN {{uids:Array(String)}}",
        LOCATION.join(", ")
    );
    let rows = batch::look_up(context, &sql, uids, &[&[Type::Text][..], &LOCATION_TYPES].concat()).await?;
    rows.into_iter().map(|row| sql::located(row).ok_or(ClickhouseError::Foreign)).collect()
}
