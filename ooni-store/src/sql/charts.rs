//! Statements that count for charts (API spec §6) and have more than the groups of an aggregation: days, ranks, domains.

use super::counts::{columns, counts, key};
use super::dialect::Dialect;
use super::log::of_parts;
use super::statement::{Parameter, Statement};
use crate::query::aggregate::{Aggregation, Axis, DomainCounts};
use crate::query::grain::Grain;
use crate::query::planner::{Part, Source};
use crate::rollup::COUNTS;
use crate::value::{Type, Value};

/// The axis that [`dated`] needs besides those of its query.
pub(crate) const DAY: Axis = Axis::MeasurementStart(Grain::Day);

/// The groups of an aggregation, unordered: its axes, the six counts, and the first and the last day of each group.
pub(crate) fn dated(dialect: Dialect, query: &Aggregation, parts: &[Part]) -> Statement {
    let of_part = |source| {
        let day = key(dialect, DAY, source);
        let mut numbers = named_counts(dialect, source);
        numbers.extend([format!("min({day}) AS first_day"), format!("max({day}) AS last_day")]);
        numbers
    };
    let mut of_all = sums();
    of_all.extend(["min(p.first_day)", "max(p.last_day)"].map(str::to_owned));
    of_parts(dialect, parts, |sql| {
        sql.joined_parts(query, parts, of_part, "", &of_all);
        let mut columns = columns(query, COUNTS.len());
        columns.extend([Type::Time; 2]);
        columns
    })
}

/// A page of the groups of an aggregation: its axes, the six counts, and the number of all groups. Groups with the most
/// confirmed measurements come first, then those with the most measurements, then those with the most anomalies.
pub(crate) fn ranked(dialect: Dialect, query: &Aggregation, parts: &[Part], offset: u64, limit: u32) -> Statement {
    let axes: Vec<String> = (0..query.axes.len()).map(|axis| format!("r.axis{axis}")).collect();
    let counts = COUNTS.map(|count| format!("r.{count}"));
    let selected: Vec<&str> = axes.iter().chain(&counts).map(String::as_str).collect();
    let of_all: Vec<String> = sums().iter().zip(COUNTS).map(|(sum, name)| format!("{sum} AS {name}")).collect();
    of_parts(dialect, parts, |sql| {
        sql.push("SELECT ").push(&selected.join(", ")).push(", CAST(count(*) OVER () AS BIGINT) FROM (");
        sql.joined_parts(query, parts, |source| named_counts(dialect, source), "", &of_all);
        sql.push(") AS r ORDER BY r.confirmed_flag_count DESC, r.measurement_count DESC, r.anomaly_flag_count DESC");
        for axis in &axes {
            sql.push(", ").push(axis);
        }
        sql.limit(usize::try_from(limit).unwrap_or(usize::MAX));
        sql.push(" OFFSET ").value(Parameter::Int(i64::try_from(offset).unwrap_or(i64::MAX)));
        columns(query, COUNTS.len() + 1)
    })
}

/// All domains of the test lists in their order, each with one category and the number of its measurements. The only axis of
/// the query is the domain.
pub(crate) fn domain_counts(dialect: Dialect, query: &Aggregation, parts: &[Part]) -> Statement {
    let of_all = ["sum(p.measurement_count) AS measurement_count".to_owned()];
    of_parts(dialect, parts, |sql| {
        sql.push("SELECT l.domain, l.category_code, CAST(coalesce(c.measurement_count, 0) AS BIGINT) FROM (");
        sql.push("SELECT d.domain, d.category_code, row_number() OVER (PARTITION BY d.domain ORDER BY ");
        sql.push("CASE WHEN d.cc = 'ZZ' THEN 0 ELSE 1 END, length(d.url), d.url, d.cc, d.category_code) AS place ");
        sql.push("FROM citizenlab AS d) AS l LEFT JOIN (");
        sql.joined_parts(query, parts, |source| named_counts(dialect, source)[..1].to_vec(), "", &of_all);
        sql.push(") AS c ON c.axis0 = l.domain WHERE l.place = 1 ORDER BY l.domain");
        vec![Type::Text, Type::Text, Type::OptionalUInt64]
    })
}

/// A row of [`domain_counts`].
pub(crate) fn domain_count(row: Vec<Value<'static>>) -> Option<DomainCounts> {
    match <[Value<'static>; 3]>::try_from(row) {
        Ok([Value::Text(domain), Value::Text(category_code), Value::Int(measurements)]) => {
            let [domain, category_code] = [domain, category_code].map(std::borrow::Cow::into_owned);
            Some(DomainCounts { domain, category_code, measurements })
        }
        _ => None,
    }
}

/// The six counts of a part, by their names.
fn named_counts(dialect: Dialect, source: Source) -> Vec<String> {
    let counts = match source {
        Source::Rollup(_) => COUNTS.map(|count| format!("sum(f.{count})")),
        Source::Rows => counts(dialect, "1"),
    };
    counts.iter().zip(COUNTS).map(|(sum, name)| format!("{sum} AS {name}")).collect()
}

/// The six counts of all parts.
fn sums() -> Vec<String> {
    COUNTS.map(|count| format!("CAST(coalesce(sum(p.{count}), 0) AS BIGINT)")).to_vec()
}
