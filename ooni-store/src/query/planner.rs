//! Which rollup answers a query, or whether rows have to.

use crate::query::aggregate::{Aggregation, Axis};
use crate::query::filter::{Filter, Window};
use crate::rollup::{Dimension, ROLLUPS, Rollup};

/// Where counts are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A table of counts.
    Rollup(&'static Rollup),
    /// The rows, one by one.
    Rows,
}

/// The rollup of which the fewest cells have to be read, among those that know all that the query asks.
pub fn source(query: &Aggregation) -> Source {
    if !is_of_dimensions(&query.filter) {
        return Source::Rows;
    }
    let covering = ROLLUPS.iter().filter(|rollup| covers(rollup, query));
    let cost = |rollup: &&Rollup| rollup.cost(|dimension| asked(&query.filter, dimension)).0;
    covering.min_by(|a, b| cost(a).total_cmp(&cost(b))).map_or(Source::Rows, Source::Rollup)
}

/// The index of a rollup, if it is to be read by it and not by its key.
pub(crate) fn index(rollup: &Rollup, filter: &Filter) -> Option<String> {
    let [first, _] = rollup.index?;
    let (_, is_by_index) = rollup.cost(|dimension| asked(filter, dimension));
    is_by_index.then(|| format!("{}_by_{}", rollup.table(), first.column()))
}

/// Whether all conditions are on what rollups know.
fn is_of_dimensions(filter: &Filter) -> bool {
    let Filter { report_id, anomaly, confirmed, failure, .. } = filter;
    let Filter { software_versions, test_versions, engine_versions, ooni_run_link_ids, .. } = filter;
    report_id.is_none()
        && [anomaly, confirmed, failure].iter().all(|flag| flag.is_none())
        && [software_versions, test_versions, engine_versions].iter().all(|versions| versions.is_empty())
        && ooni_run_link_ids.is_empty()
}

fn covers(rollup: &Rollup, query: &Aggregation) -> bool {
    let Aggregation { filter, axes } = query;
    let by_category = filter.category.is_some() || axes.contains(&Axis::CategoryCode);
    // A rollup of lists counts an input as often as it is listed: right for those who ask for that, wrong for others.
    if rollup.is_of_lists() != by_category {
        return false;
    }
    axes.iter().all(|axis| rollup.dimension_of(*axis).is_some())
        && conditions(filter).into_iter().all(|dimension| rollup.key.contains(&dimension))
        && covers_window(rollup, filter.window)
}

/// Dimensions that the filter has conditions on, without the time.
fn conditions(filter: &Filter) -> Vec<Dimension> {
    let Filter { input, domains, probe_ccs, probe_asns, test_names, category, .. } = filter;
    [
        (input.is_some(), Dimension::Input),
        (!domains.is_empty(), Dimension::Domain),
        (!probe_ccs.is_empty() || filter.only_known_cc, Dimension::ProbeCc),
        (!probe_asns.is_empty() || filter.only_known_asn, Dimension::ProbeAsn),
        (!test_names.is_empty(), Dimension::TestName),
        (category.is_some(), Dimension::CategoryCode),
    ]
    .into_iter()
    .filter_map(|(is_asked, dimension)| is_asked.then_some(dimension))
    .collect()
}

/// Whether the bounds of a time are bounds of cells too.
fn covers_window(rollup: &Rollup, window: Window) -> bool {
    if window.is_open() {
        return true;
    }
    match rollup.time() {
        Some(Dimension::Hour) => window.is_of_hours(),
        Some(Dimension::Day) => window.is_of_days(),
        Some(Dimension::Week) => window.is_of_weeks(),
        Some(Dimension::Month) => window.is_of_months(),
        _ => false,
    }
}

/// How many values of a dimension are asked for, or units of time; `None` for all of them.
fn asked(filter: &Filter, dimension: Dimension) -> Option<f64> {
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
            let days = filter.window.days()? as f64;
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
    use crate::query::aggregate::Grain;
    use crate::query::filter::Category;
    use ooni_core::time::DateTime;

    fn days(days: i64) -> Window {
        let start = 1_704_067_200; // 2024-01-01
        let at = |timestamp| DateTime::from_timestamp(timestamp);
        Window { from: at(start), to: at(start + days * 86_400) }
    }

    fn chosen(filter: Filter, axes: &[Axis]) -> &'static str {
        match source(&Aggregation { filter, axes: axes.to_vec() }) {
            Source::Rollup(rollup) => rollup.name,
            Source::Rows => "rows",
        }
    }

    /// The filter of a country, network, domain and so on by name.
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
    fn charts_are_answered_by_the_smallest() {
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
            ("test", 180, &[ProbeCc], "day_country"),
            ("world", 7, &[HOUR], "hour_country"),
            ("country", 7, &[HOUR, TestName], "hour_country"),
            ("country", 365, &[DAY], "country"),
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
        assert_eq!(chosen(Filter::default(), &[ProbeCc]), "month_country");
    }

    #[test]
    fn bounds_within_a_cell_need_finer_cells() {
        let by_day = [Axis::MeasurementStart(Grain::Day)];
        let shifted = |seconds: i64| {
            let mut filter = of("world", 3);
            filter.window.from = filter.window.from.and_then(|at| DateTime::from_timestamp(at.timestamp() + seconds));
            filter
        };
        assert_eq!(chosen(shifted(0), &by_day), "day_test");
        assert_eq!(chosen(shifted(3600), &by_day), "hour_country");
        assert_eq!(chosen(shifted(1), &by_day), "rows");
    }
}
