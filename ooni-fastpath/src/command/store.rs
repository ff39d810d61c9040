//! `fastpath store`: what is in a store, and what an operator changes in it.

mod copy;
mod export;
mod import;
mod list;
mod remove;
mod stats;
mod test_lists;

use super::Said;
use crate::cli::store::{Store, StoreCommand};
use ooni_core::time::DateTime;
use ooni_store::query::aggregate::Aggregation;
use ooni_store::query::filter::{Filter, Window};
use ooni_store::{BlockingStore, Error};
use std::fmt::Display;

/// Does what was asked for.
pub(super) fn run(arguments: &Store) -> Said {
    match &arguments.what {
        StoreCommand::Stats { format, at } => stats::run(*format, &at.db_uri),
        StoreCommand::LoadTestLists { folder, at } => test_lists::load(folder, &at.db_uri),
        StoreCommand::Remove { uid, reason, ban, dry_run, at } => match dry_run {
            true => remove::dry_run(uid, *ban, &at.db_uri),
            false => remove::remove(uid, reason, *ban, &at.db_uri),
        },
        StoreCommand::Removed { list, at } => list::removed(list, &at.db_uri),
        StoreCommand::Restore { uid, at } => remove::restore(uid, &at.db_uri),
        StoreCommand::Rejected { can, code, list, at } => list::rejected(can.as_deref(), *code, list, &at.db_uri),
        StoreCommand::DropMonth { month, dry_run, at } => {
            if *dry_run {
                let rows = count_month(*month, &at.db_uri)?;
                return Ok(done(&format!("{rows} measurements would be deleted")));
            }
            let rows = change(&at.db_uri, |waiting| waiting.wait(waiting.store.drop_month(*month)))?;
            Ok(done(&format!("{rows} measurements deleted")))
        }
        StoreCommand::Copy { from, to, after } => copy::run(from, to, after.clone()),
        StoreCommand::Import { from, to, after } => import::run(from, to, after.clone()),
        StoreCommand::Export { days, out, at } => export::run(days, out, &at.db_uri),
    }
}

/// How many measurements started in a month.
fn count_month(month: DateTime, url: &str) -> Result<u64, String> {
    let waiting = BlockingStore::open_to_read(url).map_err(|error| error.to_string())?;
    let window = Window::new(month, month.start_of_next_month());
    let query = Aggregation { filter: Filter { window, ..Filter::default() }, axes: Vec::new() };
    let groups = waiting.wait(waiting.store.aggregate(&query)).map_err(|error| error.to_string())?;
    Ok(groups.iter().map(|group| group.counts.measurements).sum())
}

/// Opens a store that exists, to write to.
pub(super) fn open(url: &str) -> Result<BlockingStore, String> {
    // Opening to write would create one of a misspelt name.
    BlockingStore::open_to_read(url).and_then(|_| BlockingStore::open(url)).map_err(|error| error.to_string())
}

/// Changes a store, and brings the rollups up to date.
fn change<T>(url: &str, change: impl FnOnce(&BlockingStore) -> Result<T, Error>) -> Result<T, String> {
    let waiting = open(url)?;
    let changed = change(&waiting).and_then(|outcome| waiting.wait(waiting.store.refresh_rollups()).map(|()| outcome));
    changed.map_err(|error| error.to_string())
}

fn done(what: &(impl Display + ?Sized)) -> (String, bool) {
    (format!("{what}\n"), true)
}
