//! What is written to a store: rows and batches of them, and what a batch changes in rollups.

pub(crate) mod batch;
pub(crate) mod row;
pub(crate) mod tally;
