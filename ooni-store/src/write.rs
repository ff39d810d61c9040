//! What is written to a store: rows and batches of them, what was rejected, and what a batch changes in rollups.

pub(crate) mod batch;
pub(crate) mod input;
pub(crate) mod rejection;
pub(crate) mod removal;
pub(crate) mod row;
pub(crate) mod tally;
