//! Chooses the rollups that answer an aggregation, and the times for which rows must be read.

use crate::query::aggregate::{Aggregation, Axis};
use crate::query::filter::{Filter, Window};
use crate::rollup::{Dimension, ROLLUPS, Rollup, YEAR};

/// The source of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A rollup.
    Rollup(&'static Rollup),
    /// The rows, one by one.
    Rows,
}

/// A part of an aggregation: the counts of a time window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The time.
    pub window: Window,
    /// The source of its counts.
    pub source: Source,
}

/// Splits an aggregation into parts. Their windows do not overlap, and together they cover the window of its filter.
///
/// Of the rollups that have all columns the query needs, the one with the fewest cells to read is used. If the window cuts
/// through its first or last cell, those edges are planned the same way: with smaller cells, and finally with rows.
pub fn plan(query: &Aggregation) -> Vec<Part> {
    planned(query, query.filter.window).1
}

/// The cost of an additional part, besides its cells.
const PART_COST: f64 = 2000.0;

/// The parts of a window, and approximately how many cells and rows they read.
fn planned(query: &Aggregation, window: Window) -> (f64, Vec<Part>) {
    let of_rollup = |rollup: &'static Rollup| -> Option<(f64, Vec<Part>)> {
        let cells = |window| rollup.cost(|dimension| requested(&query.filter, window, dimension)).0;
        let Some(grain) = rollup.grain() else {
            let part = Part { window, source: Source::Rollup(rollup) };
            return (window == Window::default()).then(|| (cells(window), vec![part]));
        };
        let split = window.split(grain)?;
        let (mut cost, mut parts) =
            (cells(split.whole), vec![Part { window: split.whole, source: Source::Rollup(rollup) }]);
        for edge in [split.before, split.after].into_iter().flatten() {
            let (more, edges) = planned(query, edge);
            cost += more + PART_COST;
            parts.extend(edges);
        }
        Some((cost, parts))
    };
    let covering = ROLLUPS.iter().filter(|rollup| covers(rollup, query));
    let best = covering.filter_map(of_rollup).min_by(|a, b| a.0.total_cmp(&b.0));
    best.unwrap_or_else(|| (rows(&query.filter, window), vec![Part { window, source: Source::Rows }]))
}

/// Approximate number of rows that are read through the best index.
fn rows(filter: &Filter, window: Window) -> f64 {
    let indexed = [Dimension::Input, Dimension::Domain, Dimension::ProbeAsn, Dimension::ProbeCc];
    let share =
        indexed.into_iter().find_map(|dimension| Some(requested(filter, window, dimension)? / dimension.values()));
    YEAR * window.days().unwrap_or(365.0) / 365.0 * share.unwrap_or(1.0).min(1.0)
}

/// The index of a rollup, if it is faster than its key.
pub(crate) fn index(rollup: &Rollup, filter: &Filter) -> Option<String> {
    let [first, _] = rollup.index?;
    let (_, is_by_index) = rollup.cost(|dimension| requested(filter, filter.window, dimension));
    is_by_index.then(|| format!("{}_by_{}", rollup.table(), first.column()))
}

/// Whether all conditions of a filter are on columns that rollups have.
fn has_only_dimensions(filter: &Filter) -> bool {
    let Filter { report_id, anomaly, confirmed, failure, .. } = filter;
    let Filter { software_versions, test_versions, engine_versions, ooni_run_link_ids, .. } = filter;
    report_id.is_none()
        && [anomaly, confirmed, failure].iter().all(|flag| flag.is_none())
        && [software_versions, test_versions, engine_versions].iter().all(|versions| versions.is_empty())
        && ooni_run_link_ids.is_empty()
}

