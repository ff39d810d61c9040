//! Counts of charts that have more than the groups of an aggregation (API spec §6).

use super::Store;
use super::counts::{group, order};
use crate::engine::Workload;
use crate::error::Error;
use crate::query::aggregate::{Aggregation, Axis, DatedGroup, DomainCounts, Ranked};
use crate::query::filter::{Filter, Window};
use crate::query::planner::plan;
use crate::sql::{self, ListedDomain, Rank};
use crate::value::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

impl Store {
    /// The groups of an aggregation in the order of their keys, each with its first and its last day. They are counted from
    /// rollups by day or from rows. Without axes there is exactly one group.
    ///
    /// # Errors
    /// As [`Store::aggregate`].
    pub async fn aggregate_with_days(&self, query: &Aggregation) -> Result<Vec<DatedGroup>, Error> {
        let call = self.read("aggregate_with_days", Workload::Aggregation).over(query.filter.window);
        let parts = call.parts(&by_day(query)).await?;
        let rows = call.groups(sql::dated(self.dialect(), query, &parts), &parts).await?;
        let dated = |mut row: Vec<Value<'static>>| {
            let days = row.split_off(row.len().checked_sub(2)?);
            let group = group(row, query.axes.len())?;
            let days = match days[..] {
                [Value::Time(first), Value::Time(last)] if group.counts.measurements > 0 => Some((first, last)),
                _ => None,
            };
            Some(DatedGroup { group, days })
        };
        let groups = rows.into_iter().map(|row| dated(row).ok_or_else(|| call.foreign()));
        let mut groups = groups.collect::<Result<Vec<_>, _>>()?;
        groups.sort_by(|a, b| order(&a.group.keys, &b.group.keys));
        Ok(groups)
    }

    /// A page of the groups of an aggregation. They are ordered by the number of measurements with the flag `confirmed`, the
    /// number of all measurements, and the number of those with the flag `anomaly`, the largest first; then by their keys.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn ranked(&self, query: &Aggregation, offset: u64, limit: u32) -> Result<Ranked, Error> {
        let call = self.read("ranked", Workload::Aggregation).over(query.filter.window);
        let parts = call.parts(query).await?;
        let page = async |offset, limit| {
            let statement = sql::ranked(self.dialect(), query, &parts, offset, limit);
            let mut page = Ranked::default();
            for mut row in call.counted(statement, &parts).await? {
                let Some(Value::Int(total)) = row.pop() else { return Err(call.foreign()) };
                page.total = total;
                page.groups.push(group(row, query.axes.len()).ok_or_else(|| call.foreign())?);
            }
            Ok(page)
        };
        let found = page(offset, limit).await?;
        match found.groups.is_empty() && offset > 0 {
            // A page after the last group does not have the number of groups.
            true => Ok(Ranked { groups: Vec::new(), ..page(0, 1).await? }),
            false => Ok(found),
        }
    }

    /// The domains of the test lists in byte order, each with one category and the number of its measurements with
    /// web_connectivity.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn domain_counts(&self) -> Result<Vec<DomainCounts>, Error> {
        let call = self.read("domain_counts", Workload::Aggregation).over(Window::default());
        let query = by_domain();
        let statement = sql::domain_counts(self.dialect(), &query, &call.parts(&query).await?);
        let rows = call.snapshot(vec![statement]).await?;
        // The first entry of each domain is chosen here: the engine would sort them all.
        let mut domains = BTreeMap::new();
        for row in rows.into_iter().flatten() {
            let ListedDomain { domain, rank, measurements } = sql::listed_domain(row).ok_or_else(|| call.foreign())?;
            match domains.entry(domain) {
                Entry::Vacant(place) => {
                    place.insert((rank, measurements));
                }
                Entry::Occupied(mut first) if rank < first.get().0 => first.get_mut().0 = rank,
                Entry::Occupied(_) => {}
            }
        }
        let counts = |(domain, (rank, measurements)): (_, (Rank, _))| DomainCounts {
            domain,
            category_code: rank.category_code,
            measurements,
        };
        Ok(domains.into_iter().map(counts).collect())
    }

    /// The engine's plan for [`Store::aggregate_with_days`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_with_days(&self, query: &Aggregation) -> Result<Vec<String>, Error> {
        self.explain(sql::dated(self.dialect(), query, &plan(&by_day(query)))).await
    }

    /// The engine's plan for the first page of [`Store::ranked`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_ranked(&self, query: &Aggregation) -> Result<Vec<String>, Error> {
        self.explain(sql::ranked(self.dialect(), query, &plan(query), 0, 10)).await
    }

    /// The engine's plan for [`Store::domain_counts`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn explain_domain_counts(&self) -> Result<Vec<String>, Error> {
        let query = by_domain();
        self.explain(sql::domain_counts(self.dialect(), &query, &plan(&query))).await
    }
}

/// The same aggregation, by day as well, to plan it.
fn by_day(query: &Aggregation) -> Aggregation {
    let mut query = query.clone();
    query.axes.push(sql::DAY);
    query
}

/// The aggregation that counts the measurements of each domain.
fn by_domain() -> Aggregation {
    let filter = Filter { test_names: vec!["web_connectivity".to_owned()], ..Filter::default() };
    Aggregation { filter, axes: vec![Axis::Domain] }
}
