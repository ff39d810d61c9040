//! The job `retention`: removes whole months that ended more than `jobs.retention` days ago from the store.
//!
//! Only archived measurements are removed, since the archive keeps their bodies: a month with a measurement whose body has no
//! location is left until it has one. That is a measurement with a wrong date that was received lately, or one that was imported
//! without its location. The current month is never removed. The archive is not changed.

use super::jobs::Run;
use super::{Report, settings};
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use ooni_store::Deadline;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::value::Value;

pub(super) async fn run(run: &Run<'_>) -> anyhow::Result<Report> {
    let days = settings(run).retention;
    anyhow::ensure!(days > 0, "the setting jobs.retention is 0, so nothing is removed");
    let Some(end) = end(run.now().date_time(), days) else {
        return Ok(Report::unchanged("no month is old enough"));
    };
    let store = run.measurements()?.with_deadline(Deadline::NEVER);
    let filter = Filter { window: Window { from: None, to: Some(end) }, ..Filter::default() };
    let by_month = Aggregation { filter, axes: vec![Axis::MeasurementStart(Grain::Month)] };
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    let mut measurements = 0;
    for group in store.aggregate(&by_month).await? {
        let [Value::Time(month)] = group.keys[..] else { continue };
        let text = month.date_text().get(..7).unwrap_or_default().to_owned();
        let unarchived = store.unarchived(Window::new(month, month.start_of_next_month())).await?;
        if unarchived > 0 {
            kept.push(format!("{text} ({unarchived} measurements)"));
            continue;
        }
        measurements += if run.is_dry { group.counts.measurements } else { store.drop_month(month).await? };
        removed.push(text);
    }
    let mut sentence = match (&removed[..], run.is_dry) {
        ([], _) => "no month was removed".to_owned(),
        (months, true) => format!("{measurements} measurements of {} would be removed", months.join(", ")),
        (months, false) => format!("{measurements} measurements of {} were removed", months.join(", ")),
    };
    if !kept.is_empty() {
        sentence.push_str("; kept until all measurements are archived: ");
        sentence.push_str(&kept.join(", "));
    }
    Ok(Report { is_changed: !removed.is_empty(), sentence })
}

/// The end of the last month that is old enough. `None` before the year 1.
fn end(now: DateTime, days: u32) -> Option<DateTime> {
    let oldest = now.plus_seconds(-i64::from(days) * SECONDS_PER_DAY)?;
    Some(oldest.start_of_month())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_months() {
        let day = |year, month, day| DateTime::new(year, month, day, 0, 0, 0).unwrap();
        // A month that ended exactly that many days ago is old enough.
        assert_eq!(end(day(2024, 3, 31), 30), Some(day(2024, 3, 1)));
        assert_eq!(end(day(2024, 3, 30), 30), Some(day(2024, 2, 1)));
        assert_eq!(end(day(2024, 3, 30), 1), Some(day(2024, 3, 1)));
        assert_eq!(end(day(2024, 3, 1), 1), Some(day(2024, 2, 1)));
        assert_eq!(end(day(2024, 3, 1), u32::MAX), None);
    }
}
