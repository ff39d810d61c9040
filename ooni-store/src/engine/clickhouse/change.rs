//! Changes other than writing a batch.

use super::context::ChangeContext;
use super::error::ClickhouseError;
use super::lease::Lease;
use super::rows::Rows;
use super::value;
use super::{batch, rollups};
use crate::failpoint::{Failpoint, reach};
use crate::rollup::{ROLLUPS, Rollup};
use crate::value::{Type, Value};
use crate::write::removal::RemoveOutcome;
use crate::write::row::ListedUrl;
use ooni_core::time::DateTime;
use std::collections::BTreeSet;

/// Removes a measurement permanently.
pub(super) async fn remove(
    context: &ChangeContext<'_>,
    uid: &str,
    reason: &str,
    ban: bool,
) -> Result<RemoveOutcome, ClickhouseError> {
    let entries = batch::entries(context, [uid]).await?.remove(uid).unwrap_or_default();
    let [was_removed, was_refused, was_rejected] = [
        batch::known(context, "removed", [uid]).await?,
        batch::known(context, "refused", [uid]).await?,
        batch::known(context, "rejected", [uid]).await?,
    ]
    .map(|known| !known.is_empty());
    let was_archived = !batch::known(context, "archived", [uid]).await?.is_empty();
    let exists = entries.has_row || was_refused || was_rejected || was_archived;
    let outcome = RemoveOutcome::of(was_removed, exists, ban);
    if outcome == RemoveOutcome::Unknown && entries.times.is_empty() {
        return Ok(outcome);
    }
    let days: BTreeSet<u16> = entries.times.iter().map(|&time| value::day(time)).collect();
    rollups::mark(context, "", &days).await?;
    if matches!(outcome, RemoveOutcome::Removed | RemoveOutcome::Banned) {
        let mut removed = Rows::of("removed", ["measurement_uid", "reason", "update_time"]);
        removed.text(uid).text(reason).moment(context.moment);
        context.http.insert(removed).await?;
    }
    // Also if the measurement was removed before, because that removal may have been interrupted.
    if was_refused {
        batch::delete(context, "refused", [uid]).await?;
    }
    if was_rejected {
        batch::delete(context, "rejected", [uid]).await?;
    }
    if was_archived {
        batch::delete(context, "archived", [uid]).await?;
    }
    if !entries.times.is_empty() {
        batch::delete(context, "obs_openvpn", [uid]).await?;
        let rows: Vec<_> = entries.times.iter().map(|&time| (uid, time)).collect();
        batch::delete_rows(context, &rows).await?;
    }
    Ok(outcome)
}

/// Lifts the ban of a measurement. Returns false if it was not removed.
pub(super) async fn restore(context: &ChangeContext<'_>, uid: &str) -> Result<bool, ClickhouseError> {
    let was_removed = !batch::known(context, "removed", [uid]).await?.is_empty();
    if was_removed {
        batch::delete(context, "removed", [uid]).await?;
    }
    Ok(was_removed)
}

/// Deletes a month.
pub(super) async fn drop_month(context: &ChangeContext<'_>, month: DateTime) -> Result<u64, ClickhouseError> {
    const WITHIN: &str =
        "measurement_start_time >= {from:DateTime64(0, 'UTC')} AND measurement_start_time < {to:DateTime64(0, 'UTC')}";
    let bound = |name: &str, time: DateTime| (name.to_owned(), value::moment(time));
    let window = [bound("from", month), bound("to", month.start_of_next_month())];
    let sql = format!("SELECT toDate(measurement_start_time), count() FROM fastpath WHERE {WITHIN} GROUP BY 1");
    let (mut days, mut rows) = (BTreeSet::new(), 0);
    for row in context.http.select(&sql, &window, &[Type::UInt32; 2]).await? {
        let [Value::Int(day), Value::Int(count)] = row[..] else { return Err(ClickhouseError::Foreign) };
        days.insert(u16::try_from(day).map_err(|_| ClickhouseError::Foreign)?);
        rows += count;
    }
    rollups::mark(context, "", &days).await?;
    let (year, number, _) = month.date();
    context.http.execute(&format!("ALTER TABLE fastpath DROP PARTITION {year}{number:02}"), &[]).await?;
    reach(Failpoint::RowDeleted);
    let openvpn =
        format!("DELETE FROM obs_openvpn WHERE measurement_uid IN (SELECT measurement_uid FROM jsonl WHERE {WITHIN})");
    context.http.execute(&openvpn, &window).await?;
    context.http.execute(&format!("DELETE FROM jsonl WHERE {WITHIN}"), &window).await?;
    Ok(rows)
}

/// Replaces all test lists.
pub(super) async fn replace_lists(
    context: &ChangeContext<'_>,
    lists: &[ListedUrl],
    lease: &mut Lease,
) -> Result<(), ClickhouseError> {
    let mut rows = Rows::of("citizenlab_next", ["url", "domain", "cc", "category_code"]);
    for ListedUrl { url, domain, cc, category_code } in lists {
        rows.text(url).text(domain).text(cc).text(category_code);
    }
    for rollup in ROLLUPS.iter().filter(|rollup| rollup.is_of_lists()) {
        mark_all(context, rollup).await?;
    }
    let swap = match lists.is_empty() {
        true => "TRUNCATE TABLE citizenlab",
        false => {
            let fill = rows.insert();
            lease.hold(context.http.untracked().refill("citizenlab_next", &fill, &[], Some(rows))).await?;
            "ALTER TABLE citizenlab REPLACE PARTITION tuple() FROM citizenlab_next"
        }
    };
    lease.hold(context.http.execute(swap, &[])).await?;
    reach(Failpoint::ListsReplaced);
    Ok(())
}

/// Records all days of a rollup as dirty.
pub(super) async fn mark_all(context: &ChangeContext<'_>, rollup: &Rollup) -> Result<(), ClickhouseError> {
    rollups::mark(context, rollup.name, &rollups::days(context.http, rollup).await?).await
}
