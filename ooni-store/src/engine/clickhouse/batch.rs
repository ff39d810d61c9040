//! Writes batches. Rows that are already stored are looked up, and the others are inserted; inserting a row again has no
//! effect, since its key is the same. The entry in `jsonl` is written before the row of `fastpath`, because a row without
//! an entry could not be found by its uid. Rows that are replaced are deleted last, so an accepted measurement has a row at
//! all times. If a batch that changes the start of a measurement is interrupted, the measurement has two rows until it is
//! written again.

use super::context::ChangeContext;
use super::error::ClickhouseError;
use super::rows::Rows;
use super::value;
use super::{locations, rollups};
use crate::failpoint::{Failpoint, reach};
use crate::sql::{LOCATION, Parameter};
use crate::value::{Type, Value};
use crate::write::batch::{self, Decided, Taken};
use crate::write::rejection::{LONGEST_KEY, Rejection};
use crate::write::row::{BatchResult, BodyLocation, Provenance, Refusal, RowBatch};
use futures_util::future::join;
use ooni_core::row::schema::{fastpath, openvpn};
use ooni_core::time::DateTime;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Maximum bytes of a row.
const LONGEST_ROW: usize = 256 << 20;

/// Maximum bytes of the uids in one statement: a server accepts fields of 128 KiB.
const UID_BYTES: usize = 64 << 10;

/// How many times the uids of a batch are read at most, to find out which of them a table has.
const MORE_UIDS: usize = 4;

/// Maximum rows deleted with one statement, so that uids of any length fit.
const DELETED_ROWS: usize = UID_BYTES / (2 * LONGEST_KEY);

/// The column of `obs_openvpn` with 64-bit integers.
const WIDE: usize = openvpn::last_handshake_transaction_id;

/// Returns the entries of some uids in `jsonl`, and whether each has a row.
const ENTRIES: &str = "
    WITH entries AS (SELECT measurement_uid, measurement_start_time FROM jsonl WHERE measurement_uid IN {uids:Array(String)})
    SELECT measurement_uid, measurement_start_time, (measurement_start_time, measurement_uid) IN
        (SELECT measurement_start_time, measurement_uid FROM fastpath
         WHERE (measurement_start_time, measurement_uid) IN (SELECT measurement_start_time, measurement_uid FROM entries))
    FROM entries";

const REMOVED: &str = "SELECT measurement_uid, reason FROM removed WHERE measurement_uid IN {uids:Array(String)}";

/// Selects rows by pairs of uid and start, except rows that were written later than this change.
const ROWS: &str = "
    WHERE measurement_uid IN {uids:Array(String)} AND toUnixTimestamp(measurement_start_time) IN {times:Array(UInt32)}
        AND has(arrayZip({uids:Array(String)}, {times:Array(UInt32)}), (measurement_uid, toUnixTimestamp(measurement_start_time)))
        AND toUnixTimestamp64Micro(update_time) < {moment:Int64}";

