//! [`Writer`]: a change in progress.

use super::http::Http;

/// A change in progress.
pub(super) struct Writer<'s> {
    pub(super) http: &'s Http,
    /// Microseconds since 1970, later than those of all changes of this process before it. Of rows with one key the one with
    /// the latest moment counts.
    pub(super) moment: i64,
    /// The key of its records in `dirty`.
    pub(super) change: u64,
}
