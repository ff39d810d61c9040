//! Keeps rollups in step with the rows. A change records in the table `dirty` which days it touches, and later that it is
//! done. Rows of these days are counted until a process has rebuilt their months in a second table, swapped the months in
//! as partitions, and deleted the records.
//!
//! The deleted records are those of changes that were done before the rebuild began, or that are older than
//! [`RECORD_LIFETIME`].

use super::context::ChangeContext;
use super::error::ClickhouseError;
use super::http::{Http, Parameter};
use super::lease::Lease;
use super::rows::Rows;
use super::value;
use crate::failpoint::{Failpoint, interval, reach};
use crate::query::filter::Window;
use crate::rollup::{ROLLUPS, Rollup};
use crate::sql::{self, Dialect};
use crate::value::{Type, Value};
use ooni_core::time::DateTime;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Maximum months that are rebuilt with one statement.
const MONTHS: usize = 24;

/// Maximum changes whose records are deleted with one statement.
const CHANGES: usize = 4000;

const DONE: &str = "INSERT INTO dirty (change, rollup_name, day, is_done) SELECT change, rollup_name, day, 1 FROM dirty WHERE change = ";

const ANY_DIRTY: &str = "
    SELECT 1 FROM dirty WHERE rollup_name IN ('', {rollup:String}) AND toUInt16(day) >= {from:Int64} AND toUInt16(day) < {to:Int64}
    LIMIT 1";

/// The age at which a record belongs to an interrupted change: a change takes at most half of this.
const RECORD_LIFETIME: Duration = Duration::from_secs(600);

/// Records days on which a rollup may differ from the rows. An empty name stands for all rollups.
pub(super) async fn mark(
    context: &ChangeContext<'_>,
    rollup: &str,
    days: &BTreeSet<u16>,
) -> Result<(), ClickhouseError> {
    let mut rows = Rows::of("dirty", ["change", "rollup_name", "day"]);
    for &day in days {
        rows.uint64(context.change).text(rollup).day(day);
    }
    context.http.untracked().insert(rows).await
}

/// Records that a change is done.
pub(super) async fn done(context: &ChangeContext<'_>) -> Result<(), ClickhouseError> {
    context.http.execute(&format!("{DONE}{}", context.change), &[]).await
}

/// Whether a rollup has no dirty day in a window.
pub(super) async fn is_rollup_current(http: &Http, rollup: &Rollup, window: Window) -> Result<bool, ClickhouseError> {
    let from = window.from.map_or(0, |from| from.day_number());
    let to = window.to.map_or(i64::MAX, |to| to.plus_seconds(-1).unwrap_or(to).day_number() + 1);
    let parameters = [("rollup", rollup.name.to_owned()), ("from", from.to_string()), ("to", to.to_string())];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value));
    Ok(http.select(ANY_DIRTY, &parameters, &[Type::UInt32]).await?.is_empty())
}

/// The records of changes that are done or were interrupted.
#[derive(Default)]
struct Records {
    changes: BTreeSet<u64>,
    /// The days, by the name of the rollup.
    days: BTreeMap<String, BTreeSet<u16>>,
}

async fn records(http: &Http) -> Result<Records, ClickhouseError> {
    let sql = format!(
        "SELECT change, rollup_name, day FROM dirty GROUP BY change, rollup_name, day
         HAVING max(is_done) = 1 OR min(marked) <= now64(6) - INTERVAL {} SECOND",
        interval(RECORD_LIFETIME).as_secs()
    );
    let mut records = Records::default();
    let columns = [Type::OptionalUInt64, Type::Text, Type::UInt32];
    for row in http.select(&sql, &[], &columns).await? {
        let [Value::Int(change), Value::Text(rollup), Value::Int(day)] = &row[..] else {
            return Err(ClickhouseError::Foreign);
        };
        let day = u16::try_from(*day).map_err(|_| ClickhouseError::Foreign)?;
        records.changes.insert(*change);
        records.days.entry(rollup.clone().into_owned()).or_default().insert(day);
    }
    Ok(records)
}