/// Writes a batch.
pub(super) async fn write(
    context: &ChangeContext<'_>,
    rows: &(dyn RowBatch + 'static),
    replace: bool,
) -> Result<BatchResult, ClickhouseError> {
    let removed = removed(context, batch::uids(rows)).await?;
    let mut decided = batch::decide(rows, replace, &removed, LONGEST_ROW);
    let entries = entries(context, decided.taken.iter().map(|taken| rows[taken.index].uid())).await?;
    let is_stored = |taken: &Taken<'_>| entries.get(rows[taken.index].uid()).is_some_and(|entry| entry.has_row);
    let existing = decided.taken.iter().filter(|taken| is_stored(taken)).count() as u64;
    if !replace {
        decided.taken.retain(|taken| !is_stored(taken));
    }
    let known_bodies = locations::known(context, without_location(&decided, rows)).await?;
    let obsolete = obsolete(&decided, rows, &entries);
    let times = decided.taken.iter().filter_map(Taken::time).chain(obsolete.iter().map(|&(_, time)| time));
    rollups::mark(context, "", &times.map(value::day).collect()).await?;
    insert(context, &decided, rows, &known_bodies).await?;
    set_aside(context, &decided, rows, &known_bodies, replace).await?;
    reject(context, &decided).await?;
    if replace {
        let without = decided.taken.iter().filter(|taken| taken.openvpn.is_none() && is_stored(taken));
        let had = known(context, "obs_openvpn", without.map(|taken| rows[taken.index].uid())).await?;
        delete(context, "obs_openvpn", had.iter().map(String::as_str)).await?;
    }
    delete_rows(context, &obsolete).await?;
    locations::forget(context, decided.stored.iter().copied()).await?;
    let mut written = decided.written(if replace { existing } else { 0 }, replace);
    if !replace {
        written.already += existing;
    }
    Ok(written)
}

/// The entries of a uid in `jsonl`.
#[derive(Default)]
pub(super) struct Entries {
    /// The start of the measurement. More than one while it is being changed, or if that was interrupted.
    pub(super) times: Vec<DateTime>,
    /// Whether an entry has a row in `fastpath`.
    pub(super) has_row: bool,
}

/// The entries of these uids in `jsonl`, by uid.
pub(super) async fn entries<'u>(
    context: &ChangeContext<'_>,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<HashMap<String, Entries>, ClickhouseError> {
    let mut all: HashMap<String, Entries> = HashMap::new();
    let uids = likely(context, "jsonl", uids.into_iter().collect()).await?;
    for row in look_up(context, ENTRIES, uids, &[Type::Text, Type::Time, Type::UInt32]).await? {
        let Ok([Value::Text(uid), Value::Time(time), Value::Int(has_row)]) = <[Value<'static>; 3]>::try_from(row)
        else {
            return Err(ClickhouseError::Foreign);
        };
        let entries = all.entry(uid.into_owned()).or_default();
        entries.times.push(time);
        entries.has_row |= has_row != 0;
    }
    Ok(all)
}

/// The entries, and possibly rows, with the uid of an accepted row but another start. They have another key, so the new row
/// does not replace them.
fn obsolete<'r>(
    decided: &Decided<'_>,
    rows: &'r (dyn RowBatch + 'static),
    entries: &HashMap<String, Entries>,
) -> Vec<(&'r str, DateTime)> {
    let of = |taken: &Taken<'_>| {
        let (uid, start) = (rows[taken.index].uid(), start(taken));
        let times = entries.get(uid).into_iter().flat_map(|entries| entries.times.clone());
        times.filter(move |&time| Some(time) != start).map(move |time| (uid, time)).collect::<Vec<_>>()
    };
    decided.taken.iter().flat_map(of).collect()
}

/// The uids of accepted and refused rows that come without the location of their body.
fn without_location<'r>(decided: &Decided<'_>, rows: &'r (dyn RowBatch + 'static)) -> Vec<&'r str> {
    let taken = decided.taken.iter().map(|taken| taken.index);
    let all = taken.chain(decided.set_aside.iter().map(|refusal| refusal.index)).map(|index| &rows[index]);
    all.filter(|new| new.body().is_none()).map(|new| new.uid()).collect()
}

/// The measurements of these that were removed permanently, and the reasons.
pub(super) async fn removed<'u>(
    context: &ChangeContext<'_>,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<HashMap<String, String>, ClickhouseError> {
    let any = "SELECT 1 FROM removed LIMIT 1";
    if context.http.select(any, &[], &[Type::UInt32]).await?.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = look_up(context, REMOVED, uids, &[Type::Text; 2]).await?;
    let pair = |row: Vec<Value<'static>>| match <[Value<'static>; 2]>::try_from(row) {
        Ok([Value::Text(uid), Value::Text(reason)]) => Ok((uid.into_owned(), reason.into_owned())),
        _ => Err(ClickhouseError::Foreign),
    };
    rows.into_iter().map(pair).collect()
}

