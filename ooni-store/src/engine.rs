//! [`MeasurementStore`]: what an engine has to do, and what all engines do the same way.

pub mod clickhouse;
pub mod postgres;
pub mod sqlite;

use crate::query::aggregate::{Aggregation, Axis, Counts, Group, Runtimes};
use crate::query::filter::{Filter, Window};
use crate::query::list::{List, MeasurementSummary};
use crate::query::planner::{Source, source};
use crate::rollup::{ROLLUPS, Rollup};
use crate::sql;
use crate::value::Value;
use crate::{
    BatchResult, BodyLocation, Dialect, Incoming, Kind, ListedUrl, OnExisting, Statement, StoreError,
    StoredMeasurement, StoredRefusal, StoredRow,
};
use ooni_core::time::DateTime;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long a query may take, if nothing else is said (API spec §1.8).
pub const TIME_LIMIT: Duration = Duration::from_secs(28);

/// A database of measurements.
///
/// Every engine passes `tests/store`. The functions that have no body here are all that an engine has to bring.
///
/// Writing: when a future is ready, what it wrote is durable, in one transaction together with the rollups; on ClickHouse
/// rollups follow later, and rows are counted meanwhile. A future that writes should not be dropped, as nobody hears then
/// what became of it.
pub trait MeasurementStore: Send + Sync {
    /// The words of the engine.
    fn dialect(&self) -> Dialect;

    /// What a query returns, of the types it says.
    ///
    /// # Errors
    /// [`Kind::Timeout`] after `limit`, [`Kind::Busy`], or the store cannot be read.
    fn query(
        &self,
        statement: Statement,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<Vec<Value<'static>>>, StoreError>> + Send;

    /// Writes a batch.
    ///
    /// A row's key is its `measurement_uid`. The same row twice, in two batches or in one, is written once. What a table
    /// does not take is set aside in `refused` with its reason, and the rest is written; of such rows too there is one a
    /// uid, and [`OnExisting`] says which. With [`OnExisting::Replace`] a row that is taken ends an earlier refusal. A
    /// measurement that was [removed](MeasurementStore::remove) is refused. `update_time` is the time of the call.
    ///
    /// # Errors
    /// The batch was not written, no row of it.
    fn write<R: Incoming + 'static>(
        &self,
        rows: Arc<Vec<R>>,
        on_existing: OnExisting,
    ) -> impl Future<Output = Result<BatchResult, StoreError>> + Send;

    /// Takes a measurement out of all tables for good, and keeps a record of why. False when it was not there; it will
    /// not be taken in either.
    ///
    /// # Errors
    /// Nothing was removed.
    fn remove(&self, uid: &str, reason: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Takes out all measurements that started in a month, which begins at `month`. They can be stored again.
    ///
    /// # Errors
    /// Nothing was taken out.
    fn drop_month(&self, month: DateTime) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Puts other test lists in the place of those there are, and makes the rollup of categories anew.
    ///
    /// # Errors
    /// The lists are as they were.
    fn replace_test_lists(&self, lists: Vec<ListedUrl>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes a rollup anew from the rows.
    ///
    /// # Errors
    /// It is as it was.
    fn rebuild(&self, rollup: &'static Rollup) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Bytes that the store takes, indexes included.
    ///
    /// # Errors
    /// It cannot be told.
    fn bytes(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Makes rollups follow what was written, where they do not do so at once. Where another process is at it, that is left
    /// to it.
    ///
    /// # Errors
    /// They do not follow yet; what they do not say is counted row by row.
    fn refresh_rollups(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { Ok(()) }
    }

    /// Whether a rollup says of a time what the rows say; where it does not, rows are counted.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn is_rollup_current(
        &self,
        _rollup: &'static Rollup,
        _window: Window,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        async { Ok(true) }
    }

    /// How many rows `fastpath` has.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn count(&self) -> impl Future<Output = Result<u64, StoreError>> + Send {
        async {
            Ok(self.aggregate(&Aggregation::default(), TIME_LIMIT).await?.iter().map(|g| g.counts.measurements).sum())
        }
    }

    /// The first rows, at most `limit`, whose uid comes after `after`, in the order of the bytes of their uids.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<StoredRow>, StoreError>> + Send {
        let statement = sql::page(self.dialect(), after, limit);
        async move {
            let rows = self.query(statement, TIME_LIMIT).await?;
            rows.into_iter().map(|row| row.try_into().map_err(|_| foreign())).collect()
        }
    }

    /// The first rows of a filter without a category, at most `limit`, that come after this time and uid in the order of
    /// the starts of measurements, then uids.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn slice(
        &self,
        filter: &Filter,
        after: Option<(DateTime, &str)>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<StoredRow>, StoreError>> + Send {
        let statement = sql::slice(self.dialect(), filter, after, limit);
        async move {
            let rows = self.query(statement, TIME_LIMIT).await?;
            rows.into_iter().map(|row| row.try_into().map_err(|_| foreign())).collect()
        }
    }

    /// The same as [`MeasurementStore::page`], with all that other tables have of these measurements.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn measurements(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<StoredMeasurement>, StoreError>> + Send {
        let statement = sql::measurements(self.dialect(), after, limit);
        async move {
            let rows = self.query(statement, TIME_LIMIT).await?;
            rows.into_iter().map(|row| sql::measurement(row).ok_or_else(foreign)).collect()
        }
    }

