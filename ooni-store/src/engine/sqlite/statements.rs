//! Statements that write to the SQLite store.

use super::encoded::Insert;
use super::prepared::Prepared;
use super::{locations, value};
use crate::app::row::{AppRow, AsnName};
use crate::sql::{self, Dialect, LOCATION, Statement};
use crate::value::Value;
use crate::write::batch;
use crate::write::rejection::Rejection;
use crate::write::row::{Incoming, ListedUrl, Refusal};
use crate::write::tally::{COLUMNS, Tally};
use ooni_core::row::schema::{fastpath, openvpn};
use rusqlite::{Connection, OptionalExtension, Result, params, params_from_iter};
use std::borrow::Cow;

/// The prepared statements of a batch.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    pub(super) fastpath: Insert<'c>,
    pub(super) body: Insert<'c>,
    pub(super) openvpn: Insert<'c>,
    refused: Insert<'c>,
    /// The time at which the batch began.
    now: String,
}

const DELETE: [&str; 2] =
    ["DELETE FROM jsonl WHERE measurement_uid = ?", "DELETE FROM obs_openvpn WHERE measurement_uid = ?"];

const ACCEPT: &str = "DELETE FROM refused WHERE measurement_uid = ?";

/// Deletes the rows of a window, given as seconds since 1970. Rows of `fastpath` are deleted last, because the others are
/// found through them.
const DROP: [&str; 3] = [
    "DELETE FROM jsonl WHERE measurement_uid IN
        (SELECT measurement_uid FROM fastpath WHERE measurement_start_time >= ? AND measurement_start_time < ?)",
    "DELETE FROM obs_openvpn WHERE measurement_uid IN
        (SELECT measurement_uid FROM fastpath WHERE measurement_start_time >= ? AND measurement_start_time < ?)",
    "DELETE FROM fastpath WHERE measurement_start_time >= ? AND measurement_start_time < ?",
];

const REMOVE: &str = "INSERT INTO removed (measurement_uid, reason, update_time) VALUES (?, ?, ?)";

const RESTORE: &str = "DELETE FROM removed WHERE measurement_uid = ?";

const REMOVED: &str = "SELECT reason FROM removed WHERE measurement_uid = ?";

const ANY_REMOVED: &str = "SELECT EXISTS (SELECT 1 FROM removed)";

const ANY_REJECTED: &str = "SELECT EXISTS (SELECT 1 FROM rejected)";

/// Deletes the rejections of a can that is read again.
const FORGET_CAN: &str = "DELETE FROM rejected WHERE can = ?";

/// Deletes the rejections of a measurement that is stored or removed.
const FORGET_UID: &str = "DELETE FROM rejected WHERE measurement_uid = ?";

const REJECT: &str = "
    INSERT INTO rejected (can, position, measurement_uid, code, path, message, update_time)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (can, position) DO NOTHING";

const ANY_URL_PRIORITY: &str = "SELECT EXISTS (SELECT 1 FROM url_priorities)";

const NAME: &str = "INSERT INTO asnmeta (asn, org_name, cc, changed, aut_name, source) VALUES (?, ?, ?, ?, ?, ?)";

const LIST: &str = "INSERT INTO citizenlab (url, domain, cc, category_code) VALUES (?, ?, ?, ?)";

