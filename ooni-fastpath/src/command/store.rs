//! `fastpath store`: inspects and changes a store.

mod change;
mod copy;
mod export;
mod import;
mod list;
mod remove;
mod stats;
mod test_lists;

pub(super) use self::change::open;

use self::change::{change, done};
use super::bulk::BulkLoad;
use super::result::CommandResult;
use crate::cli::store::{Store, StoreCommand};
use ooni_core::time::DateTime;
use ooni_store::BlockingStore;
use ooni_store::query::aggregate::Aggregation;
use ooni_store::query::filter::{Filter, Window};

/// Runs the command.
pub(super) fn run(arguments: &Store) -> CommandResult {
    match &arguments.what {
        StoreCommand::Stats { format, store } => stats::run(*format, &store.db_uri),
        StoreCommand::LoadTestLists { folder, store } => test_lists::load(folder, &store.db_uri),
        StoreCommand::Remove { uid, reason, ban, dry_run, store } => match dry_run {
            true => remove::dry_run(uid, *ban, &store.db_uri),
            false => remove::remove(uid, reason, *ban, &store.db_uri),
        },
        StoreCommand::Removed { list, store } => list::removed(list, &store.db_uri),
        StoreCommand::Restore { uid, store } => remove::restore(uid, &store.db_uri),
        StoreCommand::Rejected { can, code, list, store } => list::rejected(can.as_deref(), *code, list, &store.db_uri),
        StoreCommand::DropMonth { month, dry_run, store } => {
            if *dry_run {
                let rows = count_month(*month, &store.db_uri)?;
                return Ok(done(&format!("{rows} measurements would be deleted")));
            }
            let rows = change(&store.db_uri, |store| store.wait(store.store.drop_month(*month)))?;
            Ok(done(&format!("{rows} measurements deleted")))
        }
        StoreCommand::Copy { from, to, after, bulk } => copy::run(from, to, after.clone(), *bulk),
        StoreCommand::Import { from, to, after } => import::run(from, to, after.clone()),
        StoreCommand::Finish { store } => finish(&store.db_uri),
        StoreCommand::Export { days, out, store } => export::run(days, out, &store.db_uri),
    }
}

/// Finishes bulk loads, unless there are loaders that may be alive.
fn finish(url: &str) -> CommandResult {
    let store = change::open(url)?;
    let bulk = BulkLoad::begin(&store, "store finish").map_err(|error| error.to_string())?;
    let (mut out, mut is_any) = (String::new(), false);
    let ended = bulk.end(&store, |line| {
        is_any = true;
        out += &format!("{line}\n");
    });
    ended.map_err(|error| error.to_string())?;
    let is_finished = store.wait(store.store.unfinished_months()).map_err(|error| error.to_string())?.is_empty();
    if !is_any {
        out += "nothing to finish\n";
    }
    Ok((out, is_finished))
}

/// The number of measurements that started in a month.
fn count_month(month: DateTime, url: &str) -> Result<u64, String> {
    let store = BlockingStore::open_to_read(url).map_err(|error| error.to_string())?;
    let window = Window::new(month, month.start_of_next_month());
    let query = Aggregation { filter: Filter { window, ..Filter::default() }, axes: Vec::new() };
    let groups = store.wait(store.store.aggregate(&query)).map_err(|error| error.to_string())?;
    Ok(groups.iter().map(|group| group.counts.measurements).sum())
}