/// Rebuilds the dirty days of all recorded changes.
pub(super) async fn refresh_rollups(http: &Http, lease: &mut Lease) -> Result<(), ClickhouseError> {
    let Records { changes, days } = records(http).await?;
    if changes.is_empty() {
        return Ok(());
    }
    for rollup in &ROLLUPS {
        let days = ["", rollup.name].iter().filter_map(|name| days.get(*name)).flatten().copied().collect();
        rebuild(http, lease, rollup, &days).await?;
        reach(Failpoint::RollupFollowed);
    }
    for changes in changes.into_iter().collect::<Vec<_>>().chunks(CHANGES) {
        let parameters = [("changes".to_owned(), value::numbers(changes))];
        http.execute("DELETE FROM dirty WHERE change IN {changes:Array(UInt64)}", &parameters).await?;
    }
    Ok(())
}

/// All days with rows, or with cells of a rollup.
pub(super) async fn days(http: &Http, rollup: &Rollup) -> Result<BTreeSet<u16>, ClickhouseError> {
    let sql = format!(
        "SELECT DISTINCT toDate(measurement_start_time) FROM fastpath UNION ALL SELECT DISTINCT of_day FROM {}",
        rollup.table()
    );
    numbers(http, &sql).await?.into_iter().map(|day| u16::try_from(day).map_err(|_| ClickhouseError::Foreign)).collect()
}

async fn numbers(http: &Http, sql: &str) -> Result<BTreeSet<u64>, ClickhouseError> {
    let rows = http.select(sql, &[], &[Type::UInt32]).await?;
    let number = |cell| if let Value::Int(number) = cell { Ok(number) } else { Err(ClickhouseError::Foreign) };
    rows.into_iter().flatten().map(number).collect()
}

/// Rebuilds some days.
async fn rebuild(http: &Http, lease: &mut Lease, rollup: &Rollup, days: &BTreeSet<u16>) -> Result<(), ClickhouseError> {
    let mut months: BTreeMap<u64, Vec<DateTime>> = BTreeMap::new();
    for day in days.iter().filter_map(|&day| DateTime::from_day_number(i64::from(day))) {
        let (year, month, _) = day.date();
        // The result of toYYYYMM.
        months.entry(year as u64 * 100 + u64::from(month)).or_default().push(day);
    }
    let months: Vec<_> = months.into_iter().collect();
    for months in months.chunks(MONTHS) {
        rebuild_months(http, lease, rollup, months).await?;
    }
    Ok(())
}

/// Rebuilds some days, given by month.
async fn rebuild_months(
    http: &Http,
    lease: &mut Lease,
    rollup: &Rollup,
    months: &[(u64, Vec<DateTime>)],
) -> Result<(), ClickhouseError> {
    let table = rollup.table();
    let next = format!("{table}_next");
    let fill = sql::cells_by_day(
        Dialect::Clickhouse,
        rollup,
        "IN {days:Array(Date)}",
        "toYYYYMM(of_day) IN {months:Array(UInt32)} AND of_day NOT IN {days:Array(Date)}",
    );
    let dates: Vec<String> = months.iter().flat_map(|(_, days)| days).map(|day| day.date_text()).collect();
    let parameters: [Parameter; 2] = [
        ("days".to_owned(), value::texts(dates.iter().map(String::as_str))),
        ("months".to_owned(), value::numbers(months.iter().map(|(month, _)| month))),
    ];
    lease.hold(http.refill(&next, &fill, &parameters, None)).await?;
    let filled = numbers(http, &format!("SELECT DISTINCT toYYYYMM(of_day) FROM {next}")).await?;
    let swaps: Vec<String> = months
        .iter()
        .map(|(month, _)| match filled.contains(month) {
            true => format!("REPLACE PARTITION {month} FROM {next}"),
            false => format!("DROP PARTITION {month}"),
        })
        .collect();
    lease.hold(http.execute(&format!("ALTER TABLE {table} {}", swaps.join(", ")), &[])).await
}
