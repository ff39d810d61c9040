//! [`BlockingStore`]: a store for callers that wait, the commands.

use crate::query::filter::Filter;
use crate::url::without_password;
use crate::value::Value;
use crate::{
    Incoming, Kind, ListedUrl, MeasurementStore, Place, Reference, ReferenceRow, Store, StoreError, StoredMeasurement,
    StoredRefusal, StoredRow, migrate, open, open_to_read,
};
use ooni_core::row::schema::fastpath;
use ooni_core::time::DateTime;
use std::future::Future;
use tokio::runtime::Runtime;

/// A store for callers that wait: the commands.
#[derive(Debug)]
pub struct BlockingStore {
    /// The store.
    pub store: Store,
    runtime: Runtime,
}

impl BlockingStore {
    /// Waits for a store that is open.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn new(store: Store) -> Result<BlockingStore, StoreError> {
        Ok(BlockingStore { store, runtime: runtime("")? })
    }

    /// Opens the store of a URL to write to, and makes it if it is not there.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(url: &str) -> Result<BlockingStore, StoreError> {
        let runtime = runtime(url)?;
        let store = runtime.block_on(open(url))?;
        Ok(BlockingStore { store, runtime })
    }

    /// Opens the store of a URL to read from.
    ///
    /// # Errors
    /// As [`open_to_read`].
    pub fn open_to_read(url: &str) -> Result<BlockingStore, StoreError> {
        let runtime = runtime(url)?;
        let store = runtime.block_on(open_to_read(url))?;
        Ok(BlockingStore { store, runtime })
    }

    /// Brings the tables of a URL up to date.
    ///
    /// # Errors
    /// As [`migrate`].
    pub fn migrate(url: &str) -> Result<(), StoreError> {
        runtime(url)?.block_on(migrate(url))
    }

    /// Waits for something.
    pub fn wait<T>(&self, for_what: impl Future<Output = T>) -> T {
        self.runtime.block_on(for_what)
    }

    /// All rows in the order of the bytes of their uids. What is written meanwhile may or may not be among them.
    pub fn rows(&self) -> Pages<'_, StoredRow> {
        Pages::new(|last: Option<&StoredRow>| self.wait(self.store.page(last.map(uid), PAGE)))
    }

    /// Rows of a filter without a category in the order of the starts of measurements, then uids.
    pub fn slice(&self, filter: Filter) -> Pages<'_, StoredRow> {
        Pages::new(move |last: Option<&StoredRow>| {
            let after = last.and_then(|row| Some((start(row)?, uid(row))));
            self.wait(self.store.slice(&filter, after, PAGE))
        })
    }

    /// All measurements after a uid, whole, in the order of the bytes of their uids.
    pub fn measurements(&self, after: Option<String>) -> Pages<'_, StoredMeasurement> {
        Pages::new(move |last: Option<&StoredMeasurement>| {
            self.wait(self.store.measurements(last.map(Incoming::uid).or(after.as_deref()), PAGE))
        })
    }

    /// All measurements that were refused.
    pub fn refusals(&self) -> Pages<'_, StoredRefusal> {
        Pages::new(|last: Option<&StoredRefusal>| self.wait(self.store.refusals(last.map(Incoming::uid), PAGE)))
    }

    /// All measurements that were removed, and why.
    pub fn removals(&self) -> Pages<'_, (String, String)> {
        Pages::new(|last: Option<&(String, String)>| self.wait(self.store.removals(last.map(|(uid, _)| &**uid), PAGE)))
    }
}

/// A database of the reference for callers that wait.
#[derive(Debug)]
pub struct BlockingReference {
    reference: Reference,
    runtime: Runtime,
}

impl BlockingReference {
    /// Opens the database of a URL.
    ///
    /// # Errors
    /// As [`Reference::open`].
    pub fn open(url: &str) -> Result<BlockingReference, StoreError> {
        let runtime = runtime(url)?;
        let reference = runtime.block_on(Reference::open(url))?;
        Ok(BlockingReference { reference, runtime })
    }

    /// All measurements after a uid, in the order that the database has.
    pub fn measurements(&self, after: Option<String>) -> Pages<'_, ReferenceRow> {
        let after = after.map(Place::from);
        Pages::new(move |last: Option<&ReferenceRow>| {
            let after = last.map(ReferenceRow::place).or(after.as_ref());
            self.runtime.block_on(self.reference.measurements(after, PAGE))
        })
    }

    /// The entries of its test lists.
    ///
    /// # Errors
    /// As [`Reference::test_lists`].
    pub fn test_lists(&self) -> Result<Vec<ListedUrl>, StoreError> {
        self.runtime.block_on(self.reference.test_lists())
    }
}

fn uid(row: &StoredRow) -> &str {
    match &row[fastpath::measurement_uid] {
        Value::Text(uid) => uid,
        _ => "",
    }
}

fn start(row: &StoredRow) -> Option<DateTime> {
    match row[fastpath::measurement_start_time] {
        Value::Time(time) => Some(time),
        _ => None,
    }
}

fn runtime(url: &str) -> Result<Runtime, StoreError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime
        .map_err(|error| StoreError::new(Kind::Other, format!("no thread for it: {error}")).of(&without_password(url)))
}

/// What is read page by page.
pub struct Pages<'s, T> {
    read: Box<Read<'s, T>>,
    page: std::vec::IntoIter<T>,
    /// The last of the page.
    last: Option<T>,
    done: bool,
}

/// Reads the page after what was the last of another.
type Read<'s, T> = dyn FnMut(Option<&T>) -> Result<Vec<T>, StoreError> + 's;

/// Rows of a page.
const PAGE: usize = 1000;

impl<'s, T: Clone> Pages<'s, T> {
    fn new(read: impl FnMut(Option<&T>) -> Result<Vec<T>, StoreError> + 's) -> Pages<'s, T> {
        Pages { read: Box::new(read), page: Vec::new().into_iter(), last: None, done: false }
    }
}

impl<T: Clone> Iterator for Pages<'_, T> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.page.next() {
            return Some(Ok(row));
        }
        if self.done {
            return None;
        }
        match (self.read)(self.last.as_ref()) {
            Ok(page) => {
                self.done = page.len() < PAGE;
                self.last = page.last().cloned();
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
