//! Writes a batch whose outcome `write::batch` has decided.

use super::statements::{self, Statements};
use super::{locations, value};
use crate::failpoint::{Failpoint, reach};
use crate::write::batch::{Taken, decide, uids};
use crate::write::row::{BatchResult, RowBatch};
use crate::write::tally::Tally;
use rusqlite::{Result, Transaction};
use std::collections::HashMap;
use std::time::SystemTime;

/// Tallies a row that was added, for [`write`].
pub(super) fn tally(tally: &mut Tally, added: &Taken<'_>) {
    tally.add(&added.cells);
}

/// Writes the rows of a batch. Rows that are deleted are tallied; `added` is called for each that is added.
pub(super) fn write(
    transaction: &Transaction<'_>,
    rows: &(dyn RowBatch + 'static),
    replace: bool,
    max_row_bytes: usize,
    tally: &mut Tally,
    mut added: impl FnMut(&mut Tally, &Taken<'_>),
) -> Result<BatchResult> {
    let mut statements = Statements::new(transaction, value::timestamp(SystemTime::now()))?;
    let removed = removed(transaction, rows)?;
    let any_archived = locations::any_archived(transaction)?;
    let decided = decide(rows, replace, &removed, max_row_bytes);
    let mut existing = 0;
    for taken in &decided.taken {
        let (new, cells) = (&rows[taken.index], &taken.cells);
        let is_new = statements.insert(cells, new)?;
        if !is_new {
            existing += 1;
            if !replace {
                continue;
            }
        }
        let known = match new.body() {
            Some(_) => None,
            None => locations::known(transaction, new.uid())?,
        };
        if !is_new {
            statements.delete(new.uid(), tally)?;
            reach(Failpoint::RowDeleted);
            statements.insert(cells, new)?;
        }
        added(tally, taken);
        if let Some(body) = new.body().or(known.as_ref()) {
            statements.insert_body(cells, body)?;
        }
        if any_archived {
            locations::forget(transaction, new.uid())?;
        }
        if let Some(cells) = &taken.openvpn {
            statements.insert_openvpn(cells)?;
        }
    }
    if replace {
        for taken in &decided.taken {
            statements.accept(rows[taken.index].uid())?;
        }
    }
    for refusal in &decided.set_aside {
        statements.set_aside(&rows[refusal.index], refusal, replace)?;
    }
    statements.reject(&decided)?;
    Ok(decided.written(existing, replace))
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
