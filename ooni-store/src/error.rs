//! [`Error`]: the error of a store. Each engine maps the errors of its driver to it in one place.

use ooni_core::time::DateTime;
use std::error::Error as StdError;

/// An error of a store.
///
/// `Display` and [`Error::message`] are for operators: they name the store and may quote the database server.
/// [`Error::public_message`] is safe to show to users. None of them contains a password or a statement.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", prefix(store))]
pub struct Error {
    store: String,
    message: String,
    kind: ErrorKind,
    /// Replaces the public message of the kind. Never contains text from a database.
    public: Option<String>,
    is_outcome_unknown: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

fn prefix(store: &str) -> String {
    if store.is_empty() { String::new() } else { format!("{store}: ") }
}

/// The kind of an error, which says whether the call can be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The deadline passed or the call was cancelled.
    Timeout,
    /// The store is overloaded: a queue or pool is full, or another process holds a lock.
    Busy,
    /// The store cannot be reached, or is starting or shutting down.
    Unavailable,
    /// The result would exceed a limit of [`StoreOptions`](crate::StoreOptions).
    TooLarge,
    /// The request or the URL is wrong; the same request fails again.
    Invalid,
    /// Any other error: the database is damaged, belongs to another version, or refused the statement.
    Other,
}

impl ErrorKind {
    /// Its name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorKind::Timeout => "timeout",
            ErrorKind::Busy => "busy",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::TooLarge => "too large",
            ErrorKind::Invalid => "invalid",
            ErrorKind::Other => "other",
        }
    }

    /// Whether the same call may succeed later.
    pub const fn is_retryable(self) -> bool {
        matches!(self, ErrorKind::Timeout | ErrorKind::Busy | ErrorKind::Unavailable)
    }

    const fn public_message(self) -> &'static str {
        match self {
            ErrorKind::Timeout => "The query timed out or was cancelled.",
            ErrorKind::Busy => "The store is overloaded; retry later.",
            ErrorKind::Unavailable => "The store is unavailable; retry later.",
            ErrorKind::TooLarge => "The result is too large; narrow the filter.",
            ErrorKind::Invalid => "The request is invalid.",
            ErrorKind::Other => "The store failed.",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            store: String::new(),
            message: message.into(),
            kind,
            public: None,
            is_outcome_unknown: false,
            source: None,
        }
    }

    /// An error whose message may be shown to the public: it contains only words of this crate and numbers.
    pub(crate) fn public(kind: ErrorKind, message: impl Into<String>) -> Error {
        let message = message.into();
        Error { public: Some(message.clone()), ..Error::new(kind, message) }
    }

    /// The deadline passed.
    pub(crate) fn timeout() -> Error {
        Error::new(ErrorKind::Timeout, "the query timed out or was cancelled")
    }

    /// The rows of a list have more bytes than the limit.
    pub(crate) fn too_large(max_bytes: usize) -> Error {
        Error::public(ErrorKind::TooLarge, format!("the rows have more than {max_bytes} bytes; ask for fewer"))
    }

    /// The store has been opened with `open_to_read`.
    pub(crate) fn read_only() -> Error {
        Error::new(ErrorKind::Invalid, "the store was opened for reading only")
    }

    /// Months are being loaded in bulk.
    pub(crate) fn loading(months: &[DateTime]) -> Error {
        let name = |month: &DateTime| month.to_string().chars().take(7).collect::<String>();
        let months = match months {
            [] => "no month is".to_owned(),
            [month] => format!("{} is", name(month)),
            [first, last] => format!("{} and {} are", name(first), name(last)),
            [first, .., last] => format!("{} to {} ({} months) are", name(first), name(last), months.len()),
        };
        let message = format!("{months} being loaded; `fastpath store finish` completes a load that was interrupted");
        let public = Some(format!("{months} being loaded; retry later."));
        Error { public, ..Error::new(ErrorKind::Busy, message) }
    }

    /// The database contains a value that this crate does not write.
    pub(crate) fn foreign() -> Error {
        Error::new(ErrorKind::Other, "contains an unexpected value; another program may have changed the database")
    }

    /// Marks that COMMIT was sent and its outcome could not be determined.
    #[must_use]
    pub(crate) fn outcome_unknown(mut self) -> Error {
        self.is_outcome_unknown = true;
        self.message = format!("outcome unknown: the change may or may not have been committed: {}", self.message);
        self.public = Some("The outcome of the change is unknown.".to_owned());
        self
    }

    #[must_use]
    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Error {
        self.source = Some(Box::new(source));
        self
    }

    /// Names the store, unless it is already named.
    #[must_use]
    pub(crate) fn of(mut self, store: &str) -> Error {
        if self.store.is_empty() {
            store.clone_into(&mut self.store);
        }
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The path or the URL without its password; empty if the error is not about a store.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// The message for operators, without the name of the store. Contains no statement and no password.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A sentence that may be shown to the public. Contains no path, host or setting, and no text from a database.
    pub fn public_message(&self) -> &str {
        self.public.as_deref().unwrap_or(self.kind.public_message())
    }

    /// Whether the same call may succeed later. Writes are idempotent, so they can be retried as well.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// Whether it is unknown if a change was committed.
    pub fn is_outcome_unknown(&self) -> bool {
        self.is_outcome_unknown
    }
}
