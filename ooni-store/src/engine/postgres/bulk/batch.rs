//! [`BulkBatch`]: writes a batch of a bulk load.

use super::{Loads, hold, lock};
use crate::deadline::Deadline;
use crate::engine::postgres::batch::{self as usual, Batch, LONGEST_ROW};
use crate::engine::postgres::change::Change;
use crate::engine::postgres::error::PgError;
use crate::engine::postgres::{locations, partition, schema, value};
use crate::write::batch::{self, Taken};
use crate::write::bulk::BulkResult;
use crate::write::row::{BodyLocation, RowBatch};
use crate::write::tally::Tally;
use futures_util::future::join;
use ooni_core::time::DateTime;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

/// Rows of a batch that is written on one connection.
const SMALL: usize = 1000;

/// Rows of a bulk load.
pub(super) struct BulkBatch<'l> {
    batch: Batch,
    /// Whether no other process writes meanwhile, so that rows can also be written the usual way.
    pub(super) is_alone: bool,
    /// Writes the second half of the rows on another connection, at the same time.
    loads: &'l Loads,
    deadline: Deadline,
    /// The second half, once it is committed.
    second: Mutex<Option<Second>>,
}

/// The second half of a batch, which is committed before the first.
#[derive(Clone)]
struct Second {
    /// Its first uid. All rows of the batch from this uid on are in the second half.
    from: String,
    /// The number of its rows that were already stored.
    kept: u64,
}

/// What was written.
pub(super) enum Written {
    /// Everything.
    All(BulkResult),
    /// Nothing: these months have no rows, and are not being loaded yet.
    NoneOf(Vec<DateTime>),
    /// Nothing: some rows must be written the usual way.
    NotSteady,
}

impl<'l> BulkBatch<'l> {
    pub(super) fn new(rows: Arc<dyn RowBatch>, is_alone: bool, loads: &'l Loads, deadline: Deadline) -> BulkBatch<'l> {
        BulkBatch { batch: Batch { rows, replace: false }, is_alone, loads, deadline, second: Mutex::default() }
    }
}

impl Change for BulkBatch<'_> {
    type Outcome = Written;

    fn lock(&self) -> &'static str {
        if self.is_alone { schema::LOCK } else { schema::LOCK_SHARED }
    }

    async fn make(&self, transaction: &Transaction<'_>, tally: &mut Tally) -> Result<Written, PgError> {
        let rows = &*self.batch.rows;
        let removed = usual::removed(transaction, batch::uids(rows).map(value::encoded).collect()).await?;
        let decided = batch::decide(rows, false, &removed, LONGEST_ROW);
        let coming: Vec<&Taken<'_>> = decided.taken.iter().collect();
        let steady = match sort(transaction, by_month(&coming).keys()).await? {
            Sorted { begins, .. } if !begins.is_empty() => return Ok(Written::NoneOf(begins)),
            Sorted { steady, .. } if !steady.is_empty() && !self.is_alone => return Ok(Written::NotSteady),
            Sorted { steady, .. } => steady,
        };
        let known = locations::known(transaction, self.batch.without_location(&decided)).await?;
        // Another connection could not write beside this one if it is alone.
        let uid = |taken: &&Taken<'_>| rows[taken.index].uid();
        let first = match &*lock(&self.second) {
            _ if self.is_alone || coming.len() < SMALL => coming.len(),
            // It may be another batch now, as a measurement may have been removed since.
            Some(Second { from, .. }) => coming.partition_point(|taken| uid(taken) < &**from),
            None => coming.len() / 2,
        };
        let (first, second) = coming.split_at(first);
        let part = |rows| Part { batch: &self.batch, rows, known: &known, steady: &steady };
        let first = part(first);
        // Boxed, so that futures do not become large.
        let (first, second_half) =
            (Box::pin(first.send(transaction, tally)), Box::pin(self.write_second(part(second))));
        let (kept, of_second) = join(first, second_half).await;
        let kept = kept?
            + match of_second? {
                Some(kept) => kept,
                None => part(second).send(transaction, tally).await?,
            };
        self.batch.set_aside(transaction, &decided, &known).await?;
        usual::reject(transaction, &decided).await?;
        locations::forget(transaction, &encoded(&decided.stored)).await?;
        let written = decided.written(kept, false);
        if steady.is_empty() {
            return Ok(Written::All(BulkResult { written, ..BulkResult::default() }));
        }
        let mut result = BulkResult::of_steady(written, rows);
        result.steady.retain(|month, _| steady.contains(month));
        Ok(Written::All(result))
    }
}

