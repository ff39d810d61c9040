//! How rollups follow the rows: a change notes in the table `dirty` the days that it is going to touch, and when it is made
//! their cells are counted anew, beside the others of their months, and take the place of the months as a whole.

use super::http::{Http, Parameter};
use super::value::{self, Rows};
use super::{Trouble, Writer};
use crate::cell::{Cell, Type};
use crate::failpoint::{Failpoint, reach};
use crate::store::TIME_LIMIT;
use crate::store::filter::Window;
use crate::store::rollup::{ROLLUPS, Rollup};
use crate::store::sql::{self, Dialect};
use ooni_core::time::DateTime;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Months that are made anew at once.
const MONTHS: usize = 24;

const DIRTY: &str = "SELECT rollup_name, day, max(marked) FROM dirty GROUP BY rollup_name, day";

const CLEAN: &str = "DELETE FROM dirty WHERE marked <= fromUnixTimestamp64Micro({last:Int64})";

const ANY_DIRTY: &str = "
    SELECT 1 FROM dirty WHERE rollup_name IN ('', {rollup:String}) AND toUInt16(day) >= {from:Int64} AND toUInt16(day) < {to:Int64}
    LIMIT 1";

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Notes that the rows of some days may be other than a rollup says; no name stands for all rollups.
pub(super) async fn mark(writer: &Writer<'_>, rollup: &str, days: &BTreeSet<u16>) -> Result<(), Trouble> {
    let mut rows = Rows::default();
    for &day in days {
        rows.text(rollup).day(day).moment(writer.moment);
    }
    writer.http.insert("dirty (rollup_name, day, marked)", rows).await
}

/// Whether nothing is noted of a rollup in a time.
pub(super) async fn is_settled(http: &Http, rollup: &Rollup, window: Window) -> Result<bool, Trouble> {
    let from = window.from.map_or(0, |from| from.timestamp().div_euclid(DAY));
    let to = window.to.map_or(i64::MAX, |to| (to.timestamp() - 1).div_euclid(DAY) + 1);
    let parameters = [("rollup", rollup.name.to_owned()), ("from", from.to_string()), ("to", to.to_string())];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value));
    Ok(http.select(ANY_DIRTY, &parameters, &[Type::UInt32], TIME_LIMIT).await?.is_empty())
}

/// Makes anew what is noted, whichever change noted it.
pub(super) async fn settle(writer: &Writer<'_>) -> Result<(), Trouble> {
    let mut dirty: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    let mut last = 0;
    for row in writer.http.select(DIRTY, &[], &[Type::Text, Type::UInt32, Type::UInt32], Duration::MAX).await? {
        let [Cell::Text(rollup), Cell::Int(day), Cell::Int(marked)] = &row[..] else { return Err(Trouble::Foreign) };
        let day = u16::try_from(*day).map_err(|_| Trouble::Foreign)?;
        dirty.entry(rollup.clone().into_owned()).or_default().insert(day);
        last = last.max(*marked);
    }
    if dirty.is_empty() {
        return Ok(());
    }
    for rollup in &ROLLUPS {
        let days = ["", rollup.name].iter().filter_map(|name| dirty.get(*name)).flatten().copied().collect();
        remake(writer, rollup, &days).await?;
        reach(Failpoint::RollupFollowed);
    }
    writer.http.execute(CLEAN, &[("last".to_owned(), last.to_string())]).await
}

/// Makes a rollup anew.
pub(super) async fn rebuild(writer: &Writer<'_>, rollup: &Rollup) -> Result<(), Trouble> {
    let days = days(writer, rollup).await?;
    remake(writer, rollup, &days).await
}

/// All days that have rows, or cells of a rollup.
pub(super) async fn days(writer: &Writer<'_>, rollup: &Rollup) -> Result<BTreeSet<u16>, Trouble> {
    let sql = format!(
        "SELECT DISTINCT toDate(measurement_start_time) FROM fastpath UNION ALL SELECT DISTINCT of_day FROM {}",
        rollup.table()
    );
    numbers(writer, &sql).await?.into_iter().map(|day| u16::try_from(day).map_err(|_| Trouble::Foreign)).collect()
}

async fn numbers(writer: &Writer<'_>, sql: &str) -> Result<BTreeSet<u64>, Trouble> {
    let rows = writer.http.select(sql, &[], &[Type::UInt32], Duration::MAX).await?;
    let number = |cell| if let Cell::Int(number) = cell { Ok(number) } else { Err(Trouble::Foreign) };
    rows.into_iter().flatten().map(number).collect()
}

/// Counts the rows of some days anew.
async fn remake(writer: &Writer<'_>, rollup: &Rollup, days: &BTreeSet<u16>) -> Result<(), Trouble> {
    let mut months: BTreeMap<u64, Vec<DateTime>> = BTreeMap::new();
    for day in days.iter().filter_map(|&day| DateTime::from_timestamp(i64::from(day) * DAY)) {
        let (year, month, _) = day.date();
        // As toYYYYMM has it.
        months.entry(year as u64 * 100 + u64::from(month)).or_default().push(day);
    }
    let months: Vec<_> = months.into_iter().collect();
    for months in months.chunks(MONTHS) {
        remake_months(writer, rollup, months).await?;
    }
    Ok(())
}

/// Counts the rows of some days anew, by their months.
async fn remake_months(writer: &Writer<'_>, rollup: &Rollup, months: &[(u64, Vec<DateTime>)]) -> Result<(), Trouble> {
    let table = rollup.table();
    let empty = format!("TRUNCATE TABLE {table}_next");
    let fill = sql::cells_by_day(
        Dialect::Clickhouse,
        rollup,
        "IN {days:Array(Date)}",
        "toYYYYMM(of_day) IN {months:Array(UInt32)} AND of_day NOT IN {days:Array(Date)}",
    );
    let dates: Vec<String> = months.iter().flat_map(|(_, days)| days).map(|&day| date(day)).collect();
    let parameters: [Parameter; 2] = [
        ("days".to_owned(), value::texts(dates.iter().map(String::as_str))),
        ("months".to_owned(), value::numbers(months.iter().map(|(month, _)| month))),
    ];
    // What it had is in the other table, or was cut off.
    writer.http.execute(&empty, &[]).await?;
    writer.http.execute(&fill, &parameters).await?;
    let filled = numbers(writer, &format!("SELECT DISTINCT toYYYYMM(of_day) FROM {table}_next")).await?;
    for (month, _) in months {
        let swap = match filled.contains(month) {
            true => format!("ALTER TABLE {table} REPLACE PARTITION {month} FROM {table}_next"),
            false => format!("ALTER TABLE {table} DROP PARTITION {month}"),
        };
        writer.http.execute(&swap, &[]).await?;
    }
    Ok(())
}

/// `YYYY-MM-DD`
fn date(day: DateTime) -> String {
    let (year, month, day) = day.date();
    format!("{year:04}-{month:02}-{day:02}")
}
