//! Locations of bodies: finds, sets and deletes them.

use super::batch::removed;
use super::change::Change;
use super::error::PgError;
use super::{bulk, reader, value};
use crate::sql::{self, Dialect, LOCATION};
use crate::write::rejection::LONGEST_KEY;
use crate::write::row::{BodyLocation, GzipMember, LocationsSet};
use crate::write::tally::Tally;
use std::borrow::Cow;
use std::collections::HashMap;
use tokio_postgres::{Error, Transaction};

/// Deletes the entries of measurements in `archived`.
const FORGET: &str = "DELETE FROM archived WHERE measurement_uid = ANY ($1)";

/// The table of new locations, given as one array for each column.
const NEW: &str =
    "unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[])
    AS n (measurement_uid, s3path, linenum, date, source, member_offset, member_length, member_line)";

/// The locations of these bodies that are known, by uid.
pub(super) async fn known(
    transaction: &Transaction<'_>,
    uids: Vec<String>,
) -> Result<HashMap<String, BodyLocation>, PgError> {
    let mut all = HashMap::new();
    if uids.is_empty() {
        return Ok(all);
    }
    let statement = sql::body_locations(Dialect::Postgres, &uids);
    for row in transaction.query_typed(&statement.sql, &reader::parameters(&statement)).await? {
        let cells = statement.columns.iter().enumerate().map(|(column, &kind)| value::read(&row, column, kind));
        let cells = cells.collect::<Result<Vec<_>, _>>().map_err(|_| PgError::foreign())?;
        let (uid, body) = sql::located(cells).ok_or_else(PgError::foreign)?;
        all.entry(uid).or_insert(body);
    }
    Ok(all)
}

/// Deletes the entries of these measurements in `archived`; returns their number.
pub(super) async fn forget(transaction: &Transaction<'_>, uids: &[Cow<'_, str>]) -> Result<u64, Error> {
    // Mostly there are none, and they need not be sent.
    let any = transaction.query_one("SELECT EXISTS (SELECT FROM archived)", &[]).await?;
    if !any.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    transaction.execute(FORGET, &[&uids]).await
}

/// Sets the locations of bodies.
pub(super) struct SetLocations<'a>(pub(super) &'a [(String, BodyLocation)]);

impl Change for SetLocations<'_> {
    type Outcome = LocationsSet;

    async fn make(&self, transaction: &Transaction<'_>, _: &mut Tally) -> Result<LocationsSet, PgError> {
        let removed = removed(transaction, self.0.iter().map(|(uid, _)| value::encoded(uid)).collect()).await?;
        let uids: Vec<_> = self.0.iter().map(|(uid, _)| value::encoded(uid)).collect();
        bulk::check_uids(transaction, &uids).await?;
        let bodies: Vec<_> = self.0.iter().filter(|(uid, _)| !removed.contains_key(uid)).collect();
        let columns = Columns::of(&bodies);
        let location = LOCATION.join(", ");
        let [new, old] = ["n", "t"].map(|table| LOCATION.map(|column| format!("{table}.{column}")).join(", "));
        let set = format!("SET ({location}, update_time) = ROW({new}, localtimestamp)");
        let differs = format!("({old}) IS DISTINCT FROM ({new})");
        let of_row =
            format!("UPDATE jsonl AS t {set} FROM {NEW} WHERE t.measurement_uid = n.measurement_uid AND {differs}");
        let refused = format!(
            "UPDATE refused AS t {set} FROM {NEW} WHERE md5(t.measurement_uid) = md5(n.measurement_uid) AND {differs}"
        );
        let excluded = LOCATION.map(|column| format!("excluded.{column}")).join(", ");
        let without_row = format!(
            "INSERT INTO archived AS t (measurement_uid, {location}) SELECT n.measurement_uid, {new} FROM {NEW}
             WHERE NOT EXISTS (SELECT FROM jsonl AS j WHERE j.measurement_uid = n.measurement_uid)
                AND octet_length(n.measurement_uid) <= {LONGEST_KEY}
             ON CONFLICT (measurement_uid) DO UPDATE SET ({location}, update_time) = ROW({excluded}, localtimestamp)
             WHERE ({old}) IS DISTINCT FROM ({excluded})"
        );
        for statement in [of_row, refused, without_row] {
            let Columns { uids, s3paths, linenums, dates, sources, members: [offsets, lengths, lines] } = &columns;
            transaction
                .execute(&statement, &[uids, s3paths, linenums, dates, sources, offsets, lengths, lines])
                .await?;
        }
        let count = "SELECT count(*) FROM jsonl WHERE measurement_uid = ANY ($1)";
        let with_row: i64 = transaction.query_one(count, &[&columns.uids]).await?.try_get(0)?;
        let with_row = with_row.unsigned_abs();
        Ok(LocationsSet {
            with_row,
            without_row: (bodies.len() as u64).saturating_sub(with_row),
            removed: removed.len() as u64,
        })
    }
}

/// Locations, by column.
#[derive(Default)]
struct Columns<'b> {
    uids: Vec<Cow<'b, str>>,
    s3paths: Vec<Cow<'b, str>>,
    linenums: Vec<i64>,
    dates: Vec<Cow<'b, str>>,
    sources: Vec<Cow<'b, str>>,
    members: [Vec<Option<i64>>; 3],
}

impl<'b> Columns<'b> {
    fn of(bodies: &[&'b (String, BodyLocation)]) -> Columns<'b> {
        let mut columns = Columns::default();
        for (uid, BodyLocation { s3path, linenum, date, source, member }) in bodies {
            columns.uids.push(value::encoded(uid));
            columns.s3paths.push(value::encoded(s3path));
            columns.linenums.push(i64::from(*linenum));
            columns.dates.push(value::encoded(date));
            columns.sources.push(value::encoded(source));
            let int = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            let numbers = member.map(|GzipMember { offset, length, line }| [int(offset), int(length), i64::from(line)]);
            for (number, column) in columns.members.iter_mut().enumerate() {
                column.push(numbers.map(|numbers| numbers[number]));
            }
        }
        columns
    }
}
