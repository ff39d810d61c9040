//! Fingerprints of known blockpages and false DNS answers: the two lists, and searches for them.
//!
//! Nothing here reads files, hashes a list or scores: the caller loads the bytes and computes their hash.

mod body_index;
mod check;
mod entry;
mod headers;
mod lists;
mod literal_search;
mod load;
mod matching;
mod needles;
mod qgram;
mod rarity;
mod regexp;

pub use body_index::{BodyMatch, BodyRules};
pub use check::Finding;
pub use entry::{ConfirmedBy, Fingerprint, PatternError, PatternType, Scope, UnknownText, locality, prepare_countries};
pub use headers::{Header, HeaderMatch};
pub use lists::Fingerprints;
pub use load::LoadError;
pub use matching::{Body, Scratch};
