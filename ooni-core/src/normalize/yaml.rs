//! YAML 1.1 with the safe schema, as the pure-Python loader of PyYAML reads it (formats spec §11.2).
//!
//! Entries in the shape that probes wrote are read in one pass by `quick`. All others go through the stages of that loader: if
//! an entry cannot be read, the stage that rejects it decides whether only the entry or the whole can is lost. So the stages
//! are the same here: characters (`cursor`), tokens (`scanner`, `scalars`, `indicators`), events
//! (`parser`), nodes (`compose`, `tag`) and values (`construct`, `merge`, `scalar`), and each rejects what the same stage
//! of the reference rejects. None of them recurses, the result is no deeper than the limits, and every use of an alias
//! counts, so that a few lines cannot expand to gigabytes.

mod compose;
mod construct;
mod cursor;
mod error;
mod indicators;
mod merge;
mod parser;
mod quick;
mod scalar;
mod scalars;
mod scanner;
mod tag;

pub use self::error::{Mark, YamlError, YamlErrorKind};
use super::value::YamlValue;
use crate::json::Limits;

/// Reads a text with one document, or none, which is `null`.
///
/// # Errors
/// The reference's loader rejects the text, or it exceeds `limits`.
pub fn load(text: &[u8], limits: Limits) -> Result<YamlValue<'_>, YamlError> {
    match quick::read(text, limits) {
        Some(value) => Ok(value),
        None => load_in_stages(text, limits),
    }
}

/// The same by all stages, whatever the shape of the document. It is slower; tests compare the two.
///
/// # Errors
/// Those of [`load`].
pub fn load_in_stages(text: &[u8], limits: Limits) -> Result<YamlValue<'static>, YamlError> {
    if text.len() > limits.bytes {
        let message = format!("more than {} bytes", limits.bytes);
        return Err(YamlError::new(YamlErrorKind::Limit, Mark::default(), message));
    }
    match compose::compose(text, limits)? {
        Some(mut nodes) => construct::construct(&mut nodes, limits),
        None => Ok(YamlValue::Null),
    }
}

#[cfg(test)]
mod tests;
