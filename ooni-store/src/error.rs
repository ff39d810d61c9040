//! [`StoreError`]: what cannot be done with a store.

use thiserror::Error;

/// What cannot be done with a store, and a sentence.
#[derive(Debug, Error)]
#[error("{}{message}", prefix(store))]
pub struct StoreError {
    /// The URL or file; empty where the caller knows it.
    pub store: String,
    /// What is wrong. Never a statement of the database.
    pub message: String,
    /// What a caller can do about it.
    pub kind: Kind,
}

fn prefix(store: &str) -> String {
    if store.is_empty() { String::new() } else { format!("{store}: ") }
}

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It took longer than it may, or nobody waited for it any more.
    Timeout,
    /// Others are served; it can be tried again.
    Busy,
    /// Anything else.
    Other,
}

impl StoreError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> StoreError {
        StoreError { store: String::new(), message: message.into(), kind }
    }

    pub(crate) fn of(mut self, store: &str) -> StoreError {
        store.clone_into(&mut self.store);
        self
    }
}