    /// The same of measurements that were refused.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn refusals(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<StoredRefusal>, StoreError>> + Send {
        let statement = sql::refusals(self.dialect(), after, limit);
        async move {
            let rows = self.query(statement, TIME_LIMIT).await?;
            rows.into_iter().map(|row| sql::refusal(row).ok_or_else(foreign)).collect()
        }
    }

    /// The same of measurements that were removed: their uids, and why.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn removals(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(String, String)>, StoreError>> + Send {
        let statement = sql::removals(self.dialect(), after, limit);
        async move {
            let rows = self.query(statement, TIME_LIMIT).await?;
            rows.into_iter().map(|row| sql::removal(row).ok_or_else(foreign)).collect()
        }
    }

    /// A page of measurements.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn list(
        &self,
        list: &List,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<MeasurementSummary>, StoreError>> + Send {
        let statement = sql::list(self.dialect(), list);
        async move {
            let rows = self.query(statement, limit).await?;
            rows.into_iter().map(|row| sql::listed(row).ok_or_else(foreign)).collect()
        }
    }

    /// The measurement of a uid, with the category of its input.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn find(&self, uid: &str) -> impl Future<Output = Result<Option<MeasurementSummary>, StoreError>> + Send {
        let statement = sql::uid(self.dialect(), uid);
        self.find_by(statement)
    }

    /// A measurement of a report and input; an empty one is that of a measurement without.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn find_in_report(
        &self,
        report_id: &str,
        input: &str,
    ) -> impl Future<Output = Result<Option<MeasurementSummary>, StoreError>> + Send {
        let statement = sql::report(self.dialect(), report_id, input);
        self.find_by(statement)
    }

    /// The first row of a query, with the category of its input.
    #[doc(hidden)]
    fn find_by(
        &self,
        statement: Statement,
    ) -> impl Future<Output = Result<Option<MeasurementSummary>, StoreError>> + Send {
        async move {
            let Some(row) = self.query(statement, TIME_LIMIT).await?.into_iter().next() else { return Ok(None) };
            let mut found = sql::listed(row).ok_or_else(foreign)?;
            let categories = sql::categories(self.dialect(), &found.input);
            let category = match self.query(categories, TIME_LIMIT).await?.into_iter().flatten().next() {
                Some(Value::Text(code)) => code.into_owned(),
                _ => String::new(),
            };
            found.category_code = Some(category);
            Ok(Some(found))
        }
    }

    /// Where the body of a measurement is.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn body_location(&self, uid: &str) -> impl Future<Output = Result<Option<BodyLocation>, StoreError>> + Send {
        let statement = sql::body_location(self.dialect(), uid);
        async move {
            let row = self.query(statement, TIME_LIMIT).await?.into_iter().next();
            row.map(|row| sql::place(row).ok_or_else(foreign)).transpose()
        }
    }

    /// Counts, by groups in the order of their keys, from the smallest rollup that knows them or from rows. Without axes
    /// there is one group, even of nothing.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn aggregate(
        &self,
        query: &Aggregation,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<Group>, StoreError>> + Send {
        let axes = query.axes.len();
        async move {
            let source = self.source(query).await?;
            let statement = sql::aggregation(self.dialect(), query, source);
            let rows = self.query(statement, limit).await?;
            let mut groups = rows.into_iter().map(|row| group(row, axes)).collect::<Result<Vec<_>, _>>()?;
            groups.sort_by(|a, b| order(&a.keys, &b.keys));
            Ok(groups)
        }
    }

    /// How many values of an axis there are, by groups in the order of their keys: networks of each month, say. Taken from
    /// where [`MeasurementStore::aggregate`] takes counts.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn distinct(
        &self,
        query: &Aggregation,
        of: Axis,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<(Vec<Value<'static>>, u64)>, StoreError>> + Send {
        let mut all = query.clone();
        all.axes.push(of);
        async move {
            let source = self.source(&all).await?;
            let rows = self.query(sql::distinct(self.dialect(), query, of, source), limit).await?;
            let number = |mut row: Vec<Value<'static>>| match row.pop() {
                Some(Value::Int(number)) => Ok((row, number)),
                _ => Err(foreign()),
            };
            let mut groups = rows.into_iter().map(number).collect::<Result<Vec<_>, _>>()?;
            groups.sort_by(|a, b| order(&a.0, &b.0));
            Ok(groups)
        }
    }

    /// How long tests ran, by day, country and test, of the rows of a filter without a category.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn runtimes(
        &self,
        filter: &Filter,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<Runtimes>, StoreError>> + Send {
        let statement = sql::runtimes(self.dialect(), filter);
        async move {
            let rows = self.query(statement, limit).await?;
            rows.into_iter().map(|row| sql::runtimes_of(row).ok_or_else(foreign)).collect()
        }
    }

    /// Where a query is answered from now.
    #[doc(hidden)]
    fn source(&self, query: &Aggregation) -> impl Future<Output = Result<Source, StoreError>> + Send {
        let (source, window) = (source(query), query.filter.window);
        async move {
            match source {
                Source::Rollup(rollup) if !self.is_rollup_current(rollup, window).await? => Ok(Source::Rows),
                source => Ok(source),
            }
        }
    }

    /// How the engine goes about a list, in its own words.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn explain_list(&self, list: &List) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send {
        self.explain(sql::list(self.dialect(), list))
    }

    /// How it finds a uid.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn explain_find(&self, uid: &str) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send {
        self.explain(sql::uid(self.dialect(), uid))
    }

    /// How it finds a report and input.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn explain_find_in_report(
        &self,
        report_id: &str,
        input: &str,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send {
        self.explain(sql::report(self.dialect(), report_id, input))
    }

    /// How it goes about an aggregation.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn explain_aggregate(&self, query: &Aggregation) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send {
        self.explain(sql::aggregation(self.dialect(), query, source(query)))
    }

    /// How it goes about a query.
    #[doc(hidden)]
    fn explain(&self, statement: Statement) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send {
        let statement = self.dialect().explain(statement);
        async move {
            let line = |row: Vec<Value<'static>>| match row.into_iter().next_back() {
                Some(Value::Text(line)) => Ok(line.into_owned()),
                _ => Err(foreign()),
            };
            self.query(statement, TIME_LIMIT).await?.into_iter().map(line).collect()
        }
    }

    /// How often each input of a country was measured with web_connectivity in the weeks that begin on some Sundays
    /// (API spec §14.5).
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn input_counts(
        &self,
        cc: &str,
        weeks: &[DateTime],
    ) -> impl Future<Output = Result<Vec<(String, u64)>, StoreError>> + Send {
        async move {
            let rollup = Rollup::named("week_input").ok_or_else(foreign)?;
            for &week in weeks {
                if !self.is_rollup_current(rollup, week_of(week)).await? {
                    return self.count_inputs(cc, weeks).await;
                }
            }
            let pair = |row: Vec<Value<'static>>| match <[Value<'static>; 2]>::try_from(row) {
                Ok([Value::Text(input), Value::Int(count)]) => Ok((input.into_owned(), count)),
                _ => Err(foreign()),
            };
            let rows = self.query(sql::inputs(self.dialect(), cc, weeks), TIME_LIMIT).await?;
            rows.into_iter().map(pair).collect()
        }
    }

    /// The same, week by week.
    #[doc(hidden)]
    fn count_inputs(
        &self,
        cc: &str,
        weeks: &[DateTime],
    ) -> impl Future<Output = Result<Vec<(String, u64)>, StoreError>> + Send {
        async move {
            let mut all: BTreeMap<String, u64> = BTreeMap::new();
            for &week in weeks {
                let filter = Filter {
                    probe_ccs: vec![cc.to_owned()],
                    test_names: vec!["web_connectivity".to_owned()],
                    window: week_of(week),
                    ..Filter::default()
                };
                let query = Aggregation { filter, axes: vec![Axis::Input] };
                for Group { keys, counts } in self.aggregate(&query, TIME_LIMIT).await? {
                    let Some(Value::Text(input)) = keys.into_iter().next() else { return Err(foreign()) };
                    *all.entry(input.into_owned()).or_default() += counts.measurements;
                }
            }
            Ok(all.into_iter().collect())
        }
    }

    /// The URLs of some test lists, by their `cc`; of all without one.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn test_lists(&self, ccs: &[String]) -> impl Future<Output = Result<Vec<ListedUrl>, StoreError>> + Send {
        let statement = sql::test_lists(self.dialect(), ccs);
        async move {
            let rows = self.query(statement, TIME_LIMIT).await?;
            rows.into_iter().map(|row| sql::listed_url(row).ok_or_else(foreign)).collect()
        }
    }

    /// Counts all rows and compares them with the rollups, where these are [settled](MeasurementStore::is_rollup_current).
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn check(&self, rollup: &'static Rollup) -> impl Future<Output = Result<Vec<Difference>, StoreError>> + Send {
        let statement = sql::differences(self.dialect(), rollup);
        async move {
            let rows = self.query(statement, Duration::MAX).await?;
            rows.into_iter().map(|row| difference(row, rollup)).collect()
        }
    }

    /// What is in the store.
    ///
    /// # Errors
    /// As [`MeasurementStore::query`].
    fn stats(&self) -> impl Future<Output = Result<Stats, StoreError>> + Send {
        async move {
            let bytes = self.bytes().await?;
            let mut stats = Stats { bytes, ..Stats::default() };
            for row in self.query(sql::span(self.dialect()), TIME_LIMIT).await? {
                if let Ok([Value::Time(oldest), Value::Time(newest)]) = <[Value<'static>; 2]>::try_from(row) {
                    stats.span = Some((oldest, newest));
                }
            }
            for table in sql::TABLES {
                let rows = self.query(sql::count(self.dialect(), table), Duration::MAX).await?;
                match rows.concat()[..] {
                    [Value::Int(rows)] => stats.tables.push((table, rows)),
                    _ => return Err(foreign()),
                }
            }
            for rollup in &ROLLUPS {
                let rows = self.query(sql::state(self.dialect(), rollup), Duration::MAX).await?;
                match rows.concat()[..] {
                    [Value::Int(cells), Value::Int(measurements)] => {
                        stats.rollups.push(RollupState { rollup, cells, measurements });
                    }
                    _ => return Err(foreign()),
                }
            }
            Ok(stats)
        }
    }
}

