//! [`Batch`]: writes a batch by binary COPY. The key of `jsonl` reports whether rows are already stored; only then it asks which
//! ones, and sends the others.

use super::change::{Change, returning, tally_deleted};
use super::copy::Copy;
use super::error::PgError;
use super::{bulk, locations, partition, value};
use crate::failpoint::{Failpoint, reach};
use crate::sql::{self, LOCATION, Parameter};
use crate::value::Value;
use crate::write::batch::{self, Decided, Taken};
use crate::write::rejection::Rejection;
use crate::write::row::{BatchResult, BodyLocation, Provenance, RowBatch};
use crate::write::tally::Tally;
use ooni_core::row::schema::{fastpath, openvpn};
use ooni_core::time::DateTime;
use postgres_types::{ToSql, Type};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Transaction};

/// Rows to be written.
pub(super) struct Batch {
    pub(super) rows: Arc<dyn RowBatch>,
    pub(super) replace: bool,
}

/// Maximum bytes of a row.
pub(super) const LONGEST_ROW: usize = 256 << 20;

/// Columns besides those of a row.
const BESIDE: &str = "ruleset, fingerprints_sha256, body_sha256";

/// Columns of `jsonl` besides those of a location.
const BODY: &str = "report_id, input, measurement_uid, measurement_start_time";

/// Returns the uids that are already stored.
const THERE: &str = "SELECT measurement_uid FROM jsonl WHERE measurement_uid = ANY ($1)";

/// Deletes the other rows of the measurements to be replaced, after those of `fastpath`.
const REPLACED: [&str; 2] =
    ["DELETE FROM obs_openvpn WHERE measurement_uid = ANY ($1)", "DELETE FROM jsonl WHERE measurement_uid = ANY ($1)"];

const REMOVED: &str = "
    SELECT r.measurement_uid, r.reason FROM removed AS r
    WHERE md5(r.measurement_uid) IN (SELECT md5(uid) FROM unnest($1::text[]) AS uid)";

const ACCEPT: &str = "
    DELETE FROM refused WHERE md5(measurement_uid) IN (SELECT md5(uid) FROM unnest($1::text[]) AS uid)";

const REFUSE: &str = "
    INSERT INTO refused (measurement_uid, column_name, message, row_json, s3path, linenum, date, source,
        member_offset, member_length, member_line, update_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, localtimestamp)
    ON CONFLICT (md5(measurement_uid)) DO NOTHING";

/// Deletes the rejections of cans that are read again.
const FORGET_CANS: &str = "DELETE FROM rejected WHERE can = ANY ($1)";

/// Deletes the rejections of measurements that are stored.
const FORGET_UIDS: &str = "DELETE FROM rejected WHERE measurement_uid = ANY ($1)";

const REJECT: &str = "
    INSERT INTO rejected (can, position, measurement_uid, code, path, message) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (can, position) DO NOTHING";

impl Change for Batch {
    type Outcome = BatchResult;

    async fn make(&self, transaction: &Transaction<'_>, tally: &mut Tally) -> Result<BatchResult, PgError> {
        let removed = removed(transaction, batch::uids(&*self.rows).map(value::encoded).collect()).await?;
        let decided = batch::decide(&*self.rows, self.replace, &removed, LONGEST_ROW);
        bulk::check_months(transaction, decided.taken.iter().filter_map(Taken::time)).await?;
        let known = locations::known(transaction, self.without_location(&decided)).await?;
        let mut coming: Vec<&Taken<'_>> = decided.taken.iter().collect();
        let mut there = 0;
        if self.replace {
            there = replace(transaction, self.uids(&coming), tally).await?;
        }
        there += self.copy(transaction, &mut coming, &known).await?;
        coming.iter().for_each(|taken| tally.add(&taken.cells));
        self.set_aside(transaction, &decided, &known).await?;
        reject(transaction, &decided).await?;
        locations::forget(transaction, &decided.stored.iter().map(|uid| value::encoded(uid)).collect::<Vec<_>>())
            .await?;
        Ok(decided.written(there, self.replace))
    }
}

impl Batch {
    /// The uids of accepted and refused rows that come without the location of their body.
    pub(super) fn without_location(&self, decided: &Decided<'_>) -> Vec<String> {
        let taken = decided.taken.iter().map(|taken| taken.index);
        let all = taken.chain(decided.set_aside.iter().map(|refusal| refusal.index)).map(|index| &self.rows[index]);
        all.filter(|new| new.body().is_none()).map(|new| new.uid().to_owned()).collect()
    }

