//! How a JSON string spells its text, and its decoder: both are the JSON reader's.

pub use crate::json::{Spelling, unescape};
