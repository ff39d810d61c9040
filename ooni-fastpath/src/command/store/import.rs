//! `fastpath store import`: rows of a database of the reference, put into a store.
//!
//! What is there is left alone, so an import that was stopped is made whole by another.

use super::copy;
use crate::command::Said;
use ooni_store::{BlockingReference, BlockingStore};

/// Imports a database.
pub(super) fn run(from: &str, to: &str, after: Option<String>) -> Said {
    let from = BlockingReference::open(from).map_err(|error| error.to_string())?;
    let to = BlockingStore::open(to).map_err(|error| error.to_string())?;
    let lists = from.test_lists().and_then(|lists| copy::lists(&to, lists)).map_err(|error| error.to_string())?;
    let (text, is_good) = copy::measurements(&to, from.measurements(after.clone()), after, "imported")?;
    Ok((format!("{text}{lists} entries of test lists\n"), is_good))
}
