//! Batches: which rows are there is looked up, and the others are inserted under keys that make the second time nothing. A
//! row is noted in `jsonl` first: a row of `fastpath` that nothing leads to could not be found again. What a new row takes
//! the place of goes last, so that of a row that was taken there is one at any time: cut off in between, a measurement whose
//! start has become another is there twice until it is written again.

use super::error::ClickhouseError;
use super::rollups;
use super::value::{self, Rows};
use super::writer::Writer;
use crate::failpoint::{Failpoint, reach};
use crate::value::{FastpathValues, OpenvpnValues, Type, Value};
use crate::write::batch::{self, Decided, Taken};
use crate::write::rejection::Rejection;
use crate::write::row::{BatchResult, Provenance, Refusal, RowBatch};
use ooni_core::row::Refused;
use ooni_core::row::schema::{fastpath, openvpn};
use ooni_core::time::DateTime;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Bytes of a row beyond which it is refused.
const LONGEST_ROW: usize = 256 << 20;

/// Bytes of a uid beyond which its row is refused.
const LONGEST_UID: usize = 600;

/// Bytes of uids that are said with one statement: a server takes fields of 128 KiB.
const UIDS: usize = 64 << 10;

/// Rows that are deleted with one statement, whatever the length of their uids.
const ROWS_AT_ONCE: usize = UIDS / (2 * LONGEST_UID);

/// The column of `obs_openvpn` whose integers have 64 bits.
const WIDE: usize = openvpn::last_handshake_transaction_id;

/// What is noted of some uids, and whether there is a row.
const NOTED: &str = "
    WITH noted AS (SELECT measurement_uid, measurement_start_time FROM jsonl WHERE measurement_uid IN {uids:Array(String)})
    SELECT measurement_uid, measurement_start_time, (measurement_start_time, measurement_uid) IN
        (SELECT measurement_start_time, measurement_uid FROM fastpath
         WHERE (measurement_start_time, measurement_uid) IN (SELECT measurement_start_time, measurement_uid FROM noted))
    FROM noted";

const REMOVED: &str = "SELECT measurement_uid, reason FROM removed WHERE measurement_uid IN {uids:Array(String)}";

/// Takes out rows by their uids and times, which are pairs, but none that was written later.
const ROWS: &str = "
    WHERE measurement_uid IN {uids:Array(String)} AND toUnixTimestamp(measurement_start_time) IN {times:Array(UInt32)}
        AND has(arrayZip({uids:Array(String)}, {times:Array(UInt32)}), (measurement_uid, toUnixTimestamp(measurement_start_time)))
        AND toUnixTimestamp64Micro(update_time) < {moment:Int64}";

/// Writes a batch.
pub(super) async fn write(
    writer: &Writer<'_>,
    rows: &(dyn RowBatch + 'static),
    replace: bool,
) -> Result<BatchResult, ClickhouseError> {
    let removed = removed(writer, rows).await?;
    let mut decided = batch::decide(rows, replace, &removed, fits);
    let noted = noted(writer, decided.taken.iter().map(|taken| rows[taken.index].uid())).await?;
    let is_there = |taken: &Taken<'_>| noted.get(rows[taken.index].uid()).is_some_and(|noted| noted.has_row);
    let there = decided.taken.iter().filter(|taken| is_there(taken)).count() as u64;
    if !replace {
        decided.taken.retain(|taken| !is_there(taken));
    }
    let surplus = surplus(&decided, rows, &noted);
    let times = decided.taken.iter().filter_map(Taken::time).chain(surplus.iter().map(|&(_, time)| time));
    rollups::mark(writer, "", &times.map(value::day).collect()).await?;
    insert(writer, &decided, rows).await?;
    set_aside(writer, &decided, rows, replace).await?;
    reject(writer, &decided).await?;
    if replace {
        let without = decided.taken.iter().filter(|taken| taken.openvpn.is_none() && is_there(taken));
        let had = known(writer, "obs_openvpn", without.map(|taken| rows[taken.index].uid())).await?;
        delete(writer, "obs_openvpn", had.iter().map(String::as_str)).await?;
    }
    delete_rows(writer, &surplus).await?;
    let mut written = decided.written(if replace { there } else { 0 }, replace);
    if !replace {
        written.already += there;
    }
    Ok(written)
}

/// What is known of a uid.
#[derive(Default)]
pub(super) struct Noted {
    /// When its measurement started; more than one while that changes.
    pub(super) times: Vec<DateTime>,
    pub(super) has_row: bool,
}

/// What is known of those of some uids that are noted.
pub(super) async fn noted<'u>(
    writer: &Writer<'_>,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<HashMap<String, Noted>, ClickhouseError> {
    let mut all: HashMap<String, Noted> = HashMap::new();
    for row in look_up(writer, NOTED, uids, &[Type::Text, Type::Time, Type::UInt32]).await? {
        let Ok([Value::Text(uid), Value::Time(time), Value::Int(has_row)]) = <[Value<'static>; 3]>::try_from(row)
        else {
            return Err(ClickhouseError::Foreign);
        };
        let noted = all.entry(uid.into_owned()).or_default();
        noted.times.push(time);
        noted.has_row |= has_row != 0;
    }
    Ok(all)
}

/// Where there is something of a uid, or could be, that its row does not take the place of.
fn surplus<'r>(
    decided: &Decided<'_>,
    rows: &'r (dyn RowBatch + 'static),
    noted: &HashMap<String, Noted>,
) -> Vec<(&'r str, DateTime)> {
    let of = |taken: &Taken<'_>| {
        let (uid, start) = (rows[taken.index].uid(), start(taken));
        let times = noted.get(uid).into_iter().flat_map(|noted| noted.times.clone());
        times.filter(move |&time| Some(time) != start).map(move |time| (uid, time)).collect::<Vec<_>>()
    };
    decided.taken.iter().flat_map(of).collect()
}

