//! Counts of measurements, from the smallest rollup that contains them or from rows.

use super::{Read, Store};
use crate::engine::{Rows, Workload};
use crate::error::{Error, ErrorKind};
use crate::query::aggregate::{Aggregation, Axis, Counts, Group, ListedCounts, Runtimes};
use crate::query::filter::{Filter, Window};
use crate::query::planner::{Part, Source, plan};
use crate::rollup::Rollup;
use crate::sql::{self, Dialect, Statement};
use crate::value::Value;
use ooni_core::time::DateTime;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

impl Store {
    /// The groups of an aggregation in the order of their keys, counted from the smallest suitable rollup or from rows. Without
    /// axes there is exactly one group.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] beyond [`StoreOptions::max_groups`](crate::StoreOptions::max_groups), or the store cannot be
    /// read.
    pub async fn aggregate(&self, query: &Aggregation) -> Result<Vec<Group>, Error> {
        let call = self.read("aggregate", Workload::Aggregation).over(query.filter.window);
        let parts = call.parts(query).await?;
        // A part and its log of rollups each have a group once.
        let most = self.options.max_groups.saturating_mul(2 * parts.len());
        let statement = at_most(sql::aggregation_by_part(self.dialect(), query, &parts), most);
        let rows = call.counted(statement, &parts).await?;
        let groups = rows.into_iter().map(|row| group(row, query.axes.len()).ok_or_else(|| call.foreign()));
        let mut groups = groups.collect::<Result<Vec<_>, _>>()?;
        groups.sort_unstable_by(|a, b| order(&a.keys, &b.keys));
        groups.dedup_by(|next, group| {
            let is_same = next.keys == group.keys;
            if is_same {
                group.counts += next.counts;
            }
            is_same
        });
        call.within_limit(groups)
    }

    /// The number of distinct values of an axis in each group, such as the networks of each month, in the order of the keys.
    /// It is counted from the same rollups or rows as [`Store::aggregate`].
    ///
    /// # Errors
    /// As [`Store::aggregate`].
    pub async fn distinct(&self, query: &Aggregation, of: Axis) -> Result<Vec<(Vec<Value<'static>>, u64)>, Error> {
        let call = self.read("distinct", Workload::Aggregation).over(query.filter.window);
        let mut all = query.clone();
        all.axes.push(of);
        let parts = call.parts(&all).await?;
        let rows = call.groups(sql::distinct(self.dialect(), query, of, &parts), &parts).await?;
        let number = |mut row: Vec<Value<'static>>| match row.pop() {
            Some(Value::Int(number)) => Ok((row, number)),
            _ => Err(call.foreign()),
        };
        let mut groups = rows.into_iter().map(number).collect::<Result<Vec<_>, _>>()?;
        groups.sort_by(|a, b| order(&a.0, &b.0));
        Ok(groups)
    }

    /// The engine's plan for [`Store::distinct`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_distinct(&self, query: &Aggregation, of: Axis) -> Result<Vec<String>, Error> {
        let mut all = query.clone();
        all.axes.push(of);
        self.explain(sql::distinct(self.dialect(), query, of, &plan(&all))).await
    }

    /// How long tests ran, by day, country and test. The filter must not have a category.
    ///
    /// # Errors
    /// As [`Store::aggregate`].
    pub async fn runtimes(&self, filter: &Filter) -> Result<Vec<Runtimes>, Error> {
        let call = self.read("runtimes", Workload::Aggregation).over(filter.window);
        let rows = call.groups(sql::runtimes(self.dialect(), filter), &[]).await?;
        rows.into_iter().map(|row| sql::runtimes_of(row).ok_or_else(|| call.foreign())).collect()
    }

    /// How often each input was measured with web_connectivity in a country, or in one of its networks, in the weeks that
    /// begin on these Sundays (API spec §5.2, §14.5). Only inputs in test lists are counted. If counts were imported for a
    /// week, only those are used.
    ///
    /// # Errors
    /// As [`Store::aggregate`].
    pub async fn input_counts(
        &self,
        cc: &str,
        asn: Option<u32>,
        weeks: &[DateTime],
    ) -> Result<Vec<(String, u64)>, Error> {
        let call = self.read("input_counts", Workload::Aggregation).over(all_of(weeks));
        if weeks.is_empty() {
            return Ok(Vec::new());
        }
        let ask = match self.dialect() {
            Dialect::Clickhouse => None,
            dialect => Some(sql::app::imported_weeks(dialect, weeks)),
        };
        let mut imported = match &ask {
            Some(ask) => call.weeks(call.query(ask.clone()).await?)?,
            None => BTreeSet::new(),
        };
        loop {
            let mut statements = call.inputs(cc, asn, weeks, &imported).await?;
            statements.extend(ask.clone());
            let mut results = call.snapshot(statements).await?;
            if ask.is_some() {
                let now = call.weeks(results.pop().unwrap_or_default())?;
                if now != imported {
                    // Another week was imported meanwhile.
                    imported = now;
                    continue;
                }
            }
            let mut all = BTreeMap::new();
            for rows in results {
                call.add_inputs(&mut all, call.within_limit(rows)?)?;
            }
            return Ok(all.into_iter().collect());
        }
    }

    /// All entries of the test lists, each with the number of measurements of its URL in its country that began in a window.
    /// They are ordered by list, then by URL.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn listed_counts(&self, window: Window) -> Result<Vec<ListedCounts>, Error> {
        let call = self.read("listed_counts", Workload::Aggregation).over(window);
        let filter = Filter { only_listed: true, window, ..Filter::default() };
        let query = Aggregation { filter, axes: sql::OF_LISTS.to_vec() };
        let statement = sql::listed_counts(self.dialect(), &query, &call.parts(&query).await?);
        let rows = call.snapshot(vec![statement]).await?;
        rows.into_iter().flatten().map(|row| sql::listed_count(row).ok_or_else(|| call.foreign())).collect()
    }

    /// The engine's plan for [`Store::input_counts`] of a network.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_input_counts(&self, cc: &str, asn: u32, week: DateTime) -> Result<Vec<String>, Error> {
        self.explain_aggregate(&inputs_of(cc, Some(asn), week)).await
    }

    /// The number of rows of `fastpath`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn count(&self) -> Result<u64, Error> {
        let groups = self.aggregate(&Aggregation::default()).await?;
        Ok(groups.iter().map(|group| group.counts.measurements).sum())
    }

    /// The engine's plan for an aggregation, as the engine prints it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_aggregate(&self, query: &Aggregation) -> Result<Vec<String>, Error> {
        self.explain(sql::aggregation_by_part(self.dialect(), query, &plan(query))).await
    }
}