    /// Sends rows, whose partitions must exist, and removes those from `coming` that are already stored. Returns their number.
    async fn copy(
        &self,
        transaction: &Transaction<'_>,
        coming: &mut Vec<&Taken<'_>>,
        known: &HashMap<String, BodyLocation>,
    ) -> Result<u64, PgError> {
        let kept = self.send_new_bodies(transaction, coming, known).await?;
        if coming.is_empty() {
            return Ok(kept);
        }
        let times: Vec<DateTime> = coming.iter().filter_map(|taken| taken.time()).collect();
        let missing = partition::missing(transaction, &times).await?;
        if !missing.is_empty() {
            return Err(PgError::NoPartition(missing));
        }
        self.send_rows(transaction, "fastpath", coming).await?;
        self.send_openvpn(transaction, coming).await?;
        Ok(kept)
    }

    /// Sends the locations of bodies. Rows that are already stored, which the key reports, are removed from `coming`. Returns
    /// their number.
    pub(super) async fn send_new_bodies(
        &self,
        transaction: &Transaction<'_>,
        coming: &mut Vec<&Taken<'_>>,
        known: &HashMap<String, BodyLocation>,
    ) -> Result<u64, PgError> {
        let all = coming.len();
        while !coming.is_empty() {
            transaction.batch_execute("SAVEPOINT bodies").await?;
            match self.send_bodies(transaction, coming, known).await {
                Err(PgError::Database(error)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                    transaction.batch_execute("ROLLBACK TO SAVEPOINT bodies").await?;
                    let there = there(transaction, self.uids(coming)).await?;
                    let before = coming.len();
                    coming.retain(|taken| !there.contains(self.rows[taken.index].uid()));
                    if coming.len() == before {
                        return Err(error.into());
                    }
                }
                sent => {
                    sent?;
                    break;
                }
            }
        }
        Ok((all - coming.len()) as u64)
    }

