//! [`Batch`]: rows come by binary COPY into tables of the connection, and from there into all others at once.

use super::change::{Change, returning, went};
use super::{Trouble, partition, value};
use crate::cell::{Cell, FASTPATH};
use crate::failpoint::{Failpoint, reach};
use crate::store::batch::{self, Decided, Taken};
use crate::store::sql::Parameter;
use crate::store::tally::Tally;
use crate::store::{Incoming, Provenance, Written};
use ooni_core::row::Refused;
use postgres_types::ToSql;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::pin::{Pin, pin};
use std::sync::Arc;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::{Error, Transaction};

/// Rows to be written.
pub(super) struct Batch<R> {
    pub(super) rows: Arc<Vec<R>>,
    pub(super) replace: bool,
}

/// Bytes of a row beyond which it is refused.
const LONGEST_ROW: usize = 256 << 20;

/// Bytes of a text in the key of a table beyond which it is refused: an entry of an index has at most 2.7 kB.
const LONGEST_KEY: usize = 600;

/// Columns in keys.
const KEYS: [&str; 5] = ["measurement_uid", "probe_cc", "test_name", "blocking_type", "domain"];

/// Columns beside those of [`FASTPATH`].
const BESIDE: &str = "ruleset, fingerprints_sha256, body_sha256";

/// Takes out what is going to be replaced.
const REPLACED: [&str; 2] = [
    "DELETE FROM obs_openvpn AS o USING incoming AS i WHERE o.measurement_uid = i.measurement_uid",
    "DELETE FROM jsonl AS j USING incoming AS i WHERE j.measurement_uid = i.measurement_uid",
];

const KEPT: &str = "
    DELETE FROM incoming AS i USING jsonl AS j WHERE i.measurement_uid = j.measurement_uid RETURNING j.measurement_uid";

const BODIES: &str = "
    INSERT INTO jsonl (report_id, input, s3path, linenum, measurement_uid, date, source, measurement_start_time, update_time)
    SELECT report_id, input, s3path, linenum, measurement_uid, date, source, measurement_start_time, localtimestamp
    FROM incoming";

const OPENVPN: &str = "
    INSERT INTO obs_openvpn SELECT o.*, localtimestamp FROM incoming_openvpn AS o
    JOIN incoming AS i ON i.measurement_uid = o.measurement_uid";

const REMOVED: &str = "
    SELECT r.measurement_uid, r.reason FROM removed AS r
    WHERE md5(r.measurement_uid) IN (SELECT md5(uid) FROM unnest($1::text[]) AS uid)";

const ACCEPT: &str = "
    DELETE FROM refused WHERE md5(measurement_uid) IN (SELECT md5(uid) FROM unnest($1::text[]) AS uid)";

const REFUSE: &str = "
    INSERT INTO refused (measurement_uid, column_name, message, row_json, s3path, linenum, date, source, update_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, localtimestamp)
    ON CONFLICT (md5(measurement_uid)) DO NOTHING";

impl<R: Incoming> Change for Batch<R> {
    type Outcome = Written;

    async fn make(&self, transaction: &Transaction<'_>, tally: &mut Tally) -> Result<Written, Trouble> {
        let removed = self.removed(transaction).await?;
        let decided = batch::decide(&self.rows, self.replace, &removed, fits);
        self.copy(transaction, &decided).await?;
        let (there, kept) = match self.replace {
            true => (replace(transaction, tally).await?, HashSet::new()),
            false => {
                let kept = kept(transaction).await?;
                (kept.len() as u64, kept)
            }
        };
        let columns = format!("{}, {BESIDE}", columns());
        transaction.execute(BODIES, &[]).await?;
        let rows =
            format!("INSERT INTO fastpath ({columns}, update_time) SELECT {columns}, localtimestamp FROM incoming");
        transaction.execute(&rows, &[]).await?;
        if !decided.openvpn().is_empty() {
            transaction.execute(OPENVPN, &[]).await?;
        }
        for taken in decided.taken.iter().filter(|taken| !kept.contains(self.rows[taken.index].uid())) {
            tally.come(&taken.cells);
        }
        self.set_aside(transaction, &decided).await?;
        Ok(decided.written(there, self.replace))
    }
}

