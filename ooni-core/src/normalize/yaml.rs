//! YAML 1.1 with the safe schema, as the pure-Python loader of PyYAML reads it (formats spec §11.2).
//!
//! An entry that cannot be read is lost alone or with the whole can, depending on which part of that loader refuses it.
//! So the parts are the same here: characters (`cursor`), tokens (`scanner`, `scalars`, `indicators`), events
//! (`parser`), nodes (`compose`, `tag`) and values (`construct`, `merge`, `scalar`), and each refuses what its model does. None of them
//! recurses; the value that comes out is no deeper than the limits say, and aliases are counted as often as they are
//! used, so that a few lines cannot stand for gigabytes.

mod compose;
mod construct;
mod cursor;
mod error;
mod indicators;
mod merge;
mod parser;
mod scalar;
mod scalars;
mod scanner;
mod tag;

pub use self::error::{Mark, Trouble, TroubleKind};
use super::value::Value;
use crate::json::Limits;

/// Reads a text that holds one document, or none, which is `null`.
///
/// # Errors
/// What the reference's loader refuses, and what is beyond `limits`.
pub fn load(text: &[u8], limits: Limits) -> Result<Value, Trouble> {
    if text.len() > limits.bytes {
        let message = format!("more than {} bytes", limits.bytes);
        return Err(Trouble::new(TroubleKind::Limit, Mark::default(), message));
    }
    match compose::compose(text, limits)? {
        Some(mut nodes) => construct::construct(&mut nodes, limits),
        None => Ok(Value::Null),
    }
}

#[cfg(test)]
mod tests;
