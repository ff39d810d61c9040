//! What the charts share: their windows, which end today, the keys of groups, and their parameters.

use crate::app::App;
use crate::http::{Error, Query};
use crate::params;
use ooni_core::time::DateTime;
use ooni_store::query::filter::Window;
use ooni_store::value::Value;

/// Midnight of the current day, UTC.
pub(super) fn today(app: &App) -> DateTime {
    app.clock.now().date_time().start_of_day()
}

/// A day some days before another one.
pub(super) fn days_before(day: DateTime, days: i64) -> DateTime {
    day.plus_days(-days).unwrap_or(DateTime::MIN)
}

/// A day some months before another one.
pub(super) fn months_before(day: DateTime, months: u32) -> DateTime {
    day.minus_months(months).unwrap_or(DateTime::MIN)
}

/// The first second after a time: windows include their start, but those of some charts exclude it.
pub(super) fn after(time: DateTime) -> DateTime {
    time.plus_seconds(1).unwrap_or(DateTime::MAX)
}

/// The 31 days before today.
pub(super) fn last_31_days(today: DateTime) -> Window {
    Window::new(days_before(today, 31), today)
}

/// Midnight of a day as the reference prints it: `2025-07-01T00:00:00+00:00`.
pub(super) fn midnight_text(day: DateTime) -> String {
    format!("{}T00:00:00+00:00", day.date_text())
}

/// The country of a chart.
pub(super) fn country(query: &Query) -> Result<String, Error> {
    params::country(query, "probe_cc")
}

/// The network of a chart.
pub(super) fn network(query: &Query) -> Result<u32, Error> {
    params::asn(query, "probe_asn")?.ok_or_else(|| Error::bad_request("missing or incorrect probe_asn"))
}

/// A key that is a text, such as a country.
pub(super) fn text(key: Option<&Value<'_>>) -> String {
    match key {
        Some(Value::Text(text)) => text.to_string(),
        _ => String::new(),
    }
}

/// A key that is a network.
pub(super) fn asn(key: Option<&Value<'_>>) -> u32 {
    match key {
        Some(Value::Int(asn)) => u32::try_from(*asn).unwrap_or(u32::MAX),
        _ => 0,
    }
}

/// A key that is a time, such as a day.
pub(super) fn time(key: Option<&Value<'_>>) -> DateTime {
    match key {
        Some(Value::Time(time)) => *time,
        _ => DateTime::MIN,
    }
}
