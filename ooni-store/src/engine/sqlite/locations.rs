//! Locations of bodies: finds, sets and deletes them.

use super::{statements, value};
use crate::sql::{self, Dialect, LOCATION};
use crate::value::Value;
use crate::write::rejection::LONGEST_KEY;
use crate::write::row::{BodyLocation, LocationsSet};
use rusqlite::{Connection, Result, params_from_iter};
use std::time::SystemTime;

const HAS_ROW: &str = "SELECT EXISTS (SELECT 1 FROM fastpath WHERE measurement_uid = ?)";

const ANY_ARCHIVED: &str = "SELECT EXISTS (SELECT 1 FROM archived)";

const FORGET: &str = "DELETE FROM archived WHERE measurement_uid = ?";

/// The location of a body, if it is known.
pub(super) fn known(connection: &Connection, uid: &str) -> Result<Option<BodyLocation>> {
    let found = super::query(connection, &sql::body_locations(Dialect::Sqlite, &[uid.to_owned()]))?;
    Ok(found.and_then(|rows| sql::located(rows.into_iter().next()?)).map(|(_, body)| body))
}

/// Whether there is any entry in `archived`.
pub(super) fn any_archived(connection: &Connection) -> Result<bool> {
    connection.prepare_cached(ANY_ARCHIVED)?.query_row([], |row| row.get(0))
}

/// Deletes the entry of a measurement in `archived`. Returns false if there was none.
pub(super) fn forget(connection: &Connection, uid: &str) -> Result<bool> {
    Ok(connection.prepare_cached(FORGET)?.execute([uid])? > 0)
}

/// Sets the locations of bodies.
pub(super) fn set(connection: &Connection, bodies: &[(String, BodyLocation)]) -> Result<LocationsSet> {
    let columns = LOCATION.join(", ");
    // The parameters of all three: the location, the time, and the uid.
    let replace = |table: &str| {
        format!(
            "ON CONFLICT (measurement_uid) DO UPDATE
             SET ({columns}, update_time) = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             WHERE ({}) IS NOT (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            LOCATION.map(|column| format!("{table}.{column}")).join(", ")
        )
    };
    let of_row = format!(
        "INSERT INTO jsonl ({columns}, update_time, measurement_uid, report_id, input)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, f.measurement_uid, f.report_id, f.input FROM fastpath AS f
         WHERE f.measurement_uid = ?9 {}",
        replace("jsonl")
    );
    let without_row = format!(
        "INSERT INTO archived ({columns}, update_time, measurement_uid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) {}",
        replace("archived")
    );
    let refused = format!(
        "UPDATE refused SET ({columns}, update_time) = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         WHERE measurement_uid = ?9 AND ({columns}) IS NOT (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    );
    let mut has_row = connection.prepare_cached(HAS_ROW)?;
    let mut of_row = connection.prepare_cached(&of_row)?;
    let mut without_row = connection.prepare_cached(&without_row)?;
    let mut refused = connection.prepare_cached(&refused)?;
    let any_removed = statements::any_removed(connection)?;
    let now = value::timestamp(SystemTime::now());
    let mut set = LocationsSet::default();
    for (uid, body) in bodies {
        if any_removed && statements::removed(connection, uid)?.is_some() {
            set.removed += 1;
            continue;
        }
        let beside = [&now, uid].map(|text| Value::Text(text.as_str().into()));
        let values = sql::location_values(Some(body)).into_iter().chain(beside).collect::<Vec<_>>();
        if has_row.query_row([uid], |row| row.get(0))? {
            set.with_row += 1;
            of_row.execute(params_from_iter(&values))?;
        } else {
            set.without_row += 1;
            if uid.len() <= LONGEST_KEY {
                without_row.execute(params_from_iter(&values))?;
            }
        }
        refused.execute(params_from_iter(&values))?;
    }
    Ok(set)
}