/// What is in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes that it takes.
    pub bytes: u64,
    /// When its first and its last measurement started.
    pub span: Option<(DateTime, DateTime)>,
    /// Rows by table, those of `fastpath` first.
    pub tables: Vec<(&'static str, u64)>,
    /// Of each rollup how far it is.
    pub rollups: Vec<RollupState>,
}

/// How far a rollup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupState {
    /// Which.
    pub rollup: &'static Rollup,
    /// Its cells.
    pub cells: u64,
    /// Measurements that they count: all of them, but for a rollup of test lists.
    pub measurements: u64,
}

/// A cell of a rollup that is not what the rows say.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Whether these are the counts of the rollup, or those of the rows.
    pub is_of_rollup: bool,
    /// Values of the rollup's key.
    pub key: Vec<Value<'static>>,
    /// Counts.
    pub counts: Counts,
}

pub(crate) fn foreign() -> StoreError {
    StoreError::new(Kind::Other, "holds what no measurement has: it was changed by another program")
}

fn group(mut row: Vec<Value<'static>>, axes: usize) -> Result<Group, StoreError> {
    let counts = row.split_off(axes.min(row.len()));
    let mut numbers = counts.into_iter().map(|cell| if let Value::Int(number) = cell { Some(number) } else { None });
    let mut next = || numbers.next().flatten().ok_or_else(foreign);
    let counts = Counts {
        measurements: next()?,
        failure: next()?,
        confirmed: next()?,
        anomaly: next()?,
        confirmed_flag: next()?,
        anomaly_flag: next()?,
    };
    Ok(Group { keys: row, counts })
}

