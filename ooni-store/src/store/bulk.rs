//! [`Load`]: a bulk load, which writes months that hold no rows without indexes and rollups and builds them at the end.

use super::Store;
use crate::error::Error;
use crate::write::bulk::{BulkResult, FinishedMonth};
use crate::write::row::RowBatch;
use ooni_core::time::DateTime;
use std::sync::Arc;
use tokio::task::JoinSet;

/// One of the loaders of a bulk load. Several may write to a store at once, also to the same months.
///
/// A loader counts as alive for a minute after its last write. When the last one ends, it has to
/// [finish](Store::finish_months) the months.
#[derive(Clone, Debug)]
pub struct Load {
    store: Store,
    loader: String,
}

impl Load {
    /// Writes a batch, as [`Store::write`] does with [`OnExisting::Keep`](crate::OnExisting::Keep). Rows of months that held
    /// no rows when the load began are written without indexes and rollups; others are written the usual way.
    ///
    /// Until a month is finished, queries that read it fail with [`ErrorKind::Busy`](crate::ErrorKind::Busy), and so do other
    /// changes of it.
    ///
    /// # Errors
    /// No row of the batch was written, unless [`Error::is_outcome_unknown`]; but PostgreSQL writes a large batch in two
    /// transactions, of which one may be committed. The batch can be written again, which adds what is missing.
    pub async fn write(&self, rows: Arc<dyn RowBatch>) -> Result<BulkResult, Error> {
        let Load { store, loader } = self;
        let span = store.span("write_bulk");
        store.write_within(span, |deadline| store.engine.write_bulk(rows, loader, deadline)).await
    }

    /// Ends the loader. Returns the number of other loaders that are alive; if there are none, the caller has to finish the
    /// months.
    ///
    /// # Errors
    /// The loader has not ended, unless [`Error::is_outcome_unknown`].
    pub async fn end(&self) -> Result<u64, Error> {
        let Load { store, loader } = self;
        let span = store.span("end_load");
        store.write_within(span, |deadline| store.engine.end_load(loader, deadline)).await
    }
}

impl Store {
    /// Begins a bulk load, or joins one. A resumed loader has the name that it had before; others have different names.
    ///
    /// # Errors
    /// The load has not begun, unless [`Error::is_outcome_unknown`].
    pub async fn begin_load(&self, loader: &str) -> Result<Load, Error> {
        let span = self.span("begin_load");
        self.write_within(span, |deadline| self.engine.begin_load(loader, deadline)).await?;
        Ok(Load { store: self.clone(), loader: loader.to_owned() })
    }

    /// Whether the engine has bulk loads. On others, all rows of a load are written the usual way.
    pub fn has_bulk_loads(&self) -> bool {
        self.engine.has_bulk_loads()
    }

    /// The months of bulk loads that are not finished, in order.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn unfinished_months(&self) -> Result<Vec<DateTime>, Error> {
        let call = self.read("unfinished_months", crate::engine::Workload::Lookup);
        call.run(self.engine.unfinished_months(call.deadline)).await
    }

    /// Finishes a month of a bulk load: builds its indexes and rollups. Does nothing if it is finished, and continues where an
    /// earlier call was interrupted. Returns the months that were finished: this one, or several on an engine that finishes
    /// them together.
    ///
    /// # Errors
    /// It is not finished, unless [`Error::is_outcome_unknown`].
    pub async fn finish_month(&self, month: DateTime) -> Result<Vec<FinishedMonth>, Error> {
        let span = self.span("finish_month");
        self.write_within(span, |deadline| self.engine.finish_month(month, deadline)).await
    }

    /// Finishes all months of bulk loads, some at once; calls `done` after each. Then builds those indexes of other tables that
    /// the engine dropped when the load began, and returns how many there were. Until then, some queries are slow.
    ///
    /// # Errors
    /// As [`Store::finish_month`]. Other months may be finished.
    pub async fn finish_months(&self, mut done: impl FnMut(FinishedMonth)) -> Result<u64, Error> {
        let at_once = std::thread::available_parallelism().map_or(1, usize::from);
        let mut months = self.unfinished_months().await?.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < at_once
                && let Some(month) = months.next()
            {
                let store = self.clone();
                running.spawn(async move { store.finish_month(month).await });
            }
            match running.join_next().await {
                Some(Ok(finished)) => finished?.into_iter().for_each(&mut done),
                Some(Err(_)) => return Err(Error::timeout().of(self.engine.name())), // the runtime is shutting down
                None => break,
            }
        }
        let span = self.span("build_indexes");
        self.write_within(span, |deadline| self.engine.build_dropped_indexes(deadline)).await
    }
}
