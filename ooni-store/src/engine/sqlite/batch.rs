//! Writes a batch whose outcome [`Prepared`] has.

use super::prepared::{KEY, Prepared};
use super::statements::{self, Statements};
use super::{locations, value};
use crate::failpoint::{Failpoint, reach};
use crate::sql;
use crate::value::Value;
use crate::write::batch::uids;
use crate::write::row::{BatchResult, RowBatch};
use crate::write::tally::Tally;
use ooni_core::time::DateTime;
use rusqlite::{Result, Transaction};
use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::time::SystemTime;

/// What a batch changed.
pub(super) struct Written {
    pub(super) result: BatchResult,
    /// Rows that were added, and rows that were deleted.
    pub(super) tally: Tally,
    /// The number of rows that were added, by month.
    pub(super) months: BTreeMap<DateTime, i64>,
}

/// Writes the rows of a batch.
pub(super) fn write(transaction: &Transaction<'_>, mut batch: Prepared) -> Result<Written> {
    let mut statements = Statements::new(transaction, value::timestamp(SystemTime::now()))?;
    let removed = removed(transaction, &*batch.rows)?;
    if !removed.is_empty() {
        batch = batch.again(&removed);
    }
    let any_archived = locations::any_archived(transaction)?;
    let mut tally = mem::take(&mut batch.tally);
    let mut added = vec![true; batch.taken.len()];
    let mut months = BTreeMap::<DateTime, i64>::new();
    let mut existing = 0;
    // Rows are in memory that this thread has not read yet: what is prepared is read in their place.
    for (row, taken) in batch.taken.iter().enumerate() {
        let is_new = statements.fastpath.encoded(&batch.fastpath, row)?;
        if !is_new {
            existing += 1;
            if !batch.replace {
                added[row] = false;
                continue;
            }
        }
        let known = match taken.body {
            Some(_) => None,
            None => locations::known(transaction, batch.uid(taken))?,
        };
        if !is_new {
            statements.delete(batch.uid(taken), &mut tally)?;
            reach(Failpoint::RowDeleted);
            statements.fastpath.encoded(&batch.fastpath, row)?;
        }
        if let Some(start) = taken.time {
            *months.entry(start.start_of_month()).or_default() += 1;
        }
        if let Some(body) = taken.body {
            statements.body.encoded(&batch.bodies, body)?;
        } else if known.is_some() {
            let cells = batch.rows[taken.index].cells().ok();
            let key = KEY.map(|at| cells.as_ref().map_or(Value::Null, |cells| cells[at].borrowed()));
            let values: Vec<_> = key.into_iter().chain(sql::location_values(known.as_ref())).collect();
            statements.body.values(&values)?;
        }
        if any_archived {
            locations::forget(transaction, batch.uid(taken))?;
        }
        if let Some(openvpn) = taken.openvpn {
            statements.openvpn.encoded(&batch.openvpn, openvpn)?;
        }
    }
    tally.keep_of_first(&added);
    if batch.replace {
        for taken in &batch.taken {
            statements.accept(batch.uid(taken))?;
        }
    }
    for refusal in &batch.set_aside {
        statements.set_aside(&batch.rows[refusal.index], refusal, batch.replace)?;
    }
    statements.reject(&batch)?;
    Ok(Written { result: batch.written(existing), tally, months })
}

/// The rows of the batch that were removed permanently, and the reasons.
fn removed(transaction: &Transaction<'_>, rows: &(dyn RowBatch + 'static)) -> Result<HashMap<String, String>> {
    let mut removed = HashMap::new();
    if statements::any_removed(transaction)? {
        for uid in uids(rows) {
            if let Some(reason) = statements::removed(transaction, uid)? {
                removed.insert(uid.to_owned(), reason);
            }
        }
    }
    Ok(removed)
}
