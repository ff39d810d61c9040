//! `fastpath migrate`: the tables of a store as this program wants them.

use super::Said;
use crate::cli::store::Migrate;
use ooni_store::BlockingStore;

/// Brings tables up to date.
pub(super) fn run(arguments: &Migrate) -> Said {
    BlockingStore::migrate(&arguments.db_uri).map(|()| (String::new(), true)).map_err(|error| error.to_string())
}