    /// The uids of rows, encoded.
    fn uids(&self, rows: &[&Taken<'_>]) -> Vec<Cow<'_, str>> {
        rows.iter().map(|taken| value::encoded(self.rows[taken.index].uid())).collect()
    }

    /// Sends the locations of the bodies of rows.
    async fn send_bodies(
        &self,
        transaction: &Transaction<'_>,
        coming: &[&Taken<'_>],
        known: &HashMap<String, BodyLocation>,
    ) -> Result<(), PgError> {
        const TYPES: [Type; 4 + LOCATION.len()] = {
            use Type as T;
            [T::TEXT, T::TEXT, T::TEXT, T::TIMESTAMP, T::TEXT, T::INT8, T::TEXT, T::TEXT, T::INT8, T::INT8, T::INT8]
        };
        let columns = format!("{BODY}, {}", LOCATION.join(", "));
        let mut copy = Copy::begin(transaction, "jsonl", &columns).await?;
        for taken in coming {
            let [uid, report_id, input, _, _, _, _, time, ..] = &taken.cells;
            let new = &self.rows[taken.index];
            let body = sql::location_values(new.body().or_else(|| known.get(new.uid())));
            copy.row(TYPES.len()).await?;
            for (value, kind) in [report_id, input, uid, time].into_iter().chain(&body).zip(&TYPES) {
                copy.value(value, kind)?;
            }
        }
        copy.finish().await?;
        Ok(())
    }

    /// Sends rows to `fastpath` or to the table of a month.
    pub(super) async fn send_rows(
        &self,
        transaction: &Transaction<'_>,
        table: &str,
        coming: &[&Taken<'_>],
    ) -> Result<(), PgError> {
        let types = fastpath::COLUMNS.map(|column| value::column(column.kind));
        let columns = format!("{}, {BESIDE}", fastpath::NAMES.join(", "));
        let mut copy = Copy::begin(transaction, table, &columns).await?;
        for taken in coming {
            let Provenance { ruleset, fingerprints_sha256, body_sha256 } = self.rows[taken.index].provenance();
            let beside = [ruleset, fingerprints_sha256, body_sha256];
            copy.row(types.len() + beside.len()).await?;
            for (value, kind) in taken.cells.iter().zip(&types) {
                copy.value(value, kind)?;
            }
            for text in beside {
                copy.text(&value::encoded(&text));
            }
        }
        copy.finish().await?;
        Ok(())
    }

    /// Sends the rows of `obs_openvpn`.
    pub(super) async fn send_openvpn(
        &self,
        transaction: &Transaction<'_>,
        coming: &[&Taken<'_>],
    ) -> Result<(), PgError> {
        let openvpn: Vec<_> = coming.iter().filter_map(|taken| taken.openvpn.as_deref()).collect();
        if openvpn.is_empty() {
            return Ok(());
        }
        let columns = openvpn::NAMES.join(", ");
        let types = transaction.prepare(&format!("SELECT {columns} FROM obs_openvpn")).await?;
        let mut copy = Copy::begin(transaction, "obs_openvpn", &columns).await?;
        for cells in openvpn {
            copy.row(cells.len()).await?;
            for (value, column) in cells.iter().zip(types.columns()) {
                copy.value(value, column.type_())?;
            }
        }
        copy.finish().await?;
        Ok(())
    }

    /// Records refusals; deletes those of measurements that are no longer refused.
    pub(super) async fn set_aside(
        &self,
        transaction: &Transaction<'_>,
        decided: &Decided<'_>,
        known: &HashMap<String, BodyLocation>,
    ) -> Result<(), Error> {
        if self.replace {
            let taken = decided.taken.iter().map(|taken| taken.index);
            let aside = decided.set_aside.iter().map(|refusal| refusal.index);
            let uids: Vec<_> = taken.chain(aside).map(|index| value::encoded(self.rows[index].uid())).collect();
            transaction.execute(ACCEPT, &[&uids]).await?;
        }
        for refusal in &decided.set_aside {
            let new = &self.rows[refusal.index];
            let text = |text| Value::Text(Cow::Borrowed(text));
            let json = batch::json(new);
            let json = json.as_deref().map_or(Value::Null, text);
            let refusal = [text(new.uid()), text(&refusal.column), text(&refusal.message), json];
            let body = sql::location_values(new.body().or_else(|| known.get(new.uid())));
            let values = refusal.iter().chain(&body).map(|value| value as &(dyn ToSql + Sync));
            transaction.execute(REFUSE, &values.collect::<Vec<_>>()).await?;
        }
        Ok(())
    }
}

/// The measurements of these that were removed permanently, and the reasons.
pub(super) async fn removed(
    transaction: &Transaction<'_>,
    uids: Vec<Cow<'_, str>>,
) -> Result<HashMap<String, String>, Error> {
    let any = transaction.query_one("SELECT EXISTS (SELECT FROM removed)", &[]).await?;
    if !any.try_get::<_, bool>(0)? {
        return Ok(HashMap::new());
    }
    let rows = transaction.query(REMOVED, &[&uids]).await?;
    let pair = |row: tokio_postgres::Row| Ok((value::decoded(row.try_get(0)?), value::decoded(row.try_get(1)?)));
    rows.into_iter().map(pair).collect()
}

/// Writes rejections; deletes those that no longer apply.
pub(super) async fn reject(transaction: &Transaction<'_>, decided: &Decided<'_>) -> Result<(), Error> {
    let any = transaction.query_one("SELECT EXISTS (SELECT FROM rejected)", &[]).await?;
    if any.try_get(0)? {
        let encoded = |texts: &[&str]| texts.iter().map(|text| value::encoded(text).into_owned()).collect::<Vec<_>>();
        transaction.execute(FORGET_CANS, &[&encoded(&decided.cans)]).await?;
        transaction.execute(FORGET_UIDS, &[&encoded(&decided.stored)]).await?;
    }
    if decided.rejected.is_empty() {
        return Ok(());
    }
    let statement = transaction.prepare(REJECT).await?;
    for Rejection { can, position, uid, code, path, message } in &decided.rejected {
        let text = |text: &str| Parameter::Text(text.to_owned());
        let position = Parameter::Int(*position);
        let uid = uid.as_deref().map(text);
        let [can, code, path, message] = [&**can, code, path, message].map(text);
        transaction.execute(&statement, &[&can, &position, &uid, &code, &path, &message]).await?;
    }
    Ok(())
}

/// Deletes the rows that are about to be replaced; returns their number.
async fn replace(transaction: &Transaction<'_>, uids: Vec<Cow<'_, str>>, tally: &mut Tally) -> Result<u64, PgError> {
    bulk::check_uids(transaction, &uids).await?;
    let delete = format!(
        "DELETE FROM fastpath AS f USING jsonl AS j
         WHERE j.measurement_uid = ANY ($1) AND f.measurement_uid = j.measurement_uid
            AND f.measurement_start_time = j.measurement_start_time
         RETURNING {}",
        returning()
    );
    tally_deleted(&transaction.query(&delete, &[&uids]).await?, tally)?;
    reach(Failpoint::RowDeleted);
    let mut there = 0;
    for statement in REPLACED {
        there = transaction.execute(statement, &[&uids]).await?;
    }
    Ok(there)
}

/// The uids that are already stored.
async fn there(transaction: &Transaction<'_>, uids: Vec<Cow<'_, str>>) -> Result<HashSet<String>, Error> {
    let rows = transaction.query(THERE, &[&uids]).await?;
    rows.into_iter().map(|row| Ok(value::decoded(row.try_get(0)?))).collect()
}
