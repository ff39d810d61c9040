//! Stores: databases that keep rows and where their bodies are. [`MeasurementStore`] is what an engine has to do; [`open`]
//! chooses one by URL.
//!
//! SQL is written in the engines alone, their tables in `migrations/`. What a row holds is decided in `ooni-core`, what a
//! column takes of it in [`cell`](crate::cell).

pub mod sqlite;

pub use self::sqlite::Sqlite;

use crate::cell::Cell;
use ooni_core::row::{FastpathRow, OpenvpnRow};
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// A measurement to be stored.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// Its row.
    pub row: Box<FastpathRow>,
    /// Its row of `obs_openvpn`, if it is of that test.
    pub openvpn: Option<Box<OpenvpnRow>>,
    /// Where its body is.
    pub body: BodyPlace,
}

/// Where a body is (formats spec §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyPlace {
    /// Key of the file of lines.
    pub s3path: Arc<str>,
    /// Its line in there, from 0.
    pub linenum: u32,
    /// Day of the can, `YYYY-MM-DD`.
    pub date: Arc<str>,
    /// Key of the can that was read.
    pub source: Arc<str>,
}

/// What to do about a measurement that is in the store already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// Leave it as it is.
    Keep,
    /// Put the new one in its place: row, body place and row of `obs_openvpn`.
    Replace,
}

/// What became of a batch.
///
/// Rows of the batch = `inserted + replaced + already + refused.len()`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows that took the place of others.
    pub replaced: u64,
    /// Rows whose uid was there and that were left alone.
    pub already: u64,
    /// Measurements whose row the table does not take.
    pub refused: Vec<Refusal>,
    /// Measurements that are counted above, and whose row of `obs_openvpn` its table does not take.
    pub without_openvpn: Vec<Refusal>,
}

/// A row that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its place in the batch.
    pub index: usize,
    /// The column that does not take its value; of `obs_openvpn`, `obs_openvpn.NAME`.
    pub column: String,
    /// What is wrong with the value.
    pub message: String,
}

/// A row as a store has it, in the order of [`cell::FASTPATH`](crate::cell::FASTPATH).
pub type StoredRow = [Cell<'static>; 26];

/// What cannot be done with a store: the store, and a sentence.
#[derive(Debug, Error)]
#[error("{store}: {message}")]
pub struct StoreError {
    /// The URL or file.
    pub store: String,
    /// What is wrong. Never a statement of the database.
    pub message: String,
}

/// A database of measurements.
///
/// Every engine passes `tests/store.rs`.
pub trait MeasurementStore {
    /// Writes a batch in one transaction; when it returns, the rows are durable.
    ///
    /// A row's key is its `measurement_uid`. The same row twice, in two batches or in one, is written once. What a table
    /// does not take is set aside in `refused` with its reason, and the rest is written; of such rows too there is one a
    /// uid, and [`OnExisting`] says which. With [`OnExisting::Replace`] a row that is taken ends an earlier refusal.
    /// `update_time` is the time of the call.
    ///
    /// # Errors
    /// The batch was not written, no row of it.
    fn write(&mut self, rows: &[NewRow], on_existing: OnExisting) -> Result<Written, StoreError>;

    /// How many rows `fastpath` has.
    ///
    /// # Errors
    /// The store cannot be read.
    fn count(&self) -> Result<u64, StoreError>;

    /// The first rows, at most `limit`, whose uid comes after `after`, in the order of the bytes of their uids.
    ///
    /// # Errors
    /// The store cannot be read.
    fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredRow>, StoreError>;
}

/// All rows of a store in the order of the bytes of their uids. What is written meanwhile may or may not be among them.
pub fn rows(store: &dyn MeasurementStore) -> Rows<'_> {
    Rows { store, page: Vec::new().into_iter(), last: None, done: false }
}

/// See [`rows`].
pub struct Rows<'s> {
    store: &'s dyn MeasurementStore,
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
        match self.store.page(self.last.as_deref(), PAGE) {
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

/// Opens the store of a URL to write to, and makes it if it is not there.
///
/// # Errors
/// The URL is none of a store, or the store cannot be opened.
pub fn open(url: &str) -> Result<Box<dyn MeasurementStore + Send>, StoreError> {
    Ok(Box::new(Sqlite::open(sqlite_path(url)?)?))
}

/// Opens the store of a URL to read from; it has to be there.
///
/// # Errors
/// The URL is none of a store, or the store cannot be opened.
pub fn open_to_read(url: &str) -> Result<Box<dyn MeasurementStore + Send>, StoreError> {
    Ok(Box::new(Sqlite::open_to_read(sqlite_path(url)?)?))
}

/// Whether this has the form of a store's URL, known or not.
pub fn is_url(text: &str) -> bool {
    let scheme = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    text.strip_prefix("sqlite:").is_some() || text.split_once("://").is_some_and(|(name, _)| scheme(name))
}

/// The file that the URL of an SQLite store names; what belongs to the store lies beside it.
///
/// # Errors
/// The URL is none of an SQLite store.
pub fn sqlite_path(url: &str) -> Result<&Path, StoreError> {
    let refuse = |message: &str| Err(StoreError { store: without_password(url), message: message.to_owned() });
    match url.strip_prefix("sqlite:") {
        Some("") => refuse("no file is named: sqlite:PATH"),
        // A second slash would be an empty host, and SQLite would keep the first in memory: neither is meant.
        Some(path) if path.starts_with("//") || path == ":memory:" => refuse("not a path of a file: sqlite:PATH"),
        Some(path) => Ok(Path::new(path)),
        None => refuse("no store of this kind is supported; there is sqlite:PATH"),
    }
}

/// A URL fit to be shown.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => format!("{}…{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!(sqlite_path("sqlite:a/b.db").unwrap(), Path::new("a/b.db"));
        assert_eq!(sqlite_path("sqlite:/a/b.db").unwrap(), Path::new("/a/b.db"));
        for (url, said) in [
            ("sqlite:", "sqlite:: no file is named: sqlite:PATH"),
            ("sqlite:///a", "sqlite:///a: not a path of a file: sqlite:PATH"),
            ("sqlite::memory:", "sqlite::memory:: not a path of a file: sqlite:PATH"),
            ("a.db", "a.db: no store of this kind is supported; there is sqlite:PATH"),
            (
                "postgres://me:secret@host/db",
                "postgres://…@host/db: no store of this kind is supported; there is sqlite:PATH",
            ),
        ] {
            assert_eq!(sqlite_path(url).unwrap_err().to_string(), said);
        }
        for (text, is) in [("sqlite:x", true), ("clickhouse://x", true), ("a.jsonl", false), ("C:\\x", false)] {
            assert_eq!(is_url(text), is, "{text}");
        }
    }
}