impl<R: Incoming> Batch<R> {
    fn uids(&self) -> Vec<Cow<'_, str>> {
        self.rows.iter().map(|row| value::encoded(row.uid())).collect()
    }

    /// Which rows were removed for good, and why.
    async fn removed(&self, transaction: &Transaction<'_>) -> Result<HashMap<String, String>, Error> {
        let any = transaction.query_one("SELECT EXISTS (SELECT FROM removed)", &[]).await?;
        if !any.try_get::<_, bool>(0)? {
            return Ok(HashMap::new());
        }
        let rows = transaction.query(REMOVED, &[&self.uids()]).await?;
        let pair = |row: tokio_postgres::Row| Ok((value::decoded(row.try_get(0)?), value::decoded(row.try_get(1)?)));
        rows.into_iter().map(pair).collect()
    }

    /// Sends the rows that are taken, and makes their partitions.
    async fn copy(&self, transaction: &Transaction<'_>, decided: &Decided<'_>) -> Result<(), Error> {
        partition::make(transaction, &decided.times()).await?;
        let all = format!("{}, {BESIDE}, s3path, linenum, date, source", columns());
        let mut copy = pin!(copy(transaction, "incoming", &all).await?);
        for taken in &decided.taken {
            self.send(copy.as_mut(), taken).await?;
        }
        copy.finish().await?;
        let openvpn = decided.openvpn();
        if !openvpn.is_empty() {
            let mut copy = pin!(self::copy(transaction, "incoming_openvpn", "*").await?);
            for cells in openvpn {
                copy.as_mut().write_raw(cells).await?;
            }
            copy.finish().await?;
        }
        Ok(())
    }

    async fn send(&self, copy: Pin<&mut BinaryCopyInWriter>, taken: &Taken<'_>) -> Result<(), Error> {
        let row = &self.rows[taken.index];
        let Provenance { ruleset, fingerprints_sha256, body_sha256 } = row.provenance();
        let text = Cell::Text;
        let beside = [text(ruleset), text(fingerprints_sha256), text(body_sha256)];
        let body = match row.body() {
            Some(body) => [
                text(Cow::Borrowed(&*body.s3path)),
                Cell::Int(u64::from(body.linenum)),
                text(Cow::Borrowed(&*body.date)),
                text(Cow::Borrowed(&*body.source)),
            ],
            None => [text(Cow::Borrowed("")), Cell::Int(0), text(Cow::Borrowed("")), text(Cow::Borrowed(""))],
        };
        let all: Vec<&(dyn ToSql + Sync)> =
            taken.cells.iter().chain(&beside).chain(&body).map(|cell| cell as &(dyn ToSql + Sync)).collect();
        copy.write(&all).await
    }

    /// Sets aside what is refused; what was refused before and is not any more is forgotten.
    async fn set_aside(&self, transaction: &Transaction<'_>, decided: &Decided<'_>) -> Result<(), Error> {
        if self.replace {
            let taken = decided.taken.iter().map(|taken| taken.index);
            let aside = decided.set_aside.iter().map(|refusal| refusal.index);
            let uids: Vec<_> = taken.chain(aside).map(|index| value::encoded(self.rows[index].uid())).collect();
            transaction.execute(ACCEPT, &[&uids]).await?;
        }
        for refusal in &decided.set_aside {
            let new = &self.rows[refusal.index];
            let body = new.body();
            let text = |text: &str| Parameter::Text(text.to_owned());
            let json = batch::json(new).map(Parameter::Text);
            let values = [text(new.uid()), text(&refusal.column), text(&refusal.message)];
            let place = [
                text(body.map_or("", |body| &*body.s3path)),
                Parameter::Int(body.map_or(0, |body| i64::from(body.linenum))),
                text(body.map_or("", |body| &*body.date)),
                text(body.map_or("", |body| &*body.source)),
            ];
            let [uid, column, message] = &values;
            let [s3path, linenum, date, source] = &place;
            transaction.execute(REFUSE, &[uid, column, message, &json, s3path, linenum, date, source]).await?;
        }
        Ok(())
    }
}

/// Takes out the rows whose place others are going to take; how many there were.
async fn replace(transaction: &Transaction<'_>, tally: &mut Tally) -> Result<u64, Trouble> {
    let delete = format!(
        "DELETE FROM fastpath AS f USING incoming AS i, jsonl AS j
         WHERE j.measurement_uid = i.measurement_uid AND f.measurement_uid = j.measurement_uid
            AND f.measurement_start_time = j.measurement_start_time
         RETURNING {}",
        returning()
    );
    went(&transaction.query(&delete, &[]).await?, tally)?;
    reach(Failpoint::RowDeleted);
    let mut there = 0;
    for statement in REPLACED {
        there = transaction.execute(statement, &[]).await?;
    }
    Ok(there)
}

/// Forgets the rows that are there already; their uids.
async fn kept(transaction: &Transaction<'_>) -> Result<HashSet<String>, Error> {
    let rows = transaction.query(KEPT, &[]).await?;
    rows.into_iter().map(|row| Ok(value::decoded(row.try_get(0)?))).collect()
}

/// Begins to send rows to a table.
async fn copy(transaction: &Transaction<'_>, table: &str, columns: &str) -> Result<BinaryCopyInWriter, Error> {
    let types = transaction.prepare(&format!("SELECT {columns} FROM {table}")).await?;
    let types: Vec<_> = types.columns().iter().map(|column| column.type_().clone()).collect();
    let columns = if columns == "*" { String::new() } else { format!("({columns})") };
    let sink = transaction.copy_in(&format!("COPY {table} {columns} FROM STDIN BINARY")).await?;
    Ok(BinaryCopyInWriter::new(sink, &types))
}

/// The columns of a row, separated by commas.
fn columns() -> String {
    FASTPATH.map(|(name, _)| name).join(", ")
}

/// Refuses what the tables cannot keep.
fn fits(cells: &[Cell<'_>; 26], openvpn: Option<&[Cell<'_>; 30]>) -> Result<(), Refused> {
    batch::fits(cells, openvpn, LONGEST_ROW)?;
    for (cell, (name, _)) in cells.iter().zip(FASTPATH).filter(|(_, (name, _))| KEYS.contains(name)) {
        if let Cell::Text(text) = cell
            && value::encoded(text).len() > LONGEST_KEY
        {
            let message = format!("{} bytes, where this store takes {LONGEST_KEY}", text.len());
            return Err(Refused { column: name.to_owned(), message });
        }
    }
    Ok(())
}
