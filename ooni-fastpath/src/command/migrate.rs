//! `fastpath migrate`: the tables of a store, as this program needs them.

use super::Said;
use crate::cli::store::Migrate;
use ooni_store::{BlockingStore, Migration, without_password};

/// Brings tables up to date, and says what was done.
pub(super) fn run(arguments: &Migrate) -> Said {
    let Migration { from, to } = BlockingStore::migrate(&arguments.db_uri).map_err(|error| error.to_string())?;
    let done = match from {
        0 => format!("created the tables, version {to}"),
        _ if from == to => format!("already at version {to}"),
        _ => format!("migrated from version {from} to version {to}"),
    };
    Ok((format!("{}: {done}\n", without_password(&arguments.db_uri)), true))
}
