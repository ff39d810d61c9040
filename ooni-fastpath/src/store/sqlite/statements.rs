//! Every statement of the SQLite store.

use super::value;
use crate::cell::{Cell, FASTPATH};
use crate::store::{BodyPlace, NewRow, Refusal, StoredRow};
use rusqlite::{CachedStatement, Connection, Result, params};
use std::array;

/// What writes a batch.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    insert: CachedStatement<'c>,
    insert_body: CachedStatement<'c>,
    insert_openvpn: CachedStatement<'c>,
    /// The clock when the batch began.
    now: String,
}

const INSERT: &str = "
    INSERT INTO fastpath (measurement_uid, report_id, input, probe_cc, probe_asn, test_name, test_start_time,
        measurement_start_time, scores, platform, anomaly, confirmed, msm_failure, blocking_type, domain, software_name,
        software_version, test_version, test_runtime, architecture, engine_name, engine_version, test_helper_address,
        test_helper_type, ooni_run_link_id, is_verified, update_time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (measurement_uid) DO NOTHING";

const INSERT_BODY: &str = "
    INSERT INTO jsonl (report_id, input, s3path, linenum, measurement_uid, date, source, update_time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (measurement_uid) DO NOTHING";

const INSERT_OPENVPN: &str = "
    INSERT INTO obs_openvpn (anomaly, bootstrap_time, confirmed, failure, input, last_handshake_transaction_id,
        measurement_start_time, measurement_uid, minivpn_version, obfs4_version, obfuscation, platform, probe_asn,
        probe_cc, probe_network_name, provider, remote, report_id, resolver_asn, resolver_ip, resolver_network_name,
        software_name, software_version, success, success_handshake, success_icmp, success_urlgrab, test_runtime,
        test_start_time, transport, update_time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (measurement_uid) DO NOTHING";

const DELETE: [&str; 3] = [
    "DELETE FROM fastpath WHERE measurement_uid = ?",
    "DELETE FROM jsonl WHERE measurement_uid = ?",
    "DELETE FROM obs_openvpn WHERE measurement_uid = ?",
];

const REFUSE: &str = "
    INSERT INTO refused (measurement_uid, column_name, message, row_json, s3path, linenum, date, source, update_time)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (measurement_uid) DO NOTHING";

const ACCEPT: &str = "DELETE FROM refused WHERE measurement_uid = ?";

const COUNT: &str = "SELECT count(*) FROM fastpath";

const PAGE: &str = "
    SELECT measurement_uid, report_id, input, probe_cc, probe_asn, test_name, test_start_time, measurement_start_time,
        scores, platform, anomaly, confirmed, msm_failure, blocking_type, domain, software_name, software_version,
        test_version, test_runtime, architecture, engine_name, engine_version, test_helper_address, test_helper_type,
        ooni_run_link_id, is_verified
    FROM fastpath WHERE measurement_uid >= ? ORDER BY measurement_uid LIMIT ?";

/// Bytes of a refused row beyond which it is not kept: its body is where the place says.
const LONGEST_REFUSED: usize = 1 << 20;

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection, now: String) -> Result<Statements<'c>> {
        Ok(Statements {
            connection,
            insert: connection.prepare_cached(INSERT)?,
            insert_body: connection.prepare_cached(INSERT_BODY)?,
            insert_openvpn: connection.prepare_cached(INSERT_OPENVPN)?,
            now,
        })
    }

    /// Inserts a row; false when its uid is there already.
    pub(super) fn insert(&mut self, cells: &[Cell<'_>; 26]) -> Result<bool> {
        Ok(run(&mut self.insert, cells, &self.now)? == 1)
    }

    /// Inserts where the body of a row is.
    pub(super) fn insert_body(&mut self, cells: &[Cell<'_>; 26], body: &BodyPlace) -> Result<()> {
        let [uid, report_id, input, ..] = cells;
        self.insert_body.execute(params![
            report_id,
            input,
            &*body.s3path,
            body.linenum,
            uid,
            &*body.date,
            &*body.source,
            self.now
        ])?;
        Ok(())
    }

    /// Inserts a row of `obs_openvpn`.
    pub(super) fn insert_openvpn(&mut self, cells: &[Cell<'_>; 30]) -> Result<()> {
        run(&mut self.insert_openvpn, cells, &self.now)?;
        Ok(())
    }

    /// Deletes a measurement from all tables but `refused`.
    pub(super) fn delete(&mut self, uid: &str) -> Result<()> {
        for statement in DELETE {
            self.connection.prepare_cached(statement)?.execute([uid])?;
        }
        Ok(())
    }

    /// Notes a refusal; an earlier one of the same uid stays, unless it is to be replaced.
    pub(super) fn set_aside(&mut self, new: &NewRow, refusal: &Refusal, replace: bool) -> Result<()> {
        let uid = &new.row.measurement_uid;
        if replace {
            self.accept(uid)?;
        }
        let body = &new.body;
        self.connection.prepare_cached(REFUSE)?.execute(params![
            uid,
            refusal.column,
            refusal.message,
            json(new),
            &*body.s3path,
            body.linenum,
            &*body.date,
            &*body.source,
            self.now
        ])?;
        Ok(())
    }

    /// Forgets that a measurement was refused.
    pub(super) fn accept(&mut self, uid: &str) -> Result<()> {
        self.connection.prepare_cached(ACCEPT)?.execute([uid])?;
        Ok(())
    }
}

fn run(statement: &mut CachedStatement<'_>, cells: &[Cell<'_>], now: &str) -> Result<usize> {
    for (parameter, cell) in (1..).zip(cells) {
        statement.raw_bind_parameter(parameter, cell)?;
    }
    statement.raw_bind_parameter(cells.len() + 1, now)?;
    statement.raw_execute()
}

/// A row as JSON, which is ASCII.
fn json(new: &NewRow) -> Option<String> {
    let mut out = Vec::new();
    match &new.openvpn {
        None => new.row.write_json(&mut out),
        Some(openvpn) => {
            out.extend_from_slice(b"{\"row\":");
            new.row.write_json(&mut out);
            out.extend_from_slice(b",\"openvpn\":");
            openvpn.write_json(&mut out);
            out.push(b'}');
        }
    }
    (out.len() <= LONGEST_REFUSED).then(|| String::from_utf8_lossy(&out).into_owned())
}

pub(super) fn count(connection: &Connection) -> Result<u64> {
    connection.query_row(COUNT, [], |row| row.get::<_, i64>(0)).map(|count| u64::try_from(count).unwrap_or(0))
}

pub(super) fn page(connection: &Connection, after: Option<&str>, limit: usize) -> Result<Vec<StoredRow>> {
    let mut statement = connection.prepare_cached(PAGE)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // The first text after another is the same with a NUL.
    let from = after.map_or_else(String::new, |after| format!("{after}\0"));
    let mut rows = statement.query(params![from, limit])?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        let mut cells: StoredRow = array::from_fn(|_| Cell::Null);
        for (column, (cell, (_, kind))) in cells.iter_mut().zip(FASTPATH).enumerate() {
            *cell = value::read(row.get_ref(column)?, kind)?;
        }
        page.push(cells);
    }
    Ok(page)
}
