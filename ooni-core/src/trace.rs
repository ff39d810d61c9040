//! Records of the rules that fired, for explanations.
//!
//! Rules only record; `explain` evaluates the records.

use crate::json::{Field, Json, Value, write_json};
use serde::Serialize;
use std::cell::RefCell;

/// A value that a rule read, and its path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// JSON pointer into the document as it was read.
    pub path: String,
    /// The value; `None` when it is missing. For long values only a description is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// True when `value` is only a description.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub described: bool,
}

/// A rule that fired: it set a key because of the values that it read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fired {
    /// The rule, in a few words.
    pub rule: &'static str,
    /// The key of the scores that was set, or another result.
    pub sets: &'static str,
    /// The values that were read.
    pub reads: Vec<Reading>,
}

/// A fingerprint that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Name of the fingerprint.
    pub name: String,
    /// Its scope, such as `nat`.
    pub scope: String,
    /// Where it is searched: `dns`, `body` or `header.<name>`.
    pub location_found: String,
    /// How the pattern is compared: `full`, `prefix`, `contains` or `regexp`.
    pub pattern_type: String,
    /// The pattern.
    pub pattern: String,
    /// JSON pointer to the answer, body or header in which it was found.
    pub path: String,
    /// Byte offset of the match in the decoded text.
    pub offset: usize,
    /// Further offsets in the same text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_at: Vec<usize>,
    /// Whether it confirms that the measurement was blocked.
    pub confirmed: bool,
    /// Why it does or does not confirm.
    pub why: String,
}

/// The records of one measurement.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) fired: RefCell<Vec<Fired>>,
    pub(crate) found: RefCell<Vec<Found>>,
}

/// A value or field with a path in the document.
pub(crate) trait HasPath {
    /// The path and the value.
    fn reading(&self) -> Reading;
}

impl HasPath for Value<'_> {
    fn reading(&self) -> Reading {
        let (value, described) = shortened(*self);
        Reading { path: self.path(), value: Some(value), described }
    }
}

impl HasPath for Field<'_> {
    fn reading(&self) -> Reading {
        match self.found() {
            Some(value) => Reading { path: self.path(), ..value.reading() },
            None => Reading { path: self.path(), value: None, described: false },
        }
    }
}

/// Values whose JSON text is longer than this, in bytes, are only described.
const MAX_LENGTH: usize = 200;

fn shortened(value: Value<'_>) -> (Json, bool) {
    let whole = value.to_json();
    let mut text = Vec::new();
    write_json(&whole, &mut text);
    if text.len() <= MAX_LENGTH {
        return (whole, false);
    }
    let description = match &whole {
        Json::Array(items) => format!("an array of length {}", items.len()),
        Json::Object(members) => format!("an object of size {}", members.len()),
        Json::Text(text) => format!("a string of {} bytes", text.len()),
        other => format!("{}, {} bytes long", other.kind().name(), text.len()),
    };
    (Json::from(description), true)
}
