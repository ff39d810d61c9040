//! `GET /api/_/test_coverage`.

use super::chart::{country, days_before, text, time, today};
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use crate::names::{TEST_GROUPS, group_of};
use crate::params;
use ooni_core::time::DateTime;
use ooni_store::Store;
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// The number of days of each chart.
const DAYS: i64 = 30;

const DAY: Axis = Axis::MeasurementStart(Grain::Day);

/// How much was measured in a country.
#[derive(Serialize, ToSchema)]
struct TestCoverage {
    /// Distinct networks by day.
    network_coverage: Vec<NetworkCoverage>,
    /// Measurements by group of tests and day.
    test_coverage: Vec<GroupCoverage>,
}

/// The networks of a day.
#[derive(Serialize, ToSchema)]
struct NetworkCoverage {
    /// Distinct networks.
    count: u64,
    /// The day, UTC.
    #[schema(format = Date)]
    test_day: String,
}

/// The measurements of a group of tests on a day.
#[derive(Serialize, ToSchema)]
struct GroupCoverage {
    /// Measurements.
    count: u64,
    /// The day, UTC.
    #[schema(format = Date)]
    test_day: String,
    /// The group.
    test_group: &'static str,
}

/// Measurements of a country by day and group of tests.
///
/// # Errors
/// 400 without a country, 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/test_coverage",
    tag = "Private",
    summary = "Networks and measurements of a country by day",
    description = "The number of distinct networks on each of 30 days, from 31 days ago until the day before yesterday, and the \
        number of measurements of each group of tests on each of 30 days, which begin and end one day earlier. Days without \
        measurements are included. Groups are in alphabetical order.",
    params(
        ("probe_cc" = String, Query, description = "Country: two capital letters", min_length = 2, max_length = 2,
            pattern = "^[\\x00-\\x7F]*$", example = "IT"),
        ("test_groups" = Option<String>, Query,
            description = "Groups of tests whose networks are counted, separated by commas: websites, im, middlebox, performance, \
                circumvention, legacy, experimental. Unknown ones are ignored. Without this parameter, networks of all tests are \
                counted",
            example = "websites,im")
    ),
    responses(
        (status = 200, description = "Two charts.", body = TestCoverage,
            example = json!({
                "network_coverage": [{"count": 41, "test_day": "2025-06-14"}],
                "test_coverage": [{"count": 1205, "test_day": "2025-06-13", "test_group": "circumvention"}]
            }))
    )
)]
pub async fn test_coverage(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let probe_cc = country(request.query())?;
    let groups = params::commas(request.query(), "test_groups");
    let chart = Chart { store: app.stores.reads()?, probe_cc, today: today(&app) };
    let coverage =
        TestCoverage { network_coverage: chart.networks(&groups).await?, test_coverage: chart.tests().await? };
    Ok(response::cached(response::json(&coverage), Cache::MaxAge(3600)))
}

/// A country whose measurements are counted by day.
struct Chart {
    store: Store,
    probe_cc: String,
    today: DateTime,
}

impl Chart {
    /// Distinct networks by day; only those of some groups of tests, if any are given.
    async fn networks(&self, groups: &[String]) -> Result<Vec<NetworkCoverage>, Error> {
        let days = self.days_from(31);
        let of_groups = TEST_GROUPS.iter().filter(|(group, _)| groups.iter().any(|wanted| wanted == group));
        let tests: Vec<String> = of_groups.flat_map(|(_, tests)| *tests).map(|test| (*test).to_owned()).collect();
        let mut counts = BTreeMap::new();
        if groups.is_empty() || !tests.is_empty() {
            let query = self.query(&days, tests, vec![DAY]);
            let found = self.store.distinct(&query, Axis::ProbeAsn).await?;
            counts.extend(found.iter().map(|(keys, number)| (time(keys.first()), *number)));
        }
        let of_day = |day: &DateTime| NetworkCoverage {
            count: counts.get(day).copied().unwrap_or(0),
            test_day: day.date_text(),
        };
        Ok(days.iter().map(of_day).collect())
    }

    /// Measurements by group of tests and day.
    async fn tests(&self) -> Result<Vec<GroupCoverage>, Error> {
        let days = self.days_from(32);
        let mut counts: BTreeMap<(&str, DateTime), u64> = BTreeMap::new();
        for found in self.store.aggregate(&self.query(&days, Vec::new(), vec![DAY, Axis::TestName])).await? {
            if let Some(group) = group_of(&text(found.keys.get(1))) {
                *counts.entry((group, time(found.keys.first()))).or_default() += found.counts.measurements;
            }
        }
        let mut groups = TEST_GROUPS.map(|(group, _)| group);
        groups.sort_unstable();
        let of_day = |group, day: &DateTime| GroupCoverage {
            count: counts.get(&(group, *day)).copied().unwrap_or(0),
            test_day: day.date_text(),
            test_group: group,
        };
        Ok(groups
            .iter()
            .flat_map(|&group| days.iter().map(move |day| (group, day)))
            .map(|(group, day)| of_day(group, day))
            .collect())
    }

    /// The days of a chart that begins some days ago.
    fn days_from(&self, ago: i64) -> Vec<DateTime> {
        (0..DAYS).map(|day| days_before(self.today, ago - day)).collect()
    }

    fn query(&self, days: &[DateTime], test_names: Vec<String>, axes: Vec<Axis>) -> Aggregation {
        let window = Window { from: days.first().copied(), to: days.last().map(|&last| days_before(last, -1)) };
        let filter = Filter { probe_ccs: vec![self.probe_cc.clone()], test_names, window, ..Filter::default() };
        Aggregation { filter, axes }
    }
}
