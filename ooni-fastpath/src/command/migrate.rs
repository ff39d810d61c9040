//! `fastpath migrate`: creates or migrates the tables of a store.

use super::result::CommandResult;
use crate::cli::store::Migrate;
use ooni_store::{BlockingStore, Migration, without_password};

/// Migrates the tables, and says what was done.
pub(super) fn run(arguments: &Migrate) -> CommandResult {
    let Migration { from, to } = BlockingStore::migrate(&arguments.db_uri).map_err(|error| error.to_string())?;
    let done = match from {
        0 => format!("created the tables, version {to}"),
        _ if from == to => format!("already at version {to}"),
        _ => format!("migrated from version {from} to version {to}"),
    };
    Ok((format!("{}: {done}\n", without_password(&arguments.db_uri)), true))
}