/// Whether a rollup has all columns that a query needs, apart from its window.
fn covers(rollup: &Rollup, query: &Aggregation) -> bool {
    let Aggregation { filter, axes } = query;
    let by_category = filter.category.is_some() || axes.contains(&Axis::CategoryCode);
    // A rollup by category counts an input once for each list that has it, as only queries about categories do.
    if !has_only_dimensions(filter) || rollup.is_of_lists() != by_category {
        return false;
    }
    axes.iter().all(|axis| rollup.dimension_of(*axis).is_some())
        && conditions(filter).into_iter().all(|dimension| rollup.key.contains(&dimension))
}

/// The dimensions that the filter has conditions on, except time.
fn conditions(filter: &Filter) -> Vec<Dimension> {
    let Filter { input, domains, probe_ccs, probe_asns, test_names, category, .. } = filter;
    [
        (input.is_some() || filter.only_listed, Dimension::Input),
        (!domains.is_empty(), Dimension::Domain),
        (!probe_ccs.is_empty() || filter.only_known_cc, Dimension::ProbeCc),
        (!probe_asns.is_empty() || filter.only_known_asn, Dimension::ProbeAsn),
        (!test_names.is_empty(), Dimension::TestName),
        (category.is_some(), Dimension::CategoryCode),
    ]
    .into_iter()
    .filter_map(|(is_set, dimension)| is_set.then_some(dimension))
    .collect()
}