/// The statement that inserts a row with these columns, unless its uid is already stored.
fn insert(table: &str, columns: &[&str]) -> String {
    let placeholders = vec!["?"; columns.len()].join(", ");
    let columns = columns.join(", ");
    format!("INSERT INTO {table} ({columns}) VALUES ({placeholders}) ON CONFLICT (measurement_uid) DO NOTHING")
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection, now: String) -> Result<Statements<'c>> {
        let beside = ["ruleset", "fingerprints_sha256", "body_sha256", "update_time"];
        let fastpath = insert("fastpath", &[&fastpath::NAMES[..], &beside].concat());
        let openvpn = insert("obs_openvpn", &[&openvpn::NAMES[..], &["update_time"]].concat());
        let body = ["measurement_uid", "report_id", "input"];
        let body = insert("jsonl", &[&body, &LOCATION[..], &["update_time"]].concat());
        let refused = ["measurement_uid", "column_name", "message", "row_json"];
        let refused = insert("refused", &[&refused, &LOCATION[..], &["update_time"]].concat());
        Ok(Statements {
            connection,
            fastpath: Insert::new(connection.prepare_cached(&fastpath)?, &now)?,
            body: Insert::new(connection.prepare_cached(&body)?, &now)?,
            openvpn: Insert::new(connection.prepare_cached(&openvpn)?, &now)?,
            refused: Insert::new(connection.prepare_cached(&refused)?, &now)?,
            now,
        })
    }

    /// Deletes a measurement from `fastpath`, `jsonl` and `obs_openvpn`. Returns false if it had no row.
    pub(super) fn delete(&mut self, uid: &str, tally: &mut Tally) -> Result<bool> {
        delete(self.connection, uid, tally)
    }

    /// Records a refusal. An earlier one of the same uid is kept unless `replace` is set.
    pub(super) fn set_aside(&mut self, new: &dyn Incoming, refusal: &Refusal, replace: bool) -> Result<()> {
        let uid = new.uid();
        let known = match new.body() {
            Some(_) => None,
            None => locations::known(self.connection, uid)?,
        };
        if replace {
            self.accept(uid)?;
        }
        let text = |text| Value::Text(Cow::Borrowed(text));
        let json = batch::json(new);
        let json = json.as_deref().map_or(Value::Null, text);
        let refusal = [text(uid), text(&refusal.column), text(&refusal.message), json];
        let body = sql::location_values(new.body().or(known.as_ref()));
        let values: Vec<_> = refusal.into_iter().chain(body).collect();
        self.refused.values(&values).map(drop)
    }

    /// Deletes the refusal of a measurement.
    pub(super) fn accept(&mut self, uid: &str) -> Result<()> {
        accept(self.connection, uid).map(drop)
    }

    /// Writes the rejections of a batch; deletes outdated ones.
    pub(super) fn reject(&mut self, batch: &Prepared) -> Result<()> {
        let any = self.connection.prepare_cached(ANY_REJECTED)?.query_row([], |row| row.get(0))?;
        if any {
            let mut forget = self.connection.prepare_cached(FORGET_CAN)?;
            batch.cans.iter().try_for_each(|can| forget.execute([can]).map(drop))?;
            let mut forget = self.connection.prepare_cached(FORGET_UID)?;
            batch.taken.iter().try_for_each(|row| forget.execute([batch.uid(row)]).map(drop))?;
        }
        let mut insert = self.connection.prepare_cached(REJECT)?;
        for Rejection { can, position, uid, code, path, message } in &batch.rejected {
            insert.execute(params![&**can, position, uid, code, path, message, self.now])?;
        }
        Ok(())
    }
}

/// Deletes a measurement from `fastpath`, `jsonl` and `obs_openvpn`. Returns false if it had no row.
pub(super) fn delete(connection: &Connection, uid: &str, tally: &mut Tally) -> Result<bool> {
    // The columns that rollups use, in the order of the tally.
    let returning = COLUMNS.map(|(name, _)| name).join(", ");
    let delete_row = format!("DELETE FROM fastpath WHERE measurement_uid = ? RETURNING {returning}");
    let mut delete_row = connection.prepare_cached(&delete_row)?;
    let mut rows = delete_row.query([uid])?;
    let mut had_row = false;
    // The statement is complete only when all its rows have been read.
    while let Some(row) = rows.next()? {
        let mut cells = [const { Value::Null }; COLUMNS.len()];
        for (column, (cell, (_, kind))) in cells.iter_mut().zip(COLUMNS).enumerate() {
            *cell = value::read(row.get_ref(column)?, kind)?;
        }
        tally.subtract(&cells);
        had_row = true;
    }
    for statement in DELETE {
        connection.prepare_cached(statement)?.execute([uid])?;
    }
    Ok(had_row)
}

