//! [`BulkBatch`]: writes a batch of a bulk load.

use super::months;
use crate::engine::postgres::batch::{self as usual, Batch, LONGEST_ROW};
use crate::engine::postgres::change::Change;
use crate::engine::postgres::error::PgError;
use crate::engine::postgres::{locations, partition, schema, value};
use crate::write::batch::{self, Taken};
use crate::write::bulk::BulkResult;
use crate::write::row::{BodyLocation, RowBatch};
use crate::write::tally::Tally;
use ooni_core::time::DateTime;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

/// Rows of a bulk load.
pub(super) struct BulkBatch {
    batch: Batch,
    /// Whether no other process writes meanwhile, so that rows can also be written the usual way.
    pub(super) is_alone: bool,
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

impl BulkBatch {
    pub(super) fn new(rows: Arc<dyn RowBatch>, is_alone: bool) -> BulkBatch {
        BulkBatch { batch: Batch { rows, replace: false }, is_alone }
    }
}

impl Change for BulkBatch {
    type Outcome = Written;

    fn lock(&self) -> &'static str {
        if self.is_alone { schema::LOCK } else { schema::LOCK_SHARED }
    }

    async fn make(&self, transaction: &Transaction<'_>, tally: &mut Tally) -> Result<Written, PgError> {
        let rows = &*self.batch.rows;
        let removed = usual::removed(transaction, batch::uids(rows).map(value::encoded).collect()).await?;
        let decided = batch::decide(rows, false, &removed, LONGEST_ROW);
        let mut coming: Vec<&Taken<'_>> = decided.taken.iter().collect();
        let months = by_month(&coming);
        let steady = match sort(transaction, months.keys()).await? {
            Sorted { begins, .. } if !begins.is_empty() => return Ok(Written::NoneOf(begins)),
            Sorted { steady, .. } if !steady.is_empty() && !self.is_alone => return Ok(Written::NotSteady),
            Sorted { steady, .. } => steady,
        };
        let of_steady = months.into_iter().filter(|(month, _)| steady.contains(month));
        let mut result = BulkResult { steady: of_steady.map(|(month, rows)| (month, rows.len() as u64)).collect(), ..BulkResult::default() };
        let known = locations::known(transaction, self.batch.without_location(&decided)).await?;
        let kept = self.send_bodies(transaction, &mut coming, &known).await?;
        for (month, rows) in by_month(&coming) {
            match partition::name(month) {
                Some(name) if !steady.contains(&month) => self.batch.send_rows(transaction, &name, &rows).await?,
                _ => {
                    self.batch.send_rows(transaction, "fastpath", &rows).await?;
                    rows.iter().for_each(|taken| tally.add(&taken.cells));
                }
            }
        }
        self.batch.send_openvpn(transaction, &coming).await?;
        self.batch.set_aside(transaction, &decided, &known).await?;
        usual::reject(transaction, &decided).await?;
        locations::forget(transaction, &encoded(&decided.stored)).await?;
        result.written = decided.written(kept, false);
        Ok(Written::All(result))
    }
}

impl BulkBatch {
    /// Sends the locations of bodies. If a uid is already stored, which the key reports, the rows that are stored are removed
    /// from `coming`. Returns their number.
    async fn send_bodies(
        &self,
        transaction: &Transaction<'_>,
        coming: &mut Vec<&Taken<'_>>,
        known: &HashMap<String, BodyLocation>,
    ) -> Result<u64, PgError> {
        let all = coming.len();
        loop {
            transaction.batch_execute("SAVEPOINT bodies").await?;
            match self.batch.send_bodies(transaction, coming, known).await {
                Err(PgError::Database(error)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                    transaction.batch_execute("ROLLBACK TO SAVEPOINT bodies").await?;
                    let uid = |taken: &Taken<'_>| self.batch.rows[taken.index].uid();
                    let uids = coming.iter().map(|taken| value::encoded(uid(taken))).collect();
                    let there: HashSet<String> = usual::there(transaction, uids).await?;
                    let before = coming.len();
                    coming.retain(|taken| !there.contains(uid(taken)));
                    if coming.len() == before {
                        return Err(error.into());
                    }
                }
                sent => {
                    sent?;
                    return Ok((all - coming.len()) as u64);
                }
            }
        }
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

async fn sort(
    transaction: &Transaction<'_>,
    all: impl Iterator<Item = &DateTime>,
) -> Result<Sorted, PgError> {
    let loading = months(transaction).await?;
    let mut sorted = Sorted::default();
    for &month in all {
        match loading.get(&month) {
            Some(false) => {}
            Some(true) => return Err(PgError::Loading(vec![month])),
            None if partition::name(month).is_none() || partition::has_rows(transaction, month).await? => {
                sorted.steady.insert(month);
            }
            None => sorted.begins.push(month),
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
