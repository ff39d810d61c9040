//! [`BlockingStore`]: a store for callers without a runtime, such as the commands. No other module of this crate starts
//! one.

use crate::error::{Error, ErrorKind};
use crate::import::columns::ReferencePosition;
use crate::import::{Reference, ReferenceRow};
use crate::migration::Migration;
use crate::options::StoreOptions;
use crate::query::filter::Filter;
use crate::store::Store;
use crate::stream::{PAGE, RowStream};
use crate::url::without_password;
use crate::write::rejection::Rejection;
use crate::write::removal::Removal;
use crate::write::row::{BodyLocation, ListedUrl, StoredMeasurement, StoredRefusal, StoredRow};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A store for callers without a runtime. It owns a runtime, so it must be neither used nor dropped inside another.
#[derive(Debug)]
pub struct BlockingStore {
    /// The store.
    pub store: Store,
    runtime: Runtime,
}

impl BlockingStore {
    /// Opens the store of a URL for reading and writing; a SQLite store is created if it does not exist.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(url: &str) -> Result<BlockingStore, Error> {
        BlockingStore::open_with(url, StoreOptions::for_commands())
    }

    /// As [`BlockingStore::open`], with options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(url: &str, options: StoreOptions) -> Result<BlockingStore, Error> {
        let runtime = runtime(url)?;
        let store = runtime.block_on(Store::open(url, options))?;
        Ok(BlockingStore { store, runtime })
    }

    /// Opens the store of a URL for reading.
    ///
    /// # Errors
    /// As [`Store::open_to_read`].
    pub fn open_to_read(url: &str) -> Result<BlockingStore, Error> {
        let runtime = runtime(url)?;
        let store = runtime.block_on(Store::open_to_read(url, StoreOptions::for_commands()))?;
        Ok(BlockingStore { store, runtime })
    }

    /// Brings the tables of the store at a URL up to date.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub fn migrate(url: &str) -> Result<Migration, Error> {
        runtime(url)?.block_on(Store::migrate(url, &StoreOptions::for_commands()))
    }

    /// Waits for a future.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let future: Pin<Box<dyn Future<Output = T> + '_>> = Box::pin(future); // the runtime's code once for each type of result
        self.runtime.block_on(future)
    }

    /// As [`Store::rows`].
    pub fn rows(&self) -> Pages<'_, StoredRow> {
        Pages { runtime: &self.runtime, stream: self.store.rows() }
    }

    /// As [`Store::slice`].
    pub fn slice(&self, filter: Filter) -> Pages<'_, StoredRow> {
        Pages { runtime: &self.runtime, stream: self.store.slice(filter) }
    }

    /// As [`Store::measurements`].
    pub fn measurements(&self, after: Option<String>) -> Pages<'_, StoredMeasurement> {
        Pages { runtime: &self.runtime, stream: self.store.measurements(after) }
    }

    /// As [`Store::refusals`].
    pub fn refusals(&self) -> Pages<'_, StoredRefusal> {
        Pages { runtime: &self.runtime, stream: self.store.refusals() }
    }

    /// As [`Store::removals`].
    pub fn removals(&self) -> Pages<'_, Removal> {
        Pages { runtime: &self.runtime, stream: self.store.removals() }
    }

    /// As [`Store::archived`].
    pub fn archived(&self) -> Pages<'_, (String, BodyLocation)> {
        Pages { runtime: &self.runtime, stream: self.store.archived() }
    }

    /// As [`Store::rejections`].
    pub fn rejections(&self, can: Option<String>, code: Option<String>) -> Pages<'_, Rejection> {
        Pages { runtime: &self.runtime, stream: self.store.rejections(can, code) }
    }
}

/// A reference database for callers without a runtime.
#[derive(Debug)]
pub struct BlockingReference {
    reference: Arc<Reference>,
    runtime: Runtime,
}

impl BlockingReference {
    /// Opens the database of a URL.
    ///
    /// # Errors
    /// As [`Reference::open`].
    pub fn open(url: &str) -> Result<BlockingReference, Error> {
        let runtime = runtime(url)?;
        let reference = Arc::new(runtime.block_on(Reference::open(url))?);
        Ok(BlockingReference { reference, runtime })
    }

    /// All measurements after a uid, in the order of the database.
    pub fn measurements(&self, after: Option<String>) -> Pages<'_, ReferenceRow> {
        let (reference, after) = (Arc::clone(&self.reference), after.map(ReferencePosition::from));
        let stream = RowStream::new(move |last: Option<ReferenceRow>| {
            let (reference, after) = (Arc::clone(&reference), after.clone());
            Box::pin(async move {
                let after = last.as_ref().map(ReferenceRow::position).or(after.as_ref());
                reference.measurements(after, PAGE).await
            })
        });
        Pages { runtime: &self.runtime, stream }
    }

    /// The entries of its test lists.
    ///
    /// # Errors
    /// As [`Reference::test_lists`].
    pub fn test_lists(&self) -> Result<Vec<ListedUrl>, Error> {
        self.runtime.block_on(self.reference.test_lists())
    }
}

fn runtime(url: &str) -> Result<Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| {
        let message = format!("cannot start a thread: {error}");
        Error::new(ErrorKind::Other, message).with_source(error).of(&without_password(url))
    })
}

/// A [`RowStream`] for callers without a runtime.
#[derive(Debug)]
pub struct Pages<'s, T> {
    runtime: &'s Runtime,
    stream: RowStream<T>,
}

impl<T: Clone> Iterator for Pages<'_, T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.stream.buffered() {
            Some(row) => Some(Ok(row)),
            None => self.runtime.block_on(self.stream.next()),
        }
    }
}
