//! Input of writes to a store: rows, batches and rejections, and the changes that a batch makes to rollups.

pub(crate) mod batch;
pub(crate) mod bulk;
pub(crate) mod input;
pub(crate) mod log;
pub(crate) mod rejection;
pub(crate) mod removal;
pub(crate) mod row;
pub(crate) mod tally;
