//! [`Writer`]: a change that is being made.

use super::http::Http;

/// A change that is being made.
pub(super) struct Writer<'s> {
    pub(super) http: &'s Http,
    /// Microseconds since 1970, later than those of all changes of this process before it. Of rows with one key the one with
    /// the latest moment counts.
    pub(super) moment: i64,
    /// What its notes have in common.
    pub(super) change: u64,
}
