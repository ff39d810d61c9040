//! [`Prepared`]: a batch whose outcome is decided and whose values are encoded, so that the thread that writes only binds
//! them. Nothing here reads the database.

use super::encoded::Encoded;
use crate::sql::{self, LOCATION};
use crate::write::batch::{Taken, decide};
use crate::write::rejection::Rejection;
use crate::write::row::{BatchResult, Incoming, Provenance, Refusal, RowBatch};
use crate::write::tally::Tally;
use ooni_core::row::schema::{fastpath, openvpn};
use ooni_core::time::DateTime;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

/// Columns of `fastpath` beside those of the row: how it was produced.
const BESIDE: usize = 3;

/// The first columns of `jsonl`.
pub(super) const KEY: [usize; 3] = [fastpath::measurement_uid, fastpath::report_id, fastpath::input];

/// A batch that can be written.
pub(super) struct Prepared {
    pub(super) rows: Arc<dyn RowBatch>,
    pub(super) replace: bool,
    max_row_bytes: usize,
    /// Accepted rows, one per uid, in the order of uids.
    pub(super) taken: Vec<PreparedRow>,
    /// Their rows of `fastpath`.
    pub(super) fastpath: Encoded,
    /// Their locations, of those that have one.
    pub(super) bodies: Encoded,
    /// Their rows of `obs_openvpn`, of those that have one.
    pub(super) openvpn: Encoded,
    /// Counts all accepted rows, in their order.
    pub(super) tally: Tally,
    /// Refusals to be stored, one per uid.
    pub(super) set_aside: Vec<Refusal>,
    /// Cans whose rejections are deleted before new ones are written.
    pub(super) cans: Vec<String>,
    /// Rejections to be written, one per key.
    pub(super) rejected: Vec<Rejection>,
    /// The result if no uid is stored.
    result: BatchResult,
}

/// An accepted row.
pub(super) struct PreparedRow {
    /// Its index in the batch.
    pub(super) index: usize,
    /// When the measurement started.
    pub(super) time: Option<DateTime>,
    /// The position of its location in [`Prepared::bodies`].
    pub(super) body: Option<usize>,
    /// The position of its row in [`Prepared::openvpn`].
    pub(super) openvpn: Option<usize>,
}

impl Prepared {
    /// Prepares a batch as if no measurement had ever been removed.
    pub(super) fn new(rows: Arc<dyn RowBatch>, replace: bool, max_row_bytes: usize) -> Prepared {
        Prepared::with_removed(rows, replace, max_row_bytes, &HashMap::new())
    }

    /// Prepares a batch again, given removed uids and the reasons.
    pub(super) fn again(&self, removed: &HashMap<String, String>) -> Prepared {
        Prepared::with_removed(Arc::clone(&self.rows), self.replace, self.max_row_bytes, removed)
    }

    fn with_removed(
        rows: Arc<dyn RowBatch>,
        replace: bool,
        max_row_bytes: usize,
        removed: &HashMap<String, String>,
    ) -> Prepared {
        let mut decided = decide(&*rows, replace, removed, max_row_bytes);
        let taken = mem::take(&mut decided.taken);
        let set_aside = mem::take(&mut decided.set_aside);
        let cans = mem::take(&mut decided.cans);
        let rejected = mem::take(&mut decided.rejected);
        let mut prepared = Prepared {
            rows: Arc::clone(&rows),
            replace,
            max_row_bytes,
            taken: Vec::with_capacity(taken.len()),
            fastpath: Encoded::new(fastpath::LEN + BESIDE, taken.len()),
            bodies: Encoded::new(KEY.len() + LOCATION.len(), taken.len()),
            openvpn: Encoded::new(openvpn::LEN, 0),
            tally: Tally::default(),
            set_aside,
            cans: cans.into_iter().map(str::to_owned).collect(),
            rejected: rejected.into_iter().cloned().collect(),
            result: BatchResult { inserted: taken.len() as u64, ..decided.written(0, replace) },
        };
        taken.iter().for_each(|row| prepared.take(row, &rows[row.index]));
        prepared
    }

    /// Appends an accepted row.
    fn take(&mut self, row: &Taken<'_>, new: &dyn Incoming) {
        let Taken { index, cells, openvpn } = row;
        self.tally.add(cells);
        cells.iter().for_each(|value| self.fastpath.push(value));
        let Provenance { ruleset, fingerprints_sha256, body_sha256 } = new.provenance();
        [ruleset, fingerprints_sha256, body_sha256].iter().for_each(|text| self.fastpath.push_text(text));
        let body = new.body().map(|body| {
            KEY.iter().for_each(|&at| self.bodies.push(&cells[at]));
            sql::location_values(Some(body)).iter().for_each(|value| self.bodies.push(value));
            self.bodies.len() - 1
        });
        let openvpn = openvpn.as_ref().map(|cells| {
            cells.iter().for_each(|value| self.openvpn.push(value));
            self.openvpn.len() - 1
        });
        self.taken.push(PreparedRow { index: *index, time: row.time(), body, openvpn });
    }

    /// The id of an accepted row.
    pub(super) fn uid(&self, row: &PreparedRow) -> &str {
        self.rows[row.index].uid()
    }

    /// The result, given how many of the uids were already stored.
    pub(super) fn written(mut self, existing: u64) -> BatchResult {
        let BatchResult { inserted, replaced, already, .. } = &mut self.result;
        *inserted -= existing;
        *(if self.replace { replaced } else { already }) += existing;
        self.result
    }
}