/// The number of values of a dimension, or units of time, that a query requests; `None` for all of them.
fn requested(filter: &Filter, window: Window, dimension: Dimension) -> Option<f64> {
    let number = |values: usize| (values > 0).then_some(values as f64);
    match dimension {
        Dimension::TestName => number(filter.test_names.len()),
        Dimension::ProbeCc => number(filter.probe_ccs.len()),
        Dimension::ProbeAsn => number(filter.probe_asns.len()),
        Dimension::Domain => number(filter.domains.len()),
        Dimension::Input => filter.input.as_ref().map(|_| 1.0),
        Dimension::CategoryCode => filter.category.as_ref().map(|_| 1.0),
        Dimension::ListCc => filter.category.as_ref().and_then(|category| number(category.lists.len())),
        Dimension::BlockingType => None,
        Dimension::Hour | Dimension::Day | Dimension::Week | Dimension::Month => {
            let days = window.days()?;
            Some(match dimension {
                Dimension::Hour => days * 24.0,
                Dimension::Week => days / 7.0,
                Dimension::Month => days / 30.0,
                _ => days,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::filter::Category;
    use crate::query::grain::Grain;
    use ooni_core::time::{DateTime, SECONDS_PER_DAY};

    fn days(days: i64) -> Window {
        let start = DateTime::new(2024, 1, 1, 0, 0, 0).unwrap();
        Window { from: Some(start), to: start.plus_days(days) }
    }

    fn chosen(filter: Filter, axes: &[Axis]) -> String {
        let parts = plan(&Aggregation { filter, axes: axes.to_vec() });
        let name = |part: &Part| match part.source {
            Source::Rollup(rollup) => rollup.name,
            Source::Rows => "rows",
        };
        parts.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    /// A filter with the conditions named in `what`, over a number of days.
    fn of(what: &str, length: i64) -> Filter {
        let mut filter = Filter { window: days(length), ..Filter::default() };
        for word in what.split_whitespace() {
            match word {
                "country" => filter.probe_ccs = vec!["IT".into()],
                "network" => filter.probe_asns = vec![30722],
                "domain" => filter.domains = vec!["x.org".into()],
                "test" => filter.test_names = vec!["web_connectivity".into()],
                "input" => filter.input = Some("https://x.org/".into()),
                "category" => filter.category = Some(Category { code: "NEWS".into(), lists: vec!["ZZ".into()] }),
                "link" => filter.ooni_run_link_ids = vec![10_001],
                "world" => {}
                other => panic!("{other}"),
            }
        }
        filter
    }

    #[test]
    fn charts_use_the_smallest_rollup() {
        use Axis::*;
        const DAY: Axis = MeasurementStart(Grain::Day);
        const HOUR: Axis = MeasurementStart(Grain::Hour);
        const MONTH: Axis = MeasurementStart(Grain::Month);
        let cases: &[(&str, i64, &[Axis], &str)] = &[
            ("world", 30, &[], "day_test"),
            ("world", 30, &[DAY], "day_test"),
            ("world", 3650, &[MONTH, TestName], "day_test"),
            ("test", 30, &[DAY], "day_test"),
            ("world", 30, &[DAY, ProbeCc], "day_country"),
            ("test", 180, &[ProbeCc], "month_country day_country"),
            ("world", 7, &[HOUR], "hour_country"),
            ("country", 7, &[HOUR, TestName], "hour_country"),
            ("country", 365, &[DAY], "country_day"),
            ("country", 30, &[DAY, TestName], "country"),
            ("country test", 30, &[DAY, BlockingType], "country"),
            ("world", 30, &[BlockingType], "country"),
            ("country", 30, &[ProbeAsn], "country_network"),
            ("country test", 30, &[DAY, Domain], "country_domain"),
            ("country domain", 30, &[DAY], "country_domain"),
            ("domain", 365, &[DAY, ProbeCc], "country_domain"),
            ("network", 4380, &[DAY], "country_network"),
            ("network country test", 30, &[DAY], "country_network"),
            ("category", 30, &[DAY, ProbeCc], "category"),
            ("world", 30, &[CategoryCode], "category"),
            ("category country", 30, &[DAY], "category"),
            ("input", 30, &[DAY], "rows"),
            ("domain", 30, &[DAY, ProbeAsn], "rows"),
            ("category domain", 30, &[DAY], "rows"),
            ("link", 30, &[DAY], "rows"),
            ("network", 7, &[HOUR], "rows"),
        ];
        for (what, length, axes, expected) in cases {
            assert_eq!(chosen(of(what, *length), axes), *expected, "{what}, {length} days, by {axes:?}");
        }
        for axis in [ProbeCc, ProbeAsn] {
            assert_eq!(chosen(Filter::default(), &[axis]), "network");
        }
        let since = Filter { window: Window { to: None, ..days(0) }, ..of("country", 0) };
        assert_eq!(chosen(since.clone(), &[DAY]), "country_day");
        assert_eq!(chosen(since, &[ProbeAsn]), "month_network");
    }

    #[test]
    fn edges_use_smaller_cells_and_rows() {
        let moved = |length: i64, from: i64, to: i64| {
            let mut filter = of("world", length);
            let moved = |time: Option<DateTime>, by| time.and_then(|at| at.plus_seconds(by));
            filter.window = Window { from: moved(filter.window.from, from), to: moved(filter.window.to, to) };
            filter
        };
        let by_day = [Axis::MeasurementStart(Grain::Day)];
        for (filter, expected) in [
            (moved(3, 0, 0), "day_test"),
            (moved(30, 3600, 0), "day_test hour_country"),
            (moved(30, 1, 0), "day_test hour_country rows"),
            (moved(30, 1, -1), "day_test hour_country rows hour_country rows"),
            (moved(1, 3600, -3600), "hour_country"),
            (moved(0, 1, 3599), "rows"),
            (moved(3, 0, -4 * SECONDS_PER_DAY), "rows"),
        ] {
            assert_eq!(chosen(filter.clone(), &by_day), expected, "{filter:?}");
        }
        let parts = plan(&Aggregation { filter: moved(3, 1, -1), axes: Vec::new() });
        let seconds = |window: Window| window.to.unwrap().timestamp() - window.from.unwrap().timestamp();
        assert_eq!(parts.iter().map(|part| seconds(part.window)).sum::<i64>(), 3 * SECONDS_PER_DAY - 2);
        for (number, part) in parts.iter().enumerate() {
            let overlaps = |other: &Part| part.window.from < other.window.to && other.window.from < part.window.to;
            assert!(!parts[number + 1..].iter().any(overlaps), "{parts:?}");
        }
    }
}
