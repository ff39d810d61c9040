//! [`BatchInput`]: what is written to a store in one batch, and [`Rejection`]: a measurement that has no row because a rule
//! rejects it.

use crate::write::row::{Incoming, RowBatch};
use ooni_core::error::Error;
use std::sync::Arc;

/// Bytes of the key of a can or of a uid that every engine takes as a key.
const LONGEST_KEY: usize = 600;

/// Bytes of a path or sentence beyond which it is cut.
const LONGEST_TEXT: usize = 1000;

/// A measurement that was rejected. Its key is `(can, position)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Key of the can that was read.
    pub can: Arc<str>,
    /// Which measurement of the can, from 0. Negative for a part of the can that cannot be read as measurements: -1 for the
    /// first such part.
    pub position: i64,
    /// Id of the measurement, where one is known.
    pub uid: Option<String>,
    /// Why, such as `E-TYPE`.
    pub code: String,
    /// Where in the document, as a JSON pointer.
    pub path: String,
    /// A sentence.
    pub message: String,
}

impl Rejection {
    /// What is kept of an error. The key of a can is cut after 600 bytes, path and message after 1,000; a uid of more than
    /// 600 bytes is not kept.
    pub fn new(can: &str, position: i64, uid: Option<&str>, error: &Error) -> Rejection {
        Rejection {
            can: cut(can, LONGEST_KEY).into(),
            position,
            uid: uid.filter(|uid| !uid.is_empty() && uid.len() <= LONGEST_KEY).map(str::to_owned),
            code: error.code.as_str().to_owned(),
            path: cut(&error.path, LONGEST_TEXT).to_owned(),
            message: cut(&error.message, LONGEST_TEXT).to_owned(),
        }
    }
}

/// At most the first `longest` bytes of a text.
fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

/// What is written in one transaction: rows, and measurements that were rejected between them.
#[derive(Clone, Debug)]
pub struct BatchInput<R> {
    rows: Vec<R>,
    /// Cans whose first part is in the batch: what was rejected of them before is forgotten.
    cans: Vec<Arc<str>>,
    /// Each with the number of rows that were pushed before it.
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
    /// A batch of rejections alone.
    pub fn of_rejections(rejections: Vec<Rejection>) -> BatchInput<R> {
        let rejections = rejections.into_iter().map(|rejection| (0, rejection)).collect();
        BatchInput { rejections, ..BatchInput::default() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: R) {
        self.rows.push(row);
    }

    /// Says that a can is read from its beginning: its rejections of an earlier time are deleted when the batch is written.
    /// Call it before the first row or rejection of the can.
    pub fn begin_can(&mut self, can: &str) {
        self.cans.push(cut(can, LONGEST_KEY).into());
    }

    /// Adds a measurement that was rejected. A row of the same uid that is pushed later, and stored, clears it.
    pub fn reject(&mut self, rejection: Rejection) {
        self.rejections.push((self.rows.len(), rejection));
    }

    /// Moves everything of another batch, which comes after this one, to the end of this one.
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

    /// How many rows and rejections there are.
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