/// Which rows were removed for good, and why.
async fn removed(
    writer: &Writer<'_>,
    rows: &(dyn RowBatch + 'static),
) -> Result<HashMap<String, String>, ClickhouseError> {
    let any = "SELECT 1 FROM removed LIMIT 1";
    if writer.http.select(any, &[], &[Type::UInt32]).await?.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = look_up(writer, REMOVED, batch::uids(rows), &[Type::Text; 2]).await?;
    let pair = |row: Vec<Value<'static>>| match <[Value<'static>; 2]>::try_from(row) {
        Ok([Value::Text(uid), Value::Text(reason)]) => Ok((uid.into_owned(), reason.into_owned())),
        _ => Err(ClickhouseError::Foreign),
    };
    rows.into_iter().map(pair).collect()
}

/// Those of some uids that a table has.
pub(super) async fn known<'u>(
    writer: &Writer<'_>,
    table: &str,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<HashSet<String>, ClickhouseError> {
    let sql = format!("SELECT measurement_uid FROM {table} WHERE measurement_uid IN {{uids:Array(String)}}");
    let rows = look_up(writer, &sql, uids, &[Type::Text]).await?;
    let text = |cell| if let Value::Text(uid) = cell { Ok(uid.into_owned()) } else { Err(ClickhouseError::Foreign) };
    rows.into_iter().flatten().map(text).collect()
}

/// Deletes the rows of some uids.
pub(super) async fn delete<'u>(
    writer: &Writer<'_>,
    table: &str,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<(), ClickhouseError> {
    let sql = format!("DELETE FROM {table} WHERE measurement_uid IN {{uids:Array(String)}}");
    for uids in portions(uids) {
        writer.http.execute(&sql, &[("uids".to_owned(), value::texts(uids))]).await?;
    }
    Ok(())
}

/// Deletes rows of `fastpath`, then what is noted of them.
pub(super) async fn delete_rows(writer: &Writer<'_>, rows: &[(&str, DateTime)]) -> Result<(), ClickhouseError> {
    for table in ["fastpath", "jsonl"] {
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let (uids, times): (Vec<_>, Vec<_>) = rows.iter().map(|&(uid, time)| (uid, value::seconds(time))).unzip();
            let parameters = [
                ("uids".to_owned(), value::texts(uids)),
                ("times".to_owned(), value::numbers(times)),
                ("moment".to_owned(), writer.moment.to_string()),
            ];
            writer.http.execute(&format!("DELETE FROM {table} {ROWS}"), &parameters).await?;
        }
        reach(Failpoint::RowDeleted);
    }
    Ok(())
}

async fn look_up<'u>(
    writer: &Writer<'_>,
    sql: &str,
    uids: impl IntoIterator<Item = &'u str>,
    columns: &[Type],
) -> Result<Vec<Vec<Value<'static>>>, ClickhouseError> {
    let mut all = Vec::new();
    for uids in portions(uids) {
        let parameters = [("uids".to_owned(), value::texts(uids))];
        all.extend(writer.http.select(sql, &parameters, columns).await?);
    }
    Ok(all)
}