/// The aggregation that counts each input of a country, or of one of its networks, in a week.
fn inputs_of(cc: &str, asn: Option<u32>, week: DateTime) -> Aggregation {
    let filter = Filter {
        probe_ccs: vec![cc.to_owned()],
        probe_asns: asn.into_iter().collect(),
        test_names: vec!["web_connectivity".to_owned()],
        only_listed: true,
        window: week_of(week),
        ..Filter::default()
    };
    Aggregation { filter, axes: vec![Axis::Input] }
}

impl Read<'_> {
    /// The statements that count inputs in some weeks; `imported` are those whose counts were imported.
    async fn inputs(
        &self,
        cc: &str,
        asn: Option<u32>,
        weeks: &[DateTime],
        imported: &BTreeSet<DateTime>,
    ) -> Result<Vec<Statement>, Error> {
        let dialect = self.store.dialect();
        let (imported, weeks): (Vec<_>, Vec<_>) = weeks.iter().copied().partition(|week| imported.contains(week));
        let mut statements = Vec::new();
        if !imported.is_empty() {
            statements.push(sql::app::imported_inputs(dialect, cc, asn, &imported));
        }
        let rollup = Rollup::named("week_input").ok_or_else(Error::foreign)?;
        let mut is_current = asn.is_none() && !weeks.is_empty();
        for &week in &weeks {
            is_current &= self.is_current(rollup, week_of(week)).await?;
        }
        if is_current {
            statements.push(sql::inputs(dialect, cc, &weeks));
        } else {
            for &week in &weeks {
                let query = inputs_of(cc, asn, week);
                statements.push(sql::aggregation(dialect, &query, &self.parts(&query).await?));
            }
        }
        Ok(statements.into_iter().map(|statement| self.limited(statement)).collect())
    }

    /// The weeks in rows that have nothing else.
    fn weeks(&self, rows: Rows) -> Result<BTreeSet<DateTime>, Error> {
        let week = |row: Vec<Value<'static>>| if let [Value::Time(week)] = row[..] { Some(week) } else { None };
        rows.into_iter().map(|row| week(row).ok_or_else(|| self.foreign())).collect()
    }

    /// Adds rows that begin with an input and its count.
    fn add_inputs(&self, all: &mut BTreeMap<String, u64>, rows: Rows) -> Result<(), Error> {
        for row in rows {
            let mut cells = row.into_iter();
            match (cells.next(), cells.next()) {
                (Some(Value::Text(input)), Some(Value::Int(count))) => {
                    *all.entry(input.into_owned()).or_default() += count;
                }
                _ => return Err(self.foreign()),
            }
        }
        Ok(())
    }

    async fn is_current(&self, rollup: &'static Rollup, window: Window) -> Result<bool, Error> {
        self.run(self.store.engine.is_rollup_current(rollup, window, self.deadline)).await
    }

    /// The parts of an aggregation as they are read now: rows where a rollup is not current.
    pub(super) async fn parts(&self, query: &Aggregation) -> Result<Vec<Part>, Error> {
        let mut parts = plan(query);
        for part in &mut parts {
            match part.source {
                Source::Rollup(rollup) if !self.is_current(rollup, part.window).await? => part.source = Source::Rows,
                _ => {}
            }
        }
        Ok(parts)
    }

    /// Executes a statement that returns groups, of which there may be too many.
    pub(super) async fn groups(&self, statement: Statement, parts: &[Part]) -> Result<Rows, Error> {
        let rows = self.counted(self.limited(statement), parts).await?;
        self.within_limit(rows)
    }

    /// Executes a statement that reads these parts.
    pub(super) async fn counted(&self, statement: Statement, parts: &[Part]) -> Result<Rows, Error> {
        match parts {
            // A rollup is one table, and does not wait for a month that is being dropped.
            [Part { source: Source::Rollup(_), .. }] => self.query(statement).await,
            _ => Ok(self.snapshot(vec![statement]).await?.pop().unwrap_or_default()),
        }
    }

    /// A statement that returns at most one group too many.
    fn limited(&self, statement: Statement) -> Statement {
        at_most(statement, self.store.options.max_groups)
    }

    /// The groups that such a statement returned, if they are not too many.
    fn within_limit<T>(&self, groups: Vec<T>) -> Result<Vec<T>, Error> {
        let most = self.store.options.max_groups;
        match groups.len() > most {
            false => Ok(groups),
            true => {
                let message = format!("the result has more than {most} groups; narrow the filter or use fewer axes");
                Err(Error::public(ErrorKind::TooLarge, message).of(self.store.engine.name()))
            }
        }
    }
}

