//! Statements that count for charts (API spec §6) and have more than the groups of an aggregation: days, ranks, domains.

use super::counts::{columns, counts, key};
use super::dialect::Dialect;
use super::log::of_parts;
use super::statement::{Parameter, Statement};
use crate::query::aggregate::{Aggregation, Axis};
use crate::query::grain::Grain;
use crate::query::planner::{Part, Source};
use crate::rollup::COUNTS;
use crate::value::{Type, Value};

/// The axis that [`dated`] needs besides those of its query.
pub(crate) const DAY: Axis = Axis::MeasurementStart(Grain::Day);

/// The groups of an aggregation, unordered: its axes, the six counts, and the first and the last day of each group.
pub(crate) fn dated(dialect: Dialect, query: &Aggregation, parts: &[Part]) -> Statement {
    let of_part = |dialect, source| {
        let day = key(dialect, DAY, source);
        let mut numbers = named_counts(dialect, source);
        numbers.extend([format!("min({day}) AS first_day"), format!("max({day}) AS last_day")]);
        numbers
    };
    let mut of_all = sums(dialect);
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
    let of_all: Vec<String> = sums(dialect).iter().zip(COUNTS).map(|(sum, name)| format!("{sum} AS {name}")).collect();
    of_parts(dialect, parts, |sql| {
        sql.push("SELECT ").push(&selected.join(", ")).push(", CAST(count(*) OVER () AS BIGINT) FROM (");
        sql.joined_parts(query, parts, named_counts, "", &of_all);
        sql.push(") AS r ORDER BY r.confirmed_flag_count DESC, r.measurement_count DESC, r.anomaly_flag_count DESC");
        for axis in &axes {
            sql.push(", ").push(axis);
        }
        sql.limit(usize::try_from(limit).unwrap_or(usize::MAX));
        sql.push(" OFFSET ").value(Parameter::Int(i64::try_from(offset).unwrap_or(i64::MAX)));
        columns(query, COUNTS.len() + 1)
    })
}

/// All entries of the test lists, unordered, each with what [`ListedDomain`] has. The only axis of the query is the domain.
pub(crate) fn domain_counts(dialect: Dialect, query: &Aggregation, parts: &[Part]) -> Statement {
    let of_all = [format!("{} AS measurement_count", dialect.total("p.measurement_count"))];
    of_parts(dialect, parts, |sql| {
        sql.push("SELECT l.domain, l.cc, CAST(length(l.url) AS BIGINT), l.url, l.category_code, ");
        sql.push("CAST(coalesce(c.measurement_count, 0) AS BIGINT) FROM citizenlab AS l LEFT JOIN (");
        sql.joined_parts(query, parts, |dialect, source| named_counts(dialect, source)[..1].to_vec(), "", &of_all);
        sql.push(") AS c ON c.axis0 = l.domain");
        vec![Type::Text, Type::Text, Type::OptionalUInt64, Type::Text, Type::Text, Type::OptionalUInt64]
    })
}

/// An entry of the test lists, and how often its domain was measured.
pub(crate) struct ListedDomain {
    pub(crate) domain: String,
    pub(crate) rank: Rank,
    pub(crate) measurements: u64,
}

/// The order of the entries of a domain: those of the global list first, then those with the shortest URLs.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    is_of_country: bool,
    length: u64,
    url: String,
    cc: String,
    pub(crate) category_code: String,
}

/// A row of [`domain_counts`].
pub(crate) fn listed_domain(row: Vec<Value<'static>>) -> Option<ListedDomain> {
    use Value::{Int, Text};
    let Ok([Text(domain), Text(cc), Int(length), Text(url), Text(category_code), Int(measurements)]) =
        <[Value<'static>; 6]>::try_from(row)
    else {
        return None;
    };
    let [domain, cc, url, category_code] = [domain, cc, url, category_code].map(std::borrow::Cow::into_owned);
    Some(ListedDomain {
        domain,
        rank: Rank { is_of_country: cc != "ZZ", length, url, cc, category_code },
        measurements,
    })
}

/// The six counts of a part, by their names.
fn named_counts(dialect: Dialect, source: Source) -> Vec<String> {
    let counts = match source {
        Source::Rollup(_) => COUNTS.map(|count| dialect.total(&format!("f.{count}"))),
        Source::Rows => counts(dialect, "1"),
    };
    counts.iter().zip(COUNTS).map(|(sum, name)| format!("{sum} AS {name}")).collect()
}

/// The six counts of all parts.
fn sums(dialect: Dialect) -> Vec<String> {
    COUNTS.map(|count| dialect.total(&format!("p.{count}"))).to_vec()
}
