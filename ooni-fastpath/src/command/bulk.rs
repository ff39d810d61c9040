//! [`BulkLoad`]: what a command writes to a store in a bulk load.

use ooni_core::time::DateTime;
use ooni_store::{BatchResult, BlockingStore, BulkResult, Error, FinishedMonth, Load, RowBatch};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A bulk load, or the part of one loader in it.
pub(super) struct BulkLoad {
    load: Load,
    /// Rows that were written the usual way, by month.
    steady: BTreeMap<DateTime, u64>,
}

impl BulkLoad {
    /// Begins a load, or joins one. A resumed loader has the name that it had before.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(super) fn begin(store: &BlockingStore, loader: &str) -> Result<BulkLoad, Error> {
        let load = store.wait(store.store.begin_load(loader))?;
        Ok(BulkLoad { load, steady: BTreeMap::new() })
    }

    /// Begins a load if the store has no rows and its engine has bulk loads, or joins the one that is not finished.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub(super) fn into_empty(store: &BlockingStore, loader: &str) -> Result<Option<BulkLoad>, Error> {
        if !store.store.has_bulk_loads() {
            return Ok(None);
        }
        let is_loading = !store.wait(store.store.unfinished_months())?.is_empty();
        match is_loading || store.wait(store.store.page(None, 1))?.is_empty() {
            true => BulkLoad::begin(store, loader).map(Some),
            false => Ok(None),
        }
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// As [`Load::write`].
    pub(super) fn write(&mut self, store: &BlockingStore, rows: Arc<dyn RowBatch>) -> Result<BatchResult, Error> {
        let BulkResult { written, steady } = store.wait(self.load.write(rows))?;
        for (month, rows) in steady {
            *self.steady.entry(month).or_default() += rows;
        }
        Ok(written)
    }

    /// Ends the loader, and finishes the months unless other loaders are alive.
    ///
    /// # Errors
    /// The months are not finished.
    pub(super) fn end(&self, store: &BlockingStore, mut show: impl FnMut(&str)) -> Result<(), Error> {
        if let Some(months) = span(&self.steady.keys().copied().collect::<Vec<_>>()) {
            let rows: u64 = self.steady.values().sum();
            let why = match store.store.has_bulk_loads() {
                true => "there were rows before the load, or the month has no partition",
                false => "this store has no bulk loads",
            };
            show(&format!("{rows} rows of {months} were written the usual way: {why}"));
        }
        match (store.wait(self.load.end())?, span(&store.wait(store.store.unfinished_months())?)) {
            (others @ 1.., Some(months)) => {
                let loaders = if others == 1 { "loader is" } else { "loaders are" };
                show(&format!("{others} other {loaders} writing; the last one finishes {months}"));
                Ok(())
            }
            // Without unfinished months, indexes may still be missing.
            _ => finish(store, show),
        }
    }
}

/// Finishes all months.
///
/// # Errors
/// The months are not finished.
pub(super) fn finish(store: &BlockingStore, mut show: impl FnMut(&str)) -> Result<(), Error> {
    let month = |finished: FinishedMonth| show(&format!("{}: finished, {} rows", name(finished.month), finished.rows));
    let indexes = store.wait(store.store.finish_months(month))?;
    if indexes > 0 {
        show(&format!("{indexes} indexes of other tables built"));
    }
    Ok(())
}

/// The name of a month.
fn name(month: DateTime) -> String {
    month.to_string().chars().take(7).collect()
}

/// Some months, which are in order.
fn span(months: &[DateTime]) -> Option<String> {
    match months {
        [] => None,
        [month] => Some(name(*month)),
        [first, .., last] => Some(format!("{} to {}", name(*first), name(*last))),
    }
}