/// Uids in portions that can be said at once. Those that are too long are in no table.
fn portions<'u>(uids: impl IntoIterator<Item = &'u str>) -> Vec<Vec<&'u str>> {
    let mut portions: Vec<Vec<&str>> = Vec::new();
    let mut room = 0;
    for uid in uids.into_iter().filter(|uid| uid.len() <= LONGEST_UID) {
        // Each byte may be escaped, and there are quotes and a comma.
        let length = 2 * uid.len() + 3;
        match portions.last_mut() {
            Some(portion) if length <= room => portion.push(uid),
            _ => {
                portions.push(vec![uid]);
                room = UIDS;
            }
        }
        room = room.saturating_sub(length);
    }
    portions
}

fn start(taken: &Taken<'_>) -> Option<DateTime> {
    if let Value::Time(time) = taken.cells[fastpath::measurement_start_time] { Some(time) } else { None }
}

/// Inserts what is taken.
async fn insert(
    writer: &Writer<'_>,
    decided: &Decided<'_>,
    rows: &(dyn RowBatch + 'static),
) -> Result<(), ClickhouseError> {
    let (mut fastpath, mut jsonl, mut openvpn) = (Rows::default(), Rows::default(), Rows::default());
    for Taken { index, cells, openvpn: row } in &decided.taken {
        for (cell, column) in cells.iter().zip(fastpath::COLUMNS) {
            let is_link = column.kind == Type::OptionalUInt64;
            fastpath.cell(cell, is_link, is_link);
        }
        let Provenance { ruleset, fingerprints_sha256, body_sha256 } = rows[*index].provenance();
        fastpath.text(&ruleset).text(&fingerprints_sha256).text(&body_sha256).moment(writer.moment);
        let [uid, report_id, input, ..] = cells;
        jsonl.cell(report_id, false, false).cell(input, false, false);
        let body = rows[*index].body();
        jsonl.text(body.map_or("", |body| &*body.s3path)).uint32(body.map_or(0, |body| body.linenum));
        jsonl.cell(uid, false, false);
        jsonl.text(body.map_or("", |body| &*body.date)).text(body.map_or("", |body| &*body.source));
        jsonl.cell(&cells[fastpath::measurement_start_time], false, false).moment(writer.moment);
        if let Some(cells) = row {
            for (column, cell) in cells.iter().enumerate() {
                openvpn.cell(cell, column == WIDE, false);
            }
            openvpn.moment(writer.moment);
        }
    }
    let columns = openvpn::NAMES.join(", ");
    writer.http.insert(&format!("obs_openvpn ({columns}, update_time)"), openvpn).await?;
    writer.http.insert("jsonl", jsonl).await?;
    let columns = fastpath::NAMES.join(", ");
    let fastpath_columns = format!("fastpath ({columns}, ruleset, fingerprints_sha256, body_sha256, update_time)");
    writer.http.insert(&fastpath_columns, fastpath).await
}

const REFUSED: &str =
    "refused (measurement_uid, column_name, message, row_json, s3path, linenum, date, source, update_time)";

/// Sets aside what is refused; what was refused before and is not any more is forgotten.
async fn set_aside(
    writer: &Writer<'_>,
    decided: &Decided<'_>,
    rows: &(dyn RowBatch + 'static),
    replace: bool,
) -> Result<(), ClickhouseError> {
    let uid = |refusal: &Refusal| rows[refusal.index].uid();
    let aside: HashSet<&str> = decided.set_aside.iter().map(uid).collect();
    let before = match replace {
        true => HashSet::new(),
        false => known(writer, "refused", aside.iter().copied()).await?,
    };
    let mut refused = Rows::default();
    for refusal in decided.set_aside.iter().filter(|refusal| !before.contains(uid(refusal))) {
        let new = &rows[refusal.index];
        let body = new.body();
        refused.text(new.uid()).text(&refusal.column).text(&refusal.message);
        refused.optional_text(batch::json(new).as_deref());
        refused.text(body.map_or("", |body| &*body.s3path)).uint32(body.map_or(0, |body| body.linenum));
        refused.text(body.map_or("", |body| &*body.date)).text(body.map_or("", |body| &*body.source));
        refused.moment(writer.moment);
    }
    writer.http.insert(REFUSED, refused).await?;
    if replace {
        let taken = decided.taken.iter().map(|taken| rows[taken.index].uid());
        let ended = known(writer, "refused", taken.filter(|uid| !aside.contains(uid))).await?;
        delete(writer, "refused", ended.iter().map(String::as_str)).await?;
    }
    Ok(())
}

const REJECTED: &str = "rejected (can, position, measurement_uid, code, path, message, update_time)";

/// Positions of some cans that have a rejection.
const POSITIONS: &str = "SELECT can, toString(position) FROM rejected WHERE can IN {uids:Array(String)}";

/// Rejections of cans that were written before this change.
const FORGET_CANS: &str = "
    DELETE FROM rejected WHERE can IN {cans:Array(String)} AND toUnixTimestamp64Micro(update_time) < {moment:Int64}";

/// Writes what was rejected; deletes what is not rejected any more.
async fn reject(writer: &Writer<'_>, decided: &Decided<'_>) -> Result<(), ClickhouseError> {
    let any = "SELECT 1 FROM rejected LIMIT 1";
    let any = !writer.http.select(any, &[], &[Type::UInt32]).await?.is_empty();
    if !any && decided.rejected.is_empty() {
        return Ok(());
    }
    let ended = known(writer, "rejected", decided.stored.iter().copied()).await?;
    delete(writer, "rejected", ended.iter().map(String::as_str)).await?;
    let (again, others): (Vec<&Rejection>, Vec<&Rejection>) =
        decided.rejected.iter().partition(|rejection| decided.cans.binary_search(&&*rejection.can).is_ok());
    let before = positions(writer, decided.cans.iter().copied().chain(others.iter().map(|other| &*other.can))).await?;
    let is_new = |rejection: &&Rejection| !before.contains(&(rejection.can.to_string(), rejection.position));
    let mut rows = Rows::default();
    for Rejection { can, position, uid, code, path, message } in
        again.into_iter().chain(others.into_iter().filter(is_new))
    {
        rows.text(can)
            .uint64(position.cast_unsigned())
            .optional_text(uid.as_deref())
            .text(code)
            .text(path)
            .text(message);
        rows.moment(writer.moment);
    }
    writer.http.insert(REJECTED, rows).await?;
    let had: HashSet<&str> = before.iter().map(|(can, _)| &**can).collect();
    for cans in portions(decided.cans.iter().copied().filter(|can| had.contains(can))) {
        let parameters = [("cans".to_owned(), value::texts(cans)), ("moment".to_owned(), writer.moment.to_string())];
        writer.http.execute(FORGET_CANS, &parameters).await?;
    }
    Ok(())
}

/// Which rejections there are of some cans.
async fn positions<'c>(
    writer: &Writer<'_>,
    cans: impl IntoIterator<Item = &'c str>,
) -> Result<HashSet<(String, i64)>, ClickhouseError> {
    let cans: BTreeSet<&str> = cans.into_iter().collect();
    let rows = look_up(writer, POSITIONS, cans, &[Type::Text; 2]).await?;
    let pair = |row: Vec<Value<'static>>| match <[Value<'static>; 2]>::try_from(row) {
        Ok([Value::Text(can), Value::Text(position)]) => {
            Ok((can.into_owned(), position.parse().map_err(|_| ClickhouseError::Foreign)?))
        }
        _ => Err(ClickhouseError::Foreign),
    };
    rows.into_iter().map(pair).collect()
}

/// Refuses what the tables cannot keep.
fn fits(cells: &FastpathValues<'_>, openvpn: Option<&OpenvpnValues<'_>>) -> Result<(), Refused> {
    batch::fits(cells, openvpn, LONGEST_ROW)?;
    match &cells[fastpath::measurement_uid] {
        Value::Text(uid) if uid.len() > LONGEST_UID => {
            let message = format!("{} bytes, where this store takes {LONGEST_UID}", uid.len());
            Err(Refused { column: "measurement_uid".to_owned(), message })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_have_all_uids_but_those_that_are_too_long() {
        let uids: Vec<String> = (0..3000).map(|number| format!("{number:030}")).collect();
        let long = "x".repeat(LONGEST_UID + 1);
        let all = || uids.iter().map(String::as_str);
        let portions = portions(all().chain([&*long]));
        assert!(
            portions.len() > 1 && portions.iter().all(|portion| value::texts(portion.iter().copied()).len() <= UIDS)
        );
        assert!(portions.concat().into_iter().eq(all()));
    }
}
