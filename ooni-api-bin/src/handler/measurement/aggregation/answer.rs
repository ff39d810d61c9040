//! The counts of an aggregation as JSON and CSV.

use crate::csv::field;
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::{Axis, Counts, Group};
use ooni_store::query::grain::Grain;
use ooni_store::value::Value;
use serde::Serialize as Derive;
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::time::Duration;
use utoipa::ToSchema;

/// Counts of measurements.
#[derive(Debug, Derive, ToSchema)]
#[schema(as = Aggregation)]
pub(super) struct Answer<'g> {
    /// Always 0.
    #[schema(example = 0)]
    v: u8,
    /// Number of axes.
    #[schema(example = 1, maximum = 2)]
    dimension_count: usize,
    result: Counted<'g>,
    db_stats: DbStats,
}

/// An object without axes, else an array with an object for each group.
#[derive(Debug, Derive, ToSchema)]
#[schema(as = AggregationResult)]
#[serde(untagged)]
enum Counted<'g> {
    All(Row<'g>),
    #[schema(value_type = Vec<Row<'static>>)]
    Groups(Rows<'g>),
}

/// About the query, for information only.
#[derive(Debug, Derive, ToSchema)]
pub(super) struct DbStats {
    /// Always -1: unknown.
    #[schema(example = -1)]
    bytes: i64,
    /// How long the query took, in seconds.
    #[schema(example = 0.004)]
    elapsed_seconds: f64,
    /// Number of groups.
    #[schema(example = 12)]
    row_count: usize,
    /// The same number.
    #[schema(example = 12)]
    total_row_count: usize,
}

/// Counts, with a value for each axis. The fields are in the order of the columns of CSV.
#[derive(Debug, Default, Derive, ToSchema)]
#[schema(as = AggregationRow)]
struct Row<'g> {
    /// Measurements with anomalies that are neither confirmed nor failures.
    #[schema(example = 28)]
    anomaly_count: u64,
    /// `dns`, `tcp_ip`, `http-failure`, `http-diff`, or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    blocking_type: Option<&'g str>,
    /// Category of the input in a test list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    category_code: Option<&'g str>,
    /// Measurements with confirmed blocking that are not failures.
    #[schema(example = 10)]
    confirmed_count: u64,
    /// Host of the input; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    domain: Option<&'g str>,
    /// Measurements that failed.
    #[schema(example = 15)]
    failure_count: u64,
    /// The input; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    input: Option<&'g str>,
    /// All measurements.
    #[schema(example = 190)]
    measurement_count: u64,
    /// Start of the hour, day, week, month or year: `2025-07-01T13:00:00Z` for an hour, else `2025-07-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, example = "2025-07-01")]
    measurement_start_day: Option<String>,
    /// Measurements without anomalies.
    #[schema(example = 137)]
    ok_count: u64,
    /// Network of the probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    probe_asn: Option<u64>,
    /// Country of the probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    probe_cc: Option<&'g str>,
    /// The test.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    test_name: Option<&'g str>,
}

/// Groups, each of which is a [`Row`] only while it is written.
#[derive(Clone, Copy, Debug)]
struct Rows<'g> {
    axes: &'g [Axis],
    groups: &'g [Group],
}

impl<'g> Answer<'g> {
    /// The response with these groups.
    pub(super) fn new(axes: &'g [Axis], groups: &'g [Group], db_stats: DbStats) -> Answer<'g> {
        let rows = Rows { axes, groups };
        let result = match axes {
            [] => Counted::All(rows.iter().next().unwrap_or_default()),
            _ => Counted::Groups(rows),
        };
        Answer { v: 0, dimension_count: axes.len(), result, db_stats }
    }
}

impl DbStats {
    /// Of a query that returned this many groups.
    pub(super) fn of(groups: usize, elapsed: Duration) -> DbStats {
        DbStats { bytes: -1, elapsed_seconds: elapsed.as_secs_f64(), row_count: groups, total_row_count: groups }
    }
}

/// The groups as CSV. The line with the names of columns is there even if there are no groups.
pub(super) fn csv(axes: &[Axis], groups: &[Group]) -> String {
    let mut text = String::new();
    let mut line = |cells: Vec<Cow<'_, str>>| {
        let cells: Vec<Cow<'_, str>> = cells.iter().map(|cell| field(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    };
    let nothing = Group { keys: axes.iter().map(blank).collect(), counts: Counts::default() };
    let first = Row::new(axes, groups.first().unwrap_or(&nothing));
    line(first.cells().map(|(name, _)| Cow::Borrowed(name)).collect());
    for row in (Rows { axes, groups }).iter() {
        line(row.cells().map(|(_, value)| value).collect());
    }
    text
}

