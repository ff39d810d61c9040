//! [`Migration`]: what bringing the tables of a store up to date did.

/// What bringing the tables of a store up to date did, in versions of these. Both are equal where it did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The version before; 0 where there were no tables.
    pub from: usize,
    /// The version now.
    pub to: usize,
}
