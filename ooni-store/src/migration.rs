//! [`Migration`]: the result of migrating a store.

/// The versions of a store's tables before and after a migration; equal if they were up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The version before; 0 if there were no tables.
    pub from: usize,
    /// The version after.
    pub to: usize,
}