impl<'g> Rows<'g> {
    fn iter(self) -> impl Iterator<Item = Row<'g>> {
        self.groups.iter().map(move |group| Row::new(self.axes, group))
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'g> Row<'g> {
    fn new(axes: &[Axis], group: &'g Group) -> Row<'g> {
        let Counts { measurements, failure, confirmed, anomaly, .. } = group.counts;
        let mut row = Row {
            anomaly_count: anomaly,
            confirmed_count: confirmed,
            failure_count: failure,
            measurement_count: measurements,
            ok_count: group.counts.ok(),
            ..Row::default()
        };
        for (axis, key) in axes.iter().zip(&group.keys) {
            row.set(*axis, key);
        }
        row
    }

    fn set(&mut self, axis: Axis, key: &'g Value<'static>) {
        let text = match key {
            Value::Text(text) => Some(&**text),
            _ => None,
        };
        match (axis, key) {
            (Axis::BlockingType, _) => self.blocking_type = text,
            (Axis::CategoryCode, _) => self.category_code = text,
            (Axis::Domain, _) => self.domain = text,
            (Axis::Input, _) => self.input = text,
            (Axis::ProbeCc, _) => self.probe_cc = text,
            (Axis::TestName, _) => self.test_name = text,
            (Axis::MeasurementStart(grain), Value::Time(start)) => {
                self.measurement_start_day = Some(day(grain, *start))
            }
            (Axis::ProbeAsn, Value::Int(asn)) => self.probe_asn = Some(*asn),
            (Axis::MeasurementStart(_) | Axis::ProbeAsn, _) => {}
        }
    }

    /// Names and values of the columns of CSV, in their order.
    fn cells(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        let count = |number: u64| Some(Cow::from(number.to_string()));
        let text = |text: Option<&'g str>| text.map(Cow::from);
        let cells = [
            ("anomaly_count", count(self.anomaly_count)),
            ("blocking_type", text(self.blocking_type)),
            ("category_code", text(self.category_code)),
            ("confirmed_count", count(self.confirmed_count)),
            ("domain", text(self.domain)),
            ("failure_count", count(self.failure_count)),
            ("input", text(self.input)),
            ("measurement_count", count(self.measurement_count)),
            ("measurement_start_day", self.measurement_start_day.as_deref().map(Cow::from)),
            ("ok_count", count(self.ok_count)),
            ("probe_asn", self.probe_asn.and_then(count)),
            ("probe_cc", text(self.probe_cc)),
            ("test_name", text(self.test_name)),
        ];
        cells.into_iter().filter_map(|(name, cell)| Some((name, cell?)))
    }
}

/// The start of an hour, day, week, month or year: `2025-07-01T13:00:00Z` for an hour, else `2025-07-01`.
pub(in crate::handler::measurement) fn day(grain: Grain, start: DateTime) -> String {
    let text = start.to_string();
    match (grain, text.split_once(' ')) {
        (Grain::Hour, Some((day, time))) => format!("{day}T{time}Z"),
        (_, Some((day, _))) => day.to_owned(),
        (_, None) => text,
    }
}

/// A key of the type that an axis has.
fn blank(axis: &Axis) -> Value<'static> {
    match axis {
        Axis::MeasurementStart(_) => Value::Time(DateTime::MIN),
        Axis::ProbeAsn => Value::Int(0),
        _ => Value::Text(Cow::Borrowed("")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts =
        Counts { measurements: 10, failure: 1, confirmed: 2, anomaly: 3, confirmed_flag: 3, anomaly_flag: 5 };

    fn group(keys: &[Value<'static>]) -> Group {
        Group { keys: keys.to_vec(), counts: COUNTS }
    }

    fn json(axes: &[Axis], groups: &[Group]) -> String {
        let answer = Answer::new(axes, groups, DbStats::of(groups.len(), Duration::ZERO));
        serde_json::to_value(answer).unwrap()["result"].to_string()
    }

    #[test]
    fn without_axes() {
        let counts =
            "\"anomaly_count\":3,\"confirmed_count\":2,\"failure_count\":1,\"measurement_count\":10,\"ok_count\":4";
        assert_eq!(json(&[], &[group(&[])]), format!("{{{counts}}}"));
        let names = "anomaly_count,confirmed_count,failure_count,measurement_count,ok_count";
        assert_eq!(csv(&[], &[group(&[])]), format!("{names}\r\n3,2,1,10,4\r\n"));
    }

    #[test]
    fn with_axes() {
        let start = Value::Time(DateTime::new(2025, 7, 1, 13, 0, 0).unwrap());
        let asn = Value::Int(3269);
        let hours = [Axis::MeasurementStart(Grain::Hour), Axis::ProbeAsn];
        assert_eq!(
            csv(&hours, &[group(&[start.clone(), asn.clone()])]),
            "anomaly_count,confirmed_count,failure_count,measurement_count,measurement_start_day,ok_count,probe_asn\r\n\
             3,2,1,10,2025-07-01T13:00:00Z,4,3269\r\n"
        );
        let days = [Axis::ProbeAsn, Axis::MeasurementStart(Grain::Day)];
        let result = json(&days, &[group(&[asn, start])]);
        assert!(result.contains(r#""measurement_start_day":"2025-07-01""#), "{result}");
        assert!(result.contains(r#""probe_asn":3269"#), "{result}");
        assert_eq!(json(&days, &[]), "[]");
        assert!(csv(&days, &[]).ends_with("measurement_start_day,ok_count,probe_asn\r\n"));
    }

    #[test]
    fn texts_are_quoted() {
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
        let axes = [Axis::Input, Axis::TestName];
        let text = csv(&axes, &[group(&[text("http://a/?b=\"c\",d"), text("")])]);
        assert!(text.ends_with("\r\n3,2,1,\"http://a/?b=\"\"c\"\",d\",10,4,\r\n"), "{text}");
    }
}