/// Deletes the refusal of a measurement. Returns false if there was none.
pub(super) fn accept(connection: &Connection, uid: &str) -> Result<bool> {
    Ok(connection.prepare_cached(ACCEPT)?.execute([uid])? > 0)
}

/// Deletes the measurements in a window and returns their number. `from` is inclusive, `to` exclusive.
pub(super) fn drop_window(connection: &Connection, from: i64, to: i64) -> Result<usize> {
    DROP.iter().try_fold(0, |_, statement| connection.prepare_cached(statement)?.execute([from, to]))
}

/// Records why a measurement was removed.
pub(super) fn record_removal(connection: &Connection, uid: &str, reason: &str, now: &str) -> Result<()> {
    connection.prepare_cached(REMOVE)?.execute([uid, reason, now]).map(drop)
}

/// Lifts the ban of a measurement. Returns false if it was not removed.
pub(super) fn restore(connection: &Connection, uid: &str) -> Result<bool> {
    Ok(connection.prepare_cached(RESTORE)?.execute([uid])? > 0)
}

/// Deletes the rejections of a measurement. Returns false if there were none.
pub(super) fn delete_rejections(connection: &Connection, uid: &str) -> Result<bool> {
    Ok(connection.prepare_cached(FORGET_UID)?.execute([uid])? > 0)
}

/// Whether any measurement was removed.
pub(super) fn any_removed(connection: &Connection) -> Result<bool> {
    connection.prepare_cached(ANY_REMOVED)?.query_row([], |row| row.get(0))
}

/// Why a measurement was removed; `None` if it was not.
pub(super) fn removed(connection: &Connection, uid: &str) -> Result<Option<String>> {
    connection.prepare_cached(REMOVED)?.query_row([uid], |row| row.get(0)).optional()
}

/// The entries of all test lists.
pub(super) fn lists(connection: &Connection) -> Result<Vec<ListedUrl>> {
    let mut statement = connection.prepare_cached("SELECT url, domain, cc, category_code FROM citizenlab")?;
    let entry = |row: &rusqlite::Row<'_>| {
        Ok(ListedUrl { url: row.get(0)?, domain: row.get(1)?, cc: row.get(2)?, category_code: row.get(3)? })
    };
    statement.query_map([], entry)?.collect()
}

/// Replaces all test lists.
pub(super) fn replace_lists(connection: &Connection, lists: &[ListedUrl]) -> Result<()> {
    connection.execute("DELETE FROM citizenlab", [])?;
    let mut insert = connection.prepare_cached(LIST)?;
    lists.iter().try_for_each(|ListedUrl { url, domain, cc, category_code }| {
        insert.execute([url, domain, cc, category_code]).map(drop)
    })
}

/// Writes rows of the application tables.
pub(super) fn write_application(connection: &Connection, rows: &[AppRow]) -> Result<()> {
    rows.iter().try_for_each(|row| {
        let Statement { sql, parameters, .. } = sql::app::write_app(Dialect::Sqlite, row);
        connection.prepare_cached(&sql)?.execute(params_from_iter(&parameters)).map(drop)
    })
}

/// Replaces the names of all networks.
pub(super) fn replace_names(connection: &Connection, names: &[AsnName]) -> Result<()> {
    connection.execute("DELETE FROM asnmeta", [])?;
    let mut insert = connection.prepare_cached(NAME)?;
    names.iter().try_for_each(|AsnName { asn, org_name, cc, changed, aut_name, source }| {
        insert.execute(params![asn, org_name, cc, changed, aut_name, source]).map(drop)
    })
}

/// Whether there are rules by which URLs are prioritised.
pub(super) fn any_url_priority(connection: &Connection) -> Result<bool> {
    connection.prepare_cached(ANY_URL_PRIORITY)?.query_row([], |row| row.get(0))
}