/// A statement that returns at most one row more than so many.
fn at_most(statement: Statement, most: usize) -> Statement {
    match most.checked_add(1) {
        Some(limit) => statement.at_most(limit),
        None => statement,
    }
}

/// A row of [`sql::aggregation`].
pub(super) fn group(mut row: Vec<Value<'static>>, axes: usize) -> Option<Group> {
    let counts = row.split_off(axes.min(row.len()));
    let mut numbers = counts.into_iter().map(|cell| if let Value::Int(number) = cell { Some(number) } else { None });
    let mut next = || numbers.next().flatten();
    let counts = Counts {
        measurements: next()?,
        failure: next()?,
        confirmed: next()?,
        anomaly: next()?,
        confirmed_flag: next()?,
        anomaly_flag: next()?,
    };
    Some(Group { keys: row, counts })
}

/// Compares keys by their values; texts by their bytes.
pub(super) fn order(a: &[Value<'static>], b: &[Value<'static>]) -> Ordering {
    let pairs = a.iter().zip(b).map(|pair| match pair {
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        _ => Ordering::Equal,
    });
    pairs.fold(Ordering::Equal, Ordering::then)
}

/// The time from the first of these weeks to the end of the last.
fn all_of(weeks: &[DateTime]) -> Window {
    let last = weeks.iter().max().and_then(|week| week.plus_days(7));
    Window { from: weeks.iter().min().copied(), to: last }
}

/// The week that begins on a day.
fn week_of(first: DateTime) -> Window {
    Window { from: Some(first), to: first.plus_days(7) }
}