/// The uids that occur in a table.
pub(super) async fn known<'u>(
    context: &ChangeContext<'_>,
    table: &str,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<HashSet<String>, ClickhouseError> {
    let sql = format!("SELECT measurement_uid FROM {table} WHERE measurement_uid IN {{uids:Array(String)}}");
    let uids = likely(context, table, uids.into_iter().collect()).await?;
    let rows = look_up(context, &sql, uids, &[Type::Text]).await?;
    let text = |cell| if let Value::Text(uid) = cell { Ok(uid.into_owned()) } else { Err(ClickhouseError::Foreign) };
    rows.into_iter().flatten().map(text).collect()
}

/// Deletes the rows with these uids from a table.
pub(super) async fn delete<'u>(
    context: &ChangeContext<'_>,
    table: &str,
    uids: impl IntoIterator<Item = &'u str>,
) -> Result<(), ClickhouseError> {
    let sql = format!("DELETE FROM {table} WHERE measurement_uid IN {{uids:Array(String)}}");
    for uids in chunks(uids) {
        context.http.execute(&sql, &[("uids".to_owned(), value::texts(uids))]).await?;
    }
    Ok(())
}

/// Deletes rows of `fastpath`, then their entries in `jsonl`.
pub(super) async fn delete_rows(context: &ChangeContext<'_>, rows: &[(&str, DateTime)]) -> Result<(), ClickhouseError> {
    for table in ["fastpath", "jsonl"] {
        for rows in rows.chunks(DELETED_ROWS) {
            let (uids, times): (Vec<_>, Vec<_>) = rows.iter().map(|&(uid, time)| (uid, value::seconds(time))).unzip();
            let parameters = [
                ("uids".to_owned(), value::texts(uids)),
                ("times".to_owned(), value::numbers(times)),
                ("moment".to_owned(), context.moment.to_string()),
            ];
            context.http.execute(&format!("DELETE FROM {table} {ROWS}"), &parameters).await?;
        }
        reach(Failpoint::RowDeleted);
    }
    Ok(())
}

/// Those of some uids that a table may have. The uids of a batch are mostly neighbours in the order of the table. So if
/// they do not fit into one statement, all uids from the first to the last of them are read, unless these are many
/// more.
async fn likely<'u>(
    context: &ChangeContext<'_>,
    table: &str,
    mut uids: Vec<&'u str>,
) -> Result<Vec<&'u str>, ClickhouseError> {
    uids.retain(|uid| uid.len() <= LONGEST_KEY);
    let (Some(first), Some(last)) = (uids.iter().min(), uids.iter().max()) else { return Ok(uids) };
    if uids.iter().map(|uid| room_of(uid)).sum::<usize>() <= UID_BYTES {
        return Ok(uids);
    }
    let limit = MORE_UIDS * uids.len();
    let sql = format!(
        "SELECT measurement_uid FROM {table}
         WHERE measurement_uid >= {{first:String}} AND measurement_uid <= {{last:String}} LIMIT {limit}"
    );
    let text = |uid: &str| value::parameter(&Parameter::Text(uid.to_owned()));
    let parameters = [("first".to_owned(), text(first)), ("last".to_owned(), text(last))];
    let between = context.http.select(&sql, &parameters, &[Type::Text]).await?;
    if between.len() < limit {
        let text = |cell| if let Value::Text(uid) = cell { Some(uid) } else { None };
        let between: HashSet<Cow<'_, str>> = between.into_iter().flatten().filter_map(text).collect();
        uids.retain(|uid| between.contains(*uid));
    }
    Ok(uids)
}

pub(super) async fn look_up<'u>(
    context: &ChangeContext<'_>,
    sql: &str,
    uids: impl IntoIterator<Item = &'u str>,
    columns: &[Type],
) -> Result<Vec<Vec<Value<'static>>>, ClickhouseError> {
    let mut all = Vec::new();
    for uids in chunks(uids) {
        let parameters = [("uids".to_owned(), value::texts(uids))];
        all.extend(context.http.select(sql, &parameters, columns).await?);
    }
    Ok(all)
}

