//! The queries that `bench-store` measures: charts, lists and look-ups as the API and Explorer ask for them. Each call has
//! other values, so that caches of results prove nothing.

use crate::rows::{self, BEGIN};
use ooni_core::time::{DateTime, SECONDS_PER_HOUR};
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Category, Filter, Window};
use ooni_store::query::grain::Grain;
use ooni_store::query::list::{Cursor, List, MeasurementSummary, Order};
use ooni_store::{Error, Store};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Names of all queries.
const NAMES: [&str; 33] = [
    "world by day, a month",
    "world by day and test, a month",
    "country by day, a month",
    "country by day and network, a month",
    "country by domain, a month",
    "countries, all time",
    "domain by day and country, a month",
    "category by day, a month",
    "category by day and country, a month",
    "category of a country by day, a month",
    "network by day, a month",
    "country by day, a month not aligned to days",
    "networks, all time",
    "number of networks",
    "number of countries",
    "number of networks by month",
    "number of countries by month",
    "number of networks of a country",
    "number of networks of a country by day",
    "days of a country",
    "domains of the test lists",
    "networks of a country, 31 days",
    "inputs of a network, ranked, 31 days",
    "circumvention by country, six months",
    "list of all",
    "list of a country",
    "list of three countries",
    "list of an input, anomalies",
    "list of a domain",
    "list of a category",
    "list of a country by input",
    "find by uid",
    "find by report and input",
];

/// What is asked.
enum Query {
    Aggregate(Aggregation),
    Distinct(Aggregation, Axis),
    WithDays(Aggregation),
    Ranked(Aggregation),
    DomainCounts,
    List(List),
    Find,
    FindInReport,
}

/// Runs one of the queries over rows of this many days and returns its name and time. Consecutive numbers run all queries
/// in turn, each time with other values.
///
/// # Errors
/// The query failed.
pub async fn run(store: &Store, days: i64, number: usize) -> Result<(&'static str, Duration), Error> {
    let (round, name) = (number / NAMES.len(), NAMES[number % NAMES.len()]);
    let values = Values::of(days, round);
    let query = values.query(name);
    let begun = match query {
        Query::Aggregate(aggregation) => {
            let begun = Instant::now();
            black_box(store.aggregate(&aggregation).await?);
            begun
        }
        Query::Distinct(aggregation, of) => {
            let begun = Instant::now();
            black_box(store.distinct(&aggregation, of).await?);
            begun
        }
        Query::WithDays(aggregation) => {
            let begun = Instant::now();
            black_box(store.aggregate_with_days(&aggregation).await?);
            begun
        }
        Query::Ranked(aggregation) => {
            let begun = Instant::now();
            black_box(store.ranked(&aggregation, 0, 10).await?);
            begun
        }
        Query::DomainCounts => {
            let begun = Instant::now();
            black_box(store.domain_counts().await?);
            begun
        }
        Query::List(list) => {
            let begun = Instant::now();
            black_box(store.list(&list).await?);
            begun
        }
        Query::Find | Query::FindInReport => {
            let some = store.list(&List { limit: 1, ..values.list(Filter::default()) }).await?;
            let keys = |row: MeasurementSummary| (row.measurement_uid, row.report_id, row.input);
            let (uid, report_id, input) = some.into_iter().next().map(keys).unwrap_or_default();
            let begun = Instant::now();
            black_box(match query {
                Query::Find => store.find(&uid).await?,
                _ => store.find_in_report(&report_id, &input).await?,
            });
            begun
        }
    };
    Ok((name, begun.elapsed()))
}

/// The values of a round.
struct Values {
    month: Window,
    /// The last 31 days, and the last six months.
    recent: [Window; 2],
    unaligned: Window,
    /// Where a page in the middle of a list begins.
    cursor: Cursor<DateTime>,
    countries: Vec<String>,
    probe_asn: u32,
    input: String,
    domain: String,
    category: Category,
}

impl Values {
    fn of(days: i64, round: usize) -> Values {
        let from = (round as i64 * 37) % (days - 31).max(1);
        let (input, domain) = rows::site(round * 131 % 5000);
        let shift = 5 * SECONDS_PER_HOUR + 1800;
        Values {
            month: Window::new(time(from, 0), time(from + 30, 0)),
            recent: [31, 182].map(|length| Window::new(time(days - length, 1), time(days, 0))),
            unaligned: Window::new(time(from, shift), time(from + 29, shift)),
            cursor: Cursor { key: time(from + 1, 0), uid: "1".to_owned() },
            countries: (0..3).map(|more| rows::cc((round + more) * 7 % 240)).collect(),
            probe_asn: 1 + round as u32 * 41 % 9000,
            input,
            domain,
            category: Category { code: rows::category(round), lists: vec!["ZZ".to_owned()] },
        }
    }

