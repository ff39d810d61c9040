//! [`BatchInput`]: the input of one write to a store.

use crate::write::rejection::{LONGEST_KEY, Rejection, cut};
use crate::write::row::{Incoming, RowBatch};
use std::sync::Arc;

/// The input of one write: rows, and the measurements that were rejected between them.
#[derive(Clone, Debug)]
pub struct BatchInput<R> {
    rows: Vec<R>,
    /// Cans that begin in the batch: their earlier rejections are deleted.
    cans: Vec<Arc<str>>,
    /// Rejections, each with the number of rows pushed before it.
    rejections: Vec<(usize, Rejection)>,
}

impl<R> Default for BatchInput<R> {
    fn default() -> BatchInput<R> {
        BatchInput { rows: Vec::new(), cans: Vec::new(), rejections: Vec::new() }
    }
}

impl<R> From<Vec<R>> for BatchInput<R> {
    fn from(rows: Vec<R>) -> BatchInput<R> {
        BatchInput { rows, ..BatchInput::default() }
    }
}

impl<R> BatchInput<R> {
    /// A batch with rejections only.
    pub fn of_rejections(rejections: Vec<Rejection>) -> BatchInput<R> {
        let rejections = rejections.into_iter().map(|rejection| (0, rejection)).collect();
        BatchInput { rejections, ..BatchInput::default() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: R) {
        self.rows.push(row);
    }

    /// Marks that a can is read from its beginning, so that its earlier rejections are deleted when the batch is written.
    /// Call this before the first row or rejection of the can.
    pub fn begin_can(&mut self, can: &str) {
        self.cans.push(cut(can, LONGEST_KEY).into());
    }

    /// Adds a rejection. A row with the same uid that is pushed later and stored deletes it.
    pub fn reject(&mut self, rejection: Rejection) {
        self.rejections.push((self.rows.len(), rejection));
    }

    /// Appends the contents of another batch, which is left empty.
    pub fn append(&mut self, other: &mut BatchInput<R>) {
        let before = self.rows.len();
        self.rows.append(&mut other.rows);
        self.cans.append(&mut other.cans);
        self.rejections.extend(other.rejections.drain(..).map(|(rows, rejection)| (before + rows, rejection)));
    }

    /// The rows, in order.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// The number of rows and rejections.
    pub fn size(&self) -> usize {
        self.rows.len() + self.rejections.len()
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.cans.clear();
        self.rejections.clear();
    }
}

impl<R: Incoming + 'static> RowBatch for BatchInput<R> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.cans.is_empty() && self.rejections.is_empty()
    }

    fn get(&self, index: usize) -> &(dyn Incoming + 'static) {
        &self.rows[index]
    }

    fn cans(&self) -> Vec<&str> {
        let mut cans: Vec<&str> = self.cans.iter().map(|can| &**can).collect();
        cans.sort_unstable();
        cans.dedup();
        cans
    }

    fn rejections(&self) -> Vec<(usize, &Rejection)> {
        self.rejections.iter().map(|(rows, rejection)| (*rows, rejection)).collect()
    }
}