/// Splits uids into chunks that fit into one statement. Uids that are too long are omitted: no table has them.
pub(super) fn chunks<'u>(uids: impl IntoIterator<Item = &'u str>) -> Vec<Vec<&'u str>> {
    let mut chunks: Vec<Vec<&str>> = Vec::new();
    let mut room = 0;
    for uid in uids.into_iter().filter(|uid| uid.len() <= LONGEST_KEY) {
        let length = room_of(uid);
        match chunks.last_mut() {
            Some(chunk) if length <= room => chunk.push(uid),
            _ => {
                chunks.push(vec![uid]);
                room = UID_BYTES;
            }
        }
        room = room.saturating_sub(length);
    }
    chunks
}

/// Maximum bytes of a uid in an array: each byte may be escaped; two quotes and a comma are added.
fn room_of(uid: &str) -> usize {
    2 * uid.len() + 3
}

fn start(taken: &Taken<'_>) -> Option<DateTime> {
    if let Value::Time(time) = taken.cells[fastpath::measurement_start_time] { Some(time) } else { None }
}

/// Inserts the accepted rows.
async fn insert(
    context: &ChangeContext<'_>,
    decided: &Decided<'_>,
    rows: &(dyn RowBatch + 'static),
    known_bodies: &HashMap<String, BodyLocation>,
) -> Result<(), ClickhouseError> {
    let mut jsonl = locations::no_entries();
    let mut openvpn = Rows::of("obs_openvpn", openvpn::NAMES.into_iter().chain(["update_time"]));
    for Taken { index, cells, openvpn: row } in &decided.taken {
        let [uid, report_id, input, ..] = cells;
        jsonl.cell(report_id, false).cell(input, false).cell(uid, false);
        jsonl.cell(&cells[fastpath::measurement_start_time], false);
        let new = &rows[*index];
        locations::push(&mut jsonl, new.body().or_else(|| known_bodies.get(new.uid())));
        jsonl.moment(context.moment);
        if let Some(cells) = row {
            for (column, cell) in cells.iter().enumerate() {
                openvpn.cell(cell, column == WIDE);
            }
            openvpn.moment(context.moment);
        }
    }
    context.http.insert(openvpn).await?;
    // The rows are prepared while the server writes the entries.
    let (written, fastpath) = join(context.http.insert(jsonl), async { rows_of(context, decided, rows) }).await;
    written?;
    context.http.insert(fastpath).await
}

/// The accepted rows, as rows of `fastpath`.
fn rows_of(context: &ChangeContext<'_>, decided: &Decided<'_>, rows: &(dyn RowBatch + 'static)) -> Rows {
    let provenance = ["ruleset", "fingerprints_sha256", "body_sha256", "update_time"];
    let mut fastpath = Rows::of("fastpath", fastpath::NAMES.into_iter().chain(provenance));
    for Taken { index, cells, .. } in &decided.taken {
        for (cell, column) in cells.iter().zip(fastpath::COLUMNS) {
            match column.kind {
                Type::OptionalUInt64 => fastpath.optional_int(cell, true),
                _ => fastpath.cell(cell, false),
            };
        }
        let Provenance { ruleset, fingerprints_sha256, body_sha256 } = rows[*index].provenance();
        fastpath.text(&ruleset).text(&fingerprints_sha256).text(&body_sha256).moment(context.moment);
    }
    fastpath
}

/// Records refusals; deletes those of measurements that are no longer refused.
async fn set_aside(
    context: &ChangeContext<'_>,
    decided: &Decided<'_>,
    rows: &(dyn RowBatch + 'static),
    known_bodies: &HashMap<String, BodyLocation>,
    replace: bool,
) -> Result<(), ClickhouseError> {
    let uid = |refusal: &Refusal| rows[refusal.index].uid();
    let aside: HashSet<&str> = decided.set_aside.iter().map(uid).collect();
    let before = match replace {
        true => HashSet::new(),
        false => known(context, "refused", aside.iter().copied()).await?,
    };
    let columns = ["measurement_uid", "column_name", "message", "row_json"];
    let mut refused = Rows::of("refused", columns.into_iter().chain(LOCATION).chain(["update_time"]));
    for refusal in decided.set_aside.iter().filter(|refusal| !before.contains(uid(refusal))) {
        let new = &rows[refusal.index];
        refused.text(new.uid()).text(&refusal.column).text(&refusal.message);
        refused.optional_text(batch::json(new).as_deref());
        locations::push(&mut refused, new.body().or_else(|| known_bodies.get(new.uid())));
        refused.moment(context.moment);
    }
    context.http.insert(refused).await?;
    if replace {
        let taken = decided.taken.iter().map(|taken| rows[taken.index].uid());
        let ended = known(context, "refused", taken.filter(|uid| !aside.contains(uid))).await?;
        delete(context, "refused", ended.iter().map(String::as_str)).await?;
    }
    Ok(())
}

/// The columns of a rejection.
const REJECTED: [&str; 7] = ["can", "position", "measurement_uid", "code", "path", "message", "update_time"];

/// Returns the positions of the rejections of some cans.
const POSITIONS: &str = "SELECT can, toString(position) FROM rejected WHERE can IN {uids:Array(String)}";

/// Deletes the rejections of some cans that were written before this change.
const FORGET_CANS: &str = "
    DELETE FROM rejected WHERE can IN {cans:Array(String)} AND toUnixTimestamp64Micro(update_time) < {moment:Int64}";

/// Writes rejections; deletes those that no longer apply.
async fn reject(context: &ChangeContext<'_>, decided: &Decided<'_>) -> Result<(), ClickhouseError> {
    let any = "SELECT 1 FROM rejected LIMIT 1";
    let any = !context.http.select(any, &[], &[Type::UInt32]).await?.is_empty();
    if !any && decided.rejected.is_empty() {
        return Ok(());
    }
    let ended = known(context, "rejected", decided.stored.iter().copied()).await?;
    delete(context, "rejected", ended.iter().map(String::as_str)).await?;
    let (again, others): (Vec<&Rejection>, Vec<&Rejection>) =
        decided.rejected.iter().partition(|rejection| decided.cans.binary_search(&&*rejection.can).is_ok());
    let before = positions(context, decided.cans.iter().copied().chain(others.iter().map(|other| &*other.can))).await?;
    let is_new = |rejection: &&Rejection| !before.contains(&(rejection.can.to_string(), rejection.position));
    let mut rows = Rows::of("rejected", REJECTED);
    for Rejection { can, position, uid, code, path, message } in
        again.into_iter().chain(others.into_iter().filter(is_new))
    {
        rows.text(can).int64(*position).optional_text(uid.as_deref()).text(code).text(path).text(message);
        rows.moment(context.moment);
    }
    context.http.insert(rows).await?;
    let had: HashSet<&str> = before.iter().map(|(can, _)| &**can).collect();
    for cans in chunks(decided.cans.iter().copied().filter(|can| had.contains(can))) {
        let parameters = [("cans".to_owned(), value::texts(cans)), ("moment".to_owned(), context.moment.to_string())];
        context.http.execute(FORGET_CANS, &parameters).await?;
    }
    Ok(())
}

/// The cans and positions of the rejections of some cans.
async fn positions<'c>(
    context: &ChangeContext<'_>,
    cans: impl IntoIterator<Item = &'c str>,
) -> Result<HashSet<(String, i64)>, ClickhouseError> {
    let cans: BTreeSet<&str> = cans.into_iter().collect();
    let rows = look_up(context, POSITIONS, cans, &[Type::Text; 2]).await?;
    let pair = |row: Vec<Value<'static>>| match <[Value<'static>; 2]>::try_from(row) {
        Ok([Value::Text(can), Value::Text(position)]) => {
            Ok((can.into_owned(), position.parse().map_err(|_| ClickhouseError::Foreign)?))
        }
        _ => Err(ClickhouseError::Foreign),
    };
    rows.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_all_uids_except_those_that_are_too_long() {
        let uids: Vec<String> = (0..3000).map(|number| format!("{number:030}")).collect();
        let long = "x".repeat(LONGEST_KEY + 1);
        let all = || uids.iter().map(String::as_str);
        let chunks = chunks(all().chain([&*long]));
        assert!(chunks.len() > 1);
        assert!(chunks.iter().all(|chunk| value::texts(chunk.iter().copied()).len() <= UID_BYTES));
        assert!(chunks.concat().into_iter().eq(all()));
    }
}
