//! [`ChangeContext`]: what the statements of a change share.

use super::http::Http;

/// What the statements of a change share.
pub(super) struct ChangeContext<'s> {
    pub(super) http: &'s Http,
    /// The time of the change in microseconds since 1970, later than that of all earlier changes of this process. Of several
    /// rows with the same key, the one with the latest time is kept.
    pub(super) moment: i64,
    /// The key of its records in `dirty`.
    pub(super) change: u64,
}
