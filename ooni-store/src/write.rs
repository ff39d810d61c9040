//! Input of writes to a store: rows, batches, rejections, and the changes of a batch to rollups.

pub(crate) mod batch;
pub(crate) mod input;
pub(crate) mod rejection;
pub(crate) mod removal;
pub(crate) mod row;
pub(crate) mod tally;
