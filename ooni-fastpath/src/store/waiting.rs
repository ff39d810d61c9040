//! [`Waiting`]: a store for callers that wait, the commands.

use super::url::without_password;
use super::{Kind, MeasurementStore, Store, StoreError, StoredRow, open, open_to_read};
use crate::cell::Cell;
use std::future::Future;
use tokio::runtime::Runtime;

/// A store for callers that wait: the commands.
#[derive(Debug)]
pub struct Waiting {
    /// The store.
    pub store: Store,
    runtime: Runtime,
}

impl Waiting {
    /// Waits for a store that is open.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn new(store: Store) -> Result<Waiting, StoreError> {
        Ok(Waiting { store, runtime: runtime("")? })
    }

    /// Opens the store of a URL to write to, and makes it if it is not there.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(url: &str) -> Result<Waiting, StoreError> {
        let runtime = runtime(url)?;
        let store = runtime.block_on(open(url))?;
        Ok(Waiting { store, runtime })
    }

    /// Opens the store of a URL to read from.
    ///
    /// # Errors
    /// As [`open_to_read`].
    pub fn open_to_read(url: &str) -> Result<Waiting, StoreError> {
        let runtime = runtime(url)?;
        let store = runtime.block_on(open_to_read(url))?;
        Ok(Waiting { store, runtime })
    }

    /// Waits for something.
    pub fn wait<T>(&self, for_what: impl Future<Output = T>) -> T {
        self.runtime.block_on(for_what)
    }

    /// All rows in the order of the bytes of their uids. What is written meanwhile may or may not be among them.
    pub fn rows(&self) -> Rows<'_> {
        Rows { store: self, page: Vec::new().into_iter(), last: None, done: false }
    }
}

fn runtime(url: &str) -> Result<Runtime, StoreError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime
        .map_err(|error| StoreError::new(Kind::Other, format!("no thread for it: {error}")).of(&without_password(url)))
}

/// See [`Waiting::rows`].
pub struct Rows<'s> {
    store: &'s Waiting,
    page: std::vec::IntoIter<StoredRow>,
    last: Option<String>,
    done: bool,
}

/// Rows of a page.
const PAGE: usize = 1000;

impl Iterator for Rows<'_> {
    type Item = Result<StoredRow, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.page.next() {
            return Some(Ok(row));
        }
        if self.done {
            return None;
        }
        match self.store.wait(self.store.store.page(self.last.as_deref(), PAGE)) {
            Ok(page) => {
                self.done = page.len() < PAGE;
                if let Some([Cell::Text(uid), ..]) = page.last() {
                    self.last = Some(uid.clone().into_owned());
                }
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}
