//! `GET /api/_/asn_by_month`, `GET /api/_/countries_by_month`, `GET /api/_/global_overview_by_month`.

use super::chart::{after, midnight_text, months_before, time, today};
use crate::app::App;
use crate::http::response::{self, Cache};
use crate::http::{Error, Request, Response};
use ooni_core::time::DateTime;
use ooni_store::Store;
use ooni_store::query::aggregate::{Aggregation, Axis, Group};
use ooni_store::query::filter::{Filter, Window};
use ooni_store::query::grain::Grain;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How long the answers may be cached, in seconds.
const MAX_AGE: u32 = 86_400;

/// The number of months before the current one.
const MONTHS: u32 = 24;

const MONTH: Axis = Axis::MeasurementStart(Grain::Month);

/// The number of something in a month.
#[derive(Serialize, ToSchema)]
struct MonthCount {
    /// Midnight of the first day of the month, UTC.
    #[schema(format = DateTime, example = "2025-07-01T00:00:00+00:00")]
    date: String,
    /// The number.
    value: u64,
}

/// Countries, networks and measurements of each month.
#[derive(Serialize, ToSchema)]
struct GlobalOverviewByMonth {
    countries_by_month: Vec<MonthCount>,
    measurements_by_month: Vec<MonthCount>,
    networks_by_month: Vec<MonthCount>,
}

/// The networks of each month.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/asn_by_month",
    tag = "Private",
    summary = "Networks of each month",
    description = "The number of distinct networks that measured in each month, for the last 24 months and the current one, in \
        ascending order. Months without measurements are omitted. Measurements that began in the first second of the first \
        month are not counted.",
    responses(
        (status = 200, description = "A number for each month.", body = Vec<MonthCount>,
            example = json!([{"date": "2025-06-01T00:00:00+00:00", "value": 1712}, {"date": "2025-07-01T00:00:00+00:00", "value": 1480}]))
    )
)]
pub async fn asn_by_month(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let counts = Months::new(&app)?.distinct(Axis::ProbeAsn).await?;
    Ok(response::cached(response::json(&counts), Cache::MaxAge(MAX_AGE)))
}

/// The countries of each month.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/countries_by_month",
    tag = "Private",
    summary = "Countries of each month",
    description = "The number of distinct countries with measurements in each month, for the last 24 months and the current one, \
        in ascending order. Months without measurements are omitted. Measurements that began in the first second of the first \
        month are not counted.",
    responses(
        (status = 200, description = "A number for each month.", body = Vec<MonthCount>,
            example = json!([{"date": "2025-06-01T00:00:00+00:00", "value": 171}, {"date": "2025-07-01T00:00:00+00:00", "value": 164}]))
    )
)]
pub async fn countries_by_month(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let counts = Months::new(&app)?.distinct(Axis::ProbeCc).await?;
    Ok(response::cached(response::json(&counts), Cache::MaxAge(MAX_AGE)))
}

/// Countries, networks and measurements of each month.
///
/// # Errors
/// 503 or 504 if the store fails.
#[utoipa::path(
    get,
    path = "/api/_/global_overview_by_month",
    tag = "Private",
    summary = "Countries, networks and measurements of each month",
    description = "The numbers of distinct countries, of distinct networks and of measurements in each month, for the last 24 \
        months and the current one, in ascending order. Months without measurements are omitted. Measurements that began in the \
        first second of the first month are not counted.",
    responses(
        (status = 200, description = "Three numbers for each month.", body = GlobalOverviewByMonth,
            example = json!({
                "countries_by_month": [{"date": "2025-07-01T00:00:00+00:00", "value": 164}],
                "measurements_by_month": [{"date": "2025-07-01T00:00:00+00:00", "value": 10_250_113}],
                "networks_by_month": [{"date": "2025-07-01T00:00:00+00:00", "value": 1480}]
            }))
    )
)]
pub async fn global_overview_by_month(app: Arc<App>, _: Request) -> Result<Response, Error> {
    let months = Months::new(&app)?;
    let overview = GlobalOverviewByMonth {
        countries_by_month: months.distinct(Axis::ProbeCc).await?,
        measurements_by_month: months.measurements().await?,
        networks_by_month: months.distinct(Axis::ProbeAsn).await?,
    };
    Ok(response::cached(response::json(&overview), Cache::MaxAge(MAX_AGE)))
}

/// Counts the last 24 months and the current one.
///
/// The reference excludes the first second of the first month. No rollup has seconds, and without one a whole month of rows would
/// have to be read, so whole months are counted, and values that occur only in that second are subtracted.
struct Months {
    store: Store,
    first: DateTime,
    end: DateTime,
}

impl Months {
    fn new(app: &App) -> Result<Months, Error> {
        let month = today(app).start_of_month();
        let (first, end) = (months_before(month, MONTHS), month.start_of_next_month());
        Ok(Months { store: app.stores.reads()?, first, end })
    }

    /// The number of distinct values in each month.
    async fn distinct(&self, of: Axis) -> Result<Vec<MonthCount>, Error> {
        let months = self.store.distinct(&aggregation(Window::new(self.first, self.end), MONTH), of).await?;
        let mut months: Vec<(DateTime, u64)> =
            months.iter().map(|(keys, number)| (time(keys.first()), *number)).collect();
        let excluded = self.groups(Window::new(self.first, after(self.first)), of).await?;
        if let Some((month, number)) = months.first_mut().filter(|(month, _)| *month == self.first)
            && !excluded.is_empty()
        {
            let all = self.groups(Window::new(*month, month.start_of_next_month()), of).await?;
            let is_excluded = |group: &&Group| excluded.contains(group);
            *number = number.saturating_sub(all.iter().filter(is_excluded).count() as u64);
        }
        Ok(counts(months))
    }

    /// The number of measurements in each month.
    async fn measurements(&self) -> Result<Vec<MonthCount>, Error> {
        let months = self.groups(Window::new(self.first, self.end), MONTH).await?;
        let excluded = self.groups(Window::new(self.first, after(self.first)), MONTH).await?;
        let excluded: u64 = excluded.iter().map(|group| group.counts.measurements).sum();
        let number = |group: &Group| {
            let month = time(group.keys.first());
            let excluded = if month == self.first { excluded } else { 0 };
            (month, group.counts.measurements.saturating_sub(excluded))
        };
        Ok(counts(months.iter().map(number).collect()))
    }

    async fn groups(&self, window: Window, axis: Axis) -> Result<Vec<Group>, Error> {
        Ok(self.store.aggregate(&aggregation(window, axis)).await?)
    }
}

fn aggregation(window: Window, axis: Axis) -> Aggregation {
    Aggregation { filter: Filter { window, ..Filter::default() }, axes: vec![axis] }
}

/// As the routes print them, without empty months.
fn counts(months: Vec<(DateTime, u64)>) -> Vec<MonthCount> {
    let months = months.into_iter().filter(|(_, value)| *value > 0);
    months.map(|(month, value)| MonthCount { date: midnight_text(month), value }).collect()
}