impl BulkBatch<'_> {
    /// Writes the second half in a transaction of its own, unless an earlier attempt did so. Returns the number of rows that
    /// were already stored; `None` if nothing was written, because another process has a lock or waits for one.
    async fn write_second(&self, part: Part<'_, '_>) -> Result<Option<u64>, PgError> {
        let Some(from) = part.rows.first().map(|taken| self.batch.rows[taken.index].uid().to_owned()) else {
            return Ok(Some(0));
        };
        let written = lock(&self.second).clone();
        if let Some(Second { kept, .. }) = written {
            return Ok(Some(kept));
        }
        let kept = match self.loads.change(&part, self.deadline).await {
            Err(PgError::Database(error)) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => None,
            written => written?,
        };
        *lock(&self.second) = kept.map(|kept| Second { from, kept });
        Ok(kept)
    }
}

/// A part of the rows of a batch.
struct Part<'p, 'r> {
    batch: &'p Batch,
    rows: &'p [&'p Taken<'r>],
    known: &'p HashMap<String, BodyLocation>,
    steady: &'p HashSet<DateTime>,
}

impl Change for Part<'_, '_> {
    type Outcome = Option<u64>;

    /// The lock and those of the tables are taken later, without waiting: if a process waited for the other half of the
    /// batch, this one would wait for that process, and the other half waits for this one.
    fn lock(&self) -> &'static str {
        "SELECT"
    }

    async fn make(&self, transaction: &Transaction<'_>, tally: &mut Tally) -> Result<Option<u64>, PgError> {
        if !transaction.query_one(schema::TRY_LOCK_SHARED, &[]).await?.try_get(0)? {
            return Ok(None);
        }
        let months = by_month(self.rows).into_keys().filter_map(partition::name);
        let tables: Vec<String> = ["jsonl", "obs_openvpn"].map(str::to_owned).into_iter().chain(months).collect();
        let wait_for_none = format!("LOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE NOWAIT", tables.join(", "));
        transaction.batch_execute(&wait_for_none).await?;
        self.send(transaction, tally).await.map(Some)
    }
}

impl Part<'_, '_> {
    /// Sends the rows; returns the number of those that were already stored.
    async fn send(&self, transaction: &Transaction<'_>, tally: &mut Tally) -> Result<u64, PgError> {
        let mut coming = self.rows.to_vec();
        let kept = self.batch.send_new_bodies(transaction, &mut coming, self.known).await?;
        for (month, rows) in by_month(&coming) {
            match partition::name(month) {
                Some(name) if !self.steady.contains(&month) => {
                    self.batch.send_rows(transaction, &name, &rows).await?;
                }
                _ => {
                    self.batch.send_rows(transaction, "fastpath", &rows).await?;
                    rows.iter().for_each(|taken| tally.add(&taken.cells));
                }
            }
        }
        self.batch.send_openvpn(transaction, &coming).await?;
        Ok(kept)
    }
}

/// How the months of a batch are written.
#[derive(Default)]
struct Sorted {
    /// They have no rows and are not being loaded yet.
    begins: Vec<DateTime>,
    /// They had rows before the load, or have no partition.
    steady: HashSet<DateTime>,
}

async fn sort(transaction: &Transaction<'_>, all: impl Iterator<Item = &DateTime>) -> Result<Sorted, PgError> {
    let all: Vec<DateTime> = all.copied().collect();
    let loading = hold(transaction, &all).await?;
    let mut sorted = Sorted::default();
    for month in all.into_iter().filter(|month| !loading.contains(month)) {
        if partition::name(month).is_none() || partition::has_rows(transaction, month).await? {
            sorted.steady.insert(month);
        } else {
            sorted.begins.push(month);
        }
    }
    Ok(sorted)
}

/// The rows of each month.
fn by_month<'t, 'r>(rows: &[&'t Taken<'r>]) -> BTreeMap<DateTime, Vec<&'t Taken<'r>>> {
    let mut months: BTreeMap<DateTime, Vec<&Taken<'r>>> = BTreeMap::new();
    // Neighbours are mostly of the same month.
    let (mut month, mut next) = (DateTime::MAX, DateTime::MAX);
    for &taken in rows {
        let Some(time) = taken.time() else { continue };
        if time < month || time >= next {
            (month, next) = (time.start_of_month(), time.start_of_next_month());
        }
        months.entry(month).or_default().push(taken);
    }
    months
}

fn encoded<'u>(uids: &[&'u str]) -> Vec<Cow<'u, str>> {
    uids.iter().map(|uid| value::encoded(uid)).collect()
}