fn difference(mut row: Vec<Value<'static>>, rollup: &Rollup) -> Result<Difference, StoreError> {
    if row.is_empty() {
        return Err(foreign());
    }
    let is_of_rollup = row.remove(0) == Value::Int(1);
    let Group { keys, counts } = group(row, rollup.key.len())?;
    Ok(Difference { is_of_rollup, key: keys, counts })
}

/// Keys by their values: texts by their bytes.
fn order(a: &[Value<'static>], b: &[Value<'static>]) -> Ordering {
    let pairs = a.iter().zip(b).map(|pair| match pair {
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        _ => Ordering::Equal,
    });
    pairs.fold(Ordering::Equal, Ordering::then)
}

/// The first of the month after that of `month`.
pub(crate) fn month_after(month: DateTime) -> DateTime {
    const DAY: i64 = 86_400;
    // Between 28 and 31 days later.
    let at = |days: i64| DateTime::from_timestamp(month.timestamp() + days * DAY);
    (28..=31).filter_map(at).find(|time| time.date().2 == 1).unwrap_or(DateTime::MAX)
}

/// The week that begins on a day.
fn week_of(first: DateTime) -> Window {
    Window { from: Some(first), to: DateTime::from_timestamp(first.timestamp() + 7 * 86_400) }
}