    fn query(&self, name: &str) -> Query {
        let Values { month, unaligned, recent: [recent, half_a_year], .. } = *self;
        let country = || vec![self.countries[0].clone()];
        let all = Filter::default;
        let of_month = || Filter { window: month, ..all() };
        let of_country = || Filter { probe_ccs: country(), ..all() };
        let days = Axis::MeasurementStart(Grain::Day);
        let months = Axis::MeasurementStart(Grain::Month);
        let of_category = |filter| Filter { category: Some(self.category.clone()), ..filter };
        let distinct = |filter, axes: &[Axis], of| Query::Distinct(Aggregation { filter, axes: axes.to_vec() }, of);
        let chart = |filter, axes: &[Axis]| Query::Aggregate(Aggregation { filter, axes: axes.to_vec() });
        let list = |filter| Query::List(self.list(filter));
        match name {
            "world by day, a month" => chart(of_month(), &[days]),
            "world by day and test, a month" => chart(of_month(), &[days, Axis::TestName]),
            "country by day, a month" => chart(Filter { window: month, ..of_country() }, &[days]),
            "country by day, a month not aligned to days" => {
                chart(Filter { window: unaligned, ..of_country() }, &[days])
            }
            "country by day and network, a month" => {
                chart(Filter { window: month, ..of_country() }, &[days, Axis::ProbeAsn])
            }
            "country by domain, a month" => chart(Filter { window: month, ..of_country() }, &[Axis::Domain]),
            "countries, all time" => chart(all(), &[Axis::ProbeCc]),
            "domain by day and country, a month" => {
                chart(Filter { domains: vec![self.domain.clone()], ..of_month() }, &[days, Axis::ProbeCc])
            }
            "category by day, a month" => chart(of_category(of_month()), &[days]),
            "category by day and country, a month" => chart(of_category(of_month()), &[days, Axis::ProbeCc]),
            // As the API asks: the list of the country, and the global one.
            "category of a country by day, a month" => {
                let lists = vec![self.countries[0].to_lowercase(), "ZZ".to_owned()];
                let category = Some(Category { lists, ..self.category.clone() });
                chart(Filter { category, window: month, ..of_country() }, &[days])
            }
            "networks, all time" => chart(all(), &[Axis::ProbeAsn]),
            "number of networks" => distinct(all(), &[], Axis::ProbeAsn),
            "number of countries" => distinct(all(), &[], Axis::ProbeCc),
            "number of networks by month" => distinct(all(), &[months], Axis::ProbeAsn),
            "number of countries by month" => distinct(all(), &[months], Axis::ProbeCc),
            "number of networks of a country" => distinct(of_country(), &[], Axis::ProbeAsn),
            "number of networks of a country by day" => {
                distinct(Filter { window: recent, ..of_country() }, &[days], Axis::ProbeAsn)
            }
            "days of a country" => Query::WithDays(Aggregation { filter: of_country(), axes: Vec::new() }),
            "domains of the test lists" => Query::DomainCounts,
            "networks of a country, 31 days" => chart(Filter { window: recent, ..of_country() }, &[Axis::ProbeAsn]),
            "inputs of a network, ranked, 31 days" => {
                let (test_names, probe_asns) = (vec![rows::test_name(0)], vec![self.probe_asn]);
                let filter = Filter { test_names, probe_asns, window: recent, ..of_country() };
                Query::Ranked(Aggregation { filter, axes: vec![Axis::Input] })
            }
            "circumvention by country, six months" => {
                let tests = ["torsf", "tor", "stunreachability", "psiphon", "riseupvpn"];
                let test_names = tests.map(str::to_owned).to_vec();
                chart(Filter { test_names, window: half_a_year, ..all() }, &[Axis::ProbeCc])
            }
            "network by day, a month" => chart(Filter { probe_asns: vec![self.probe_asn], ..of_month() }, &[days]),
            "list of a country" => list(of_country()),
            "list of three countries" => list(Filter { probe_ccs: self.countries.clone(), ..all() }),
            "list of an input, anomalies" => {
                list(Filter { input: Some(self.input.clone()), anomaly: Some(true), ..all() })
            }
            "list of a domain" => list(Filter { domains: vec![self.domain.clone()], ..all() }),
            "list of a category" => list(Filter { category: Some(self.category.clone()), ..all() }),
            "list of a country by input" => {
                Query::List(List { order: Order::Input(None), ..self.list(Filter { window: month, ..of_country() }) })
            }
            "find by uid" => Query::Find,
            "find by report and input" => Query::FindInReport,
            _ => list(all()),
        }
    }

    /// A page of 100 in the middle.
    fn list(&self, filter: Filter) -> List {
        let order = Order::MeasurementStartTime(Some(self.cursor.clone()));
        List { filter, order, descending: true, limit: 100, ..List::default() }
    }
}

/// A time, counted from the first day of the rows.
fn time(days: i64, seconds: i64) -> DateTime {
    DateTime::from_timestamp(BEGIN + seconds).and_then(|first| first.plus_days(days)).unwrap_or(DateTime::MAX)
}
