//! The statement that returns how long tests ran, as the measurements around each percentile of the duration.

use super::builder::Builder;
use super::counts::index;
use super::dialect::Dialect;
use super::statement::Statement;
use crate::query::aggregate::Runtimes;
use crate::query::filter::Filter;
use crate::query::grain::Grain;
use crate::value::{Type, Value};

/// By day, country and test: the number of measurements, and the durations in seconds just below and above the median and
/// the 90th percentile.
pub(crate) fn runtimes(dialect: Dialect, filter: &Filter) -> Statement {
    let mut sql = Builder::new(dialect);
    let day = dialect.bucket(Grain::Day, "f.measurement_start_time");
    let seconds = dialect.runtime("f.scores");
    sql.push("WITH times AS (SELECT ").push(&day).push(" AS day, f.probe_cc AS probe_cc, f.test_name AS test_name, ");
    sql.push(&seconds).push(" AS seconds FROM fastpath AS f").push(&dialect.by_index(Some(index(filter))));
    sql.rows_filter(filter);
    const KEY: &str = "day, probe_cc, test_name";
    let within = format!("OVER (PARTITION BY {KEY}");
    let places = format!("row_number() {within} ORDER BY seconds) - 1 AS place, count(*) {within}) - 1 AS last");
    sql.push("), places AS (SELECT ").push(KEY).push(", seconds, ").push(&places);
    sql.push(" FROM times WHERE seconds IS NOT NULL) SELECT ").push(KEY).push(", CAST(max(last) + 1 AS BIGINT)");
    for tenths in [5, 9] {
        // The percentile is at rank `last * tenths / 10`, counted from 0.
        for at in ["10 * place <= {} AND {} < 10 * place + 10", "10 * place - 10 < {} AND {} <= 10 * place"] {
            let at = at.replace("{}", &format!("{tenths} * last"));
            sql.push(", max(CASE WHEN ").push(&at).push(" THEN seconds END)");
        }
    }
    sql.push(" FROM places GROUP BY ").push(KEY).push(" ORDER BY ").push(KEY);
    use Type::{Float32, OptionalUInt64, Text, Time};
    sql.statement(vec![Time, Text, Text, OptionalUInt64, Float32, Float32, Float32, Float32])
}

/// A row of [`runtimes`].
pub(crate) fn runtimes_of(cells: Vec<Value<'static>>) -> Option<Runtimes> {
    let [Value::Time(day), Value::Text(probe_cc), Value::Text(test_name), Value::Int(measurements), seconds @ ..] =
        &cells[..]
    else {
        return None;
    };
    let [Value::Float(below), Value::Float(above), Value::Float(below_9), Value::Float(above_9)] = seconds else {
        return None;
    };
    let last = measurements.checked_sub(1)?;
    let between = |below: f32, above: f32, tenths: u64| {
        let part = (last * tenths % 10) as f64 / 10.0;
        (f64::from(below) + (f64::from(above) - f64::from(below)) * part) as f32
    };
    Some(Runtimes {
        day: *day,
        probe_cc: probe_cc.to_string(),
        test_name: test_name.to_string(),
        measurements: *measurements,
        median: between(*below, *above, 5),
        ninetieth: between(*below_9, *above_9, 9),
    })
}
